//===- HostDevice.cpp - The processor as a device -------------------------===//
//
// Zeroed memory straight from the system: page-aligned, and resident only where
// it has been touched. Kernels are functions that the host program calls, so
// there is nothing to load, launch or copy.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Memory.h"
#include "runtime/device/Device.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace dsrt {

namespace {

class HostDevice final : public Device {
public:
  std::string name() const override { return "the processor"; }
  bool isHost() const override { return true; }
  std::unique_lock<std::mutex> use() override { return {}; }

  Result<uint64_t> availableBytes() override { return availableMemory(); }

  Result<void *> allocate(uint64_t bytes, const char *what) override {
    if (bytes == 0)
      return static_cast<void *>(nullptr);
    // Not counted against the system's commit limit: pages that are never
    // touched cost nothing, and the sessions check the whole against the
    // machine's memory.
    void *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
      return error(DSRT_OUT_OF_MEMORY, "cannot get {} for {}: {}",
                   formatBytes(static_cast<double>(bytes)), what,
                   std::strerror(errno));
    return address;
  }

  void release(void *address, uint64_t bytes) override {
    munmap(address, bytes);
  }
};

} // namespace

Device &hostDevice() {
  static HostDevice device;
  return device;
}

} // namespace dsrt
