//===- Synchronize.cpp - Barriers and fences ------------------------------===//
//
// A warp that waits executes its barrier again until the phase that it waits
// for has ended. Fences order nothing here, since memory is accessed in the
// order of the text; those between proxies are counted.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/instructions/Mbarrier.h"
#include "runtime/simulator/machine/Launch.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

static unsigned firstLane(LaneMask lanes) {
  return static_cast<unsigned>(__builtin_ctz(lanes));
}

static unsigned count(LaneMask lanes) {
  return static_cast<unsigned>(__builtin_popcount(lanes));
}

/// Lanes of a warp come to a barrier together.
static void checkConverged(const Warp &warp, const Instruction &i,
                           LaneMask active) {
  if (active != warp.liveLanes())
    warp.fault(FaultKind::InvalidUse, i, firstLane(active),
               fmt::format("divergent barrier: expected all live lanes "
                           "0x{:08x} of the warp, got 0x{:08x}",
                           warp.liveLanes(), active));
}

/// A value that must be the same in all lanes.
static uint32_t uniform(Warp &warp, const Instruction &i, Slot slot,
                        LaneMask active) {
  const auto *values = warp.lanes<uint32_t>(slot);
  uint32_t first = values[firstLane(active)];
  forLanes(active, [&](unsigned lane) {
    if (values[lane] != first)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected one value in all lanes, got {} and {}",
                             first, values[lane]));
  });
  return first;
}

//===----------------------------------------------------------------------===//
// Barriers of a CTA
//===----------------------------------------------------------------------===//

/// The barrier that operand 0 names; the warp arrives with the count of operand
/// 1, if there is one.
static NamedBarrier &arriveAt(Warp &warp, const Instruction &i, LaneMask active,
                              NamedBarrier &barrier) {
  std::optional<unsigned> expected;
  if (i.operand[1] != kNoSlot) {
    expected = uniform(warp, i, i.operand[1], active);
    if (*expected == 0 || *expected % kLanes)
      warp.fault(FaultKind::InvalidUse, i, firstLane(active),
                 fmt::format("expected a number of threads that is a multiple "
                             "of 32, got {}",
                             *expected));
  }
  if (barrier.arrived && barrier.expected != expected)
    warp.fault(FaultKind::InvalidUse, i, firstLane(active),
               fmt::format("expected the number of threads that others came "
                           "with, {}, got {}",
                           barrier.expected.value_or(0), expected.value_or(0)));
  unsigned threads = expected ? kLanes : count(active);
  if (expected && barrier.arrived + threads > *expected)
    warp.fault(
        FaultKind::InvalidUse, i, firstLane(active),
        fmt::format("expected at most {} threads at the barrier", *expected));
  warp.progressed = true;
  if (Races *races = warp.races())
    races->release(warp.agent(), active, barrier.clocks.arrived);
  warp.cta.arrive(barrier, threads, expected);
  return barrier;
}

static NamedBarrier &barrierOf(Warp &warp, const Instruction &i,
                               LaneMask active) {
  uint32_t id = uniform(warp, i, i.operand[0], active);
  if (id >= warp.cta.barriers.size())
    warp.fault(FaultKind::InvalidUse, i, firstLane(active),
               fmt::format("expected a barrier from 0 to 15, got {}", id));
  return warp.cta.barriers[id];
}

/// The warp has waited at the barrier.
static void leave(Warp &warp, const NamedBarrier &barrier) {
  warp.synchronizeLanes();
  if (Races *races = warp.races())
    races->acquire(warp.agent(), barrier.clocks.completed);
  warp.progressed = true;
}

static Flow barrierArrive(Warp &warp, const Instruction &i, LaneMask active) {
  checkConverged(warp, i, active);
  arriveAt(warp, i, active, barrierOf(warp, i, active));
  return Flow::Next;
}

static Flow barrierSync(Warp &warp, const Instruction &i, LaneMask active) {
  checkConverged(warp, i, active);
  NamedBarrier &barrier = barrierOf(warp, i, active);
  if (!warp.awaited) {
    warp.awaited = barrier.phase;
    arriveAt(warp, i, active, barrier);
  }
  if (barrier.phase == *warp.awaited)
    return Flow::Again;
  warp.awaited.reset();
  leave(warp, barrier);
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Barriers of a cluster
//===----------------------------------------------------------------------===//

/// variant 1: .relaxed, tells nothing.
static Flow clusterArrive(Warp &warp, const Instruction &i, LaneMask active) {
  checkConverged(warp, i, active);
  if (warp.clusterPhase)
    warp.fault(FaultKind::InvalidUse, i, firstLane(active),
               "expected barrier.cluster.wait before the next arrive");
  NamedBarrier &barrier = warp.cta.cluster.barrier;
  warp.clusterPhase = barrier.phase;
  warp.progressed = true;
  Races *races = warp.races();
  if (races && !i.variant)
    races->release(warp.agent(), active, barrier.clocks.arrived);
  warp.cta.cluster.arrive(count(active));
  return Flow::Next;
}

static Flow clusterWait(Warp &warp, const Instruction &i, LaneMask active) {
  checkConverged(warp, i, active);
  if (!warp.clusterPhase)
    warp.fault(FaultKind::InvalidUse, i, firstLane(active),
               "expected barrier.cluster.arrive before wait");
  if (warp.cta.cluster.barrier.phase == *warp.clusterPhase)
    return Flow::Again;
  warp.clusterPhase.reset();
  leave(warp, warp.cta.cluster.barrier);
  return Flow::Next;
}

static void decodeClusterBarrier(Decoder &decoder) {
  bool arrives = decoder.takeOneOf({"arrive", "wait"}) == 0;
  if (arrives)
    decoder.instruction.variant = decoder.takeOneOf({"release", "relaxed"}, 0);
  else
    decoder.take("acquire");
  decoder.take("aligned");
  decoder.instruction.execute = arrives ? clusterArrive : clusterWait;
}

//===----------------------------------------------------------------------===//
// Warps
//===----------------------------------------------------------------------===//

void dsrt::simulator::checkMembers(Warp &warp, const Instruction &i, Slot slot,
                                   LaneMask active) {
  const auto *masks = warp.lanes<uint32_t>(slot);
  forLanes(active, [&](unsigned lane) {
    LaneMask members = masks[lane] & warp.liveLanes();
    if (members != active)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected the lanes 0x{:08x} of the mask, got "
                             "0x{:08x}: the warp has diverged",
                             members, active));
  });
  warp.synchronizeLanes();
}

