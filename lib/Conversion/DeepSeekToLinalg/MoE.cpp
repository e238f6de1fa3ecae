//===- MoE.cpp - Mixture-of-experts ops to linalg -------------------------===//
//
// Routing and sorting are small scalar loops over static temporaries (one
// token's scores); the products are those of the dense family, one expert at a
// time.
//
// experts is not lowered here (ds-fuse-experts splits it before), nor are
// ep_*, which are communication.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include <limits>

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// route
//===----------------------------------------------------------------------===//

/// One token's scores of all experts, f32 `[E]`.
static Value scoreExperts(TileBuilder &b, Value logits, Scoring scoring) {
  auto type = cast<RankedTensorType>(logits.getType());
  Value out = b.temporary(type.getShape(), b.getF32Type());
  if (scoring == Scoring::Sigmoid)
    return b.elementwise(logits, out, [&](ValueRange args) -> Value {
      Value e = math::ExpOp::create(b, arith::NegFOp::create(b, args[0]));
      return arith::DivFOp::create(b, b.f32(1),
                                   arith::AddFOp::create(b, b.f32(1), e));
    });
  Value lowest = b.f32(std::numeric_limits<float>::lowest());
  Value maximum = b.reduce(logits, lowest, [&](Value x, Value acc) -> Value {
    return arith::MaximumFOp::create(b, x, acc);
  });
  Value powers = b.elementwise(logits, out, [&](ValueRange args) -> Value {
    return math::ExpOp::create(b, arith::SubFOp::create(b, args[0], maximum));
  });
  Value sum = b.reduce(powers, b.f32(0), [&](Value x, Value acc) -> Value {
    return arith::AddFOp::create(b, acc, x);
  });
  return b.elementwise({}, powers, [&](ValueRange args) -> Value {
    return arith::DivFOp::create(b, args[0], sum);
  });
}

/// The index of the largest of `keys` that is not `taken`; the lowest index
/// wins.
static Value largest(TileBuilder &b, Value keys, Value taken) {
  Value none = b.index(-1);
  auto step = [&](Value i, ValueRange carried) -> SmallVector<Value> {
    Value key = b.scalar(keys, i);
    Value free = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                       b.scalar(taken, i), b.i32(0));
    Value first =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, carried[1], none);
    Value greater =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, key, carried[0]);
    Value better =
        arith::AndIOp::create(b, free, arith::OrIOp::create(b, first, greater));
    return {arith::SelectOp::create(b, better, key, carried[0]),
            arith::SelectOp::create(b, better, i, carried[1])};
  };
  return b.serial(b.getIndexAttr(0), b.size(keys, 0), 1, {b.f32(0), none},
                  step)[1];
}

/// The value of each group: the sum of its two largest keys, or its largest.
static Value groupValues(TileBuilder &b, Value keys, int64_t groups,
                         int64_t width, bool two) {
  Value infinity = b.f32(-std::numeric_limits<double>::infinity());
  auto group = [&](Value g, ValueRange carried) -> SmallVector<Value> {
    Value begin = b.mul(g, width);
    SmallVector<Value> top = b.serial(
        b.getIndexAttr(0), b.getIndexAttr(width), 1, {infinity, infinity},
        [&](Value i, ValueRange best) -> SmallVector<Value> {
          Value key = b.scalar(keys, b.add(begin, i));
          Value lower = arith::MinimumFOp::create(b, key, best[0]);
          return {arith::MaximumFOp::create(b, key, best[0]),
                  arith::MaximumFOp::create(b, lower, best[1])};
        });
    Value value = top[0];
    if (two && width > 1)
      value = arith::AddFOp::create(b, top[0], top[1]);
    return {b.insert(value, carried[0], g)};
  };
  return b
      .serial(b.getIndexAttr(0), b.getIndexAttr(groups), 1,
              b.temporary(groups, b.getF32Type()), group)
      .front();
}

