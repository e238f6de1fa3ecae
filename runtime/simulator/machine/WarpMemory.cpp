//===- WarpMemory.cpp - What a thread may access --------------------------===//
//
// Every access of a thread to memory passes here: alignment, bounds, rights and
// whether what is read was ever written.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Launch.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

void Warp::checkAligned(const Instruction &instruction, uint64_t address,
                        unsigned bytes, unsigned lane) const {
  if (address & (bytes - 1))
    fault(FaultKind::MisalignedAddress, instruction, lane,
          fmt::format("expected an address of a multiple of {} bytes, got "
                      "0x{:x}",
                      bytes, address));
}

uint8_t *Warp::access(const Instruction &instruction, Space space,
                      uint64_t address, unsigned bytes, Access kind,
                      unsigned lane) {
  checkAligned(instruction, address, bytes, lane);
  uint64_t window = windowOf(address);
  switch (space) {
  case Space::Shared:
  case Space::Cluster:
    return accessShared(instruction, address, bytes, kind, lane);
  case Space::Local:
    return accessLocal(instruction, address, bytes, lane);
  case Space::Param:
    return accessParameters(instruction,
                            address + cta.cluster.launch.parameterAddress(),
                            bytes, kind, lane);
  case Space::Generic:
    if (window == kSharedWindow)
      return accessShared(instruction, address - kSharedWindow, bytes, kind,
                          lane);
    if (window == kLocalWindow)
      return accessLocal(instruction, address - kLocalWindow, bytes, lane);
    break;
  case Space::Global:
  case Space::Const:
    break;
  }
  return accessGlobal(instruction, address, bytes, kind, lane);
}

Warp::SharedPlace Warp::checkedPlace(const Instruction &instruction,
                                     uint64_t address, uint64_t bytes,
                                     unsigned lane) {
  uint64_t rank = address >> kSharedRankShift;
  uint64_t offset = (address & kSharedOffsetMask) - kSharedBase;
  const std::vector<std::unique_ptr<Cta>> &ctas = cta.cluster.ctas;
  if (rank > ctas.size())
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected an address of shared memory, got 0x{:x}",
                      address));
  Cta &owner = rank ? *ctas[rank - 1] : cta;
  uint64_t size = owner.shared.bytes.size();
  if (offset > size || bytes > size - offset)
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected an address inside of the {} bytes of shared "
                      "memory, got {} bytes at byte {}",
                      size, bytes, static_cast<int64_t>(offset)));
  return {&owner, offset};
}

FenceTag Warp::fenceTag(unsigned lane) const {
  return FenceTag(cta.rank, index, lane, proxyFences[lane]);
}

uint8_t *Warp::accessShared(const Instruction &instruction, uint64_t address,
                            unsigned bytes, Access kind, unsigned lane,
                            bool copies) {
  auto [owner, offset] = checkedPlace(instruction, address, bytes, lane);
  SharedMemory &shared = owner->shared;
  const AsyncWork &async = cta.cluster.async;
  if (kind != Access::Write && !shared.written.areSet(offset, bytes))
    fault(FaultKind::InvalidUse, instruction, lane,
          async.describeUnwritten(*owner, offset, bytes));
  if (kind != Access::Read) {
    shared.written.set(offset, bytes);
    if (shared.proxy.isKept()) {
      if (shared.proxy.isInFlight(offset, bytes))
        fault(FaultKind::InvalidUse, instruction, lane,
              async.describeInFlight(*owner, offset, bytes));
      shared.proxy.setWriter(offset, bytes, fenceTag(lane));
    }
  }
  LaneAddresses offsets;
  offsets[lane] = offset;
  unsigned by = copies && races() ? races()->copierOf(agent()) : agent();
  checkRaces(instruction, by, owner->rank, offsets, bytes, LaneMask(1) << lane,
             raceKind(kind));
  return shared.bytes.data() + offset;
}

