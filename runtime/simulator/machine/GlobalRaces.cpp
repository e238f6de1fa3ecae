//===- GlobalRaces.cpp - Data races in global memory ----------------------===//
//
// Several threads of this process run clusters, so words are read and written
// atomically; the two halves of a record may only disagree if there is a race.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/GlobalRaces.h"

#include <algorithm>
#include <new>
#include <sys/mman.h>

using namespace dsrt::simulator;

static uint64_t packWho(uint64_t cluster, unsigned agent, uint32_t clock,
                        unsigned lane) {
  return (cluster + 1) << 37 | uint64_t(agent) << 27 | uint64_t(clock) << 5 |
         lane;
}
static uint64_t clusterOf(uint64_t who) { return (who >> 37) - 1; }
static unsigned agentOf(uint64_t who) { return who >> 27 & 0x3ff; }
static uint32_t clockOf(uint64_t who) { return who >> 5 & 0x3fffff; }
static unsigned laneOf(uint64_t who) { return who % kLanes; }

static uint64_t tableBytes(const Allocation &allocation, unsigned unit,
                           size_t wordBytes) {
  return (allocation.bytes / unit + 1) * wordBytes;
}

GlobalRaces::~GlobalRaces() {
  for (const Allocation *allocation : followed) {
    ::munmap(allocation->followed, tableBytes(*allocation, unit, sizeof(Word)));
    allocation->followed = nullptr;
  }
}

/// Pages of zeros that are not touched cost nothing.
GlobalRaces::Word *GlobalRaces::wordsOf(const Allocation &allocation) {
  std::lock_guard<std::mutex> lock(mutex);
  if (allocation.followed)
    return static_cast<Word *>(allocation.followed);
  void *table = ::mmap(nullptr, tableBytes(allocation, unit, sizeof(Word)),
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table == MAP_FAILED)
    throw std::bad_alloc();
  followed.push_back(&allocation);
  __atomic_store_n(&allocation.followed, table, __ATOMIC_RELEASE);
  return static_cast<Word *>(table);
}

GlobalRaces::Record GlobalRaces::load(const Record &record) {
  return {__atomic_load_n(&record.who, __ATOMIC_RELAXED),
          __atomic_load_n(&record.where, __ATOMIC_RELAXED)};
}

void GlobalRaces::store(Record &record, const Record &value) {
  __atomic_store_n(&record.who, value.who, __ATOMIC_RELAXED);
  __atomic_store_n(&record.where, value.where, __ATOMIC_RELAXED);
}

bool GlobalRaces::isOrdered(const Actor &actor, unsigned lane,
                            const Record &record) const {
  uint64_t cluster = clusterOf(record.who);
  if (cluster == actor.cluster)
    return actor.order.isOrdered(actor.agent, lane, agentOf(record.who),
                                 clockOf(record.who),
                                 LaneMask(1) << laneOf(record.who));
  auto fencesOf = [&](uint64_t number) {
    return __atomic_load_n(&fences[number], __ATOMIC_RELAXED);
  };
  return fencesOf(cluster) > static_cast<uint32_t>(record.where) &&
         fencesOf(actor.cluster) > 0;
}

std::optional<GlobalRaces::Conflict>
GlobalRaces::access(const Allocation &allocation, const Actor &actor,
                    const std::array<uint64_t, kLanes> &addresses,
                    unsigned bytes, LaneMask lanes, bool writes,
                    CodeIndex instruction) {
  auto *words = static_cast<Word *>(
      __atomic_load_n(&allocation.followed, __ATOMIC_ACQUIRE));
  if (!words && !writes)
    return std::nullopt;
  if (!words)
    words = wordsOf(allocation);
  actor.order.touch(actor.agent, lanes);
  uint64_t where = uint64_t(instruction) << 32 |
                   __atomic_load_n(&fences[actor.cluster], __ATOMIC_RELAXED);
  uint32_t clock = actor.order.clockOf(actor.agent);
  uint64_t count = std::max(1u, bytes / unit);
  for (; lanes; lanes &= lanes - 1) {
    auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
    Record own = {packWho(actor.cluster, actor.agent, clock, lane), where};
    Word *first = words + (addresses[lane] - allocation.address) / unit;
    auto conflict = [&](const Record &other, bool wrote) {
      return Conflict{clusterOf(other.who),
                      agentOf(other.who),
                      laneOf(other.who),
                      static_cast<CodeIndex>(other.where >> 32),
                      wrote,
                      lane};
    };
    for (Word *word = first; word < first + count; ++word) {
      Record write = load(word->write), read = load(word->read);
      // Lanes that write at once, by one instruction, mean to.
      bool together = writes && write.who >> 5 == own.who >> 5 &&
                      write.where >> 32 == instruction;
      if (write.who && !together && !isOrdered(actor, lane, write))
        return conflict(write, true);
      if (writes && read.who && !isOrdered(actor, lane, read))
        return conflict(read, false);
      store(writes ? word->write : word->read, own);
      if (writes && read.who)
        store(word->read, Record());
    }
  }
  return std::nullopt;
}
