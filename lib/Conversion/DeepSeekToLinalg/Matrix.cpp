//===- Matrix.cpp - Weight operands and products with them ----------------===//
//
// The look through views and `dequantize`, and the row-by-row product that all
// `linear` ops share.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include <numeric>

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// Matrix
//===----------------------------------------------------------------------===//

static ArrayRef<int64_t> shapeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getShape();
}

/// The first kept row if `op` takes rows of dimension 1 of `[items, rows,
/// columns]` and all of the others; -1 if it does anything else.
static int64_t firstRowOf(tensor::ExtractSliceOp op) {
  ArrayRef<int64_t> source = op.getSourceType().getShape();
  if (source.size() != 3 || op.getType().getRank() != 3 ||
      !op.hasUnitStride() || op.getStaticOffset(0) != 0 ||
      op.getStaticOffset(2) != 0 || op.getStaticSize(0) != source[0] ||
      op.getStaticSize(2) != source[2] || op.isDynamicOffset(1) ||
      op.isDynamicSize(1))
    return -1;
  return op.getStaticOffset(1);
}

void Matrix::setShape(Value logical) {
  rows = *std::prev(shapeOf(logical).end(), 2);
  columns = shapeOf(logical).back();
  type = getElementTypeOrSelf(logical.getType());
}

Matrix::Part Matrix::scaledPart(TileBuilder &b, Value encoded, Value scales) {
  BlockScaledAttr scaled = getBlockScaled(encoded.getType());
  Part part;
  part.data = b.plain(encoded);
  part.scales = scales;
  part.rows = *std::prev(shapeOf(encoded).end(), 2);
  part.blockRows = scaled.getBlock().front();
  part.blockColumns = scaled.getBlock().back();
  part.rowsOfScales = scaled.getLayout() == ScaleLayout::GroupMajor ? 1 : 0;
  return part;
}

Matrix::Part Matrix::partOf(TileBuilder &b, Value weight) {
  // The views that split a matrix into heads: rows of each head, of a rank-3
  // expansion, of the matrix.
  Value source = weight;
  int64_t first = 0, perItem = 0;
  if (auto op = source.getDefiningOp<tensor::ExtractSliceOp>())
    if (int64_t row = firstRowOf(op); row >= 0) {
      first = row;
      source = op.getSource();
    }
  if (auto op = source.getDefiningOp<tensor::ExpandShapeOp>())
    if (op.getSrcType().getRank() == 2 && op.getType().getRank() == 3 &&
        op.getType().hasStaticShape() &&
        op.getReassociationIndices().front().size() == 2) {
      perItem = op.getType().getDimSize(1);
      source = op.getSrc();
    }
  // A matrix that was split into heads and put together again is itself.
  if (auto op = source.getDefiningOp<tensor::CollapseShapeOp>())
    if (auto split = op.getSrc().getDefiningOp<tensor::ExpandShapeOp>();
        split && split.getSrcType() == source.getType())
      source = split.getSrc();
  auto dequantize = source.getDefiningOp<DequantizeOp>();
  bool viewed = perItem || !first;
  Part part;
  if (dequantize && viewed && getBlockScaled(dequantize.getQ().getType())) {
    part = scaledPart(b, dequantize.getQ(), dequantize.getScale());
    part.rowsPerItem = perItem;
    part.firstRow = first;
  } else {
    part.data = b.plain(weight);
  }
  part.rows = *std::prev(shapeOf(weight).end(), 2);
  return part;
}

/// What `value` is cast from, if the cast only drops or adds an encoding.
static Value withoutCast(Value value) {
  auto cast = value.getDefiningOp<tensor::CastOp>();
  if (!cast || !cast.getSource().getType().hasRank() ||
      cast.getSource().getType().getShape() != cast.getType().getShape())
    return value;
  return cast.getSource();
}

/// The tensors whose rows, one below the other, are those of `weight`: what is
/// concatenated, or the weight itself. The canonical form of a concatenation
/// has casts around it that keep encodings out of it.
static SmallVector<Value> rowsOf(Value weight) {
  auto concat = withoutCast(weight).getDefiningOp<tensor::ConcatOp>();
  if (!concat || int64_t(concat.getDim()) + 2 != concat.getType().getRank())
    return {weight};
  return llvm::map_to_vector(concat.getInputs(), withoutCast);
}

