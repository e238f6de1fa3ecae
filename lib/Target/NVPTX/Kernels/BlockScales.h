//===- BlockScales.h - Scales of FP8 blocks ---------------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_BLOCKSCALES_H
#define LIB_TARGET_NVPTX_KERNELS_BLOCKSCALES_H

#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// The scale of a block of e4m3 whose largest magnitude is `amax`:
/// max(amax, 1e-4) / 448, correctly rounded, then up to a power of two if
/// asked.
Val blockScale(KernelBuilder &k, Val amax, bool powerOfTwo);

/// Scale number `index` (i32 or i64) of a tensor of f32 or f8E8M0FNU.
Val loadBlockScale(KernelBuilder &k, Type element, Val address, Val index);
void storeBlockScale(KernelBuilder &k, Type element, Val scale, Val address,
                     Val index);

/// How the scales of a stack of FP8 matrices lie in memory.
struct ScaledBlocks {
  SmallVector<int64_t> block;
  int64_t matrices = 1, rows = 0, columns = 0;
  bool powerOfTwo = false, groupMajor = false;
  Type scaleType;

  ScaledBlocks() = default;
  /// Of codes of type `q`, rank 2 or 3, and scales of type `scale`.
  ScaledBlocks(Type q, Type scale);

  int64_t blockRows() const { return llvm::divideCeil(rows, block[0]); }
  int64_t blockColumns() const { return llvm::divideCeil(columns, block[1]); }
  /// Of the block that has an element; i32 or i64 alike.
  Val load(KernelBuilder &k, Val address, Val matrix, Val row,
           Val column) const;
  void store(KernelBuilder &k, Val scale, Val address, Val matrix, Val row,
             Val column) const;

private:
  Val index(Val matrix, Val row, Val column) const;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_BLOCKSCALES_H
