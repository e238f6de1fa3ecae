//===- Races.h - Data races in shared memory --------------------*- C++ -*-===//
//
// Two accesses of different threads to the same bytes, one of them a write,
// must be ordered by barriers. Who has seen what is kept in vector clocks, of
// warps: each counts its releases, and knows up to which one of every other
// warp it has waited for. A word of shared memory remembers its last write and
// the last read of each warp. ("FastTrack", Flanagan and Freund, 2009.)
//
// Lanes of a warp are threads as well: what one writes and another reads needs
// a warp-wide instruction in between. If only some lanes arrive at a
// barrier, only their accesses count as released.
//
// What a warp has begun but does not do itself, such as a copy, is done by an
// agent of its own, which is released when the copy is waited for.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_RACES_H
#define DSRT_SIMULATOR_MACHINE_RACES_H

#include "runtime/simulator/machine/Program.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

namespace dsrt::simulator {

/// What is known of each agent: the accesses of all lanes up to one of its
/// clocks, and those of some lanes up to another.
class VectorClock {
public:
  struct Entry {
    uint32_t all = 0;
    uint32_t some = 0;
    LaneMask lanes = 0;
  };

  void join(const VectorClock &other);
  Entry of(unsigned agent) const {
    return agent < entries.size() ? entries[agent] : Entry();
  }
  void set(unsigned agent, Entry entry);
  void clear() { entries.clear(); }

private:
  std::vector<Entry> entries;
};

/// What those who arrive at a barrier have done, and what those know who have
/// waited for a phase that has ended.
struct BarrierClocks {
  void endPhase() {
    completed.join(arrived);
    arrived.clear();
  }
  VectorClock arrived, completed;
};

class Races {
public:
  enum class Kind { Read, Write, Atomic };

  /// The other one of two accesses.
  struct Conflict {
    unsigned agent;
    unsigned lane;
    CodeIndex instruction;
    bool wrote;
    unsigned byLane; // of the access that is checked
    uint64_t offset; // in the CTA's shared memory
  };

  /// Agents are numbered: warps of the first CTA, of the second, ..., then
  /// those of the copies of each warp.
  Races(unsigned ctas, unsigned warpsOfCta, uint64_t sharedBytes,
        unsigned unit);

  unsigned agentOf(unsigned cta, unsigned warp) const {
    return cta * warpsOfCta + warp;
  }
  /// What does the copies of a warp.
  unsigned copierOf(unsigned warpAgent) const { return warpAgent + warps; }
  /// The warp, if the agent is one or works for one.
  unsigned ctaOf(unsigned agent) const { return agent % warps / warpsOfCta; }
  unsigned warpOf(unsigned agent) const { return agent % warps % warpsOfCta; }

  /// Accesses of lanes to a CTA's shared memory: 'offsets' are those of the
  /// lanes, each accesses 'bytes' bytes.
  std::optional<Conflict> access(unsigned agent, unsigned cta,
                                 const std::array<uint64_t, kLanes> &offsets,
                                 unsigned bytes, LaneMask lanes, Kind kind,
                                 CodeIndex instruction);

  /// The lanes tell what they have done.
  void release(unsigned agent, LaneMask lanes, VectorClock &to);
  /// The agent learns what others have told.
  void acquire(unsigned agent, const VectorClock &from);
  /// The lanes of a warp are ordered among themselves.
  void synchronizeLanes(unsigned agent);
  /// A warp begins a copy: it comes after what the warp has done.
  void beginCopy(unsigned warpAgent, LaneMask lanes);
  /// A warp has waited for its copies.
  void endCopies(unsigned warpAgent);

  /// The clocks of the mbarrier at an offset of a CTA's shared memory.
  BarrierClocks &mbarrier(unsigned cta, uint64_t offset) {
    return mbarriers[{cta, offset}];
  }
  /// An atomic access takes and gives at its address.
  void exchange(unsigned agent, unsigned cta, uint64_t offset, LaneMask lanes);

  // For accesses to other memory, which is in the same order.

  uint32_t clockOf(unsigned agent) const { return agents[agent].clock; }
  void touch(unsigned agent, LaneMask lanes) { agents[agent].touched |= lanes; }
  /// Whether the access of another lane or agent at its clock comes before the
  /// one that 'lane' makes now; it may be one of several lanes.
  bool isOrdered(unsigned agent, unsigned lane, unsigned other, uint32_t clock,
                 LaneMask lanes) const;

private:
  // An epoch is an agent and its clock, in 10 and 22 bits. 0: no access.
  using Epoch = uint32_t;
  static constexpr unsigned kClockBits = 22;
  static constexpr uint32_t kMaxClock = (1u << kClockBits) - 1;

  // An instruction's index, in 22 bits, and a lane.
  using Where = uint32_t;
  static constexpr Where kAtomic = Where(1) << 30;

  struct Word {
    Epoch write = 0;
    Where writeWhere = 0;
    uint64_t readers = 0; // agents modulo 64 that have read since the write
  };
  struct Read {
    uint32_t clock = 0;
    Where where = 0;
    LaneMask lanes = 0; // that have read at this clock
  };
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  template <typename T>
  using Table = std::unique_ptr<T[], Free>;
  struct Shadow {
    Table<Word> words;
    std::vector<Table<Read>> reads; // of each agent that has read
  };
  struct Agent {
    uint32_t clock = 1;
    uint32_t synchronized = 1; // lanes know of each other what came before
    LaneMask touched = 0;      // lanes with accesses since then
    Epoch known = 0;           // a write that the agent has waited for
    VectorClock others;
  };

  void tick(Agent &agent);
  template <typename T>
  Table<T> allocate() const;
  Conflict conflict(unsigned other, Where where, bool wrote, unsigned lane,
                    uint64_t word) const;
  /// The first read, or atomic access only, that is not ordered before.
  std::optional<Conflict> findReader(const Shadow &shadow, unsigned agent,
                                     uint64_t word, unsigned lane,
                                     bool atomicOnly, bool plainOnly) const;
  bool readKnownWord(Word &word, Read &read, const Agent &self, unsigned agent,
                     Where where);
  std::optional<Conflict> accessWord(Shadow &shadow, Table<Read> &reads,
                                     unsigned agent, uint64_t word, Kind kind,
                                     Where where);

  const unsigned warpsOfCta, warps, unit;
  const uint64_t words;
  std::vector<Agent> agents;
  std::vector<Shadow> shadows; // of each CTA
  std::map<std::pair<unsigned, uint64_t>, BarrierClocks> mbarriers;
  std::map<std::pair<unsigned, uint64_t>, VectorClock> locations;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_RACES_H
