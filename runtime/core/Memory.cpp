//===- Memory.cpp - Large memory of a session -----------------------------===//

#include "runtime/core/Memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace dsrt {

Memory::~Memory() {
  if (address)
    munmap(address, bytes);
}

Memory::Memory(Memory &&other) noexcept
    : address(std::exchange(other.address, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

Result<Memory> Memory::reserve(uint64_t bytes, const char *what) {
  Memory memory;
  if (bytes == 0)
    return memory;
  // Not counted against the system's commit limit: pages that are never touched
  // cost nothing, and the sessions check the whole against the machine's
  // memory.
  void *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    return error(DSRT_OUT_OF_MEMORY, "cannot get {} for {}: {}",
                 formatBytes(static_cast<double>(bytes)), what,
                 std::strerror(errno));
  memory.address = address;
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
