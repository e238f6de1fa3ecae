//===- AlignedBuffer.h - Memory of the loader's own -------------*- C++ -*-===//
//
// For the few tensors that cannot be used where they lie in their file.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_ALIGNEDBUFFER_H
#define DSRT_WEIGHTS_ALIGNEDBUFFER_H

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace dsrt {

struct FreeMemory {
  void operator()(uint8_t *memory) const { std::free(memory); }
};

using AlignedBuffer = std::unique_ptr<uint8_t, FreeMemory>;

/// 64-byte aligned, not null for zero bytes; null if there is no memory left.
inline AlignedBuffer allocateAligned(uint64_t bytes) {
  constexpr uint64_t kAlignment = 64;
  if (bytes > UINT64_MAX / 2)
    return nullptr;
  uint64_t rounded = (bytes / kAlignment + 1) * kAlignment;
  return AlignedBuffer(
      static_cast<uint8_t *>(std::aligned_alloc(kAlignment, rounded)));
}

} // namespace dsrt

#endif // DSRT_WEIGHTS_ALIGNEDBUFFER_H
