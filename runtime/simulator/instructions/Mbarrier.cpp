//===- Mbarrier.cpp - Barriers in shared memory ---------------------------===//
//
// The eight bytes hold the barrier's state, in an encoding of our own: what it
// is on a GPU is not defined either. A phase ends when no arrivals and no bytes
// are missing.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Mbarrier.h"
#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

namespace {
struct Mbarrier {
  uint64_t magic : 2; // tells a barrier from other data
  uint64_t phase : 1;
  uint64_t expected : 20; // arrivals of every phase
  uint64_t missing : 20;  // arrivals of this one
  int64_t bytes : 21;     // that are still to come
};
static_assert(sizeof(Mbarrier) == 8);

constexpr uint64_t kMagic = 2;
constexpr uint64_t kMaxArrivals = (uint64_t(1) << 20) - 1;
constexpr int64_t kMaxBytes = (int64_t(1) << 20) - 1;

/// The barrier of a lane; written back when the lane is done with it.
class LockedBarrier {
public:
  LockedBarrier(Warp &warp, const Instruction &i, unsigned lane)
      : LockedBarrier(warp, i, lane, warp.addressOf(i.address[0], lane),
                      warp.access(i, i.space,
                                  warp.addressOf(i.address[0], lane), 8,
                                  Access::Update, lane)) {}
  LockedBarrier(Warp &warp, const Instruction &i, unsigned lane,
                uint64_t address, uint8_t *memory)
      : warp(warp), instruction(i), lane(lane), address(address),
        memory(memory) {
    std::memcpy(&barrier, memory, sizeof barrier);
    if (barrier.magic != kMagic)
      fail("expected an initialized mbarrier");
  }
  /// The lanes arrive: they tell what they have done.
  void release(LaneMask lanes) {
    if (Races *races = warp.races())
      races->release(warp.agent(), lanes, clocks().arrived);
  }
  /// The same of the copies of the warp.
  void releaseCopies() {
    if (Races *races = warp.races())
      races->release(races->copierOf(warp.agent()), kAllLanes,
                     clocks().arrived);
  }
  /// A phase has been waited for.
  void acquire() {
    if (Races *races = warp.races())
      races->acquire(warp.agent(), clocks().completed);
  }
  ~LockedBarrier() { std::memcpy(memory, &barrier, sizeof barrier); }
  LockedBarrier(const LockedBarrier &) = delete;

  uint64_t state() const {
    uint64_t bits;
    std::memcpy(&bits, &barrier, sizeof bits);
    return bits;
  }

  void arrive(uint64_t count) {
    if (count == 0 || count > barrier.missing)
      fail(fmt::format("expected 1 to {} arrivals in this phase of the "
                       "mbarrier, got {}",
                       uint64_t(barrier.missing), count));
    barrier.missing -= count;
    completeIfFull();
  }

  void addBytes(int64_t bytes) {
    int64_t sum = barrier.bytes + bytes;
    if (sum > kMaxBytes || sum < -kMaxBytes)
      fail(fmt::format("expected at most {} bytes in a phase of the mbarrier, "
                       "got {}",
                       kMaxBytes, sum));
    barrier.bytes = sum;
    completeIfFull();
  }

  [[noreturn]] void fail(const std::string &message) const {
    warp.fault(FaultKind::InvalidUse, instruction, lane, message);
  }

  Mbarrier barrier;

private:
  void completeIfFull() {
    warp.progressed = true;
    if (barrier.missing != 0 || barrier.bytes != 0)
      return;
    if (warp.races())
      clocks().endPhase();
    barrier.missing = barrier.expected;
    barrier.phase ^= 1;
  }

  BarrierClocks &clocks() {
    auto [cta, offset] = warp.sharedPlace(address);
    return warp.races()->mbarrier(cta, offset);
  }

  Warp &warp;
  const Instruction &instruction;
  unsigned lane;
  uint64_t address;
  uint8_t *memory;
};
} // namespace

