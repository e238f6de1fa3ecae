//===- Quant.h - Blocks of scaled FP8 ---------------------------*- C++ -*-===//
//
// What the lowerings of `quantize` and of the scaled products share with those
// of kernels in which they are parts.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_DEEPSEEKTOLINALG_QUANT_H
#define LIB_CONVERSION_DEEPSEEKTOLINALG_QUANT_H

#include "Matrix.h"

namespace mlir::deepseek {

/// The values of one block, in two loops: operands of a `linalg.generic`, and
/// the f32 that their elements make.
struct BlockSource {
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  std::function<Value(ValueRange)> value;
};

/// What one block is quantized to.
struct QuantizedBlock {
  Value codes;
  Value scale; ///< f32
};

/// Quantizes a block of the tensor type `type` into `place`.
QuantizedBlock quantizeBlock(TileBuilder &b, const BlockSource &x,
                             RankedTensorType type, Value place);

/// True for activations that have scales of their own in each row.
bool isScaledByRow(Value x);

/// The scales of such activations.
struct RowScales {
  RowScales(Value x, Value scales);

  RowScales rows(TileBuilder &b, OpFoldResult first, OpFoldResult count) const;
  /// Those of all rows in `count` blocks of inputs.
  Value ofBlocks(TileBuilder &b, int64_t first, int64_t count) const;

  Value scales;
  int64_t rowDim; ///< 1 if group-major
};

/// `sum_block (x * w^T of the block's inputs) * xScale * wScale` of `rows`
/// rows: f32 `[rows, outputs]`.
Value emitScaledSum(TileBuilder &b, Value x, const RowScales &xScales,
                    const MatrixTile &w, int64_t rows);

/// `emitProduct` of scaled operands.
Value emitScaledProduct(TileBuilder &b, Value x, const RowScales &xScales,
                        ArrayRef<MatrixTile> weights, Value out, Value count,
                        Combine combine);

} // namespace mlir::deepseek

#endif // LIB_CONVERSION_DEEPSEEKTOLINALG_QUANT_H
