//===- Cta.cpp - Thread blocks and their clusters -------------------------===//
//
// Special registers are filled in when a CTA begins; nothing changes them.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Launch.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

namespace {
/// The special registers of a warp that begins.
class SpecialValues {
public:
  SpecialValues(const Cta &cta, unsigned warp)
      : cta(cta), launch(cta.cluster.launch), shape(launch.shape), warp(warp) {}

  uint32_t value(SpecialRegister which, unsigned lane) const {
    if (which < SpecialRegister::ClusterCtarank)
      return extents(which, lane);
    auto clusterSize = static_cast<unsigned>(volume(shape.cluster));
    switch (which) {
    case SpecialRegister::ClusterCtarank:
      return cta.rank;
    case SpecialRegister::ClusterNctarank:
      return clusterSize;
    case SpecialRegister::Laneid:
      return lane;
    case SpecialRegister::Warpid:
      return warp;
    case SpecialRegister::Nwarpid:
      return 64;
    case SpecialRegister::Smid:
      return linearCta() / clusterSize % launch.settings.multiprocessors;
    case SpecialRegister::Nsmid:
      return launch.settings.multiprocessors;
    case SpecialRegister::DynamicSmemSize:
      return static_cast<uint32_t>(shape.dynamicShared);
    case SpecialRegister::TotalSmemSize:
      return static_cast<uint32_t>(launch.sharedBytes());
    default:
      return laneMask(which, lane);
    }
  }

private:
  /// The registers of three dimensions, in the order of the enumeration.
  uint32_t extents(SpecialRegister which, unsigned lane) const {
    unsigned group = static_cast<unsigned>(which) / 3;
    unsigned dimension = static_cast<unsigned>(which) % 3;
    unsigned inCluster = cta.position[dimension] % shape.cluster[dimension];
    switch (group) {
    case 0:
      return launch.threadAt(warp * kLanes + lane)[dimension];
    case 1:
      return shape.block[dimension];
    case 2:
      return cta.position[dimension];
    case 3:
      return shape.grid[dimension];
    case 4:
      return cta.position[dimension] / shape.cluster[dimension];
    case 5:
      return shape.grid[dimension] / shape.cluster[dimension];
    case 6:
      return inCluster;
    default:
      return shape.cluster[dimension];
    }
  }

  unsigned linearCta() const {
    return cta.position[0] +
           shape.grid[0] * (cta.position[1] + shape.grid[1] * cta.position[2]);
  }

  static uint32_t laneMask(SpecialRegister which, unsigned lane) {
    uint32_t own = uint32_t(1) << lane, below = own - 1;
    switch (which) {
    case SpecialRegister::LanemaskEq:
      return own;
    case SpecialRegister::LanemaskLt:
      return below;
    case SpecialRegister::LanemaskLe:
      return below | own;
    case SpecialRegister::LanemaskGt:
      return ~(below | own);
    default:
      return ~below;
    }
  }

  const Cta &cta;
  const Launch &launch;
  const LaunchShape &shape;
  unsigned warp;
};
} // namespace

Cta::Cta(Cluster &cluster, unsigned rank, std::array<unsigned, 3> position)
    : cluster(cluster), rank(rank), position(position),
      shared(cluster.launch.sharedBytes(),
             cluster.launch.kernel.usesAsyncProxy),
      liveThreads(static_cast<unsigned>(volume(cluster.launch.shape.block))) {
  for (unsigned first = 0; first < liveThreads; first += kLanes) {
    unsigned count = std::min(kLanes, liveThreads - first);
    LaneMask lanes = count == kLanes ? kAllLanes : (LaneMask(1) << count) - 1;
    auto index = static_cast<unsigned>(warps.size());
    warps.push_back(std::make_unique<Warp>(*this, index, lanes));
    SpecialValues values(*this, index);
    for (auto [which, slot] : kernel().specials)
      for (unsigned lane = 0; lane < kLanes; ++lane)
        warps.back()->lanes<uint32_t>(slot)[lane] = values.value(which, lane);
  }
  warpgroups.resize(warps.size() / 4);
}

const Kernel &Cta::kernel() const { return cluster.launch.kernel; }

