//===- WarpAccess.cpp - What a warp accesses at once ----------------------===//
//
// The checks of WarpMemory.cpp for all lanes together, where all is well; where
// it is not, lane by lane, which finds whose fault it is. Also counts what the
// memory of a GPU would have to do.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Launch.h"

#include <algorithm>

using namespace dsrt::simulator;

namespace {
/// Where the lanes of a request access memory.
struct Request {
  Request(const LaneAddresses &addresses, LaneMask active, unsigned bytes)
      : addresses(addresses), active(active), bytes(bytes) {
    uint64_t all = 0, last = 0;
    bool first = true;
    forLanes(active, [&](unsigned lane) {
      uint64_t address = addresses[lane];
      low = std::min(low, address);
      high = std::max(high, address);
      all |= address;
      consecutive &= first || address == last + bytes;
      ascending &= first || address >= last;
      last = address;
      first = false;
    });
    high += bytes;
    aligned = (all & (bytes - 1)) == 0;
  }

  unsigned count() const {
    return static_cast<unsigned>(__builtin_popcount(active));
  }
  uint64_t total() const { return uint64_t(count()) * bytes; }

  /// Whether all bytes that the lanes read were written.
  bool isInitialized(const InitializedBytes &written, uint64_t base) const {
    constexpr unsigned sparse = 4; // as many bytes between the lanes
    if (high - low <= sparse * total() &&
        written.areSet(low - base, high - low))
      return true;
    bool all = !consecutive;
    if (all)
      forLanes(active, [&](unsigned lane) {
        all &= written.areSet(addresses[lane] - base, bytes);
      });
    return all;
  }
  void initialize(InitializedBytes &written, uint64_t base) const {
    if (consecutive)
      return written.set(low - base, high - low);
    forLanes(active, [&](unsigned lane) {
      written.set(addresses[lane] - base, bytes);
    });
  }

  /// Sectors of 32 bytes that the request touches.
  unsigned sectors() const {
    constexpr unsigned sector = 32;
    if (consecutive)
      return static_cast<unsigned>((high - 1) / sector - low / sector + 1);
    std::array<uint64_t, kLanes> touched;
    unsigned number = 0;
    forLanes(active, [&](unsigned lane) {
      touched[number++] = addresses[lane] / sector;
    });
    if (!ascending)
      std::sort(touched.begin(), touched.begin() + number);
    return static_cast<unsigned>(
        std::unique(touched.begin(), touched.begin() + number) -
        touched.begin());
  }

  /// How often a request of shared memory has to go over the banks beyond what
  /// its bytes need. Lanes of 8 and 16 bytes go in halves and quarters.
  unsigned bankConflicts() const {
    if (consecutive || high - low == bytes)
      return 0;
    unsigned words = std::max(1u, bytes / 4), perPass = kLanes / words;
    unsigned conflicts = 0;
    for (unsigned first = 0; first < kLanes; first += perPass) {
      LaneMask lanes = active >> first;
      if (perPass < kLanes)
        lanes &= (LaneMask(1) << perPass) - 1;
      conflicts += passesOf(lanes, first, words) - (lanes != 0);
    }
    return conflicts;
  }

  const LaneAddresses &addresses;
  LaneMask active;
  unsigned bytes;
  uint64_t low = ~uint64_t(0), high = 0; // the bytes between which all lie
  bool aligned = true;
  bool consecutive = true; // each lane behind the one before it
  bool ascending = true;

private:
  /// The most distinct words of one bank.
  unsigned passesOf(LaneMask lanes, unsigned first, unsigned words) const {
    constexpr unsigned banks = 32;
    std::array<std::array<uint64_t, kLanes>, banks> seen;
    std::array<uint8_t, banks> count = {};
    unsigned most = 0;
    forLanes(lanes, [&](unsigned lane) {
      for (unsigned k = 0; k < words; ++k) {
        uint64_t word = addresses[first + lane] / 4 + k;
        unsigned bank = word % banks;
        auto *begin = seen[bank].data(), *end = begin + count[bank];
        if (std::find(begin, end, word) != end)
          continue;
        *end = word;
        most = std::max<unsigned>(most, ++count[bank]);
      }
    });
    return most;
  }
};
} // namespace