static Flow initialize(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *counts = warp.lanes<uint32_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) {
    if (counts[lane] == 0 || counts[lane] > kMaxArrivals)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected 1 to {} arrivals, got {}", kMaxArrivals,
                             counts[lane]));
    Mbarrier barrier = {kMagic, 0, counts[lane], counts[lane], 0};
    uint64_t address = warp.addressOf(i.address[0], lane);
    std::memcpy(warp.access(i, i.space, address, 8, Access::Write, lane),
                &barrier, sizeof barrier);
    auto [cta, offset] =
        warp.checkedPlace(i, address & ~kSharedWindow, 8, lane);
    if (warp.cta.kernel().usesAsyncProxy)
      warp.cta.cluster.async.newBarriers.push_back({&warp, lane, cta, offset});
  });
  warp.progressed = true;
  return Flow::Next;
}

static Flow invalidate(Warp &warp, const Instruction &i, LaneMask active) {
  forLanes(active, [&](unsigned lane) {
    LockedBarrier locked(warp, i, lane);
    locked.barrier.magic = 0;
  });
  return Flow::Next;
}

/// The lanes with the same address as 'lane'.
static LaneMask lanesAt(Warp &warp, const Address &address, unsigned lane,
                        LaneMask active) {
  LaneMask lanes = 0;
  forLanes(active, [&](unsigned other) {
    bool same = warp.addressOf(address, other) == warp.addressOf(address, lane);
    lanes |= LaneMask(same) << other;
  });
  return lanes;
}

/// Operand 0 gets the state before the arrival; operand 1 counts arrivals, or
/// bytes if variant says so, which then arrives once.
static Flow arrive(Warp &warp, const Instruction &i, LaneMask active) {
  auto *states =
      i.operand[0] == kNoSlot ? nullptr : warp.lanes<uint64_t>(i.operand[0]);
  const auto *counts =
      i.operand[1] == kNoSlot ? nullptr : warp.lanes<uint32_t>(i.operand[1]);
  bool expectsBytes = i.variant == 1;
  LaneMask told = 0;
  forLanes(active, [&](unsigned lane) {
    LockedBarrier locked(warp, i, lane);
    if (!(told >> lane & 1)) {
      LaneMask together = lanesAt(warp, i.address[0], lane, active);
      locked.release(together);
      told |= together;
    }
    if (states)
      states[lane] = locked.state();
    if (expectsBytes) // the arrival is still missing: the phase can not end yet
      locked.addBytes(counts[lane]);
    locked.arrive(counts && !expectsBytes ? counts[lane] : 1);
  });
  return Flow::Next;
}

/// expect_tx, and complete_tx with variant 1.
static Flow countBytes(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *counts = warp.lanes<uint32_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) {
    auto bytes = static_cast<int64_t>(counts[lane]);
    LockedBarrier(warp, i, lane).addBytes(i.variant == 1 ? -bytes : bytes);
  });
  return Flow::Next;
}

