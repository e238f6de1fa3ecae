//===- Races.cpp - Data races in shared memory ----------------------------===//
//
// The tables are of zeros from the system: memory that a kernel does not touch
// costs nothing.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Races.h"

#include <algorithm>
#include <new>

using namespace dsrt::simulator;

static unsigned laneOf(uint32_t where) { return where % kLanes; }

void VectorClock::set(unsigned agent, Entry entry) {
  if (agent >= entries.size())
    entries.resize(agent + 1);
  entries[agent] = entry;
}

void VectorClock::join(const VectorClock &other) {
  if (entries.size() < other.entries.size())
    entries.resize(other.entries.size());
  for (size_t i = 0; i < other.entries.size(); ++i) {
    const Entry &theirs = other.entries[i];
    Entry &mine = entries[i];
    mine.all = std::max(mine.all, theirs.all);
    mine.some = std::max(mine.some, theirs.some);
    mine.lanes |= theirs.lanes;
  }
}

Races::Races(unsigned ctas, unsigned warpsOfCta, uint64_t sharedBytes,
             unsigned unit)
    : warpsOfCta(warpsOfCta), warps(ctas * warpsOfCta), unit(unit),
      words((sharedBytes + unit - 1) / unit), agents(2 * warps), shadows(ctas) {
  for (Shadow &shadow : shadows) {
    shadow.words = allocate<Word>();
    shadow.reads.resize(agents.size());
  }
}

