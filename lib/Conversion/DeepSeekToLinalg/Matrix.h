//===- Matrix.h - Weight operands and products with them --------*- C++ -*-===//
//
// A weight reaches its consumer as a plain tensor or as `dequantize` of FP8
// data and block scales, perhaps behind views that split it into heads, or as
// several such, one below the other (`tensor.concat`). `Matrix` looks through
// all of that, so that the loops read the FP8 data in place and dequantize
// element by element: `w = round(q * scale)`, rounded to the type that
// `dequantize` gives.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_DEEPSEEKTOLINALG_MATRIX_H
#define LIB_CONVERSION_DEEPSEEKTOLINALG_MATRIX_H

#include "TileBuilder.h"

namespace mlir::deepseek {

/// Some rows (and columns) of a `Matrix`, no rows of two different scale blocks
/// or parts.
struct MatrixTile {
  Value data;   ///< [rows, columns]
  Value scales; ///< [ceil(columns / blockColumns)], or null
  int64_t blockColumns = 1;
  Type type; ///< what an element is rounded to after scaling

  int64_t rows() const {
    return cast<RankedTensorType>(data.getType()).getDimSize(0);
  }
  int64_t columns() const {
    return cast<RankedTensorType>(data.getType()).getDimSize(1);
  }
  /// Data and, if there are any, scales.
  SmallVector<Value> tensors() const {
    return scales ? SmallVector<Value>{data, scales} : SmallVector<Value>{data};
  }
  /// The element as f32: `q`, times `scale` if there is one, rounded.
  Value element(TileBuilder &b, Value q, Value scale) const;
};

/// A weight operand: `[rows, columns]`, or one such matrix per item (head,
/// expert).
struct Matrix {
  Matrix(TileBuilder &b, Value weight);
  /// FP8 operands whose scales are operands of the same op.
  Matrix(TileBuilder &b, Value data, Value scales);

  /// The largest tile of rows from `limit` down that never crosses a scale
  /// block or the end of a part.
  int64_t rowTile(int64_t limit) const;
  /// Rows `[row, row + count)` of `item` (null for a single matrix).
  MatrixTile tile(TileBuilder &b, Value item, OpFoldResult row,
                  int64_t count) const;
  /// The largest tile of columns from `limit` down that never crosses a scale
  /// block.
  int64_t columnTile(int64_t limit) const;
  /// `tile` of `width` columns from `column` on, all in one scale block: the
  /// scale is the only element of `scales`.
  MatrixTile block(TileBuilder &b, Value item, OpFoldResult row, int64_t count,
                   OpFoldResult column, int64_t width) const;

  int64_t rows = 0, columns = 0;

private:
  /// One of the tensors that the matrix has its rows from.
  struct Part {
    Value data, scales;
    int64_t rows = 0, blockRows = 0, blockColumns = 1;
    int64_t rowsOfScales = 0; ///< dimension of `scales`: 1 if group-major
    /// Rank-2 data that is viewed as items: item n begins at row n *
    /// rowsPerItem, and its first `firstRow` rows are not part of the view. 0
    /// if there is no such view.
    int64_t rowsPerItem = 0, firstRow = 0;
  };
  static Part scaledPart(TileBuilder &b, Value data, Value scales);
  static Part partOf(TileBuilder &b, Value weight);
  bool haveOneForm() const;
  MatrixTile tileOfPart(TileBuilder &b, const Part &part, Value item,
                        OpFoldResult row, int64_t count) const;
  void setShape(Value logical);

  SmallVector<Part, 1> parts;
  Type type;
};

/// `acc[t, o] += sum_k x[t, k] * w[o, k]`; `x` is `[rows, columns]`, all
/// static.
Value emitDot(TileBuilder &b, Value x, const MatrixTile &w, Value acc);

/// `x * w` for rows and columns of one item: `y[t, o] = sum_i x[t, i] * w[i,
/// column + o]` as f32 `[rows, width]`, inputs added one after the other.
Value emitTransposedDot(TileBuilder &b, Value x, int64_t rows, const Matrix &w,
                        Value item, OpFoldResult column, int64_t width);

/// `outs` with each row of `x` processed: `body` gets a block of rows, its
/// number, its size and the outs so far. There are `count` rows.
SmallVector<Value>
forRowBlocks(TileBuilder &b, Value x, ValueRange outs, Value count,
             function_ref<SmallVector<Value>(Value x, OpFoldResult row,
                                             int64_t rows, ValueRange outs)>
                 body);

/// The same for one out: `compute` gives f32 `[rows, columns of out]`, rounded
/// into `out` here.
Value forRowBlocks(
    TileBuilder &b, Value x, Value out, Value count,
    function_ref<Value(Value x, OpFoldResult row, int64_t rows)> compute);

/// Whether a swiglu takes `product` into its own loops (GatedProduct.cpp).
bool hasEpilogue(Operation *product);

/// Makes one tensor of the sums of some products, f32 `[rows, outputs]` each.
using Combine = function_ref<Value(ValueRange sums)>;

/// How the rows of a product are computed.
struct ProductKind {
  /// f32 `[rows, w.rows]` of a block of rows of `x`, the first of which is
  /// `row`.
  function_ref<Value(Value x, OpFoldResult row, int64_t rows,
                     const MatrixTile &w)>
      compute;
  /// The same weights for `compute`, as they are read fastest, in a temporary.
  function_ref<MatrixTile(const MatrixTile &w)> unpack;
};

/// `out = combine(product of x and w, for each w)`, `count` rows of `x` and
/// `out`: by `forRowBlocks`, or, from `kManyRows` rows on, with each weight
/// unpacked only once.
Value emitProduct(TileBuilder &b, Value x, ArrayRef<MatrixTile> weights,
                  Value out, Value count, Combine combine,
                  const ProductKind &kind);

/// The same of plain activations: `x * w^T`.
Value emitProduct(TileBuilder &b, Value x, ArrayRef<MatrixTile> weights,
                  Value out, Value count, Combine combine);

/// `out = x * w^T`.
inline Value emitProduct(TileBuilder &b, Value x, const MatrixTile &w,
                         Value out, Value count) {
  return emitProduct(b, x, w, out, count,
                     [](ValueRange sums) { return sums.front(); });
}

} // namespace mlir::deepseek

#endif // LIB_CONVERSION_DEEPSEEKTOLINALG_MATRIX_H