void NamedBarrier::completeIfFull(unsigned all) {
  if (arrived == 0 || arrived < expected.value_or(all))
    return;
  arrived = 0;
  expected.reset();
  clocks.endPhase();
  ++phase;
}

void Cta::arrive(NamedBarrier &barrier, unsigned threads,
                 std::optional<unsigned> expected) {
  barrier.arrived += threads;
  barrier.expected = expected;
  barrier.completeIfFull(liveThreads);
}

void Cta::threadsExited(unsigned count) {
  liveThreads -= count;
  for (NamedBarrier &barrier : barriers)
    barrier.completeIfFull(liveThreads);
  cluster.completeIfFull();
}

//===----------------------------------------------------------------------===//
// Clusters
//===----------------------------------------------------------------------===//

/// One for each cluster, whichever thread runs it.
static uint64_t seedOf(const Launch &launch, uint64_t cluster) {
  return launch.settings.seed * 0x9e3779b97f4a7c15 + cluster;
}

Cluster::Cluster(Launch &launch, uint64_t number)
    : launch(launch), number(number), async(*this, seedOf(launch, number)) {
  std::array<unsigned, 3> position = launch.clusterAt(number);
  const std::array<unsigned, 3> &size = launch.shape.cluster;
  for (unsigned rank = 0; rank < volume(size); ++rank)
    ctas.push_back(std::make_unique<Cta>(
        *this, rank,
        std::array<unsigned, 3>{position[0] + rank % size[0],
                                position[1] + rank / size[0] % size[1],
                                position[2] + rank / size[0] / size[1]}));
  if (launch.settings.races)
    races = std::make_unique<Races>(
        static_cast<unsigned>(ctas.size()),
        static_cast<unsigned>(ctas.front()->warps.size()), launch.sharedBytes(),
        launch.kernel.sharedUnit);
}

void Cluster::completeIfFull() {
  unsigned live = 0;
  for (const std::unique_ptr<Cta> &cta : ctas)
    live += cta->liveThreads;
  barrier.completeIfFull(live);
}

void Cluster::arrive(unsigned threads) {
  barrier.arrived += threads;
  completeIfFull();
}

Cluster::Status Cluster::run() {
  constexpr unsigned turn = 4096;
  // Warps that wait for each other are stuck at once when none can go on; warps
  // that poll memory may wait for another cluster.
  constexpr unsigned patience = 16;
  bool live = false, running = false, progressed = false;
  for (const std::unique_ptr<Cta> &cta : ctas) {
    for (const std::unique_ptr<Warp> &warp : cta->warps) {
      if (!warp->liveLanes())
        continue;
      warp->progressed = false;
      Warp::Status status = warp->run(turn);
      live |= status != Warp::Status::Done;
      running |= status == Warp::Status::Running;
      progressed |= warp->progressed;
    }
  }
  progressed |= async.advance(/*idle=*/!progressed && !running, /*last=*/!live);
  if (progressed)
    launch.progress.fetch_add(1, std::memory_order_relaxed);
  if (!live)
    return Status::Done;
  idleRounds = progressed || running ? 0 : idleRounds + 1;
  if (idleRounds > patience)
    deadlock();
  return progressed ? Status::Running : Status::Stuck;
}

void Cluster::deadlock() const {
  std::string message =
      fmt::format("kernel {}: deadlock, no warp can go on", launch.kernel.name);
  unsigned shown = 0;
  for (const std::unique_ptr<Cta> &cta : ctas) {
    for (const std::unique_ptr<Warp> &warp : cta->warps) {
      if (!warp->liveLanes() || ++shown > 16)
        continue;
      const Instruction &instruction = warp->waitingAt();
      message +=
          fmt::format("; CTA ({}, {}, {}) warp {} waits in line {} '{}'",
                      cta->position[0], cta->position[1], cta->position[2],
                      warp->index, instruction.line, instruction.opcode);
      if (warp->missing)
        message += fmt::format(" for {} arrivals and {} bytes",
                               warp->missing->arrivals, warp->missing->bytes);
    }
  }
  throw Fault(FaultKind::Deadlock, message);
}