uint8_t *Warp::accessLocal(const Instruction &instruction, uint64_t address,
                           unsigned bytes, unsigned lane) {
  uint64_t size = cta.kernel().localBytes;
  if (address > size || bytes > size - address)
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected an address inside of the {} bytes of local "
                      "memory, got {} bytes at byte {}",
                      size, bytes, static_cast<int64_t>(address)));
  return local.data() + lane * size + address;
}

uint8_t *Warp::accessGlobal(const Instruction &instruction, uint64_t address,
                            unsigned bytes, Access kind, unsigned lane) {
  Launch &launch = cta.cluster.launch;
  if (!lastAllocation || !lastAllocation->contains(address, bytes)) {
    lastAllocation = launch.memory.find(address, bytes);
    if (!lastAllocation) {
      if (launch.inParameters(address, bytes) &&
          instruction.space == Space::Generic)
        return accessParameters(instruction, address, bytes, kind, lane);
      fault(FaultKind::IllegalAddress, instruction, lane,
            fmt::format("expected an address inside of an allocation, got {} "
                        "bytes at 0x{:x}, {}",
                        bytes, address, launch.memory.describe(address)));
    }
  }
  uint64_t offset = address - lastAllocation->address;
  if (kind != Access::Read && lastAllocation->readOnly)
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected memory that may be written, got constant "
                      "memory at 0x{:x}",
                      address));
  if (kind != Access::Write &&
      !lastAllocation->initialized->areSet(offset, bytes))
    fault(FaultKind::InvalidUse, instruction, lane,
          fmt::format("expected memory that was written, got {} bytes at byte "
                      "{} of an allocation of {} bytes that were not",
                      bytes, offset, lastAllocation->bytes));
  if (kind != Access::Read)
    lastAllocation->initialized->set(offset, bytes);
  LaneAddresses addresses;
  addresses[lane] = address;
  checkGlobalRaces(instruction, *lastAllocation, addresses, bytes,
                   LaneMask(1) << lane, kind);
  return reinterpret_cast<uint8_t *>(address);
}

uint8_t *Warp::accessParameters(const Instruction &instruction,
                                uint64_t address, unsigned bytes, Access kind,
                                unsigned lane) {
  Launch &launch = cta.cluster.launch;
  if (kind != Access::Read || !launch.inParameters(address, bytes))
    fault(
        FaultKind::IllegalAddress, instruction, lane,
        fmt::format("expected a read inside of the {} bytes of parameters, "
                    "got {} bytes at byte {}",
                    launch.kernel.parameterBytes, bytes,
                    static_cast<int64_t>(address - launch.parameterAddress())));
  return reinterpret_cast<uint8_t *>(address);
}

Races *Warp::races() const { return cta.cluster.races.get(); }

std::pair<unsigned, uint64_t> Warp::sharedPlace(uint64_t address) const {
  if (windowOf(address) == kSharedWindow)
    address -= kSharedWindow;
  auto rank = static_cast<unsigned>(address >> kSharedRankShift);
  return {rank ? rank - 1 : cta.rank,
          (address & kSharedOffsetMask) - kSharedBase};
}

unsigned Warp::agent() const {
  return cta.rank * static_cast<unsigned>(cta.warps.size()) + index;
}

void Warp::checkRaces(const Instruction &instruction, unsigned agent,
                      unsigned ctaRank, const LaneAddresses &offsets,
                      unsigned bytes, LaneMask lanes, Races::Kind kind) {
  Races *races = this->races();
  if (!races)
    return;
  if (instruction.strong)
    kind = Races::Kind::Atomic;
  auto index = static_cast<CodeIndex>(&instruction - code.data());
  std::optional<Races::Conflict> conflict =
      races->access(agent, ctaRank, offsets, bytes, lanes, kind, index);
  if (conflict)
    raceFault(instruction, *conflict, kind);
  if (instruction.strong)
    forLanes(lanes, [&](unsigned lane) {
      races->exchange(agent, ctaRank, offsets[lane], LaneMask(1) << lane);
    });
}

