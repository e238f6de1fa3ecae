//===- Warp.cpp - 32 threads that execute together ------------------------===//
//
// The loop of instructions, and divergence. A divergent branch turns the
// current path into the one that goes on where the lanes meet, and pushes one
// path per target above it.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Warp.h"
#include "runtime/simulator/machine/Launch.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

Warp::Warp(Cta &cta, unsigned index, LaneMask lanes)
    : cta(cta), index(index), code(cta.kernel().code), live(lanes) {
  const Kernel &kernel = cta.kernel();
  size_t bytes = (kernel.registers.size() + 63) / 64 * 64;
  registers.reset(static_cast<uint8_t *>(
      std::aligned_alloc(64, std::max<size_t>(bytes, 64))));
  if (!registers)
    throw std::bad_alloc();
  std::copy(kernel.registers.begin(), kernel.registers.end(), registers.get());
  local.resize(kernel.localBytes * kLanes);
  proxyFences.fill(1);
  stack.push_back({0, static_cast<CodeIndex>(code.size()), lanes});
}

bool Warp::settle() {
  while (!stack.empty()) {
    const Path &path = stack.back();
    if (path.lanes && path.next != path.reconverge)
      return true;
    stack.pop_back();
  }
  return false;
}

Warp::Status Warp::run(unsigned budget) {
  Counts &counts = cta.cluster.counts;
  uint8_t *executed = cta.kernel().executed.data();
  for (; budget > 0 && settle(); --budget) {
    Path &path = stack.back();
    const Instruction &instruction = code[path.next];
    LaneMask active = path.lanes;
    if (instruction.guard != kNoSlot) {
      LaneMask guard = predicate(instruction.guard);
      active &= instruction.guardNegated ? ~guard : guard;
    }
    if (!active) {
      ++path.next;
      continue;
    }
    storeShared<uint8_t>(executed + path.next, 1);
    ++counts[Count::WarpInstructions];
    counts[Count::LaneInstructions] +=
        static_cast<unsigned>(__builtin_popcount(active));
    if (products.areOpen() && !instruction.usesAsyncProxy)
      products.watch(*this, instruction);
    switch (instruction.execute(*this, instruction, active)) {
    case Flow::Next:
      ++path.next;
      if (polls) {
        polls = false;
        lastWait = &instruction;
        return Status::Waiting;
      }
      break;
    case Flow::Again:
      lastWait = &instruction;
      return Status::Waiting;
    case Flow::Jumped:
      break;
    }
  }
  return stack.empty() ? Status::Done : Status::Running;
}

void Warp::branch(const Instruction &instruction,
                  std::vector<Branch> branches) {
  Path &path = stack.back();
  LaneMask staying = path.lanes;
  for (const Branch &branch : branches)
    staying &= ~branch.lanes;
  if (staying)
    branches.push_back({path.next + 1, staying});
  if (branches.size() == 1) {
    path.next = branches[0].target;
    return;
  }
  CodeIndex meet = instruction.reconverge;
  if (path.reconverge == meet)
    stack.pop_back(); // a path below already waits there for the same lanes
  else
    path.next = meet;
  constexpr size_t deepest = 4096;
  if (stack.size() > deepest)
    fault(FaultKind::IllegalInstruction, instruction, 0,
          "expected branches that meet again");
  for (auto branch = branches.rbegin(); branch != branches.rend(); ++branch)
    stack.push_back({branch->target, meet, branch->lanes});
}

void Warp::exit(LaneMask lanes) {
  live &= ~lanes;
  for (Path &path : stack)
    path.lanes &= live;
  progressed = true;
  cta.threadsExited(static_cast<unsigned>(__builtin_popcount(lanes)));
}

void Warp::fault(FaultKind kind, const Instruction &instruction, unsigned lane,
                 const std::string &message) const {
  std::array<unsigned, 3> thread =
      cta.cluster.launch.threadAt(index * kLanes + lane);
  std::string source;
  auto file = cta.kernel().sourceFiles.find(instruction.location.file);
  if (file != cta.kernel().sourceFiles.end())
    source = fmt::format(" ({}:{}:{})", file->second, instruction.location.line,
                         instruction.location.column);
  throw Fault(
      kind, fmt::format(
                "kernel {}, line {} '{}'{}, CTA ({}, {}, {}), thread ({}, {}, "
                "{}): {}",
                cta.kernel().name, instruction.line, instruction.opcode, source,
                cta.position[0], cta.position[1], cta.position[2], thread[0],
                thread[1], thread[2], message));
}
