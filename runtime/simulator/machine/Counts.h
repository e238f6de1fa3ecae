//===- Counts.h - What a kernel did -----------------------------*- C++ -*-===//
//
// Sums over launches. Each cluster has its own while it runs, so that counting
// needs no locks.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_COUNTS_H
#define DSRT_SIMULATOR_MACHINE_COUNTS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dsrt::simulator {

enum class Count {
  Launches,
  WarpInstructions,
  LaneInstructions,
  GlobalBytesRead,
  GlobalBytesWritten,
  GlobalSectors,      // of 32 bytes, of each request of a warp
  UncoalescedSectors, // more than the request's bytes need
  SharedBytesRead,
  SharedBytesWritten,
  BankConflicts,   // passes over the 32 banks that a request needs beyond its
                   // least
  AsyncBytes,      // that copies wrote without a thread
  TensorOperations // floating-point ones of matrix instructions
};
constexpr size_t kCounts = static_cast<size_t>(Count::TensorOperations) + 1;

/// The names of the counts in texts, in the order of the enumeration.
constexpr std::array<std::string_view, kCounts> kCountNames = {
    "launches",
    "warp_instructions",
    "lane_instructions",
    "global_bytes_read",
    "global_bytes_written",
    "global_sectors",
    "uncoalesced_sectors",
    "shared_bytes_read",
    "shared_bytes_written",
    "bank_conflicts",
    "async_bytes",
    "tensor_operations"};

class Counts {
public:
  uint64_t &operator[](Count count) {
    return values[static_cast<size_t>(count)];
  }
  uint64_t operator[](Count count) const {
    return values[static_cast<size_t>(count)];
  }
  void add(const Counts &other) {
    for (size_t i = 0; i < kCounts; ++i)
      values[i] += other.values[i];
  }

private:
  std::array<uint64_t, kCounts> values = {};
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_COUNTS_H