/// i32 `[E]`: 1 for the experts outside of the `count` best groups.
static Value outsideGroups(TileBuilder &b, Value keys, RouteOp op) {
  int64_t experts = cast<RankedTensorType>(keys.getType()).getDimSize(0);
  int64_t groups = op.getGroups(), count = op.getTopGroups();
  if (count == groups)
    return b.filled(experts, b.i32(0));
  int64_t width = experts / groups;
  Value values = groupValues(b, keys, groups, width, bool(op.getBias()));
  auto keep = [&](Value i, ValueRange carried) -> SmallVector<Value> {
    Value group = largest(b, values, carried[0]);
    Value taken = b.insert(b.i32(1), carried[0], group);
    Window window =
        Window(1).range(0, b.mul(group, width), b.getIndexAttr(width));
    Value members =
        linalg::FillOp::create(b, b.i32(0), b.slice(carried[1], window))
            .getResult(0);
    return {taken, b.put(members, carried[1], window)};
  };
  return b.serial(b.getIndexAttr(0), b.getIndexAttr(count), 1,
                  {b.filled(groups, b.i32(0)), b.filled(experts, b.i32(1))},
                  keep)[1];
}

namespace {
/// One token's choice: f32 weights and i32 experts, `[K]` each.
struct Choice {
  Value weights, experts;
};
} // namespace

static Choice chooseExperts(TileBuilder &b, Value logits, RouteOp op) {
  int64_t count = op.getTopK();
  Value scores = scoreExperts(b, logits, op.getScoring());
  Value keys = scores;
  if (op.getBias()) {
    auto type = cast<RankedTensorType>(scores.getType());
    keys = b.elementwise({scores, op.getBias()},
                         b.temporary(type.getShape(), b.getF32Type()),
                         [&](ValueRange args) -> Value {
                           return arith::AddFOp::create(b, args[0], args[1]);
                         });
  }
  Value taken = outsideGroups(b, keys, op);
  auto pick = [&](Value k, ValueRange carried) -> SmallVector<Value> {
    Value expert = largest(b, keys, carried[0]);
    // The bias chooses, it does not weigh.
    Value score = b.scalar(scores, expert);
    Value number = arith::IndexCastOp::create(b, b.getI32Type(), expert);
    return {b.insert(b.i32(1), carried[0], expert),
            b.insert(score, carried[1], k), b.insert(number, carried[2], k),
            arith::AddFOp::create(b, carried[3], score)};
  };
  SmallVector<Value> chosen =
      b.serial(b.getIndexAttr(0), b.getIndexAttr(count), 1,
               {taken, b.temporary(count, b.getF32Type()),
                b.temporary(count, b.getI32Type()), b.f32(0)},
               pick);
  Value scale = b.f32(op.getScale().convertToDouble());
  Value sum = arith::AddFOp::create(b, chosen[3], b.f32(1e-20));
  bool normalize = op.getNormalize();
  Value weights = b.elementwise({}, chosen[1], [&](ValueRange args) -> Value {
    Value weight = args[0];
    if (normalize)
      weight = arith::DivFOp::create(b, weight, sum);
    return arith::MulFOp::create(b, weight, scale);
  });
  return {weights, chosen[2]};
}

static SmallVector<Value> lowerRoute(TileBuilder &b, RouteOp op) {
  if (cast<RankedTensorType>(op.getLogits().getType()).isDynamicDim(1))
    return {};
  Value scores = destinationLike(b, op->getResult(0), op.getLogits());
  Value indices = destinationLike(b, op->getResult(1), op.getLogits());
  return b.parallelMany(
      b.size(op.getLogits(), 0), 1, {scores, indices},
      [&](ValueRange at, ValueRange shared) -> Parts {
        Window row = Window(2).at(0, at[0]);
        Choice choice = chooseExperts(b, b.slice(op.getLogits(), row), op);
        return {{row, copyInto(b, choice.weights, b.slice(shared[0], row))},
                {row, copyInto(b, choice.experts, b.slice(shared[1], row))}};
      });
}

//===----------------------------------------------------------------------===//
// moe_dispatch and moe_combine
//===----------------------------------------------------------------------===//

