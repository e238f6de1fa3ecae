//===- Dense.cpp - Dense ops to linalg ------------------------------------===//
//
// Projections are split over tiles of outputs, so that a tile of the weight is
// read once for all tokens; everything else over tokens.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "deepseek/Conversion/RopeFrequencies.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;

static SmallVector<Value> lowerEmbedding(TileBuilder &b, EmbeddingOp op) {
  Value out = destinationLike(b, op->getResult(0), op.getTokens());
  Type type = getElementTypeOrSelf(out.getType());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Value token = b.indexAt(op.getTokens(), at[0]);
    Value source = b.slice(op.getTable(), Window(2).at(0, token));
    return b.elementwise(source, row, [&](ValueRange args) {
      return b.round(b.widen(args[0]), type);
    });
  })};
}

/// The row of `tensor` at `indices` of its leading dimensions.
static Value rowOf(TileBuilder &b, Value tensor, ValueRange indices) {
  Window window(cast<RankedTensorType>(tensor.getType()).getRank());
  for (auto [dim, index] : llvm::enumerate(indices))
    window.at(dim, index);
  return indices.empty() ? tensor : b.slice(tensor, window);
}

static SmallVector<Value> lowerRMSNorm(TileBuilder &b, RMSNormOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  double epsilon = op.getEpsilon().convertToDouble();
  if (type.isDynamicDim(type.getRank() - 1))
    return {};
  Value out = destinationLike(b, op->getResult(0), op.getX());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Value x = rowOf(b, op.getX(), at);
    Value sum = b.reduce(x, b.f32(0), [&](Value element, Value acc) -> Value {
      Value wide = b.widen(element);
      return math::FmaOp::create(b, wide, wide, acc);
    });
    Value mean = arith::DivFOp::create(b, sum, b.f32(type.getShape().back()));
    Value root =
        math::SqrtOp::create(b, arith::AddFOp::create(b, mean, b.f32(epsilon)));
    Value inverse = arith::DivFOp::create(b, b.f32(1), root);
    return b.elementwise({x, op.getGamma()}, row, [&](ValueRange args) {
      Value y = arith::MulFOp::create(b, b.widen(args[0]), inverse);
      y = arith::MulFOp::create(b, y, b.widen(args[1]));
      return b.round(y, type.getElementType());
    });
  })};
}

static SmallVector<Value> lowerLinear(TileBuilder &b, LinearOp op) {
  if (!hasStaticShape(op.getW()) || hasEpilogue(op))
    return {};
  Matrix w(b, op.getW());
  int64_t tile = w.rowTile(kOutputTile);
  Value out = destinationLike(b, op->getResult(0), op.getX());
  OpFoldResult tokens = b.size(op.getX(), 0);
  return {b.parallel(
      {b.getIndexAttr(w.rows)}, tile, out, [&](ValueRange at, Value shared) {
        Window columns = Window(2).range(1, at[0], b.getIndexAttr(tile));
        Value part = emitProduct(b, op.getX(), w.tile(b, {}, at[0], tile),
                                 b.slice(shared, columns), b.toValue(tokens));
        return Part{columns, part};
      })};
}

//===----------------------------------------------------------------------===//
// head_linear
//===----------------------------------------------------------------------===//

/// The tokens of one head: `[T, N, I]` at `n`.
static Window headWindow(Value head) { return Window(3).at(1, head); }

static SmallVector<Value> lowerHeadLinear(TileBuilder &b, HeadLinearOp op) {
  if (!hasStaticShape(op.getW()))
    return {};
  Matrix w(b, op.getW());
  Value out = destinationLike(b, op->getResult(0), op.getX());
  OpFoldResult tokens = b.size(op.getX(), 0), heads = b.size(op.getX(), 1);
  int64_t outputs =
      cast<RankedTensorType>(op->getResult(0).getType()).getDimSize(2);
  // Transposed: tiles of columns of w, in which inputs are added one by one.
  int64_t tile =
      op.getTransposed() ? w.columnTile(kOutputTile) : w.rowTile(kOutputTile);
  return {b.parallel(
      {heads, b.getIndexAttr(outputs)}, {1, tile}, out,
      [&](ValueRange at, Value shared) {
        Value x = b.slice(op.getX(), headWindow(at[0]));
        Window window = headWindow(at[0]).range(2, at[1], b.getIndexAttr(tile));
        Value part = b.slice(shared, window);
        if (!op.getTransposed())
          part = emitProduct(b, x, w.tile(b, at[0], at[1], tile), part,
                             b.toValue(tokens));
        else
          part = forRowBlocks(b, x, part, b.toValue(tokens),
                              [&](Value block, OpFoldResult row, int64_t rows) {
                                return emitTransposedDot(b, block, rows, w,
                                                         at[0], at[1], tile);
                              });
        return Part{window, part};
      })};
}

//===----------------------------------------------------------------------===//
// Elementwise and argmax
//===----------------------------------------------------------------------===//

static SmallVector<Value> lowerArgmax(TileBuilder &b, ArgmaxOp op) {
  Value out = destinationLike(b, op->getResult(0), op.getLogits());
  return {b.parallel(
      b.size(op.getLogits(), 0), 1, out, [&](ValueRange at, Value shared) {
        Value first = b.index(0);
        Value value = b.widen(b.scalar(op.getLogits(), {at[0], first}));
        SmallVector<Value> best = b.serial(
            b.getIndexAttr(1), b.size(op.getLogits(), 1), 1, {value, first},
            [&](Value i, ValueRange carried) -> SmallVector<Value> {
              Value x = b.widen(b.scalar(op.getLogits(), {at[0], i}));
              // Strictly greater: of equal ones the first stays.
              Value greater = arith::CmpFOp::create(
                  b, arith::CmpFPredicate::OGT, x, carried[0]);
              return {arith::SelectOp::create(b, greater, x, carried[0]),
                      arith::SelectOp::create(b, greater, i, carried[1])};
            });
        Value index = arith::IndexCastOp::create(b, b.getI32Type(), best[1]);
        Window window = Window(1).range(0, at[0], b.getIndexAttr(1));
        Value part = b.insert(index, b.slice(shared, window), b.index(0));
        return Part{window, part};
      })};
}

