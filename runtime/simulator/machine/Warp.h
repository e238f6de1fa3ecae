//===- Warp.h - 32 threads that execute together ----------------*- C++ -*-===//
//
// Executes instructions for all lanes at once. Lanes that diverge wait for each
// other where their paths meet again; a stack holds who is where.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_WARP_H
#define DSRT_SIMULATOR_MACHINE_WARP_H

#include "runtime/simulator/machine/DeviceMemory.h"
#include "runtime/simulator/machine/Fault.h"
#include "runtime/simulator/machine/Program.h"
#include "runtime/simulator/machine/ProxyState.h"
#include "runtime/simulator/machine/Races.h"
#include "runtime/simulator/machine/Warpgroup.h"

namespace dsrt::simulator {

class Cta;

/// Of each lane.
using LaneAddresses = std::array<uint64_t, kLanes>;
using LanePointers = std::array<uint8_t *, kLanes>;

enum class Access { Read, Write, Update };

/// What an access is to the search for races: updates are atomic.
constexpr Races::Kind raceKind(Access kind) {
  return kind == Access::Read    ? Races::Kind::Read
         : kind == Access::Write ? Races::Kind::Write
                                 : Races::Kind::Atomic;
}

/// A cp.async of one lane: read when it is issued, written when it is waited
/// for.
struct AsyncCopy {
  const Instruction *instruction;
  unsigned lane;
  uint64_t group;
  unsigned bytes;
  uint64_t to; // offset in shared memory
  std::array<uint8_t, 16> data = {};
};

/// Calls 'body' with each lane of the mask.
template <typename F>
inline void forLanes(LaneMask lanes, F body) {
  if (lanes == kAllLanes) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      body(lane);
    return;
  }
  for (; lanes; lanes &= lanes - 1)
    body(static_cast<unsigned>(__builtin_ctz(lanes)));
}

class Warp {
public:
  enum class Status {
    Done,
    Waiting, // for others: at a barrier, or polling one
    Running
  };

  Warp(Cta &cta, unsigned index, LaneMask lanes);

  /// Executes at most 'budget' instructions. Throws Fault.
  Status run(unsigned budget);

  // What instructions use.

  template <typename T>
  T *lanes(Slot slot) {
    return reinterpret_cast<T *>(registers.get() + slot);
  }
  LaneMask &predicate(Slot slot) { return *lanes<LaneMask>(slot); }
  /// Sets the active lanes of a predicate.
  void setPredicate(Slot slot, LaneMask active, LaneMask value) {
    LaneMask &mask = predicate(slot);
    mask = (mask & ~active) | (value & active);
  }

  uint64_t addressOf(const Address &address, unsigned lane) {
    if (address.base == kNoSlot)
      return static_cast<uint64_t>(address.offset);
    uint64_t base = address.narrow ? lanes<uint32_t>(address.base)[lane]
                                   : lanes<uint64_t>(address.base)[lane];
    return base + static_cast<uint64_t>(address.offset);
  }

  /// The memory behind an address, for an access of 'bytes' bytes by a lane.
  /// A fault if the kernel may not make it.
  uint8_t *access(const Instruction &instruction, Space space, uint64_t address,
                  unsigned bytes, Access kind, unsigned lane);

  /// The same for all active lanes, in the space of the instruction.
  void accessLanes(const Instruction &instruction, const Address &address,
                   unsigned bytes, Access kind, LaneMask active,
                   LanePointers &memory);

  /// Begins and ends a write to shared memory that happens by itself. In
  /// between the bytes count as not written. Returns their offset.
  uint64_t beginAsyncWrite(const Instruction &instruction, uint64_t address,
                           unsigned bytes, unsigned lane);
  void endAsyncWrite(const AsyncCopy &copy);

  /// Bytes of the shared memory of a CTA of the cluster, which an address of
  /// any length lies in as a whole.
  struct SharedPlace {
    Cta *cta;
    uint64_t offset;
  };
  SharedPlace checkedPlace(const Instruction &instruction, uint64_t address,
                           uint64_t bytes, unsigned lane);
  /// The memory behind a shared address for an access by the lane's copies.
  uint8_t *accessAsCopy(const Instruction &instruction, uint64_t address,
                        unsigned bytes, Access kind, unsigned lane) {
    return accessShared(instruction, address, bytes, kind, lane,
                        /*copies=*/true);
  }
  /// The lane as a writer of shared memory.
  FenceTag fenceTag(unsigned lane) const;

