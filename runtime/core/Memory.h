//===- Memory.h - Large memory of a session ---------------------*- C++ -*-===//
//
// A block of a device's memory. That of the processor is zeroed, page-aligned,
// and resident only where it has been touched.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_MEMORY_H
#define DSRT_CORE_MEMORY_H

#include "runtime/core/Status.h"
#include "runtime/device/Device.h"

#include <cstdint>

namespace dsrt {

class Memory {
public:
  Memory() = default;
  ~Memory();
  Memory(Memory &&other) noexcept;
  Memory &operator=(Memory &&other) noexcept;

  /// `what` names the memory in the message of a failure. The device outlives
  /// it.
  static Result<Memory> reserve(Device &device, uint64_t bytes,
                                const char *what);

  void *data() const { return address; }
  uint64_t size() const { return bytes; }

private:
  Device *device = nullptr;
  void *address = nullptr;
  uint64_t bytes = 0;
};

/// Bytes of memory that this process can have at most: the machine's, or its
/// control group's where that is less.
uint64_t availableMemory();

/// The largest amount of memory this process has had resident.
uint64_t peakResidentBytes();

/// "1.5 GB", "12 MB", "100 bytes".
std::string formatBytes(double bytes);

} // namespace dsrt

#endif // DSRT_CORE_MEMORY_H