static Flow warpSync(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[0], active);
  return Flow::Next;
}

/// bar.sync, barrier.sync and their .arrive; bar.warp.sync.
static void decodeBarrier(Decoder &decoder) {
  if (decoder.take("cluster"))
    return decodeClusterBarrier(decoder);
  if (decoder.take("warp")) {
    if (!decoder.take("sync"))
      decoder.unknownForm();
    decoder.instruction.execute = warpSync;
    return decoder.source(Type::B32);
  }
  decoder.take("cta");
  bool arrives = decoder.takeOneOf({"sync", "arrive"}) == 1;
  decoder.take("aligned");
  decoder.instruction.execute = arrives ? barrierArrive : barrierSync;
  decoder.source(Type::U32);
  if (arrives || decoder.hasOperand())
    decoder.source(Type::U32);
}

//===----------------------------------------------------------------------===//
// Fences and hints
//===----------------------------------------------------------------------===//

static Flow nothing(Warp &, const Instruction &, LaneMask) {
  return Flow::Next;
}

/// Other clusters see what was written before.
static Flow fenceDevice(Warp &warp, const Instruction &, LaneMask) {
  Cluster &cluster = warp.cta.cluster;
  if (cluster.launch.globalRaces)
    cluster.launch.globalRaces->fence(cluster.number);
  return Flow::Next;
}

static void decodeMembar(Decoder &decoder) {
  bool device = decoder.takeOneOf({"cta", "gl", "sys"}) != 0;
  decoder.instruction.execute = device ? fenceDevice : nothing;
}

/// What the threads have written to shared memory is known to asynchronous
/// work.
static Flow fenceProxy(Warp &warp, const Instruction &, LaneMask active) {
  forLanes(active, [&](unsigned lane) { ++warp.proxyFences[lane]; });
  publishBarriers(warp, active);
  return Flow::Next;
}

static Flow fenceBarriers(Warp &warp, const Instruction &, LaneMask active) {
  publishBarriers(warp, active);
  return Flow::Next;
}

static void decodeFence(Decoder &decoder) {
  decoder.instruction.execute = nothing;
  if (decoder.take("proxy")) {
    bool async = decoder.takeOneOf({"async", "alias"}) == 0;
    bool global =
        async &&
        decoder.takeOneOf({"global", "shared::cta", "shared::cluster"}, 3) == 0;
    if (async && !global)
      decoder.instruction.execute = fenceProxy;
    return;
  }
  if (decoder.take("mbarrier_init")) {
    if (!decoder.take("release") || !decoder.take("cluster"))
      decoder.unknownForm();
    decoder.instruction.execute = fenceBarriers;
    return;
  }
  decoder.takeOneOf({"sc", "acq_rel", "acquire", "release"}, 4);
  bool device = decoder.takeOneOf({"cta", "cluster", "gpu", "sys"}) >= 2;
  if (device)
    decoder.instruction.execute = fenceDevice;
}

/// Grids follow each other without overlap: there is nothing to wait for.
static void decodeGridControl(Decoder &decoder) {
  decoder.takeOneOf({"wait", "launch_dependents"});
  decoder.instruction.execute = nothing;
}

/// Registers are not counted, but what is asked for must be possible.
static void decodeRegisterCount(Decoder &decoder) {
  decoder.takeOneOf({"inc", "dec"});
  if (!decoder.take("sync") || !decoder.take("aligned") ||
      decoder.takeType() != Type::U32)
    decoder.unknownForm();
  int64_t registers = decoder.readImmediate();
  if (registers < 24 || registers > 256 || registers % 8)
    decoder.fail(fmt::format("expected a multiple of 8 from 24 to 256, got {}",
                             registers));
  decoder.instruction.execute = nothing;
}

void dsrt::simulator::addSynchronization(OpcodeTable &table) {
  table["bar"] = decodeBarrier;
  table["barrier"] = decodeBarrier;
  table["membar"] = decodeMembar;
  table["fence"] = decodeFence;
  table["griddepcontrol"] = decodeGridControl;
  table["setmaxnreg"] = decodeRegisterCount;
}
