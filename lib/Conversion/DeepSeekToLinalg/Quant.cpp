//===- Quant.cpp - Block-scaled FP8 ops to linalg -------------------------===//
//
// In the scaled products a partial sum over one block of inputs is taken first,
// then scaled and added. dequantize by itself is what remains when its consumer
// could not take it in: the whole tensor is written.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

/// The block size of dimension `dim`, 1 for leading ones that the encoding
/// leaves out.
static int64_t blockSize(RankedTensorType type, int64_t dim) {
  ArrayRef<int64_t> block = getBlockScaled(type).getBlock();
  int64_t missing = type.getRank() - static_cast<int64_t>(block.size());
  return dim < missing ? 1 : block[dim - missing];
}

//===----------------------------------------------------------------------===//
// quantize
//===----------------------------------------------------------------------===//

/// The largest number of an FP8 format.
static double largestOf(Type type) {
  return isa<Float8E4M3FNType>(type) ? 448.0 : 57344.0;
}

/// The least power of two that is not below `scale`, a positive f32: the
/// exponent bits, plus one if there is a mantissa.
static Value toPowerOfTwo(TileBuilder &b, Value scale) {
  Type i32 = b.getI32Type();
  Value bits = arith::BitcastOp::create(b, i32, scale);
  Value exponent = arith::ShRUIOp::create(b, bits, b.i32(23));
  Value mantissa = arith::AndIOp::create(b, bits, b.i32(0x7FFFFF));
  Value up =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, mantissa, b.i32(0));
  exponent =
      arith::AddIOp::create(b, exponent, arith::ExtUIOp::create(b, i32, up));
  exponent = arith::MaxUIOp::create(b, exponent, b.i32(1));
  exponent = arith::MinUIOp::create(b, exponent, b.i32(254));
  Value power = arith::ShLIOp::create(b, exponent, b.i32(23));
  return arith::BitcastOp::create(b, b.getF32Type(), power);
}

/// The scale of a block of `x`.
static Value scaleOf(TileBuilder &b, Value x, double largest, bool powerOfTwo) {
  Value maximum = b.reduce(x, b.f32(1e-4), [&](Value x, Value acc) -> Value {
    return arith::MaximumFOp::create(b, math::AbsFOp::create(b, b.widen(x)),
                                     acc);
  });
  Value scale = arith::DivFOp::create(b, maximum, b.f32(largest));
  return powerOfTwo ? toPowerOfTwo(b, scale) : scale;
}

static SmallVector<Value> lowerQuantize(TileBuilder &b, QuantizeOp op) {
  auto type = cast<RankedTensorType>(op.getQ().getType());
  Type scaleType = getElementTypeOrSelf(op.getScale().getType());
  bool powerOfTwo = getBlockScaled(type).getFormat() == ScaleFormat::PowerOfTwo;
  SmallVector<OpFoldResult> sizes, blocks;
  for (int64_t dim : {0, 1}) {
    int64_t block = blockSize(type, dim);
    OpFoldResult size = b.size(op.getX(), dim);
    sizes.push_back(size);
    if (auto known = getConstantIntValue(size))
      blocks.push_back(b.getIndexAttr((*known + block - 1) / block));
    else
      blocks.push_back(b.div(b.add(size, b.getIndexAttr(block - 1)), block));
  }
  Value q = destination(b, op->getResult(0), sizes);
  Value scales = destination(b, op->getResult(1), blocks);
  return b.parallelMany(
      blocks, {1, 1}, {q, scales},
      [&](ValueRange at, ValueRange outs) -> Parts {
        Window window(2);
        for (int64_t dim : {0, 1}) {
          int64_t block = blockSize(type, dim);
          Value begin = b.mul(at[dim], block);
          auto known = getConstantIntValue(sizes[dim]);
          OpFoldResult size = b.getIndexAttr(block);
          // Only the last block can be shorter.
          if (block > 1 && (!known || *known % block != 0))
            size = arith::MinSIOp::create(b, b.sub(sizes[dim], begin),
                                          b.index(block))
                       .getResult();
          window.range(dim, begin, size);
        }
        Value x = b.slice(op.getX(), window);
        Value scale =
            scaleOf(b, x, largestOf(type.getElementType()), powerOfTwo);
        Value part =
            b.elementwise(x, b.slice(outs[0], window), [&](ValueRange args) {
              Value y = arith::DivFOp::create(b, b.widen(args[0]), scale);
              return b.round(y, type.getElementType());
            });
        OpFoldResult one = b.getIndexAttr(1);
        Window place = Window(2).range(0, at[0], one).range(1, at[1], one);
        Value stored =
            b.insert(b.round(scale, scaleType), b.slice(outs[1], place),
                     {b.index(0), b.index(0)});
        return {{window, part}, {place, stored}};
      });
}

//===----------------------------------------------------------------------===//
// Scaled products
//===----------------------------------------------------------------------===//

/// `acc[t, o] += (sum_k x[t, k] * w[o, k]) * xScale[t] * wScale` over the
/// inputs
/// `[from, from + width)` of block `block`.
static Value addBlock(TileBuilder &b, Value x, Value xScales,
                      const MatrixTile &w, Value block, OpFoldResult from,
                      int64_t width, Value acc) {
  int64_t rows = cast<RankedTensorType>(acc.getType()).getDimSize(0);
  Window columns = Window(2).range(1, from, b.getIndexAttr(width));
  MatrixTile unscaled;
  unscaled.data = b.slice(w.data, columns);
  Value partial = emitDot(b, b.slice(x, columns), unscaled,
                          b.filled({rows, w.rows()}, b.f32(0)));
  Value wScale = b.widen(b.scalar(w.scales, block));
  Value xScale = b.slice(xScales, Window(2).at(1, block));
  AffineMap all = b.getMultiDimIdentityMap(2), row = b.map(2, b.loop(0));
  return b.generic("pp", {partial, xScale}, acc, {all, row, all},
                   [&](ValueRange args) -> Value {
                     Value y =
                         arith::MulFOp::create(b, args[0], b.widen(args[1]));
                     y = arith::MulFOp::create(b, y, wScale);
                     return arith::AddFOp::create(b, args[2], y);
                   });
}

