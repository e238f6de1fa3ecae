//===- ProxyState.h - Shared memory and asynchronous work -------*- C++ -*-===//
//
// What asynchronous work is still to do with the bytes of a CTA's shared
// memory, and which threads have written them without it knowing. All such work
// takes multiples of 16 bytes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_PROXYSTATE_H
#define DSRT_SIMULATOR_MACHINE_PROXYSTATE_H

#include <cstdint>
#include <vector>

namespace dsrt::simulator {

/// A thread of a cluster and how many proxy fences it has executed.
struct FenceTag {
  FenceTag(unsigned rank, unsigned warp, unsigned lane, uint32_t fences)
      : bits(fences << 14 | rank << 10 | warp << 5 | lane) {}
  explicit FenceTag(uint32_t bits) : bits(bits) {}

  unsigned rank() const { return bits >> 10 & 15; }
  unsigned warp() const { return bits >> 5 & 31; }
  unsigned lane() const { return bits & 31; }

  uint32_t bits; // 0: no thread, since counts begin with 1
};

class ProxyState {
public:
  /// Of no bytes for kernels without asynchronous work: nothing is kept then.
  explicit ProxyState(uint64_t bytes)
      : blocks((bytes + kBlock - 1) / kBlock),
        writers((bytes + kWord - 1) / kWord) {}

  bool isKept() const { return !blocks.empty(); }

  void addReaders(uint64_t offset, uint64_t bytes, int count) {
    for (uint64_t k = offset / kBlock; k * kBlock < offset + bytes; ++k)
      blocks[k].readers = static_cast<uint16_t>(blocks[k].readers + count);
  }
  void addWriters(uint64_t offset, uint64_t bytes, int count) {
    for (uint64_t k = offset / kBlock; k * kBlock < offset + bytes; ++k)
      blocks[k].writers = static_cast<uint16_t>(blocks[k].writers + count);
  }
  /// Asynchronous work is still to read or to write some of the bytes.
  bool isInFlight(uint64_t offset, uint64_t bytes) const {
    for (uint64_t k = offset / kBlock; k * kBlock < offset + bytes; ++k)
      if (blocks[k].readers || blocks[k].writers)
        return true;
    return false;
  }

  /// The thread has written the bytes; a tag of 0: asynchronous work has.
  void setWriter(uint64_t offset, uint64_t bytes, FenceTag tag) {
    for (uint64_t k = offset / kWord; k * kWord < offset + bytes; ++k)
      writers[k] = tag.bits;
  }
  /// The tags of the bytes, 4 bytes each.
  template <typename F>
  void forWriters(uint64_t offset, uint64_t bytes, F body) const {
    for (uint64_t k = offset / kWord; k * kWord < offset + bytes; ++k)
      body(FenceTag(writers[k]));
  }

private:
  static constexpr uint64_t kBlock = 16, kWord = 4;
  struct Block {
    uint16_t readers = 0;
    uint16_t writers = 0;
  };
  std::vector<Block> blocks;
  std::vector<uint32_t> writers;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_PROXYSTATE_H
