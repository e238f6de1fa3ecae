//===- AddressSpace.h - Where memories lie in 64 bits -----------*- C++ -*-===//
//
// Global memory is memory of this process, at its own address, below 2^47. The
// windows of shared and local memory in generic addresses lie above it.
//
// A shared address has 32 bits: the offset, and above it 1 + the rank of a CTA
// of the cluster, or 0 for the CTA itself. As on a GPU, the first KiB of a
// CTA's shared memory belongs to the system: address 0 is no variable.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_ADDRESSSPACE_H
#define DSRT_SIMULATOR_MACHINE_ADDRESSSPACE_H

#include <cstdint>

namespace dsrt::simulator {

constexpr unsigned kWindowShift = 56;
constexpr uint64_t kSharedWindow = uint64_t(1) << kWindowShift;
constexpr uint64_t kLocalWindow = uint64_t(2) << kWindowShift;

constexpr uint64_t windowOf(uint64_t address) {
  return address & (uint64_t(0xff) << kWindowShift);
}

constexpr unsigned kSharedRankShift = 24;
constexpr uint64_t kSharedOffsetMask = (uint64_t(1) << kSharedRankShift) - 1;
/// The first byte of shared memory that a kernel has.
constexpr uint64_t kSharedBase = 1024;
/// What a CTA can have, without the system's KiB.
constexpr uint64_t kMaxSharedBytes = 227 * 1024;
/// What it can have without asking for more.
constexpr uint64_t kDefaultSharedBytes = 48 * 1024;

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_ADDRESSSPACE_H