/// Operand 0: whether the phase has ended that operand 1 names, by its parity
/// or as the state that an arrival returned (variant 1).
static Flow testWait(Warp &warp, const Instruction &i, LaneMask active) {
  LaneMask ended = 0, learnt = 0;
  forLanes(active, [&](unsigned lane) {
    uint64_t phase = 0;
    if (i.variant == 1) {
      Mbarrier before;
      std::memcpy(&before, warp.lanes<uint64_t>(i.operand[1]) + lane,
                  sizeof before);
      phase = before.phase;
    } else {
      phase = warp.lanes<uint32_t>(i.operand[1])[lane] & 1;
    }
    LockedBarrier locked(warp, i, lane);
    bool over = locked.barrier.phase != phase;
    ended |= LaneMask(over) << lane;
    if (!over)
      warp.missing = {locked.barrier.missing, locked.barrier.bytes};
    if (over && !(learnt >> lane & 1)) {
      locked.acquire();
      learnt |= lanesAt(warp, i.address[0], lane, active);
    }
  });
  warp.setPredicate(i.operand[0], active, ended);
  if (ended == active) {
    warp.progressed = true;
    warp.missing.reset();
  } else {
    warp.polls = true;
  }
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Asynchronous work
//===----------------------------------------------------------------------===//

/// The barrier at a shared address, for a copy of the lane.
static LockedBarrier lockForCopy(Warp &warp, const Instruction &i,
                                 unsigned lane, uint64_t address) {
  return LockedBarrier(warp, i, lane, address,
                       warp.accessAsCopy(i, address, 8, Access::Update, lane));
}

void dsrt::simulator::checkAsyncBarrier(Warp &warp, const Instruction &i,
                                        unsigned lane, uint64_t address) {
  LockedBarrier locked = lockForCopy(warp, i, lane, address);
  auto [cta, offset] = warp.checkedPlace(i, address, 8, lane);
  for (const NewBarrier &barrier : warp.cta.cluster.async.newBarriers)
    if (barrier.cta == cta && barrier.offset == offset)
      locked.fail(fmt::format(
          "expected fence.mbarrier_init or fence.proxy.async by thread {} of "
          "CTA {} of the cluster, which initialized the mbarrier",
          barrier.warp->index * kLanes + barrier.lane, barrier.warp->cta.rank));
}

void dsrt::simulator::countCopiedBytes(const BulkCopy &copy) {
  LockedBarrier locked =
      lockForCopy(*copy.warp, *copy.instruction, copy.lane, copy.barrier);
  locked.releaseCopies();
  locked.addBytes(-static_cast<int64_t>(copy.data.size()));
}

void dsrt::simulator::publishBarriers(Warp &warp, LaneMask threads) {
  std::vector<NewBarrier> &barriers = warp.cta.cluster.async.newBarriers;
  auto isPublished = [&](const NewBarrier &barrier) {
    return barrier.warp == &warp && (threads >> barrier.lane & 1);
  };
  barriers.erase(std::remove_if(barriers.begin(), barriers.end(), isPublished),
                 barriers.end());
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static void decodeArrive(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.variant = decoder.take("expect_tx");
  instruction.execute = arrive;
  if (decoder.peekOperand().kind != OperandSyntax::Kind::Address)
    instruction.operand[0] = decoder.readDestination(Type::B64);
  instruction.address[0] = decoder.readAddress();
  if (instruction.variant == 1 || decoder.hasOperand())
    instruction.operand[1] = decoder.readSource(Type::U32);
}

static void decodeWait(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.variant = decoder.take("parity") ? 0 : 1;
  instruction.execute = testWait;
  decoder.destination(Type::Pred);
  instruction.address[0] = decoder.readAddress();
  instruction.operand[1] =
      decoder.readSource(instruction.variant == 1 ? Type::B64 : Type::U32);
  if (decoder.hasOperand()) // how long to wait: no time passes here
    decoder.readSource(Type::U32);
}

static void decodeMbarrier(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  enum { Init, Inval, Arrive, CompleteBytes, TestWait, TryWait, ExpectBytes };
  unsigned kind = decoder.takeOneOf(
      {"init", "inval", "arrive", "complete_tx", "test_wait", "try_wait"},
      ExpectBytes);
  decoder.takeOneOf({"release", "acquire", "relaxed"}, 3);
  decoder.takeOneOf({"cta", "cluster"}, 2);
  instruction.space = decoder.takeSpace();
  if (decoder.takeType() != Type::B64)
    decoder.unknownForm();
  decoder.noteAccess(8);
  switch (kind) {
  case Init:
    instruction.execute = initialize;
    instruction.address[0] = decoder.readAddress();
    return decoder.source(Type::U32);
  case Inval:
    instruction.execute = invalidate;
    instruction.address[0] = decoder.readAddress();
    return;
  case Arrive:
    return decodeArrive(decoder);
  case TestWait:
  case TryWait:
    return decodeWait(decoder);
  default:
    if (kind == ExpectBytes && !decoder.take("expect_tx"))
      decoder.unknownForm();
    instruction.variant = kind == CompleteBytes;
    instruction.execute = countBytes;
    instruction.address[0] = decoder.readAddress();
    decoder.source(Type::U32);
  }
}

void dsrt::simulator::addMbarriers(OpcodeTable &table) {
  table["mbarrier"] = decodeMbarrier;
}