/// `counts[expert + first] += 1` for every choice, in an i32 tensor of zeros.
static Value countChoices(TileBuilder &b, Value indices, Value counts,
                          int64_t first) {
  OpFoldResult zero = b.getIndexAttr(0);
  auto choice = [&](Value t, Value k, Value carried) -> Value {
    Value expert = b.add(b.indexAt(indices, {t, k}), b.getIndexAttr(first));
    Value next = arith::AddIOp::create(b, b.scalar(carried, expert), b.i32(1));
    return b.insert(next, carried, expert);
  };
  return b
      .serial(zero, b.size(indices, 0), 1, counts,
              [&](Value t, ValueRange outer) {
                return b.serial(
                    zero, b.size(indices, 1), 1, outer[0],
                    [&](Value k, ValueRange inner) -> SmallVector<Value> {
                      return {choice(t, k, inner[0])};
                    });
              })
      .front();
}

static Value zeroed(TileBuilder &b, Value tensor) {
  return linalg::FillOp::create(b, b.i32(0), tensor).getResult(0);
}

/// Where each (token, choice) goes: the first free row of its expert. A shared
/// expert is the last choice of every token.
static Value sortChoices(TileBuilder &b, MoEDispatchOp op, Value offsets,
                         int64_t choices, Value source) {
  int64_t experts = op.getNumExperts();
  OpFoldResult zero = b.getIndexAttr(0);
  Window begins = Window(1).range(0, zero, b.getIndexAttr(experts));
  Value cursor = copyInto(b, b.slice(offsets, begins),
                          b.temporary(experts, b.getI32Type()));
  auto place = [&](Value t, Value k, Value expert,
                   ValueRange carried) -> SmallVector<Value> {
    Value row = b.scalar(carried[0], expert);
    Value number = arith::IndexCastOp::create(b, b.getI32Type(),
                                              b.add(b.mul(t, choices), k));
    Value where = arith::IndexCastOp::create(b, b.getIndexType(), row);
    return {
        b.insert(arith::AddIOp::create(b, row, b.i32(1)), carried[0], expert),
        b.insert(number, carried[1], where)};
  };
  Value indices = op.getIndices();
  OpFoldResult routed = b.size(indices, 1);
  auto token = [&](Value t, ValueRange outer) -> SmallVector<Value> {
    SmallVector<Value> placed =
        b.serial(zero, routed, 1, outer, [&](Value k, ValueRange inner) {
          return place(t, k, b.indexAt(indices, {t, k}), inner);
        });
    if (!op.getSharedGroup())
      return placed;
    return place(t, b.toValue(routed), b.index(experts - 1), placed);
  };
  return b.serial(zero, b.size(indices, 0), 1, {cursor, source}, token)[1];
}

/// Where each expert's rows begin, in an i32 tensor of zeros.
static Value countRows(TileBuilder &b, MoEDispatchOp op, Value offsets) {
  int64_t experts = op.getNumExperts();
  offsets = countChoices(b, op.getIndices(), offsets, 1);
  if (op.getSharedGroup()) {
    Value tokens = arith::IndexCastOp::create(
        b, b.getI32Type(), b.toValue(b.size(op.getIndices(), 0)));
    offsets = b.insert(tokens, offsets, b.index(experts));
  }
  return b
      .serial(b.getIndexAttr(0), b.getIndexAttr(experts), 1, offsets,
              [&](Value e, ValueRange carried) -> SmallVector<Value> {
                Value next = b.add(e, b.getIndexAttr(1));
                Value sum = arith::AddIOp::create(b, b.scalar(carried[0], e),
                                                  b.scalar(carried[0], next));
                return {b.insert(sum, carried[0], next)};
              })
      .front();
}

static SmallVector<Value> lowerMoEDispatch(TileBuilder &b, MoEDispatchOp op) {
  int64_t choices =
      cast<RankedTensorType>(op.getIndices().getType()).getDimSize(1);
  if (ShapedType::isDynamic(choices))
    return {};
  choices += op.getSharedGroup();
  OpFoldResult total = b.mul(b.size(op.getIndices(), 0), choices);
  Value offsets = destination(b, op->getResult(1),
                              {b.getIndexAttr(op.getNumExperts() + 1)});
  Value source = destination(b, op->getResult(2), {total});
  offsets = countRows(b, op, zeroed(b, offsets));
  source = sortChoices(b, op, offsets, choices, source);

  SmallVector<Value> from = {b.plain(op.getX())},
                     rows = {destination(b, op->getResult(0),
                                         {total, b.size(op.getX(), 1)})};
  if (Value scale = op.getXScale()) {
    from.push_back(scale);
    rows.push_back(destination(b, op->getResult(3), {total, b.size(scale, 1)}));
  }
  rows = b.parallelMany(total, 1, rows, [&](ValueRange at, ValueRange outs) {
    Value token = b.div(b.indexAt(source, at[0]), choices);
    Parts parts;
    for (auto [x, out] : llvm::zip_equal(from, outs)) {
      Window row = Window(2).at(0, at[0]);
      parts.push_back({row, copyInto(b, b.slice(x, Window(2).at(0, token)),
                                     b.slice(out, row))});
    }
    return parts;
  });
  rows.insert(rows.begin() + 1, {offsets, source});
  return rows;
}

