//===- WarpMemory.cpp - What a thread may access --------------------------===//
//
// Every access of a thread to memory passes here: alignment, bounds, rights and
// whether what is read was ever written.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Launch.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

uint8_t *Warp::access(const Instruction &instruction, Space space,
                      uint64_t address, unsigned bytes, Access kind,
                      unsigned lane) {
  if (address & (bytes - 1))
    fault(FaultKind::MisalignedAddress, instruction, lane,
          fmt::format("expected an address of a multiple of {} bytes, got "
                      "0x{:x}",
                      bytes, address));
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

uint8_t *Warp::accessShared(const Instruction &instruction, uint64_t address,
                            unsigned bytes, Access kind, unsigned lane) {
  uint64_t rank = address >> kSharedRankShift;
  uint64_t offset = (address & kSharedOffsetMask) - kSharedBase;
  const std::vector<std::unique_ptr<Cta>> &ctas = cta.cluster.ctas;
  if (rank > ctas.size())
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected an address of shared memory, got 0x{:x}",
                      address));
  SharedMemory &shared = rank ? ctas[rank - 1]->shared : cta.shared;
  uint64_t size = shared.bytes.size();
  if (offset > size || bytes > size - offset)
    fault(FaultKind::IllegalAddress, instruction, lane,
          fmt::format("expected an address inside of the {} bytes of shared "
                      "memory, got {} bytes at byte {}",
                      size, bytes, static_cast<int64_t>(offset)));
  if (kind != Access::Write && !shared.written.areSet(offset, bytes))
    fault(FaultKind::InvalidUse, instruction, lane,
          fmt::format("expected shared memory that was written, by a copy that "
                      "was waited for, got {} bytes at byte {} that were not",
                      bytes, offset));
  if (kind != Access::Read)
    shared.written.set(offset, bytes);
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

uint64_t Warp::beginAsyncWrite(const Instruction &instruction, uint64_t address,
                               unsigned bytes, unsigned lane) {
  if (address >> kSharedRankShift)
    fault(
        FaultKind::IllegalAddress, instruction, lane,
        fmt::format("expected shared memory of this CTA, got 0x{:x}", address));
  uint8_t *memory =
      access(instruction, Space::Shared, address, bytes, Access::Write, lane);
  auto offset = static_cast<uint64_t>(memory - cta.shared.bytes.data());
  cta.shared.written.clear(offset, bytes);
  return offset;
}

void Warp::endAsyncWrite(uint64_t offset, const uint8_t *data, unsigned bytes) {
  std::copy(data, data + bytes, cta.shared.bytes.data() + offset);
  cta.shared.written.set(offset, bytes);
}
