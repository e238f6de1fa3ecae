//===- LinearResult.h - What follows a product in its kernel ----*- C++ -*-===//
//
// From a tile of sums in shared memory to y: the ranges' sums are added,
// rounded, put through swiglu and quantized as the problem asks, and stored.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_LINEARRESULT_H
#define LIB_TARGET_NVPTX_KERNELS_LINEARRESULT_H

#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/LinearProblem.h"

namespace mlir::deepseek {

/// Sums of a CTA, [ranges][tokens][pitch()] of f32 in shared memory. If gated,
/// the first half of the outputs is gate, the second up.
struct SumTile {
  Val sums;
  int64_t ranges, tokens, outputs;
  /// Row of y of the first token, and how many tokens there are; column of y of
  /// the first result, and how many columns from there are this piece's; i32.
  Val row, rows, column, columns;
  /// The threads that store, in whole warps: the number of this one, and how
  /// many they are.
  Val worker;
  int64_t workers;
  /// Whether each range's sums stand at `sums` of the CTA of that rank in the
  /// cluster.
  bool clustered = false;

  /// A lane's sums of neighbouring tokens lie in different banks.
  int64_t pitch() const { return outputs + 4; }
  int64_t bytes() const { return ranges * tokens * pitch() * 4; }
  /// Where a sum stands.
  Val at(Val range, Val token, Val output) const;
};

/// By all workers, after a barrier. `y` and `yScale` are addresses; `yScale` is
/// that of a quantized result.
void storeLinearResult(KernelBuilder &k, const LinearProblem &problem,
                       const SumTile &tile, Val y, Val yScale);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_LINEARRESULT_H
