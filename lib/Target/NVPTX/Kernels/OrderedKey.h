//===- OrderedKey.h - Floats as integers of the same order ------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ORDEREDKEY_H
#define LIB_TARGET_NVPTX_KERNELS_ORDEREDKEY_H

#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// The key of -inf. Smaller ones are no number's.
constexpr int64_t kLowestKey = 0x007fffff;

/// An unsigned i32 in the order of the f32 that are numbers; -0 equals 0. For a
/// maximum of which the place is wanted too.
inline Val orderedKey(KernelBuilder &k, Val value) {
  Val bits = k.bitcast(value + 0.0, k.getI32Type());
  Val flip = k.select(bits > k.i32(0x7fffffff), k.i32(-1), k.i32(0x80000000));
  return bits ^ flip;
}

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ORDEREDKEY_H
