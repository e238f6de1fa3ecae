//===- Quant.cpp - Block-scaled FP8 ops to linalg -------------------------===//
//
// The scaled products are sums of fma(x * w, scales): the host takes the sum
// over one block of inputs first, then scales and adds it. dequantize by itself
// is what remains when its consumer could not take it in: the whole tensor is
// written.
//
//===----------------------------------------------------------------------===//

#include "Quant.h"

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

/// The dimension of the scales of `type` that counts blocks of dimension `dim`.
static int64_t scaleDim(RankedTensorType type, int64_t dim) {
  int64_t rows = type.getRank() - 2;
  if (getBlockScaled(type).getLayout() == ScaleLayout::RowMajor || dim < rows)
    return dim;
  return dim == rows ? rows + 1 : rows;
}

/// `slice` in two steps for a stack: its tensors may lie apart.
static Value sliceOfStack(TileBuilder &b, Value tensor, const Window &window) {
  size_t rank = window.offsets.size();
  if (rank == 2)
    return b.slice(tensor, window);
  Window matrix(2);
  for (size_t dim : {0, 1}) {
    matrix.offsets[dim] = window.offsets[dim + 1];
    matrix.sizes[dim] = window.sizes[dim + 1];
    matrix.strides[dim] = window.strides[dim + 1];
    matrix.dropped[dim] = window.dropped[dim + 1];
  }
  return b.slice(b.slice(tensor, Window(3).at(0, window.offsets[0])), matrix);
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

/// The scale of a block.
static Value scaleOf(TileBuilder &b, const BlockSource &x, double largest,
                     bool powerOfTwo) {
  SmallVector<AffineMap> maps(x.maps);
  maps.push_back(b.map(2, {}));
  Value maximum =
      b.generic("rr", x.operands, b.filled({}, b.f32(1e-4)), maps,
                [&](ValueRange args) -> Value {
                  Value magnitude = math::AbsFOp::create(b, x.value(args));
                  return arith::MaximumFOp::create(b, magnitude, args.back());
                });
  Value scale = arith::DivFOp::create(b, b.scalar(maximum), b.f32(largest));
  return powerOfTwo ? toPowerOfTwo(b, scale) : scale;
}

QuantizedBlock deepseek::quantizeBlock(TileBuilder &b, const BlockSource &x,
                                       RankedTensorType type, Value place) {
  Type element = type.getElementType();
  bool powerOfTwo = getBlockScaled(type).getFormat() == ScaleFormat::PowerOfTwo;
  Value scale = scaleOf(b, x, largestOf(element), powerOfTwo);
  SmallVector<AffineMap> maps(x.maps);
  maps.push_back(b.getMultiDimIdentityMap(2));
  Value codes = b.generic("pp", x.operands, place, maps, [&](ValueRange args) {
    Value y = arith::DivFOp::create(b, x.value(args), scale);
    return b.round(y, element);
  });
  return {codes, scale};
}

/// `q` and `scales` block by block; `body` gets a block's window, its position
/// and where its codes go. `x` has the sizes of `q`.
static SmallVector<Value> forEachBlock(
    TileBuilder &b, OpResult q, OpResult scales, Value x,
    function_ref<QuantizedBlock(const Window &, ValueRange, Value)> body) {
  auto type = cast<RankedTensorType>(q.getType());
  int64_t rank = type.getRank();
  Type scaleType = getElementTypeOrSelf(scales.getType());
  SmallVector<OpFoldResult> sizes, blocks, scaleSizes(rank);
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t block = blockSize(type, dim);
    OpFoldResult size = b.size(x, dim);
    sizes.push_back(size);
    if (auto known = getConstantIntValue(size))
      blocks.push_back(b.getIndexAttr((*known + block - 1) / block));
    else
      blocks.push_back(b.div(b.add(size, b.getIndexAttr(block - 1)), block));
    scaleSizes[scaleDim(type, dim)] = blocks.back();
  }
  Value codes = destination(b, q, sizes);
  Value scaleTensor = destination(b, scales, scaleSizes);
  return b.parallelMany(
      blocks, SmallVector<int64_t>(rank, 1), {codes, scaleTensor},
      [&](ValueRange at, ValueRange outs) -> Parts {
        Window window(rank), place(rank);
        for (int64_t dim = 0; dim < rank; ++dim) {
          place.range(scaleDim(type, dim), at[dim], b.getIndexAttr(1));
          if (dim < rank - 2) {
            window.at(dim, at[dim]);
            continue;
          }
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
        QuantizedBlock block = body(window, at, b.slice(outs[0], window));
        SmallVector<Value> first(rank, b.index(0));
        Value stored = b.insert(b.round(block.scale, scaleType),
                                b.slice(outs[1], place), first);
        return {{window, block.codes}, {place, stored}};
      });
}

static SmallVector<Value> lowerQuantize(TileBuilder &b, QuantizeOp op) {
  auto type = cast<RankedTensorType>(op.getQ().getType());
  return forEachBlock(b, op->getResult(0), op->getResult(1), op.getX(),
                      [&](const Window &window, ValueRange, Value place) {
                        BlockSource source{
                            {sliceOfStack(b, op.getX(), window)},
                            {b.getMultiDimIdentityMap(2)},
                            [&](ValueRange args) { return b.widen(args[0]); }};
                        return quantizeBlock(b, source, type, place);
                      });
}

//===----------------------------------------------------------------------===//
// requantize
//===----------------------------------------------------------------------===//

/// The dequantized values of a window of `q`, which is a block of `to`.
static BlockSource dequantizedBlock(TileBuilder &b, RequantizeOp op,
                                    RankedTensorType to, const Window &window) {
  RankedTensorType from = op.getQ().getType();
  int64_t rank = from.getRank();
  Window scales(rank);
  SmallVector<std::pair<int64_t, AffineExpr>> loops; // of the scales
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t block = blockSize(from, dim), place = scaleDim(from, dim);
    Value first = b.div(window.offsets[dim], block);
    if (dim < rank - 2 || blockSize(to, dim) % block != 0) {
      scales.at(place, first); // one scale for all of the window
      continue;
    }
    OpFoldResult size = window.sizes[dim];
    auto known = getConstantIntValue(size);
    size = known ? OpFoldResult(b.getIndexAttr((*known + block - 1) / block))
                 : b.div(b.add(size, b.getIndexAttr(block - 1)), block);
    scales.range(place, first, size);
    loops.push_back({place, b.loop(dim - (rank - 2)).floorDiv(block)});
  }
  llvm::sort(loops, llvm::less_first());
  SmallVector<AffineExpr> map(llvm::make_second_range(loops));
  return {{sliceOfStack(b, b.plain(op.getQ()), window),
           sliceOfStack(b, op.getScale(), scales)},
          {b.getMultiDimIdentityMap(2), b.map(2, map)},
          [&](ValueRange args) -> Value {
            return arith::MulFOp::create(b, b.widen(args[0]), b.widen(args[1]));
          }};
}