/// Whether a tile of any part has the same type.
bool Matrix::haveOneForm() const {
  auto formOf = [](const Part &part) {
    Type data = getElementTypeOrSelf(part.data.getType());
    Type scales =
        part.scales ? getElementTypeOrSelf(part.scales.getType()) : Type();
    return std::tuple(data, scales, part.blockColumns, part.rowsOfScales);
  };
  return llvm::all_of(parts, [&](const Part &part) {
    return formOf(part) == formOf(parts.front());
  });
}

/// Whether `scales` are those of the rows of `part`, which ends with a whole
/// block unless it is the last.
static bool hasItsScales(Value part, Value scales, bool last) {
  auto type = cast<RankedTensorType>(part.getType());
  BlockScaledAttr scaled = getBlockScaled(type);
  return scaled && ArrayRef(getScaleShape(type)) == shapeOf(scales) &&
         (last ||
          *std::prev(type.getShape().end(), 2) % scaled.getBlock().front() ==
              0);
}

Matrix::Matrix(TileBuilder &b, Value quantized, Value scales) {
  setShape(quantized);
  type = b.getBF16Type(); // holds every code
  SmallVector<Value> data = rowsOf(quantized), scalesOfData = rowsOf(scales);
  bool paired = data.size() == scalesOfData.size();
  for (size_t i = 0; paired && i < data.size(); ++i) {
    paired = hasItsScales(data[i], scalesOfData[i], i + 1 == data.size());
    if (paired)
      parts.push_back(scaledPart(b, data[i], scalesOfData[i]));
  }
  if (!paired || !haveOneForm())
    parts.assign({scaledPart(b, quantized, scales)});
}

Matrix::Matrix(TileBuilder &b, Value weight) {
  setShape(weight);
  for (Value part : rowsOf(weight))
    parts.push_back(partOf(b, part));
  if (!haveOneForm())
    parts.assign({partOf(b, weight)});
}

int64_t Matrix::rowTile(int64_t limit) const {
  int64_t common = 0;
  for (const Part &part : parts) {
    common = std::gcd(common, part.rows);
    if (part.rowsPerItem)
      common = std::gcd(common, std::gcd(part.rowsPerItem, part.firstRow));
    if (part.blockRows)
      common = std::gcd(common, part.blockRows);
  }
  // A ragged last block is no obstacle: a tile that divides the rows and the
  // block size begins in the block that it ends in. 576 rows in blocks of 128:
  // tiles of 64.
  return tileOf(common, limit);
}

int64_t Matrix::columnTile(int64_t limit) const {
  const Part &any = parts.front();
  return tileOf(any.scales ? std::gcd(columns, any.blockColumns) : columns,
                limit);
}

MatrixTile Matrix::tileOfPart(TileBuilder &b, const Part &part, Value item,
                              OpFoldResult row, int64_t count) const {
  Value data = part.data, scales = part.scales;
  if (item && part.rowsPerItem) {
    Value begin =
        b.add(b.mul(item, part.rowsPerItem), b.getIndexAttr(part.firstRow));
    row = b.add(begin, row);
  } else if (item) {
    Window window = Window(3).at(0, item);
    data = b.slice(data, window);
    scales = scales ? b.slice(scales, window) : scales;
  }
  MatrixTile tile;
  tile.type = type;
  tile.blockColumns = part.blockColumns;
  tile.data = b.slice(data, Window(2).range(0, row, b.getIndexAttr(count)));
  if (scales)
    tile.scales = b.slice(
        scales, Window(2).at(part.rowsOfScales, b.div(row, part.blockRows)));
  return tile;
}

MatrixTile Matrix::tile(TileBuilder &b, Value item, OpFoldResult row,
                        int64_t count) const {
  // Of the first part, unless the row is in one of the rest.
  auto tileFrom = [&](auto &self, ArrayRef<Part> rest,
                      OpFoldResult row) -> MatrixTile {
    const Part &part = rest.front();
    if (rest.size() == 1)
      return tileOfPart(b, part, item, row, count);
    MatrixTile tile;
    SmallVector<Value> chosen = b.chooseMany(
        b.less(b.toValue(row), b.index(part.rows)),
        [&] {
          tile = tileOfPart(b, part, item, row, count);
          return tile.tensors();
        },
        [&] {
          Value behind = b.sub(row, b.getIndexAttr(part.rows));
          return self(self, rest.drop_front(), behind).tensors();
        });
    tile.data = chosen.front();
    tile.scales = tile.scales ? chosen.back() : Value();
    return tile;
  };
  return tileFrom(tileFrom, parts, row);
}

