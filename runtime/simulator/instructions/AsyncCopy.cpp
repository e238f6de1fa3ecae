//===- AsyncCopy.cpp - cp.async -------------------------------------------===//
//
// A copy happens when it is waited for. From its issue until then the bytes
// that it writes count as not written, so a read that does not wait is a fault.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/machine/Cta.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

/// address[0] in shared, address[1] in global memory; immediate: bytes to
/// write; operand 0: bytes to read, the rest is zero.
static Flow copyAsync(Warp &warp, const Instruction &i, LaneMask active) {
  auto bytes = static_cast<unsigned>(i.immediate);
  const auto *sizes =
      i.operand[0] == kNoSlot ? nullptr : warp.lanes<uint32_t>(i.operand[0]);
  if (Races *races = warp.races())
    races->beginCopy(warp.agent(), active);
  forLanes(active, [&](unsigned lane) {
    unsigned read = sizes ? std::min(sizes[lane], bytes) : bytes;
    AsyncCopy copy;
    copy.instruction = &i;
    copy.lane = lane;
    copy.group = warp.copyGroups[lane];
    copy.bytes = bytes;
    copy.to = warp.beginAsyncWrite(i, warp.addressOf(i.address[0], lane), bytes,
                                   lane);
    if (read > 0) {
      uint64_t from = warp.addressOf(i.address[1], lane);
      if (from % bytes)
        warp.fault(FaultKind::MisalignedAddress, i, lane,
                   fmt::format("expected a source of a multiple of {} bytes, "
                               "got 0x{:x}",
                               bytes, from));
      // Fewer bytes than a copy has need not be a power of two.
      unsigned step = read == bytes ? bytes : 1;
      for (unsigned k = 0; k < read; k += step)
        std::memcpy(
            copy.data.data() + k,
            warp.access(i, Space::Global, from + k, step, Access::Read, lane),
            step);
      warp.cta.cluster.counts[Count::GlobalBytesRead] += read;
    }
    warp.copies.push_back(copy);
  });
  return Flow::Next;
}

static Flow commitCopies(Warp &warp, const Instruction &, LaneMask active) {
  forLanes(active, [&](unsigned lane) { ++warp.copyGroups[lane]; });
  return Flow::Next;
}

/// immediate: how many of the last groups may stay; -1: also what is in none
/// must be done.
static Flow waitForCopies(Warp &warp, const Instruction &i, LaneMask active) {
  auto isDone = [&](const AsyncCopy &copy) {
    bool done =
        (active >> copy.lane & 1) &&
        static_cast<int64_t>(copy.group) <
            static_cast<int64_t>(warp.copyGroups[copy.lane]) - i.immediate;
    if (done)
      warp.endAsyncWrite(copy);
    return done;
  };
  // In the order of issue: a later copy to the same bytes wins.
  std::vector<AsyncCopy> rest;
  for (const AsyncCopy &copy : warp.copies)
    if (!isDone(copy))
      rest.push_back(copy);
  warp.copies = std::move(rest);
  if (Races *races = warp.races())
    races->endCopies(warp.agent());
  warp.progressed = true;
  return Flow::Next;
}

static void decodeCopy(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  bool all = decoder.takeOneOf({"ca", "cg"}) == 0;
  bool toShared = decoder.take("shared") || decoder.take("shared::cta");
  if (!toShared || !decoder.take("global"))
    decoder.unknownForm();
  decoder.takeOneOf({"L2::64B", "L2::128B", "L2::256B"}, 3);
  bool policy = decoder.take("L2::cache_hint");
  instruction.execute = copyAsync;
  instruction.address[0] = decoder.readAddress();
  instruction.address[1] = decoder.readAddress();
  int64_t bytes = instruction.immediate = decoder.readImmediate();
  if (bytes != 16 && !(all && (bytes == 4 || bytes == 8)))
    decoder.fail(fmt::format("expected a copy of 16 bytes, or with .ca of 4 or "
                             "8, got {}",
                             bytes));
  decoder.noteAccess(static_cast<unsigned>(bytes));
  if (policy)
    decoder.readSource(Type::B64);
  else if (decoder.hasOperand())
    instruction.operand[0] = decoder.readSource(Type::U32);
}

static void decodeAsync(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (!decoder.take("async"))
    decoder.unknownForm();
  if (decoder.take("bulk"))
    return decodeBulkCopy(decoder);
  if (decoder.take("commit_group")) {
    instruction.execute = commitCopies;
  } else if (decoder.take("wait_group")) {
    instruction.execute = waitForCopies;
    instruction.immediate = decoder.readImmediate();
    if (instruction.immediate < 0)
      decoder.fail("expected a number of groups");
  } else if (decoder.take("wait_all")) {
    instruction.execute = waitForCopies;
    instruction.immediate = -1;
  } else {
    decodeCopy(decoder);
  }
}

void dsrt::simulator::addAsyncCopies(OpcodeTable &table) {
  table["cp"] = decodeAsync;
}