static SmallVector<Value> lowerRequantize(TileBuilder &b, RequantizeOp op) {
  RankedTensorType from = op.getQ().getType();
  auto to = cast<RankedTensorType>(op.getRequantized().getType());
  // Blocks that overlap would have several scales in one element's way.
  for (int64_t dim = 0; dim < from.getRank(); ++dim)
    if (blockSize(from, dim) % blockSize(to, dim) != 0 &&
        blockSize(to, dim) % blockSize(from, dim) != 0)
      return {};
  return forEachBlock(
      b, op->getResult(0), op->getResult(1), op.getQ(),
      [&](const Window &window, ValueRange at, Value place) -> QuantizedBlock {
        if (!op.isExact())
          return quantizeBlock(b, dequantizedBlock(b, op, to, window), to,
                               place);
        Window scale(at.size());
        for (auto [dim, index] : llvm::enumerate(at))
          scale.at(scaleDim(from, dim), index);
        return {copyInto(b, sliceOfStack(b, b.plain(op.getQ()), window), place),
                b.widen(b.scalar(sliceOfStack(b, op.getScale(), scale)))};
      });
}

//===----------------------------------------------------------------------===//
// Scaled products
//===----------------------------------------------------------------------===//

RowScales::RowScales(Value x, Value scales)
    : scales(scales), rowDim(scaleDim(cast<RankedTensorType>(x.getType()), 0)) {
}

