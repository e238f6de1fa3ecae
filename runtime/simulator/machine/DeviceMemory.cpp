//===- DeviceMemory.cpp - Global memory -----------------------------------===//
//
// Pages come from mmap. Freed ones lose their memory and access rights at once
// and their addresses when many others have been freed since.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/DeviceMemory.h"

#include <fmt/format.h>
#include <sys/mman.h>

using namespace dsrt::simulator;

static constexpr uint64_t kPage = 4096;
static constexpr size_t kFreedKept = 1024;

DeviceMemory::~DeviceMemory() {
  for (auto &[address, allocation] : allocations)
    ::munmap(reinterpret_cast<void *>(address), allocation.mappedBytes);
}

uint64_t DeviceMemory::allocate(uint64_t bytes, bool readOnly) {
  if (bytes > available())
    return 0;
  // One page more, without access: a host function that runs over the end of an
  // allocation is stopped as well.
  uint64_t usable = (bytes + kPage - 1) / kPage * kPage;
  uint64_t mapped = usable + kPage;
  void *memory = ::mmap(nullptr, mapped, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  if (::mprotect(memory, usable, PROT_READ | PROT_WRITE) != 0) {
    ::munmap(memory, mapped);
    return 0;
  }
  auto address = reinterpret_cast<uint64_t>(memory);
  allocations[address] = {address,
                          bytes,
                          mapped,
                          readOnly,
                          std::make_unique<InitializedBytes>(bytes),
                          nullptr};
  used += bytes;
  return address;
}

bool DeviceMemory::release(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || !found->second.initialized)
    return false;
  Allocation &allocation = found->second;
  void *memory = reinterpret_cast<void *>(address);
  ::mmap(memory, allocation.mappedBytes, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  allocation.initialized.reset();
  used -= allocation.bytes;
  freed.push_back(address);
  if (freed.size() > kFreedKept) {
    auto oldest = allocations.find(freed.front());
    ::munmap(reinterpret_cast<void *>(oldest->first),
             oldest->second.mappedBytes);
    allocations.erase(oldest);
    freed.pop_front();
  }
  return true;
}

const Allocation *DeviceMemory::nearest(uint64_t address) const {
  auto next = allocations.upper_bound(address);
  return next == allocations.begin() ? nullptr : &std::prev(next)->second;
}

const Allocation *DeviceMemory::find(uint64_t address, uint64_t bytes) const {
  const Allocation *allocation = nearest(address);
  bool live = allocation && allocation->initialized &&
              allocation->contains(address, bytes);
  return live ? allocation : nullptr;
}

std::string DeviceMemory::describe(uint64_t address) const {
  const Allocation *before = nearest(address);
  constexpr uint64_t far = uint64_t(1) << 24;
  if (!before || address - before->address >= before->bytes + far)
    return "in no allocation";
  uint64_t offset = address - before->address;
  std::string what = fmt::format("an allocation of {} bytes{}", before->bytes,
                                 before->initialized ? "" : " that was freed");
  if (offset < before->bytes)
    return fmt::format("at byte {} of {}", offset, what);
  return fmt::format("{} bytes behind the end of {}", offset - before->bytes,
                     what);
}
