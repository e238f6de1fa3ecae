//===- AsyncWork.cpp - What a cluster's hardware does by itself -----------===//
//
// A copy reads its source when it ends, so it sees what is there by then; out
// of shared memory the two may lie apart, as waits for the read alone allow.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/AsyncWork.h"
#include "runtime/simulator/machine/Launch.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

[[noreturn]] static void fail(const BulkCopy &copy, FaultKind kind,
                              const std::string &message) {
  copy.warp->fault(kind, *copy.instruction, copy.lane, message);
}

/// The allocation of a run; a fault if there is none.
static const Allocation &allocationOf(const BulkCopy &copy, uint64_t address,
                                      uint64_t bytes) {
  const DeviceMemory &memory = copy.warp->cta.cluster.launch.memory;
  const Allocation *found = memory.find(address, bytes);
  if (!found)
    fail(copy, FaultKind::IllegalAddress,
         fmt::format("expected an address inside of an allocation, got {} "
                     "bytes at 0x{:x}, {}",
                     bytes, address, memory.describe(address)));
  return *found;
}

//===----------------------------------------------------------------------===//
// Issue
//===----------------------------------------------------------------------===//

void AsyncWork::checkRead(Warp &warp, const Instruction &i, unsigned lane,
                          const Cta &cta, uint64_t offset,
                          uint64_t bytes) const {
  if (!cta.shared.written.areSet(offset, bytes))
    warp.fault(FaultKind::InvalidUse, i, lane,
               describeUnwritten(cta, offset, bytes));
  checkFences(warp, i, lane, cta, offset, bytes);
}

void AsyncWork::checkFences(const Warp &warp, const Instruction &i,
                            unsigned lane, const Cta &cta, uint64_t offset,
                            uint64_t bytes) const {
  cta.shared.proxy.forWriters(offset, bytes, [&](FenceTag tag) {
    if (!tag.bits)
      return;
    const Warp &writer = *cluster.ctas[tag.rank()]->warps[tag.warp()];
    if (writer.fenceTag(tag.lane()).bits == tag.bits)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected fence.proxy.async by thread {} of CTA "
                             "{} of the cluster between its write to byte {} "
                             "of shared memory and this access",
                             tag.warp() * kLanes + tag.lane(), tag.rank(),
                             offset));
  });
}

/// The instruction of a cp.async of a CTA that is still to write the bytes;
/// null if there is none.
static const Instruction *findAsyncCopy(const Cta &cta, uint64_t offset,
                                        uint64_t bytes) {
  for (const std::unique_ptr<Warp> &warp : cta.warps)
    for (const AsyncCopy &copy : warp->copies)
      if (copy.to < offset + bytes && offset < copy.to + copy.bytes)
        return copy.instruction;
  return nullptr;
}

std::string AsyncWork::describeUnwritten(const Cta &cta, uint64_t offset,
                                         uint64_t bytes) const {
  const Instruction *writer = findAsyncCopy(cta, offset, bytes);
  if (const BulkCopy *copy = find(cta, offset, bytes, /*writes=*/true))
    writer = copy->instruction;
  if (writer)
    return fmt::format("reads {} bytes at byte {} of shared memory that the "
                       "copy in line {} is still to write",
                       bytes, offset, writer->line);
  return fmt::format("expected shared memory that was written, got {} bytes at "
                     "byte {} that were not",
                     bytes, offset);
}

std::string AsyncWork::describeInFlight(const Cta &cta, uint64_t offset,
                                        uint64_t bytes) const {
  for (bool writes : {false, true})
    if (const BulkCopy *copy = find(cta, offset, bytes, writes))
      return fmt::format("writes {} bytes at byte {} of shared memory that the "
                         "copy in line {} is still to {}",
                         bytes, offset, copy->instruction->line,
                         writes ? "write" : "read");
  std::string lines;
  for (const std::unique_ptr<Warp> &warp : cta.warps)
    if (lines.empty() && warp->products.arePending())
      lines = fmt::format(", from that in line {} on,",
                          warp->products.oldest().instruction->line);
  return fmt::format("writes {} bytes at byte {} of shared memory that a wgmma"
                     "{} is still to read",
                     bytes, offset, lines);
}

const BulkCopy *AsyncWork::find(const Cta &cta, uint64_t offset, uint64_t bytes,
                                bool writes) const {
  for (const std::unique_ptr<BulkCopy> &copy : copies) {
    if (writes ? copy->to != &cta : copy->from != &cta || copy->hasRead)
      continue;
    for (const CopyRun &run : copy->runs) {
      uint64_t begin = writes ? run.to : run.from;
      if (begin < offset + bytes && offset < begin + run.bytes)
        return copy.get();
    }
  }
  return nullptr;
}

/// The bytes of shared memory that a copy writes count as not written until it
/// ends; those of global memory as well.
void AsyncWork::beginWrite(BulkCopy &copy) {
  for (const CopyRun &run : copy.runs) {
    if (!copy.to) {
      const Allocation &target = allocationOf(copy, run.to, run.bytes);
      if (target.readOnly)
        fail(copy, FaultKind::IllegalAddress,
             fmt::format("expected memory that may be written, got constant "
                         "memory at 0x{:x}",
                         run.to));
      target.initialized->clear(run.to - target.address, run.bytes);
      continue;
    }
    if (copy.to->shared.proxy.isInFlight(run.to, run.bytes))
      fail(copy, FaultKind::InvalidUse,
           describeInFlight(*copy.to, run.to, run.bytes));
    checkFences(*copy.warp, *copy.instruction, copy.lane, *copy.to, run.to,
                run.bytes);
  }
  // Runs that meet inside of 16 bytes are not in each other's way.
  for (const CopyRun &run : copy.runs) {
    if (!copy.to)
      break;
    copy.to->shared.written.clear(run.to, run.bytes);
    copy.to->shared.proxy.addWriters(run.to, run.bytes, 1);
  }
}