/// The rows of `token` in ascending order, i32 `[K]`.
static Value rowsOfToken(TileBuilder &b, Value source, Value token,
                         int64_t choices) {
  Value first = b.mul(token, choices);
  auto step = [&](Value row, ValueRange carried) -> SmallVector<Value> {
    Value choice = b.sub(b.indexAt(source, row), first);
    Value mine = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, choice,
                                       b.index(choices));
    Value list = b.choose(
        mine,
        [&]() -> Value {
          Value number = arith::IndexCastOp::create(b, b.getI32Type(), row);
          return b.insert(number, carried[0], carried[1]);
        },
        [&] { return carried[0]; });
    Value next = b.add(carried[1], b.getIndexAttr(1));
    return {list, arith::SelectOp::create(b, mine, next, carried[1])};
  };
  return b
      .serial(b.getIndexAttr(0), b.size(source, 0), 1,
              {b.filled(choices, b.i32(0)), b.index(0)}, step)
      .front();
}

/// The score of a token's choice. A shared expert, which is the last, has 1.
static Value scoreOf(TileBuilder &b, MoECombineOp op, Value token,
                     Value choice) {
  if (!op.getSharedGroup())
    return b.scalar(op.getScores(), {token, choice});
  int64_t routed =
      cast<RankedTensorType>(op.getScores().getType()).getDimSize(1);
  return b.choose(
      b.less(choice, b.index(routed)),
      [&] {
        return b.scalar(op.getScores(), {token, choice});
      },
      [&] { return b.f32(1); });
}

/// `acc[h] += score * row[h]` for the rows of `token`, `[from, from + width)`.
static Value addRows(TileBuilder &b, MoECombineOp op, Value token, Value list,
                     OpFoldResult from, int64_t width) {
  int64_t choices = cast<RankedTensorType>(list.getType()).getDimSize(0);
  auto step = [&](Value i, ValueRange carried) -> SmallVector<Value> {
    Value row = b.indexAt(list, i);
    Value choice = b.sub(b.indexAt(op.getSource(), row), b.mul(token, choices));
    Value score = scoreOf(b, op, token, choice);
    Value part =
        b.slice(op.getRows(),
                Window(2).at(0, row).range(1, from, b.getIndexAttr(width)));
    return {b.elementwise(part, carried[0], [&](ValueRange args) -> Value {
      Value weighted = arith::MulFOp::create(b, score, b.widen(args[0]));
      return arith::AddFOp::create(b, args[1], weighted);
    })};
  };
  return b
      .serial(b.getIndexAttr(0), b.getIndexAttr(choices), 1,
              b.filled(width, b.f32(0)), step)
      .front();
}

static SmallVector<Value> lowerMoECombine(TileBuilder &b, MoECombineOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t choices =
      cast<RankedTensorType>(op.getScores().getType()).getDimSize(1);
  if (ShapedType::isDynamic(choices) || type.isDynamicDim(1))
    return {};
  choices += op.getSharedGroup();
  int64_t width = tileOf(type.getDimSize(1), 256);
  Value out = destinationLike(b, op->getResult(0), op.getScores());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Value list = rowsOfToken(b, op.getSource(), at[0], choices);
    auto tile = [&](Value from, ValueRange carried) -> SmallVector<Value> {
      Window window = Window(1).range(0, from, b.getIndexAttr(width));
      SmallVector<Value> inputs = {addRows(b, op, at[0], list, from, width)};
      if (op.getShared())
        inputs.push_back(b.slice(
            op.getShared(),
            Window(2).at(0, at[0]).range(1, from, b.getIndexAttr(width))));
      Value part = b.elementwise(
          inputs, b.slice(carried[0], window), [&](ValueRange args) {
            Value sum = args[0];
            if (op.getShared())
              sum = arith::AddFOp::create(b, sum, b.widen(args[1]));
            return b.round(sum, type.getElementType());
          });
      return {b.put(part, carried[0], window)};
    };
    return b
        .serial(b.getIndexAttr(0), b.getIndexAttr(type.getDimSize(1)), width,
                row, tile)
        .front();
  })};
}