RowScales RowScales::rows(TileBuilder &b, OpFoldResult first,
                          OpFoldResult count) const {
  RowScales part = *this;
  part.scales = b.slice(scales, Window(2).range(rowDim, first, count));
  return part;
}

Value RowScales::ofBlocks(TileBuilder &b, int64_t first, int64_t count) const {
  return b.slice(scales, Window(2).range(1 - rowDim, b.getIndexAttr(first),
                                         b.getIndexAttr(count)));
}

/// Rows of activations of more inputs are not widened first: they would not fit
/// the temporaries of a kernel.
static constexpr int64_t kWidenedInputs = 1 << 15;

/// FP8 as bf16, which holds each of its numbers, in a temporary.
static Value emitWidened(TileBuilder &b, Value x) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(x.getType()).getShape();
  Value place = b.temporary(shape, b.getBF16Type());
  return b.elementwise(x, place, [&](ValueRange args) {
    return b.round(b.widen(args[0]), b.getBF16Type());
  });
}

/// Columns `[first, first + blocks * width)` of a matrix as `[rows, blocks,
/// width]`.
static Value blocksOf(TileBuilder &b, Value matrix, int64_t first,
                      int64_t blocks, int64_t width) {
  auto type = cast<RankedTensorType>(matrix.getType());
  Value columns =
      b.slice(matrix, Window(2).range(1, b.getIndexAttr(first),
                                      b.getIndexAttr(blocks * width)));
  auto split = RankedTensorType::get({type.getDimSize(0), blocks, width},
                                     type.getElementType());
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  return tensor::ExpandShapeOp::create(b, split, columns, groups);
}

/// `acc[t, o] += sum_g (sum_k x[t, g, k] * w[o, g, k]) * xScale[t, g] *
/// wScale[g]` over `blocks` blocks of `width` inputs, the first of which is
/// number `block` and begins at column `first`.
static Value addBlocks(TileBuilder &b, Value x, const RowScales &xScales,
                       const MatrixTile &w, int64_t block, int64_t first,
                       int64_t blocks, int64_t width, Value acc) {
  AffineExpr t = b.loop(0), o = b.loop(1), g = b.loop(2), k = b.loop(3);
  Value xScale = xScales.ofBlocks(b, block, blocks);
  Value wScale = b.slice(w.scales, Window(1).range(0, b.getIndexAttr(block),
                                                   b.getIndexAttr(blocks)));
  SmallVector<AffineExpr> rowAndBlock = {t, g};
  if (xScales.rowDim == 1)
    std::swap(rowAndBlock[0], rowAndBlock[1]);
  return b.generic("pprr",
                   {blocksOf(b, x, first, blocks, width),
                    blocksOf(b, w.data, first, blocks, width), xScale, wScale},
                   acc,
                   {b.map(4, {t, g, k}), b.map(4, {o, g, k}),
                    b.map(4, rowAndBlock), b.map(4, g), b.map(4, {t, o})},
                   [&](ValueRange args) -> Value {
                     Value product = arith::MulFOp::create(b, b.widen(args[0]),
                                                           b.widen(args[1]));
                     Value scale = arith::MulFOp::create(b, b.widen(args[2]),
                                                         b.widen(args[3]));
                     return math::FmaOp::create(b, product, scale, args[4]);
                   });
}