/// The accesses to shared memory come after what the thread has done; what is
/// not ordered with them is a race.
static void checkRaces(const BulkCopy &copy) {
  const Races *races = copy.warp->races();
  if (!races)
    return;
  LaneAddresses offsets;
  auto check = [&](const Cta *cta, uint64_t offset, unsigned bytes,
                   Races::Kind kind) {
    offsets[copy.lane] = offset;
    if (cta)
      copy.warp->checkRaces(*copy.instruction,
                            races->copierOf(copy.warp->agent()), cta->rank,
                            offsets, bytes, LaneMask(1) << copy.lane, kind);
  };
  for (const CopyRun &run : copy.runs) {
    check(copy.from, run.from, run.bytes, Races::Kind::Read);
    check(copy.to, run.to, run.bytes, Races::Kind::Write);
  }
}

void AsyncWork::begin(BulkCopy copy) {
  if (copy.from) {
    for (const CopyRun &run : copy.runs) {
      checkRead(*copy.warp, *copy.instruction, copy.lane, *copy.from, run.from,
                run.bytes);
      copy.from->shared.proxy.addReaders(run.from, run.bytes, 1);
    }
  }
  beginWrite(copy);
  checkRaces(copy);
  copies.push_back(std::make_unique<BulkCopy>(std::move(copy)));
}

//===----------------------------------------------------------------------===//
// End
//===----------------------------------------------------------------------===//

void AsyncWork::read(BulkCopy &copy) {
  copy.hasRead = true;
  for (const CopyRun &run : copy.runs) {
    size_t end = copy.data.size();
    copy.data.resize(end + run.bytes); // zeros
    uint8_t *data = copy.data.data() + end;
    if (run.from == kZeros)
      continue;
    if (copy.from) {
      std::memcpy(data, copy.from->shared.bytes.data() + run.from, run.bytes);
      copy.from->shared.proxy.addReaders(run.from, run.bytes, -1);
      continue;
    }
    const Allocation &source = allocationOf(copy, run.from, run.bytes);
    if (!source.initialized->areSet(run.from - source.address, run.bytes))
      fail(copy, FaultKind::InvalidUse,
           fmt::format("expected memory that was written, got {} bytes at byte "
                       "{} of an allocation of {} bytes that were not",
                       run.bytes, run.from - source.address, source.bytes));
    std::memcpy(data, reinterpret_cast<const void *>(run.from), run.bytes);
  }
}

void AsyncWork::write(BulkCopy &copy) {
  const uint8_t *data = copy.data.data();
  for (const CopyRun &run : copy.runs) {
    if (copy.to) {
      SharedMemory &shared = copy.to->shared;
      std::memcpy(shared.bytes.data() + run.to, data, run.bytes);
      shared.written.set(run.to, run.bytes);
      shared.proxy.addWriters(run.to, run.bytes, -1);
      shared.proxy.setWriter(run.to, run.bytes, FenceTag(0));
    } else {
      const Allocation &target = allocationOf(copy, run.to, run.bytes);
      std::memcpy(reinterpret_cast<void *>(run.to), data, run.bytes);
      target.initialized->set(run.to - target.address, run.bytes);
    }
    data += run.bytes;
  }
  cluster.counts[Count::AsyncBytes] += copy.data.size();
  if (copy.completed)
    copy.completed(copy);
}

/// The shared memory of a CTA that has ended is that of another.
static void checkAlive(const BulkCopy &copy) {
  bool reads = copy.from && !copy.hasRead && copy.from->liveThreads == 0;
  if (reads || (copy.to && copy.to->liveThreads == 0))
    fail(copy, FaultKind::InvalidUse,
         fmt::format("expected a wait for this copy, which is still to {} "
                     "shared memory, before the CTA ends",
                     reads ? "read" : "write"));
}

bool AsyncWork::advance(bool idle, bool last) {
  std::vector<BulkCopy *> able;
  for (const std::unique_ptr<BulkCopy> &copy : copies) {
    checkAlive(*copy);
    if (copy->completed || copy->hasRead)
      able.push_back(copy.get());
  }
  std::shuffle(able.begin(), able.end(), random);
  std::vector<BulkCopy *> ended;
  for (BulkCopy *copy : able)
    if (last || random() % 2)
      ended.push_back(copy);
  if (idle && ended.empty() && !able.empty())
    ended.push_back(able[0]);
  for (BulkCopy *copy : ended) {
    if (!copy->hasRead)
      read(*copy);
    write(*copy);
  }
  remove(ended);
  return !ended.empty();
}

void AsyncWork::finishGroups(const Warp &warp, unsigned lane, uint64_t group,
                             bool readOnly) {
  std::vector<BulkCopy *> ended;
  for (const std::unique_ptr<BulkCopy> &copy : copies) {
    if (copy->warp != &warp || copy->lane != lane || copy->completed ||
        copy->group >= group)
      continue;
    if (!copy->hasRead)
      read(*copy);
    if (readOnly)
      continue;
    write(*copy);
    ended.push_back(copy.get());
  }
  remove(ended);
}

void AsyncWork::remove(const std::vector<BulkCopy *> &ended) {
  auto isEnded = [&](const std::unique_ptr<BulkCopy> &copy) {
    return std::find(ended.begin(), ended.end(), copy.get()) != ended.end();
  };
  copies.erase(std::remove_if(copies.begin(), copies.end(), isEnded),
               copies.end());
}
