//===- DeviceMemory.h - Global memory ---------------------------*- C++ -*-===//
//
// Allocations of their own pages. The addresses of freed ones stay reserved for
// a long while, so that a use after free is told from any other wild access.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_DEVICEMEMORY_H
#define DSRT_SIMULATOR_MACHINE_DEVICEMEMORY_H

#include "runtime/simulator/machine/InitializedBytes.h"

#include <deque>
#include <map>
#include <string>

namespace dsrt::simulator {

struct Allocation {
  uint64_t address;
  uint64_t bytes;
  uint64_t mappedBytes;
  bool readOnly;
  std::unique_ptr<InitializedBytes> initialized; // null: freed
  /// What GlobalRaces knows of it during a launch.
  mutable void *followed = nullptr;

  bool contains(uint64_t begin, uint64_t count) const {
    return begin >= address && count <= bytes &&
           begin - address <= bytes - count;
  }
};

class DeviceMemory {
public:
  explicit DeviceMemory(uint64_t capacity) : capacity(capacity) {}
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;

  /// The address of whole pages; 0 if there is no room.
  uint64_t allocate(uint64_t bytes, bool readOnly = false);
  /// False unless an allocation begins at the address.
  bool release(uint64_t address);

  /// The live allocation that holds all of the bytes; null if none does.
  const Allocation *find(uint64_t address, uint64_t bytes) const;
  /// Where an address outside of all allocations lies, in words.
  std::string describe(uint64_t address) const;

  uint64_t total() const { return capacity; }
  uint64_t available() const { return capacity - used; }

private:
  const Allocation *nearest(uint64_t address) const;

  uint64_t capacity;
  uint64_t used = 0;
  std::map<uint64_t, Allocation> allocations; // freed ones as well
  std::deque<uint64_t> freed;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_DEVICEMEMORY_H