template <typename T>
Races::Table<T> Races::allocate() const {
  auto *memory =
      static_cast<T *>(std::calloc(std::max<uint64_t>(words, 1), sizeof(T)));
  if (!memory)
    throw std::bad_alloc();
  return Table<T>(memory);
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

void Races::tick(Agent &agent) {
  agent.clock = std::min(agent.clock + 1, kMaxClock);
}

void Races::release(unsigned agent, LaneMask lanes, VectorClock &to) {
  Agent &self = agents[agent];
  VectorClock::Entry told;
  if ((self.touched & ~lanes) == 0)
    told.all = self.clock;
  else
    told = {self.synchronized - 1, self.clock, lanes};
  self.others.set(agent, told);
  to.join(self.others);
  tick(self);
}

void Races::acquire(unsigned agent, const VectorClock &from) {
  Agent &self = agents[agent];
  self.others.join(from);
  // Lanes may have waited for other lanes of their warp.
  VectorClock::Entry own = from.of(agent);
  self.synchronized =
      std::max({self.synchronized, own.all + 1, own.lanes ? own.some + 1 : 0});
}

void Races::synchronizeLanes(unsigned agent) {
  Agent &self = agents[agent];
  if (self.touched == 0)
    return;
  self.touched = 0;
  tick(self);
  self.synchronized = self.clock;
}

void Races::beginCopy(unsigned warpAgent, LaneMask lanes) {
  unsigned copier = copierOf(warpAgent);
  release(warpAgent, lanes, agents[copier].others);
}

void Races::endCopies(unsigned warpAgent) {
  VectorClock done;
  unsigned copier = copierOf(warpAgent);
  release(copier, kAllLanes, done);
  synchronizeLanes(copier);
  acquire(warpAgent, done);
}

void Races::exchange(unsigned agent, unsigned cta, uint64_t offset,
                     LaneMask lanes) {
  VectorClock &location = locations[{cta, offset}];
  acquire(agent, location);
  release(agent, lanes, location);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

bool Races::isOrdered(unsigned agent, unsigned lane, unsigned other,
                      uint32_t clock, LaneMask lanes) const {
  const Agent &self = agents[agent];
  if (other == agent)
    return clock < self.synchronized || clock == kMaxClock ||
           lanes == LaneMask(1) << lane;
  VectorClock::Entry known = self.others.of(other);
  if (known.all >= clock)
    return true;
  return known.some >= clock && (lanes & ~known.lanes) == 0;
}

Races::Conflict Races::conflict(unsigned other, Where where, bool wrote,
                                unsigned lane, uint64_t word) const {
  return {other, laneOf(where), (where & ~kAtomic) / kLanes,
          wrote, lane,          word * unit};
}

std::optional<Races::Conflict> Races::findReader(const Shadow &shadow,
                                                 unsigned agent, uint64_t word,
                                                 unsigned lane, bool atomicOnly,
                                                 bool plainOnly) const {
  constexpr unsigned bits = 64;
  for (uint64_t set = shadow.words[word].readers; set; set &= set - 1) {
    auto first = static_cast<unsigned>(__builtin_ctzll(set));
    for (unsigned other = first; other < agents.size(); other += bits) {
      if (!shadow.reads[other])
        continue;
      const Read &read = shadow.reads[other][word];
      bool atomic = read.where & kAtomic;
      if (read.clock == 0 || (atomicOnly && !atomic) || (plainOnly && atomic))
        continue;
      if (!isOrdered(agent, lane, other, read.clock, read.lanes))
        return conflict(other, read.where, atomic, lane, word);
    }
  }
  return std::nullopt;
}

std::optional<Races::Conflict> Races::accessWord(Shadow &shadow,
                                                 Table<Read> &reads,
                                                 unsigned agent, uint64_t index,
                                                 Kind kind, Where where) {
  Word &word = shadow.words[index];
  Agent &self = agents[agent];
  unsigned lane = laneOf(where);
  if (word.write && word.write != self.known) {
    unsigned other = word.write >> kClockBits;
    Where by = word.writeWhere & ~kAtomic;
    // Lanes that write at once, by one instruction, mean to.
    bool together = other == agent && by / kLanes == where / kLanes;
    if (!together || kind == Kind::Read) {
      if (!isOrdered(agent, lane, other, word.write & kMaxClock,
                     LaneMask(1) << laneOf(by)))
        return conflict(other, by, true, lane, index);
      if (other != agent)
        self.known = word.write;
    }
  }
  if (kind != Kind::Read || (word.writeWhere & kAtomic))
    if (std::optional<Conflict> reader =
            findReader(shadow, agent, index, lane, kind == Kind::Read,
                       kind == Kind::Atomic))
      return reader;
  if (kind == Kind::Write) {
    word = {agent << kClockBits | self.clock, where, 0};
    return std::nullopt;
  }
  if (kind == Kind::Atomic) {
    word.writeWhere |= kAtomic; // among the reads there are such
    where |= kAtomic;
  }
  word.readers |= uint64_t(1) << agent % 64;
  Read &read = reads[index];
  LaneMask lanes = LaneMask(1) << lane;
  if (read.clock == self.clock) {
    where |= read.where & kAtomic;
    lanes |= read.lanes;
  }
  read = {self.clock, where, lanes};
  return std::nullopt;
}

/// Most reads are of words whose write the agent knows already.
inline bool Races::readKnownWord(Word &word, Read &read, const Agent &self,
                                 unsigned agent, Where where) {
  bool known = word.write == 0 || word.write == self.known;
  if (!known || (word.writeWhere & kAtomic))
    return false;
  LaneMask lane = LaneMask(1) << laneOf(where);
  if (read.clock == self.clock) {
    read.lanes |= lane;
    return true;
  }
  read = {self.clock, where, lane};
  word.readers |= uint64_t(1) << agent % 64;
  return true;
}

std::optional<Races::Conflict>
Races::access(unsigned agent, unsigned cta,
              const std::array<uint64_t, kLanes> &offsets, unsigned bytes,
              LaneMask lanes, Kind kind, CodeIndex instruction) {
  Shadow &shadow = shadows[cta];
  Table<Read> &reads = shadow.reads[agent];
  if (kind != Kind::Write && !reads)
    reads = allocate<Read>();
  Agent &self = agents[agent];
  self.touched |= lanes;
  uint64_t count = std::max(1u, bytes / unit);
  for (; lanes; lanes &= lanes - 1) {
    auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
    uint64_t first = offsets[lane] / unit;
    Where where = instruction * kLanes + lane;
    for (uint64_t index = first; index < first + count; ++index) {
      if (kind == Kind::Read &&
          readKnownWord(shadow.words[index], reads[index], self, agent, where))
        continue;
      if (std::optional<Conflict> found =
              accessWord(shadow, reads, agent, index, kind, where))
        return found;
    }
  }
  return std::nullopt;
}
