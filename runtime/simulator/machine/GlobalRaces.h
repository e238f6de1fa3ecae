//===- GlobalRaces.h - Data races in global memory --------------*- C++ -*-===//
//
// As Races.h for what a launch writes: within a cluster by the same clocks;
// between clusters fences must stand on both sides. Only memory that the launch
// has written is followed, so reads of weights cost nothing: a read before the
// first write of an allocation is not seen. Of the reads of a word the last one
// is kept.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_GLOBALRACES_H
#define DSRT_SIMULATOR_MACHINE_GLOBALRACES_H

#include "runtime/simulator/machine/DeviceMemory.h"
#include "runtime/simulator/machine/Races.h"

#include <mutex>

namespace dsrt::simulator {

class GlobalRaces {
public:
  /// The other one of two accesses.
  struct Conflict {
    uint64_t cluster;
    unsigned agent;
    unsigned lane;
    CodeIndex instruction;
    bool wrote;
    unsigned byLane; // of the access that is checked
  };

  /// Who makes an access, and what is known in his cluster.
  struct Actor {
    uint64_t cluster;
    unsigned agent;
    Races &order;
  };

  GlobalRaces(uint64_t clusters, unsigned unit)
      : unit(unit), fences(clusters) {}
  ~GlobalRaces();
  GlobalRaces(const GlobalRaces &) = delete;

  /// A thread of the cluster executes a fence for the whole device, or an
  /// access that is one.
  void fence(uint64_t cluster) {
    __atomic_fetch_add(&fences[cluster], 1, __ATOMIC_RELAXED);
  }

  /// Accesses of lanes inside of an allocation, 'bytes' bytes each.
  std::optional<Conflict> access(const Allocation &allocation,
                                 const Actor &actor,
                                 const std::array<uint64_t, kLanes> &addresses,
                                 unsigned bytes, LaneMask lanes, bool writes,
                                 CodeIndex instruction);

private:
  struct Record {
    uint64_t who = 0;   // cluster + 1, agent, clock, lane: 24, 10, 22, 5 bits
    uint64_t where = 0; // instruction, fences of the cluster before: 22, 32
  };
  struct Word {
    Record write, read;
  };

  Word *wordsOf(const Allocation &allocation);
  bool isOrdered(const Actor &actor, unsigned lane, const Record &record) const;
  static Record load(const Record &record);
  static void store(Record &record, const Record &value);

  const unsigned unit;
  std::vector<uint32_t> fences; // of each cluster
  std::mutex mutex;             // of what follows
  std::vector<const Allocation *> followed;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_GLOBALRACES_H
