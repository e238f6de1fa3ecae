//===- Memory.cpp - Large memory of a session -----------------------------===//

#include "runtime/core/Memory.h"

#include <algorithm>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace dsrt {

Memory::~Memory() {
  if (address)
    device->release(address, bytes);
}

Memory::Memory(Memory &&other) noexcept
    : device(other.device), address(std::exchange(other.address, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(device, other.device);
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

Result<Memory> Memory::reserve(Device &device, uint64_t bytes,
                               const char *what) {
  Result<void *> address = device.allocate(bytes, what);
  if (!address.ok())
    return address.status();
  Memory memory;
  memory.device = &device;
  memory.address = *address;
  memory.bytes = bytes;
  return memory;
}

uint64_t availableMemory() {
  uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                   static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t limit;
  std::ifstream group("/sys/fs/cgroup/memory.max");
  if (group >> limit)
    bytes = std::min(bytes, limit);
  rlimit space;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
    bytes = std::min<uint64_t>(bytes, space.rlim_cur);
  return bytes;
}

uint64_t peakResidentBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

std::string formatBytes(double bytes) {
  if (bytes >= 1e9)
    return fmt::format("{:.1f} GB", bytes / 1e9);
  if (bytes >= 1e6)
    return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes >= 1e3)
    return fmt::format("{:.1f} KB", bytes / 1e3);
  return fmt::format("{:.0f} bytes", bytes);
}

} // namespace dsrt