bool Warp::accessGlobalLanes(const Instruction &instruction,
                             LaneAddresses &addresses, unsigned bytes,
                             Access kind, LaneMask active) {
  Request request(addresses, active, bytes);
  uint64_t span = request.high - request.low;
  if (!request.aligned)
    return false;
  if (!lastAllocation || !lastAllocation->contains(request.low, span)) {
    const Allocation *found = cta.cluster.launch.memory.find(request.low, span);
    if (!found)
      return false;
    lastAllocation = found;
  }
  const Allocation &allocation = *lastAllocation;
  if (kind != Access::Read && allocation.readOnly)
    return false;
  if (kind != Access::Write &&
      !request.isInitialized(*allocation.initialized, allocation.address))
    return false;
  if (kind != Access::Read)
    request.initialize(*allocation.initialized, allocation.address);
  checkGlobalRaces(instruction, allocation, addresses, bytes, active, kind);
  Counts &counts = cta.cluster.counts;
  if (kind != Access::Write)
    counts[Count::GlobalBytesRead] += request.total();
  if (kind != Access::Read)
    counts[Count::GlobalBytesWritten] += request.total();
  unsigned sectors = request.sectors();
  auto needed = static_cast<unsigned>((request.total() + 31) / 32);
  counts[Count::GlobalSectors] += sectors;
  counts[Count::UncoalescedSectors] += sectors - std::min(sectors, needed);
  return true;
}

/// Notes who writes the bytes of shared memory; false if asynchronous work is
/// still to use some of them.
static bool noteWriters(const Warp &warp, const Request &request) {
  ProxyState &proxy = warp.cta.shared.proxy;
  bool free = true;
  forLanes(request.active, [&](unsigned lane) {
    free &=
        !proxy.isInFlight(request.addresses[lane] - kSharedBase, request.bytes);
  });
  if (!free)
    return false;
  forLanes(request.active, [&](unsigned lane) {
    proxy.setWriter(request.addresses[lane] - kSharedBase, request.bytes,
                    warp.fenceTag(lane));
  });
  return true;
}

bool Warp::accessSharedLanes(const Instruction &instruction,
                             LaneAddresses &addresses, unsigned bytes,
                             Access kind, LaneMask active) {
  Request request(addresses, active, bytes);
  SharedMemory &shared = cta.shared;
  if (!request.aligned || request.low < kSharedBase ||
      request.high > kSharedBase + shared.bytes.size())
    return false;
  if (kind != Access::Write &&
      !request.isInitialized(shared.written, kSharedBase))
    return false;
  if (kind != Access::Read) {
    if (shared.proxy.isKept() && !noteWriters(*this, request))
      return false;
    request.initialize(shared.written, kSharedBase);
  }
  Counts &counts = cta.cluster.counts;
  if (kind != Access::Write)
    counts[Count::SharedBytesRead] += request.total();
  if (kind != Access::Read)
    counts[Count::SharedBytesWritten] += request.total();
  counts[Count::BankConflicts] += request.bankConflicts();
  forLanes(active, [&](unsigned lane) { addresses[lane] -= kSharedBase; });
  checkRaces(instruction, agent(), cta.rank, addresses, bytes, active,
             raceKind(kind));
  auto begin = reinterpret_cast<uint64_t>(shared.bytes.data());
  forLanes(active, [&](unsigned lane) { addresses[lane] += begin; });
  return true;
}

void Warp::accessLanes(const Instruction &instruction, const Address &address,
                       unsigned bytes, Access kind, LaneMask active,
                       LanePointers &memory) {
  auto first = static_cast<unsigned>(__builtin_ctz(active));
  Space space = instruction.space;
  LaneAddresses addresses;
  if (space == Space::Param && address.base == kNoSlot) {
    uint8_t *bytesOfAll = access(instruction, space, addressOf(address, first),
                                 bytes, kind, first);
    return memory.fill(bytesOfAll);
  }
  forLanes(active,
           [&](unsigned lane) { addresses[lane] = addressOf(address, lane); });
  bool done = false;
  switch (space) {
  case Space::Shared:
  case Space::Cluster:
    done = accessSharedLanes(instruction, addresses, bytes, kind, active);
    break;
  case Space::Global:
  case Space::Const:
    done = accessGlobalLanes(instruction, addresses, bytes, kind, active);
    break;
  case Space::Generic:
    if (windowOf(addresses[first]) == 0)
      done = accessGlobalLanes(instruction, addresses, bytes, kind, active);
    break;
  case Space::Local:
  case Space::Param:
    break;
  }
  forLanes(active, [&](unsigned lane) {
    memory[lane] =
        done ? reinterpret_cast<uint8_t *>(addresses[lane])
             : access(instruction, space, addresses[lane], bytes, kind, lane);
  });
}
