//===- TensorMap.h - How a tensor lies in global memory ---------*- C++ -*-===//
//
// The 128 bytes that cuTensorMapEncodeTiled writes and copies of boxes read, in
// an encoding of our own: that of a GPU is not documented.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_TENSORMAP_H
#define DSRT_SIMULATOR_MACHINE_TENSORMAP_H

#include <cstdint>

namespace dsrt::simulator {

constexpr unsigned kMaxTensorRank = 5;

struct TensorMap {
  uint32_t magic; // tells a map from other data
  uint8_t rank;
  uint8_t elementBytes;
  uint8_t swizzleBytes; // 0: none; the span of the pattern
  uint8_t reserved;
  uint64_t address;
  // Innermost dimension first.
  uint64_t sizes[kMaxTensorRank];       // elements
  uint64_t strides[kMaxTensorRank - 1]; // bytes, from the second dimension on
  uint16_t box[kMaxTensorRank];         // elements that a copy traverses
  uint8_t steps[kMaxTensorRank];        // of which it takes every n-th
  uint8_t unused;

  /// Elements of dimension 'k' that a copy has.
  unsigned boxElements(unsigned k) const {
    return (box[k] + steps[k] - 1u) / steps[k];
  }
};
static_assert(sizeof(TensorMap) <= 128);

constexpr uint32_t kTensorMapMagic = 0x544d4150;

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_TENSORMAP_H
