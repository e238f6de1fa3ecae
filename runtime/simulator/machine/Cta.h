//===- Cta.h - Thread blocks and their clusters -----------------*- C++ -*-===//
//
// A cluster is executed by one thread of this process, warp by warp, so nothing
// inside of it needs locks. Clusters of a launch run at once.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_CTA_H
#define DSRT_SIMULATOR_MACHINE_CTA_H

#include "runtime/simulator/machine/AddressSpace.h"
#include "runtime/simulator/machine/AsyncWork.h"
#include "runtime/simulator/machine/Counts.h"
#include "runtime/simulator/machine/ProxyState.h"
#include "runtime/simulator/machine/Warp.h"

#include <array>
#include <memory>
#include <vector>

namespace dsrt::simulator {

class Launch;
class Cluster;

/// bar.sync and bar.arrive: counts threads up to the expected number.
struct NamedBarrier {
  /// Ends the phase if all of 'all' threads, or as many as expected, have come.
  void completeIfFull(unsigned all);

  uint64_t phase = 0;
  BarrierClocks clocks;
  unsigned arrived = 0;
  std::optional<unsigned> expected; // of the first to arrive; none: all threads
};

class SharedMemory {
public:
  SharedMemory(uint64_t size, bool usesAsyncProxy)
      : bytes(size), written(size), proxy(usesAsyncProxy ? size : 0) {}

  std::vector<uint8_t> bytes; // from kSharedBase on
  InitializedBytes written;
  ProxyState proxy;
};

class Cta {
public:
  Cta(Cluster &cluster, unsigned rank, std::array<unsigned, 3> position);

  /// Counts threads in; the barrier's phase ends when all have come.
  void arrive(NamedBarrier &barrier, unsigned threads,
              std::optional<unsigned> expected);
  /// Lanes have ended: barriers that wait for all threads may be complete.
  void threadsExited(unsigned count);
  const Kernel &kernel() const;

  Cluster &cluster;
  const unsigned rank; // in the cluster
  const std::array<unsigned, 3> position;
  SharedMemory shared;
  std::array<NamedBarrier, 16> barriers;
  std::vector<std::unique_ptr<Warp>> warps;
  std::vector<Warpgroup> warpgroups;
  unsigned liveThreads;
};

class Cluster {
public:
  enum class Status { Done, Stuck, Running };

  Cluster(Launch &launch, uint64_t number);

  /// Gives each warp a turn. Throws Fault.
  Status run();

  /// Counts threads in at the barrier of the cluster.
  void arrive(unsigned threads);
  /// Ends the phase of the barrier if all live threads have come.
  void completeIfFull();

  Launch &launch;
  const uint64_t number; // in the grid
  std::vector<std::unique_ptr<Cta>> ctas;
  NamedBarrier barrier;
  Counts counts;
  std::unique_ptr<Races> races;
  AsyncWork async;

private:
  [[noreturn]] void deadlock() const;
  unsigned idleRounds = 0;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_CTA_H