Value deepseek::emitScaledSum(TileBuilder &b, Value x, const RowScales &xScales,
                              const MatrixTile &w, int64_t rows) {
  int64_t inputs = w.columns(), width = w.blockColumns;
  int64_t whole = inputs / width, left = inputs % width;
  Value wide = inputs > kWidenedInputs ? x : emitWidened(b, x);
  Value sum = b.filled({rows, w.rows()}, b.f32(0));
  if (whole)
    sum = addBlocks(b, wide, xScales, w, 0, 0, whole, width, sum);
  if (left)
    sum = addBlocks(b, wide, xScales, w, whole, whole * width, 1, left, sum);
  return sum;
}

Value deepseek::emitScaledProduct(TileBuilder &b, Value x,
                                  const RowScales &xScales,
                                  ArrayRef<MatrixTile> weights, Value out,
                                  Value count, Combine combine) {
  auto compute = [&](Value part, OpFoldResult row, int64_t rows,
                     const MatrixTile &w) {
    RowScales scales = xScales.rows(b, row, b.getIndexAttr(rows));
    return emitScaledSum(b, part, scales, w, rows);
  };
  auto unpack = [&](const MatrixTile &w) {
    MatrixTile wide = w;
    wide.data = emitWidened(b, w.data);
    return wide;
  };
  return emitProduct(b, x, weights, out, count, combine, {compute, unpack});
}

/// The first of one sum.
static Value onlySum(ValueRange sums) { return sums.front(); }

bool deepseek::isScaledByRow(Value x) {
  return blockSize(cast<RankedTensorType>(x.getType()), 0) == 1;
}

static SmallVector<Value> lowerScaledLinear(TileBuilder &b, ScaledLinearOp op) {
  if (!isScaledByRow(op.getX()) || !hasStaticShape(op.getW()) ||
      hasEpilogue(op))
    return {};
  Matrix w(b, op.getW(), op.getWScale());
  int64_t tile = w.rowTile(kOutputTile);
  Value x = b.plain(op.getX());
  Value out = destinationLike(b, op->getResult(0), op.getX());
  return {b.parallel(
      {b.getIndexAttr(w.rows)}, tile, out, [&](ValueRange at, Value shared) {
        Window window = Window(2).range(1, at[0], b.getIndexAttr(tile));
        Value part = emitScaledProduct(
            b, x, RowScales(op.getX(), op.getXScale()),
            w.tile(b, {}, at[0], tile), b.slice(shared, window),
            b.toValue(b.size(x, 0)), onlySum);
        return Part{window, part};
      })};
}

static SmallVector<Value> lowerScaledGroupedLinear(TileBuilder &b,
                                                   ScaledGroupedLinearOp op) {
  if (!isScaledByRow(op.getX()) || !hasStaticShape(op.getW()) ||
      hasEpilogue(op))
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
            b, b.slice(x, rows),
            RowScales(op.getX(), op.getXScale()).rows(b, begin, count),
            w.tile(b, at[1], at[0], tile), b.slice(shared, window), count,
            onlySum);
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
      scales.at(scaleDim(encoded, dim),
                b.div(at[dim], blockSize(encoded, dim)));
    }
    AffineExpr k = b.loop(0);
    return b.generic(
        "p",
        {sliceOfStack(b, q, elements), sliceOfStack(b, op.getScale(), scales)},
        row, {b.map(1, k), b.map(1, k.floorDiv(width)), b.map(1, k)},
        [&](ValueRange args) {
          Value y =
              arith::MulFOp::create(b, b.widen(args[0]), b.widen(args[1]));
          return b.round(y, type);
        });
  })};
}

void deepseek::populateQuantToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<QuantizeOp, lowerQuantize>,
               LowerOp<RequantizeOp, lowerRequantize>,
               LowerOp<ScaledLinearOp, lowerScaledLinear>,
               LowerOp<ScaledGroupedLinearOp, lowerScaledGroupedLinear>>(
      patterns.getContext());
}

void deepseek::populateDequantizeToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<DequantizeOp, lowerDequantize>>(patterns.getContext());
}