  /// A fault if accesses to shared memory of a CTA of the cluster are not
  /// ordered after others to the same bytes. 'agent' makes them.
  void checkRaces(const Instruction &instruction, unsigned agent,
                  unsigned ctaRank, const LaneAddresses &offsets,
                  unsigned bytes, LaneMask lanes, Races::Kind kind);
  /// The same for accesses to global memory, inside of an allocation.
  void checkGlobalRaces(const Instruction &instruction,
                        const Allocation &allocation,
                        const LaneAddresses &addresses, unsigned bytes,
                        LaneMask lanes, Access kind);
  /// The rank of the CTA and the byte of its shared memory that a shared or
  /// generic address names, which is known to be right.
  std::pair<unsigned, uint64_t> sharedPlace(uint64_t address) const;
  /// Null if races are not looked for.
  Races *races() const;
  /// The warp among those of the cluster.
  unsigned agent() const;
  /// Lanes execute a warp-wide instruction: they are ordered from here on.
  void synchronizeLanes() {
    if (Races *found = races())
      found->synchronizeLanes(agent());
  }

  /// Makes each lane of 'taken' go on at the target of its group; the lanes of
  /// one group go on together.
  struct Branch {
    CodeIndex target;
    LaneMask lanes;
  };
  void branch(const Instruction &instruction, std::vector<Branch> branches);
  /// All lanes that are executed now go on there.
  void jump(CodeIndex target) { stack.back().next = target; }
  /// Ends the lanes.
  void exit(LaneMask lanes);

  /// The lanes that have not ended, and those that are executed now, guards
  /// aside.
  LaneMask liveLanes() const { return live; }
  LaneMask currentLanes() const { return stack.back().lanes; }
  /// Where it waits, after run has said so.
  const Instruction &waitingAt() const { return *lastWait; }

  [[noreturn]] void fault(FaultKind kind, const Instruction &instruction,
                          unsigned lane, const std::string &message) const;

  Cta &cta;
  const unsigned index;
  /// The phase of a barrier that the warp waits for.
  std::optional<uint64_t> awaited;
  /// The phase of the cluster's barrier at which it has arrived.
  std::optional<uint64_t> clusterPhase;
  /// Something happened that others may wait for, since this was last cleared.
  bool progressed = false;
  /// It asked whether something has happened that has not: others shall go on.
  bool polls = false;
  /// What was missing at the mbarrier that it polled last.
  struct Missing {
    uint64_t arrivals = 0;
    int64_t bytes = 0;
  };
  std::optional<Missing> missing;
  /// What cp.async has begun, and how many groups each lane has committed.
  std::vector<AsyncCopy> copies;
  std::array<uint64_t, kLanes> copyGroups = {};
  /// The groups of bulk copies that each lane has committed.
  std::array<uint64_t, kLanes> bulkGroups = {};
  /// 1 + the fences of the asynchronous proxy that each lane has executed.
  std::array<uint32_t, kLanes> proxyFences;
  WarpProducts products;

private:
  struct Path {
    CodeIndex next;
    CodeIndex reconverge;
    LaneMask lanes;
  };

  /// Drops the paths that have ended; false if none is left.
  bool settle();
  /// Accesses of all lanes at once; false if one of them is not allowed or is
  /// not of this memory. Of shared memory the addresses become the host's.
  bool accessGlobalLanes(const Instruction &instruction,
                         LaneAddresses &addresses, unsigned bytes, Access kind,
                         LaneMask active);
  bool accessSharedLanes(const Instruction &instruction,
                         LaneAddresses &addresses, unsigned bytes, Access kind,
                         LaneMask active);
  [[noreturn]] void raceFault(const Instruction &instruction,
                              const Races::Conflict &conflict,
                              Races::Kind kind) const;
  void checkAligned(const Instruction &instruction, uint64_t address,
                    unsigned bytes, unsigned lane) const;
  /// 'copies': a copy that the warp has begun makes the access.
  uint8_t *accessShared(const Instruction &instruction, uint64_t address,
                        unsigned bytes, Access kind, unsigned lane,
                        bool copies = false);
  uint8_t *accessLocal(const Instruction &instruction, uint64_t address,
                       unsigned bytes, unsigned lane);
  uint8_t *accessGlobal(const Instruction &instruction, uint64_t address,
                        unsigned bytes, Access kind, unsigned lane);
  uint8_t *accessParameters(const Instruction &instruction, uint64_t address,
                            unsigned bytes, Access kind, unsigned lane);

  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  const std::vector<Instruction> &code;
  std::unique_ptr<uint8_t, Free> registers;
  std::vector<uint8_t> local; // of all lanes, one behind the other
  LaneMask live;
  std::vector<Path> stack;
  const Allocation *lastAllocation = nullptr;
  const Instruction *lastWait = nullptr;
};

/// Memory that several threads of this process share is read and written
/// atomically: what a kernel may do at once must be defined here as well.
template <typename T>
inline T loadShared(const uint8_t *memory) {
  return __atomic_load_n(reinterpret_cast<const T *>(memory), __ATOMIC_RELAXED);
}
template <typename T>
inline void storeShared(uint8_t *memory, T value) {
  __atomic_store_n(reinterpret_cast<T *>(memory), value, __ATOMIC_RELAXED);
}

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_WARP_H
