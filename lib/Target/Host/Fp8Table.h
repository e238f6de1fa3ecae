//===- Fp8Table.h - FP8 weights by table look-up ----------------*- C++ -*-===//
//
// e4m3 has 128 magnitudes, each of them a bf16 number. A block of FP8 weights
// shares one scale, so what `truncf(extf(q) * scale)` gives is one of 128 bf16
// numbers and a sign, too. Where a table look-up is one instruction (AVX-512
// VBMI), weights are looked up, 64 at a time: without a scale in a constant
// table, else in one for each block, computed once by those very ops.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_HOST_FP8TABLE_H
#define LIB_TARGET_HOST_FP8TABLE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::deepseek {

/// Whether kernels of the module around `op` run on a chip with AVX-512 VBMI:
/// its `deepseek.target` says so.
bool hasByteTables(Operation *op);

/// FP8 weights in the body of a linalg.generic.
struct Fp8Table {
  static constexpr int64_t kStep = 64; ///< weights looked up at once

  /// Finds `truncf(mulf(extf(%q), %scale))` with e4m3 `%q` along loop `dim`, of
  /// static `size`, one scale for each so many of its iterations; or, if there
  /// is none, `extf(%q)`, perhaps narrowed to bf16.
  static std::optional<Fp8Table> match(linalg::GenericOp op, unsigned dim,
                                       int64_t size);

  /// Emits the computation of the table of each block.
  void emitTables(OpBuilder &b, Location loc);
  /// The weights of `data[indices]` and its 63 neighbours as four
  /// vector<16xf32>; `position` is the index of the first along the loop.
  SmallVector<Value> lookUp(OpBuilder &b, Location loc, ValueRange indices,
                            Value position) const;

  /// 16 of them as bf16, which they are.
  Value asBF16(OpBuilder &b, Location loc, Value weights) const;

  /// Whether the look-up is `bodyOp`: of weights without a scale.
  bool isValue(Operation &bodyOp) const {
    return !scales && &bodyOp == widened;
  }
  /// Whether a look-up does the work of `bodyOp` too.
  bool replaces(Operation &bodyOp) const {
    return scales && (&bodyOp == product || &bodyOp == widened);
  }
  /// Whether `bodyOp` widens the weight to f32.
  bool isWidened(Operation &bodyOp) const {
    return rounded && isa<arith::ExtFOp>(bodyOp) &&
           bodyOp.getOperand(0).getDefiningOp() == rounded &&
           bodyOp.getResult(0).getType().isF32();
  }

  /// Without scales there are no blocks.
  OpOperand *data = nullptr, *scales = nullptr;
  /// The extf, the mulf and the truncf, if any.
  Operation *widened = nullptr, *product = nullptr, *rounded = nullptr;
  int64_t blockSize = 0, blocks = 0;

private:
  static std::optional<Fp8Table> matchScaled(linalg::GenericOp op, unsigned dim,
                                             int64_t size);
  static std::optional<Fp8Table> matchPlain(linalg::GenericOp op);
  Value part(OpBuilder &b, Location loc, Value block, int64_t offset) const;

  Value tables; ///< [blocks, 128 high bytes then 128 low bytes]
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_HOST_FP8TABLE_H
