//===- MmaFragments.h - Operands of mma.sync out of a stage -----*- C++ -*-===//
//
// A stage of shared memory holds, for each range of the inner dimension, a
// chunk of the weight and of x. Both stand in rows of 128 bytes, eight vectors
// of 16; vector v of row r in place v ^ swizzle(r), so that what one
// instruction reads lies in different banks.
//
//   weight:             row = output, bytes along the inner dimension
//   transposed weight:  128 bytes of outputs after 128 bytes of outputs, of
//   each
//                       all rows, row = inner index
//   x:                  128 bytes of the inner dimension after 128 bytes of it,
//   of
//                       each all rows, row = token
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_MMAFRAGMENTS_H
#define LIB_TARGET_NVPTX_KERNELS_MMAFRAGMENTS_H

#include "lib/Target/NVPTX/Kernels/MmaLinear.h"

namespace mlir::deepseek {

/// Registers of one operand of one mma.sync.
using Fragment = SmallVector<Val, 4>;

class MmaFragments {
public:
  /// For the warp that is number `warpM` along outputs, `warpN` along tokens.
  MmaFragments(KernelBuilder &k, const MmaOperands &operands,
               const MmaTile &tile, Val warpM, Val warpN);

  /// Where vector `vector` of a row of a chunk stands: of an output or, if
  /// transposed, an inner index; of a token.
  Val placeWeight(Val row, Val vector);
  Val placeInput(Val row, Val vector);

  /// A chunk is met in so many steps, of one or two mma.sync.
  static constexpr int64_t kSteps = 4;
  /// This warp's outputs 16 m + [0, 16) in step `step`: a fragment for each
  /// mma.sync. `chunk` is where the weight's rows begin.
  SmallVector<Fragment> loadWeight(Val chunk, int64_t m, int64_t step);
  /// Likewise its tokens 8 n + [0, 8), and the next 8 if `count` is 2.
  SmallVector<SmallVector<Fragment>> loadInput(Val chunk, int64_t n,
                                               int64_t count, int64_t step);
  /// sums + weight * x.
  SmallVector<Val> multiply(const Fragment &weight, const Fragment &input,
                            ArrayRef<Val> sums);

  /// Of 16 outputs, the one that register pair `half` (0, 1) of a lane's sums
  /// has.
  Val outputOf(int64_t half);

private:
  SmallVector<Fragment> widenWeight(ArrayRef<Val> raw);
  SmallVector<Fragment> widenInput(Val low, Val high);

  KernelBuilder &k;
  const MmaOperands operands;
  const MmaTile tile;
  /// What a lane adds to the address of a chunk, without m, n and step.
  Val weightLane, inputLane;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_MMAFRAGMENTS_H