/// `emitProduct` of scaled operands, for the first `rows` rows of `x`.
static Value emitScaledProduct(TileBuilder &b, Value x, Value xScales,
                               const MatrixTile &w, Value out,
                               OpFoldResult rows) {
  int64_t inputs = w.columns(), width = w.blockColumns;
  OpFoldResult zero = b.getIndexAttr(0);
  return forRowBlocks(
      b, x, out, b.toValue(rows),
      [&](Value part, OpFoldResult row, int64_t count) {
        Value scales =
            b.slice(xScales, Window(2).range(0, row, b.getIndexAttr(count)));
        int64_t whole = inputs / width;
        Value sum = b.serial(zero, b.getIndexAttr(whole), 1,
                             b.filled({count, w.rows()}, b.f32(0)),
                             [&](Value block, ValueRange carried) {
                               return SmallVector<Value>{addBlock(
                                   b, part, scales, w, block,
                                   b.mul(block, width), width, carried[0])};
                             })
                        .front();
        if (int64_t left = inputs % width)
          sum = addBlock(b, part, scales, w, b.index(whole),
                         b.getIndexAttr(whole * width), left, sum);
        return sum;
      });
}

/// True for activations that have scales of their own in each row.
static bool isScaledByRow(Value x) {
  return blockSize(cast<RankedTensorType>(x.getType()), 0) == 1;
}

static SmallVector<Value> lowerScaledLinear(TileBuilder &b, ScaledLinearOp op) {
  if (!isScaledByRow(op.getX()) || !hasStaticShape(op.getW()))
    return {};
  Matrix w(b, op.getW(), op.getWScale());
  int64_t tile = w.rowTile(kOutputTile);
  Value x = b.plain(op.getX());
  Value out = destinationLike(b, op->getResult(0), op.getX());
  return {b.parallel(
      {b.getIndexAttr(w.rows)}, tile, out, [&](ValueRange at, Value shared) {
        Window window = Window(2).range(1, at[0], b.getIndexAttr(tile));
        Value part =
            emitScaledProduct(b, x, op.getXScale(), w.tile(b, {}, at[0], tile),
                              b.slice(shared, window), b.size(x, 0));
        return Part{window, part};
      })};
}

static SmallVector<Value> lowerScaledGroupedLinear(TileBuilder &b,
                                                   ScaledGroupedLinearOp op) {
  if (!isScaledByRow(op.getX()) || !hasStaticShape(op.getW()))
    return {};
  Matrix w(b, op.getW(), op.getWScale());
  int64_t experts = cast<RankedTensorType>(op.getW().getType()).getDimSize(0);
  int64_t tile = w.rowTile(kOutputTile);
  Value x = b.plain(op.getX());
  Value out = destinationLike(b, op->getResult(0), op.getX());
  return {b.parallel(
      {b.getIndexAttr(w.rows), b.getIndexAttr(experts)}, {tile, 1}, out,
      [&](ValueRange at, Value shared) {
        Value begin = b.indexAt(op.getOffsets(), at[1]);
        Value next = b.add(at[1], b.getIndexAttr(1));
        Value count = b.sub(b.indexAt(op.getOffsets(), next), begin);
        Window rows = Window(2).range(0, begin, count);
        Window window = Window(2)
                            .range(0, begin, count)
                            .range(1, at[0], b.getIndexAttr(tile));
        Value part = emitScaledProduct(
            b, b.slice(x, rows), b.slice(op.getXScale(), rows),
            w.tile(b, at[1], at[0], tile), b.slice(shared, window), count);
        return Part{window, part};
      })};
}

//===----------------------------------------------------------------------===//
// dequantize
//===----------------------------------------------------------------------===//

static SmallVector<Value> lowerDequantize(TileBuilder &b, DequantizeOp op) {
  auto encoded = cast<RankedTensorType>(op.getQ().getType());
  int64_t rank = encoded.getRank();
  int64_t width = blockSize(encoded, rank - 1);
  Value q = b.plain(op.getQ());
  Value out = destinationLike(b, op->getResult(0), op.getQ());
  Type type = getElementTypeOrSelf(out.getType());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Window elements(rank), scales(rank);
    for (int64_t dim = 0; dim + 1 < rank; ++dim) {
      elements.at(dim, at[dim]);
      scales.at(dim, b.div(at[dim], blockSize(encoded, dim)));
    }
    AffineExpr k = b.loop(0);
    return b.generic(
        "p", {b.slice(q, elements), b.slice(op.getScale(), scales)}, row,
        {b.map(1, k), b.map(1, k.floorDiv(width)), b.map(1, k)},
        [&](ValueRange args) {
          Value y =
              arith::MulFOp::create(b, b.widen(args[0]), b.widen(args[1]));
          return b.round(y, type);
        });
  })};
}

void deepseek::populateQuantToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<QuantizeOp, lowerQuantize>,
               LowerOp<ScaledLinearOp, lowerScaledLinear>,
               LowerOp<ScaledGroupedLinearOp, lowerScaledGroupedLinear>>(
      patterns.getContext());
}

void deepseek::populateDequantizeToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<DequantizeOp, lowerDequantize>>(patterns.getContext());
}