//===----------------------------------------------------------------------===//
// grouped_linear, expert_load, update_router_bias
//===----------------------------------------------------------------------===//

static SmallVector<Value> lowerGroupedLinear(TileBuilder &b,
                                             GroupedLinearOp op) {
  if (!hasStaticShape(op.getW()) || hasEpilogue(op))
    return {};
  Matrix w(b, op.getW());
  int64_t experts = cast<RankedTensorType>(op.getW().getType()).getDimSize(0);
  int64_t tile = w.rowTile(kOutputTile);
  Value out = destinationLike(b, op->getResult(0), op.getX());
  // Tiles outside, experts inside: few experts have rows, and a part of the
  // tiles then holds its share of each of them.
  return {b.parallel(
      {b.getIndexAttr(w.rows), b.getIndexAttr(experts)}, {tile, 1}, out,
      [&](ValueRange at, Value shared) {
        Value begin = b.indexAt(op.getOffsets(), at[1]);
        Value next = b.add(at[1], b.getIndexAttr(1));
        Value count = b.sub(b.indexAt(op.getOffsets(), next), begin);
        Window window = Window(2)
                            .range(0, begin, count)
                            .range(1, at[0], b.getIndexAttr(tile));
        Value x = b.slice(op.getX(), Window(2).range(0, begin, count));
        Value part = emitProduct(b, x, w.tile(b, at[1], at[0], tile),
                                 b.slice(shared, window), count);
        return Part{window, part};
      })};
}

static SmallVector<Value> lowerExpertLoad(TileBuilder &b, ExpertLoadOp op) {
  Value out =
      destination(b, op->getResult(0), {b.getIndexAttr(op.getNumExperts())});
  return {countChoices(b, op.getIndices(), zeroed(b, out), 0)};
}

static SmallVector<Value> lowerUpdateRouterBias(TileBuilder &b,
                                                UpdateRouterBiasOp op) {
  Type i64 = b.getI64Type();
  Value out = destinationLike(b, op->getResult(0), op.getBias());
  auto wide = [&](Value x) -> Value {
    return arith::ExtSIOp::create(b, i64, x);
  };
  Value zero = arith::ConstantIntOp::create(b, 0, 64);
  Value sum = b.reduce(op.getLoad(), zero, [&](Value x, Value acc) -> Value {
    return arith::AddIOp::create(b, acc, wide(x));
  });
  Value experts =
      arith::IndexCastOp::create(b, i64, b.toValue(b.size(op.getLoad(), 0)));
  Value speed = b.f32(op.getSpeed().convertToDouble());
  return {b.elementwise(
      {op.getBias(), op.getLoad()}, out, [&](ValueRange args) -> Value {
        // sign(mean - load) in whole numbers: sum against load * experts.
        Value load = arith::MulIOp::create(b, wide(args[1]), experts);
        Value more =
            arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, sum, load);
        Value less =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, sum, load);
        Value down = arith::SelectOp::create(
            b, less, arith::NegFOp::create(b, speed), b.f32(0));
        Value change = arith::SelectOp::create(b, more, speed, down);
        return arith::AddFOp::create(b, args[0], change);
      })};
}

void deepseek::populateMoEToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<RouteOp, lowerRoute>,
               LowerOp<MoEDispatchOp, lowerMoEDispatch>,
               LowerOp<GroupedLinearOp, lowerGroupedLinear>,
               LowerOp<MoECombineOp, lowerMoECombine>,
               LowerOp<ExpertLoadOp, lowerExpertLoad>,
               LowerOp<UpdateRouterBiasOp, lowerUpdateRouterBias>>(
      patterns.getContext());
}