//===----------------------------------------------------------------------===//
// rope
//===----------------------------------------------------------------------===//

/// The dimension at which a rotation makes `turns` turns over the original
/// length.
static double yarnCorrection(double turns, double length, double theta,
                             double width) {
  return width * std::log(length / (2 * M_PI * turns)) / (2 * std::log(theta));
}

SmallVector<float> deepseek::ropeFrequencies(double theta, YarnAttr yarn,
                                             int64_t width) {
  SmallVector<float> result;
  double low = 0, high = 0;
  if (yarn) {
    double length = yarn.getOriginalLength();
    double fast = yarn.getBetaFast().getValueAsDouble();
    double slow = yarn.getBetaSlow().getValueAsDouble();
    low = std::max(std::floor(yarnCorrection(fast, length, theta, width)), 0.0);
    high = std::min(std::ceil(yarnCorrection(slow, length, theta, width)),
                    width - 1.0);
    if (low == high)
      high += 0.001;
  }
  for (int64_t j = 0; j < width / 2; ++j) {
    float f = 1.0f / float(std::pow(theta, float(2 * j) / float(width)));
    if (yarn) {
      float factor = yarn.getFactor().getValueAsDouble();
      float ramp = (float(j) - float(low)) / float(high - low);
      // 1 - (1 - ramp) is not ramp in f32: the published code writes it so.
      float smooth = 1.0f - std::min(std::max(ramp, 0.0f), 1.0f);
      f = f / factor * (1.0f - smooth) + f * smooth;
    }
    result.push_back(f);
  }
  return result;
}

/// The frequencies are a constant of the kernel; no head comes near this width.
static constexpr int64_t kMaxRopeWidth = 1 << 16;

/// Half of the pairs' elements: the even ones or the odd ones.
static Window halfOf(TileBuilder &b, int64_t rank, int64_t pairs, int64_t odd) {
  return Window(rank).range(rank - 1, b.getIndexAttr(odd),
                            b.getIndexAttr(pairs), /*stride=*/2);
}

static SmallVector<Value> lowerRope(TileBuilder &b, RopeOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t width = type.getShape().back(), pairs = width / 2;
  if (ShapedType::isDynamic(width) || width > kMaxRopeWidth)
    return {};
  SmallVector<float> table =
      ropeFrequencies(op.getTheta().convertToDouble(), op.getYarnAttr(), width);
  auto tableType = RankedTensorType::get(pairs, b.getF32Type());
  Value frequencies = arith::ConstantOp::create(
      b, DenseElementsAttr::get(tableType, ArrayRef<float>(table)));
  Value out = destinationLike(b, op->getResult(0), op.getX());
  int64_t rank = type.getRank() - 1; // of one token
  AffineMap all = b.getMultiDimIdentityMap(rank);
  AffineMap pair = b.map(rank, b.loop(rank - 1));

  return {b.parallel(b.size(out, 0), 1, out, [&](ValueRange at, Value shared) {
    Window token = Window(type.getRank()).at(0, at[0]);
    Value position = arith::SIToFPOp::create(
        b, b.getF32Type(), b.scalar(op.getPositions(), at[0]));
    auto angles = [&](auto function) {
      return b.elementwise(
          frequencies, b.temporary(pairs, b.getF32Type()),
          [&](ValueRange args) {
            return function(
                arith::MulFOp::create(b, position, args[0]).getResult());
          });
    };
    Value cosines =
        angles([&](Value x) -> Value { return math::CosOp::create(b, x); });
    Value sines =
        angles([&](Value x) -> Value { return math::SinOp::create(b, x); });
    Value x = b.slice(op.getX(), token);
    Value even = b.slice(x, halfOf(b, rank, pairs, 0));
    Value odd = b.slice(x, halfOf(b, rank, pairs, 1));
    Value result = b.slice(shared, token);
    // y[2j] = x[2j] cos - x[2j+1] sin;  y[2j+1] = x[2j] sin + x[2j+1] cos.
    for (int64_t half : {0, 1}) {
      Window window = halfOf(b, rank, pairs, half);
      Value rotated = b.generic(
          std::string(rank, 'p'), {even, odd, cosines, sines},
          b.slice(result, window), {all, all, pair, pair, all},
          [&](ValueRange args) -> Value {
            Value left =
                arith::MulFOp::create(b, b.widen(args[0]), args[half ? 3 : 2]);
            Value right =
                arith::MulFOp::create(b, b.widen(args[1]), args[half ? 2 : 3]);
            Value y = half ? arith::AddFOp::create(b, left, right).getResult()
                           : arith::SubFOp::create(b, left, right).getResult();
            return b.round(y, type.getElementType());
          });
      result = b.put(rotated, result, window);
    }
    return Part{token, result};
  })};
}

void deepseek::populateDenseToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<EmbeddingOp, lowerEmbedding>,
               LowerOp<RMSNormOp, lowerRMSNorm>, LowerOp<LinearOp, lowerLinear>,
               LowerOp<HeadLinearOp, lowerHeadLinear>,
               LowerOp<RopeOp, lowerRope>, LowerOp<ArgmaxOp, lowerArgmax>>(
      patterns.getContext());
}
