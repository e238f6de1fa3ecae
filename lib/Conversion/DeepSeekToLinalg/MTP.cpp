//===- MTP.cpp - Multi-token prediction ops to linalg ---------------------===//
//
// mtp_project is one product whose inputs are normalized on the way: the joined
// rows are never stored.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

/// Inputs that are normalized at a time.
static constexpr int64_t kInputTile = 512;

namespace {
/// One of the two halves of the joined row, `[H]`, and where its weights begin.
struct Half {
  Value x, gamma;
  int64_t firstColumn;
};
} // namespace

/// `1 / sqrt(mean(x^2) + epsilon)`.
static Value inverseNorm(TileBuilder &b, Value x, double epsilon) {
  Value sum = b.reduce(x, b.f32(0), [&](Value element, Value acc) -> Value {
    Value wide = b.widen(element);
    return math::FmaOp::create(b, wide, wide, acc);
  });
  int64_t width = cast<RankedTensorType>(x.getType()).getDimSize(0);
  Value mean = arith::DivFOp::create(b, sum, b.f32(width));
  Value root =
      math::SqrtOp::create(b, arith::AddFOp::create(b, mean, b.f32(epsilon)));
  return arith::DivFOp::create(b, b.f32(1), root);
}

/// `acc[0, o] += sum_k norm(x)[k] * w[o, firstColumn + k]`.
static Value addHalf(TileBuilder &b, Half half, double epsilon, const Matrix &w,
                     Value row, Value acc) {
  int64_t width = cast<RankedTensorType>(half.x.getType()).getDimSize(0);
  int64_t outputs = cast<RankedTensorType>(acc.getType()).getDimSize(0);
  int64_t tile = std::min(tileOf(width, kInputTile), w.columnTile(kInputTile));
  Value inverse = inverseNorm(b, half.x, epsilon);
  AffineExpr o = b.loop(0), k = b.loop(1);
  auto step = [&](Value from, ValueRange carried) -> SmallVector<Value> {
    OpFoldResult size = b.getIndexAttr(tile);
    Window window = Window(1).range(0, from, size);
    Value x = b.elementwise(
        {b.slice(half.x, window), b.slice(half.gamma, window)},
        b.temporary(tile, b.getF32Type()), [&](ValueRange args) -> Value {
          Value y = arith::MulFOp::create(b, b.widen(args[0]), inverse);
          return arith::MulFOp::create(b, y, b.widen(args[1]));
        });
    Value column = b.add(from, b.getIndexAttr(half.firstColumn));
    MatrixTile part = w.block(b, {}, row, outputs, column, tile);
    Value scale = part.scales ? b.scalar(part.scales, b.index(0)) : Value();
    return {b.generic("pr", {x, part.data}, carried[0],
                      {b.map(2, k), b.map(2, {o, k}), b.map(2, o)},
                      [&](ValueRange args) -> Value {
                        return math::FmaOp::create(
                            b, args[0], part.element(b, args[1], scale),
                            args[2]);
                      })};
  };
  return b.serial(b.getIndexAttr(0), b.getIndexAttr(width), tile, acc, step)
      .front();
}

static SmallVector<Value> lowerMtpProject(TileBuilder &b, MtpProjectOp op) {
  int64_t width =
      cast<RankedTensorType>(op.getHidden().getType()).getDimSize(1);
  if (ShapedType::isDynamic(width) || !hasStaticShape(op.getW()))
    return {};
  Matrix w(b, op.getW());
  int64_t tile = w.rowTile(kOutputTile);
  double epsilon = op.getEpsilon().convertToDouble();
  Value out = destinationLike(b, op->getResult(0), op.getHidden());
  Type type = getElementTypeOrSelf(out.getType());
  OpFoldResult size = b.getIndexAttr(tile);
  return {b.parallel({b.size(out, 0), b.getIndexAttr(w.rows)}, {1, tile}, out,
                     [&](ValueRange at, Value shared) {
                       Window token = Window(2).at(0, at[0]);
                       Half embedding = {b.slice(op.getEmbedding(), token),
                                         op.getEmbeddingGamma(), 0};
                       Half hidden = {b.slice(op.getHidden(), token),
                                      op.getHiddenGamma(), width};
                       Value acc = b.filled(tile, b.f32(0));
                       acc = addHalf(b, embedding, epsilon, w, at[1], acc);
                       acc = addHalf(b, hidden, epsilon, w, at[1], acc);
                       Window window =
                           Window(2).at(0, at[0]).range(1, at[1], size);
                       Value part = b.elementwise(
                           acc, b.slice(shared, window), [&](ValueRange args) {
                             return b.round(args[0], type);
                           });
                       return Part{window, part};
                     })};
}

static SmallVector<Value> lowerMtpVerify(TileBuilder &b, MtpVerifyOp op) {
  Value accepted = destinationLike(b, op->getResult(0), op.getDraft());
  Value next = destinationLike(b, op->getResult(1), op.getDraft());
  return b.parallelMany(
      {b.size(op.getDraft(), 0)}, 1, {accepted, next},
      [&](ValueRange at, ValueRange outs) -> Parts {
        Value yes = arith::ConstantIntOp::create(b, 1, 1);
        SmallVector<Value> prefix = b.serial(
            b.getIndexAttr(0), b.size(op.getDraft(), 1), 1, {b.index(0), yes},
            [&](Value i, ValueRange carried) -> SmallVector<Value> {
              Value same =
                  arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        b.scalar(op.getDraft(), {at[0], i}),
                                        b.scalar(op.getChoice(), {at[0], i}));
              Value agree = arith::AndIOp::create(b, carried[1], same);
              Value longer = b.add(carried[0], b.getIndexAttr(1));
              return {arith::SelectOp::create(b, agree, longer, carried[0]),
                      agree};
            });
        Value length = arith::IndexCastOp::create(b, b.getI32Type(), prefix[0]);
        Value token = b.scalar(op.getChoice(), {at[0], prefix[0]});
        Window window = Window(1).range(0, at[0], b.getIndexAttr(1));
        auto part = [&](Value value, Value out) {
          return Part{window,
                      b.insert(value, b.slice(out, window), b.index(0))};
        };
        return {part(length, outs[0]), part(token, outs[1])};
      });
}

void deepseek::populateMTPToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<MtpProjectOp, lowerMtpProject>,
               LowerOp<MtpVerifyOp, lowerMtpVerify>>(patterns.getContext());
}
