//===- Control.cpp - Branches and exits -----------------------------------===//
//
// A branch says which lanes go where; the warp keeps the paths.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Control.h"
#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/machine/Cta.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

Flow dsrt::simulator::branchLanes(Warp &warp, const Instruction &i,
                                  LaneMask active) {
  if (active == warp.currentLanes())
    warp.jump(i.targets[0]);
  else
    warp.branch(i, {{i.targets[0], active}});
  return Flow::Jumped;
}

Flow dsrt::simulator::exitLanes(Warp &warp, const Instruction &i,
                                LaneMask active) {
  if (warp.products.arePending())
    warp.fault(FaultKind::InvalidUse, i,
               static_cast<unsigned>(__builtin_ctz(active)),
               "expected wgmma.wait_group 0 before a thread ends");
  warp.exit(active);
  if (warp.cta.liveThreads == 0)
    for (const Warpgroup &group : warp.cta.warpgroups)
      if (!group.open.empty())
        warp.fault(FaultKind::InvalidUse, i,
                   static_cast<unsigned>(__builtin_ctz(active)),
                   fmt::format("expected all warps of the warpgroup to execute "
                               "the wgmma in line {}",
                               group.open[0].product.instruction->line));
  return Flow::Next;
}

/// brx.idx: operand 0 is the number of the target.
static Flow branchByIndex(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *index = warp.lanes<uint32_t>(i.operand[0]);
  std::vector<LaneMask> lanes(i.targets.size());
  forLanes(active, [&](unsigned lane) {
    if (index[lane] >= lanes.size())
      warp.fault(FaultKind::IllegalInstruction, i, lane,
                 fmt::format("expected one of {} targets, got number {}",
                             lanes.size(), index[lane]));
    lanes[index[lane]] |= LaneMask(1) << lane;
  });
  std::vector<Warp::Branch> branches;
  for (size_t k = 0; k < lanes.size(); ++k)
    if (lanes[k])
      branches.push_back({i.targets[k], lanes[k]});
  warp.branch(i, std::move(branches));
  return Flow::Jumped;
}

static void decodeBranch(Decoder &decoder) {
  decoder.take("uni");
  decoder.instruction.execute = branchLanes;
  decoder.instruction.targets = decoder.readTargets();
  if (decoder.instruction.targets.size() != 1)
    decoder.fail("expected one label after bra");
}

static void decodeBranchByIndex(Decoder &decoder) {
  if (!decoder.take("idx"))
    decoder.unknownForm();
  decoder.take("uni");
  decoder.instruction.execute = branchByIndex;
  decoder.source(Type::U32);
  decoder.instruction.targets = decoder.readTargets();
}

static void decodeExit(Decoder &decoder) {
  decoder.instruction.exits = true;
  decoder.instruction.execute = exitLanes;
}

static Flow trap(Warp &warp, const Instruction &i, LaneMask active) {
  warp.fault(FaultKind::InvalidUse, i,
             static_cast<unsigned>(__builtin_ctz(active)),
             "the kernel stopped itself");
}

static void decodeTrap(Decoder &decoder) { decoder.instruction.execute = trap; }

static Flow sleep(Warp &, const Instruction &, LaneMask) { return Flow::Next; }

static void decodeSleep(Decoder &decoder) {
  if (decoder.takeType() != Type::U32)
    decoder.unknownForm();
  decoder.instruction.execute = sleep;
  decoder.source(Type::U32);
}

void dsrt::simulator::addControl(OpcodeTable &table) {
  table["bra"] = decodeBranch;
  table["brx"] = decodeBranchByIndex;
  table["exit"] = decodeExit;
  table["trap"] = decodeTrap;
  table["nanosleep"] = decodeSleep;
}