void Warp::checkGlobalRaces(const Instruction &instruction,
                            const Allocation &allocation,
                            const LaneAddresses &addresses, unsigned bytes,
                            LaneMask lanes, Access kind) {
  Launch &launch = cta.cluster.launch;
  if (!launch.globalRaces)
    return;
  if (instruction.orders)
    launch.globalRaces->fence(cta.cluster.number);
  if (instruction.strong)
    return;
  auto index = static_cast<CodeIndex>(&instruction - code.data());
  std::optional<GlobalRaces::Conflict> conflict = launch.globalRaces->access(
      allocation, {cta.cluster.number, agent(), *races()}, addresses, bytes,
      lanes, kind != Access::Read, index);
  if (!conflict)
    return;
  const Instruction &other = code[conflict->instruction];
  const Races &order = *races();
  std::array<unsigned, 3> thread =
      launch.threadAt(order.warpOf(conflict->agent) * kLanes + conflict->lane);
  std::array<unsigned, 3> position = launch.clusterAt(conflict->cluster);
  bool own = conflict->cluster == cta.cluster.number;
  fault(FaultKind::InvalidUse, instruction, conflict->byLane,
        fmt::format(
            "data race at byte {} of an allocation of {} bytes: "
            "expected {} between this {} and the {} in line {} '{}' by "
            "thread ({}, {}, {}) of CTA {} of the cluster at "
            "({}, {}, {})",
            addresses[conflict->byLane] - allocation.address, allocation.bytes,
            own ? "a barrier" : "fences of both clusters",
            kind == Access::Read ? "read" : "write",
            conflict->wrote ? "write" : "read", other.line, other.opcode,
            thread[0], thread[1], thread[2], order.ctaOf(conflict->agent),
            position[0], position[1], position[2]));
}

void Warp::raceFault(const Instruction &instruction,
                     const Races::Conflict &conflict, Races::Kind kind) const {
  const Races &races = *this->races();
  const Instruction &other = code[conflict.instruction];
  const Cta &otherCta = *cta.cluster.ctas[races.ctaOf(conflict.agent)];
  std::array<unsigned, 3> thread = cta.cluster.launch.threadAt(
      races.warpOf(conflict.agent) * kLanes + conflict.lane);
  std::string otherPlace =
      &otherCta == &cta
          ? ""
          : fmt::format("CTA ({}, {}, {}), ", otherCta.position[0],
                        otherCta.position[1], otherCta.position[2]);
  fault(FaultKind::InvalidUse, instruction, conflict.byLane,
        fmt::format("data race at byte {} of shared memory: expected a barrier "
                    "between this {} and the {} in line {} '{}' by {}thread "
                    "({}, {}, {}), got none",
                    conflict.offset,
                    kind == Races::Kind::Read ? "read" : "write",
                    conflict.wrote ? "write" : "read", other.line, other.opcode,
                    otherPlace, thread[0], thread[1], thread[2]));
}

uint64_t Warp::beginAsyncWrite(const Instruction &instruction, uint64_t address,
                               unsigned bytes, unsigned lane) {
  if (address >> kSharedRankShift)
    fault(
        FaultKind::IllegalAddress, instruction, lane,
        fmt::format("expected shared memory of this CTA, got 0x{:x}", address));
  checkAligned(instruction, address, bytes, lane);
  uint8_t *memory = accessShared(instruction, address, bytes, Access::Write,
                                 lane, /*copies=*/true);
  auto offset = static_cast<uint64_t>(memory - cta.shared.bytes.data());
  cta.shared.written.clear(offset, bytes);
  return offset;
}

void Warp::endAsyncWrite(const AsyncCopy &copy) {
  SharedMemory &shared = cta.shared;
  std::copy(copy.data.data(), copy.data.data() + copy.bytes,
            shared.bytes.data() + copy.to);
  shared.written.set(copy.to, copy.bytes);
  cta.cluster.counts[Count::AsyncBytes] += copy.bytes;
  if (shared.proxy.isKept())
    shared.proxy.setWriter(copy.to, copy.bytes, fenceTag(copy.lane));
}