MatrixTile Matrix::block(TileBuilder &b, Value item, OpFoldResult row,
                         int64_t count, OpFoldResult column,
                         int64_t width) const {
  MatrixTile rows = tile(b, item, row, count);
  rows.data =
      b.slice(rows.data, Window(2).range(1, column, b.getIndexAttr(width)));
  if (rows.scales)
    rows.scales = b.slice(rows.scales,
                          Window(1).range(0, b.div(column, rows.blockColumns),
                                          b.getIndexAttr(1)));
  return rows;
}

Value MatrixTile::element(TileBuilder &b, Value q, Value scale) const {
  Value wide = b.widen(q);
  if (!scale)
    return wide;
  wide = arith::MulFOp::create(b, wide, b.widen(scale));
  return b.widen(b.round(wide, type));
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Value deepseek::emitDot(TileBuilder &b, Value x, const MatrixTile &w,
                        Value acc) {
  AffineExpr t = b.loop(0), o = b.loop(1), k = b.loop(2);
  SmallVector<Value> inputs = {x, w.data};
  SmallVector<AffineMap> maps = {b.map(3, {t, k}), b.map(3, {o, k})};
  if (w.scales) {
    inputs.push_back(w.scales);
    maps.push_back(b.map(3, k.floorDiv(w.blockColumns)));
  }
  maps.push_back(b.map(3, {t, o}));
  return b.generic("ppr", inputs, acc, maps, [&](ValueRange args) -> Value {
    Value weight = w.element(b, args[1], w.scales ? args[2] : Value());
    return math::FmaOp::create(b, b.widen(args[0]), weight, args.back());
  });
}

Value deepseek::emitTransposedDot(TileBuilder &b, Value x, int64_t rows,
                                  const Matrix &w, Value item,
                                  OpFoldResult column, int64_t width) {
  int64_t depth = w.rowTile(kOutputTile);
  AffineExpr t = b.loop(0), i = b.loop(1), o = b.loop(2);
  auto step = [&](Value input, ValueRange carried) -> SmallVector<Value> {
    MatrixTile block = w.block(b, item, input, depth, column, width);
    Value scale = block.scales ? b.scalar(block.scales, b.index(0)) : Value();
    Value part = b.slice(x, Window(2).range(1, input, b.getIndexAttr(depth)));
    return {b.generic("prp", {part, block.data}, carried[0],
                      {b.map(3, {t, i}), b.map(3, {i, o}), b.map(3, {t, o})},
                      [&](ValueRange args) -> Value {
                        return math::FmaOp::create(
                            b, b.widen(args[0]),
                            block.element(b, args[1], scale), args[2]);
                      })};
  };
  return b
      .serial(b.getIndexAttr(0), b.getIndexAttr(w.rows), depth,
              b.filled({rows, width}, b.f32(0)), step)
      .front();
}

SmallVector<Value> deepseek::forRowBlocks(
    TileBuilder &b, Value x, ValueRange outs, Value count,
    function_ref<SmallVector<Value>(Value, OpFoldResult, int64_t, ValueRange)>
        body) {
  auto rows = [&](Value begin, Value end, int64_t size, ValueRange into) {
    return b.serial(begin, end, size, into, [&](Value row, ValueRange carried) {
      Window window = Window(2).range(0, row, b.getIndexAttr(size));
      return body(b.slice(x, window), row, size, carried);
    });
  };
  Value middle = b.mul(b.div(count, kRowBlock), kRowBlock);
  SmallVector<Value> whole = rows(b.index(0), middle, kRowBlock, outs);
  return rows(middle, count, 1, whole);
}

Value deepseek::forRowBlocks(
    TileBuilder &b, Value x, Value out, Value count,
    function_ref<Value(Value, OpFoldResult, int64_t)> compute) {
  Type type = getElementTypeOrSelf(out.getType());
  return forRowBlocks(b, x, ValueRange(out), count,
                      [&](Value block, OpFoldResult row, int64_t rows,
                          ValueRange outs) -> SmallVector<Value> {
                        Window window =
                            Window(2).range(0, row, b.getIndexAttr(rows));
                        Value sum = compute(block, row, rows);
                        Value place = b.slice(outs[0], window);
                        sum = b.elementwise(sum, place, [&](ValueRange args) {
                          return b.round(args[0], type);
                        });
                        return {b.put(sum, outs[0], window)};
                      })
      .front();
}

/// `w` as a plain matrix: dequantized into a temporary, or `w` itself.
static MatrixTile emitDequantized(TileBuilder &b, const MatrixTile &w) {
  if (!w.scales)
    return w;
  AffineExpr o = b.loop(0), k = b.loop(1);
  Value plain = b.generic(
      "pp", {w.data, w.scales}, b.temporary({w.rows(), w.columns()}, w.type),
      {b.map(2, {o, k}), b.map(2, k.floorDiv(w.blockColumns)),
       b.map(2, {o, k})},
      [&](ValueRange args) -> Value {
        Value wide =
            arith::MulFOp::create(b, b.widen(args[0]), b.widen(args[1]));
        return b.round(wide, w.type);
      });
  return {plain, {}, 1, w.type};
}

/// Rows of each weight that many rows of `x` are multiplied with at once: few
/// enough that, dequantized, they stay in the cache. 0 if not even few do.
static int64_t manyRowsTile(ArrayRef<MatrixTile> weights) {
  int64_t rows = tileOf(weights.front().rows(), kManyRowsTile), rowBytes = 0;
  for (const MatrixTile &w : weights)
    rowBytes += w.columns() * w.type.getIntOrFloatBitWidth() / 8;
  while (rows % 2 == 0 && rows * rowBytes > kManyRowsBytes)
    rows /= 2;
  return rows * rowBytes > kManyRowsBytes ? 0 : rows;
}

/// `emitProduct` of at least `kManyRows` rows: some rows of the weights are
/// unpacked once and meet all of `x`. The last block of rows begins early
/// enough to be whole: what it shares with the one before is computed twice, to
/// the same bits.
static Value emitManyRows(TileBuilder &b, Value x, ArrayRef<MatrixTile> weights,
                          int64_t outputs, Value out, Value count,
                          Combine combine, const ProductKind &kind) {
  Type type = getElementTypeOrSelf(out.getType());
  OpFoldResult zero = b.getIndexAttr(0), width = b.getIndexAttr(outputs),
               rows = b.getIndexAttr(kManyRowsBlock);
  Value last = b.sub(count, rows);
  auto block = [&](ArrayRef<MatrixTile> parts, Value column, Value row,
                   Value into) -> Value {
    row = arith::MinSIOp::create(b, row, last);
    Value some = b.slice(x, Window(2).range(0, row, rows));
    SmallVector<Value> sums;
    for (const MatrixTile &part : parts)
      sums.push_back(kind.compute(some, row, kManyRowsBlock, part));
    Window window = Window(2).range(0, row, rows).range(1, column, width);
    Value place =
        b.elementwise(combine(sums), b.slice(into, window),
                      [&](ValueRange args) { return b.round(args[0], type); });
    return b.put(place, into, window);
  };
  auto tile = [&](Value column, ValueRange carried) {
    SmallVector<MatrixTile> parts;
    for (MatrixTile some : weights) {
      some.data = b.slice(some.data, Window(2).range(0, column, width));
      parts.push_back(kind.unpack(some));
    }
    return b.serial(zero, count, kManyRowsBlock, carried[0],
                    [&](Value row, ValueRange into) -> SmallVector<Value> {
                      return {block(parts, column, row, into[0])};
                    });
  };
  return b
      .serial(zero, b.getIndexAttr(weights.front().rows()), outputs, out, tile)
      .front();
}

Value deepseek::emitProduct(TileBuilder &b, Value x,
                            ArrayRef<MatrixTile> weights, Value out,
                            Value count, Combine combine,
                            const ProductKind &kind) {
  auto fewRows = [&] {
    return forRowBlocks(b, x, out, count,
                        [&](Value block, OpFoldResult row, int64_t rows) {
                          SmallVector<Value> sums;
                          for (const MatrixTile &w : weights)
                            sums.push_back(kind.compute(block, row, rows, w));
                          return combine(sums);
                        });
  };
  int64_t outputs = manyRowsTile(weights);
  if (outputs == 0)
    return fewRows();
  return b.choose(b.less(count, b.index(kManyRows)), fewRows, [&] {
    return emitManyRows(b, x, weights, outputs, out, count, combine, kind);
  });
}

Value deepseek::emitProduct(TileBuilder &b, Value x,
                            ArrayRef<MatrixTile> weights, Value out,
                            Value count, Combine combine) {
  auto compute = [&](Value block, OpFoldResult, int64_t rows,
                     const MatrixTile &w) {
    return emitDot(b, block, w, b.filled({rows, w.rows()}, b.f32(0)));
  };
  auto unpack = [&](const MatrixTile &w) { return emitDequantized(b, w); };
  return emitProduct(b, x, weights, out, count, combine, {compute, unpack});
}
