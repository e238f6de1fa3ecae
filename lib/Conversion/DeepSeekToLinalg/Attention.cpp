//===- Attention.cpp - Attention ops to linalg ----------------------------===//
//
// Both attentions are one loop over blocks of 64 keys with a running maximum
// and sum (online softmax), for each token and head. Blocks begin at multiples
// of 64 of the position in the sequence, so that a token's result depends
// neither on the batch nor on how a prompt was cut into chunks.
//
// mla is not lowered here: ds-lower-mla chooses its form before.
//
//===----------------------------------------------------------------------===//

#include "TileBuilder.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include <limits>

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

namespace {
/// What a token may see.
struct Visible {
  Value sequence; ///< of the token
  Value rows;     ///< its cached rows up to and including the token's own
};
} // namespace

static Visible visibleTo(TileBuilder &b, Value token, Value cuQLens,
                         Value cuKvLens) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  // The last sequence that begins at or before the token: empty ones are passed
  // over.
  Value sequence =
      b.serial(one, b.sub(b.size(cuQLens, 0), one), 1, b.toValue(zero),
               [&](Value i, ValueRange carried) -> SmallVector<Value> {
                 Value after = b.less(token, b.indexAt(cuQLens, i));
                 return {arith::SelectOp::create(b, after, carried[0], i)};
               })
          .front();
  Value next = b.add(sequence, one);
  Value length =
      b.sub(b.indexAt(cuKvLens, next), b.indexAt(cuKvLens, sequence));
  // The new tokens are the last cached rows of the sequence.
  Value later = b.sub(b.sub(b.indexAt(cuQLens, next), token), one);
  return {sequence, b.sub(length, later)};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// A query of one token and head in its two parts.
struct Query {
  Value main, rope;
};
/// Some keys, `[keys, width]` each, and their values.
struct Keys {
  Value main, rope, values;
};
} // namespace

/// `scores[s] += query . keys[s]`.
static Value addScores(TileBuilder &b, Value query, Value keys, Value scores) {
  AffineExpr s = b.loop(0), k = b.loop(1);
  return b.generic("pr", {query, keys}, scores,
                   {b.map(2, k), b.map(2, {s, k}), b.map(2, s)},
                   [&](ValueRange args) -> Value {
                     return math::FmaOp::create(b, b.widen(args[0]),
                                                b.widen(args[1]), args[2]);
                   });
}

/// `sum[c] = sum[c] * keep + sum_s p[s] * values[s, c]`.
static Value addValues(TileBuilder &b, Value p, Value values, Value keep,
                       Value sum) {
  sum = b.elementwise({}, sum, [&](ValueRange args) -> Value {
    return arith::MulFOp::create(b, args[0], keep);
  });
  AffineExpr s = b.loop(0), c = b.loop(1);
  return b.generic(
      "rp", {p, values}, sum, {b.map(2, s), b.map(2, {s, c}), b.map(2, c)},
      [&](ValueRange args) -> Value {
        return math::FmaOp::create(b, args[0], b.widen(args[1]), args[2]);
      });
}

/// One block of keys: `carried` is the maximum, the sum of exponentials, and
/// the sum of values so far.
static SmallVector<Value> attendBlock(TileBuilder &b, Query query, Keys keys,
                                      Value count, double scale,
                                      ValueRange carried) {
  Value scores = b.slice(b.temporary(kKeyBlock, b.getF32Type()),
                         Window(1).range(0, b.getIndexAttr(0), count));
  scores = linalg::FillOp::create(b, b.f32(0), scores).getResult(0);
  scores = addScores(b, query.main, keys.main, scores);
  scores = addScores(b, query.rope, keys.rope, scores);
  scores = b.elementwise({}, scores, [&](ValueRange args) -> Value {
    return arith::MulFOp::create(b, args[0], b.f32(scale));
  });
  Value maximum =
      b.reduce(scores, carried[0], [&](Value x, Value acc) -> Value {
        return arith::MaximumFOp::create(b, x, acc);
      });
  Value keep =
      math::ExpOp::create(b, arith::SubFOp::create(b, carried[0], maximum));
  Value p = b.elementwise({}, scores, [&](ValueRange args) -> Value {
    return math::ExpOp::create(b, arith::SubFOp::create(b, args[0], maximum));
  });
  Value added = b.reduce(p, b.f32(0), [&](Value x, Value acc) -> Value {
    return arith::AddFOp::create(b, acc, x);
  });
  Value total = arith::AddFOp::create(
      b, arith::MulFOp::create(b, carried[1], keep), added);
  return {maximum, total, addValues(b, p, keys.values, keep, carried[2])};
}

/// Softmax attention of one query to `rows` rows, written into `out`; `load`
/// gives `count` of them, block `block`'s.
static Value attend(TileBuilder &b, Query query, Value rows, double scale,
                    Value out,
                    function_ref<Keys(Value block, Value count)> load) {
  auto type = cast<RankedTensorType>(out.getType());
  Value blocks = b.div(b.add(rows, b.getIndexAttr(kKeyBlock - 1)), kKeyBlock);
  Value lowest = b.f32(std::numeric_limits<float>::lowest());
  SmallVector<Value> result = b.serial(
      b.getIndexAttr(0), blocks, 1,
      {lowest, b.f32(0), b.filled(type.getShape(), b.f32(0))},
      [&](Value block, ValueRange carried) {
        Value left = b.sub(rows, b.mul(block, kKeyBlock));
        Value count = arith::MinSIOp::create(b, left, b.index(kKeyBlock));
        return attendBlock(b, query, load(block, count), count, scale, carried);
      });
  return b.elementwise(result[2], out, [&](ValueRange args) {
    return b.round(arith::DivFOp::create(b, args[0], result[1]),
                   type.getElementType());
  });
}

static SmallVector<Value> lowerAttention(TileBuilder &b, AttentionOp op) {
  auto shape = cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  auto keyWidth = cast<RankedTensorType>(op.getQNope().getType()).getDimSize(2);
  if (ShapedType::isDynamic(shape[2]) || ShapedType::isDynamic(keyWidth))
    return {};
  Value out = destinationLike(b, op->getResult(0), op.getQNope());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Visible visible = visibleTo(b, at[0], op.getCuQLens(), op.getCuKvLens());
    Value first = b.indexAt(op.getCuKvLens(), visible.sequence);
    Window token = Window(3).at(0, at[0]).at(1, at[1]);
    Query query = {b.slice(op.getQNope(), token),
                   b.slice(op.getQRope(), token)};
    auto load = [&](Value block, Value count) -> Keys {
      Value begin = b.add(first, b.mul(block, kKeyBlock));
      Value rope = b.slice(op.getKRope(), Window(2).range(0, begin, count));
      auto part = [&](int64_t from, int64_t width) {
        return b.slice(op.getKv(), Window(3)
                                       .range(0, begin, count)
                                       .at(1, at[1])
                                       .range(2, b.getIndexAttr(from),
                                              b.getIndexAttr(width)));
      };
      return {part(0, keyWidth), rope, part(keyWidth, shape[2])};
    };
    return attend(b, query, visible.rows, op.getScale().convertToDouble(), row,
                  load);
  })};
}

static SmallVector<Value> lowerLatentAttention(TileBuilder &b,
                                               LatentAttentionOp op) {
  LatentCacheAttr layout = getLatentCache(op.getCache().getType());
  auto pageSize = cast<RankedTensorType>(op.getCache().getType()).getDimSize(1);
  if (!layout || pageSize != kKeyBlock)
    return {};
  Value cache = b.plain(op.getCache());
  Value out = destinationLike(b, op->getResult(0), op.getQLatent());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Visible visible = visibleTo(b, at[0], op.getCuQLens(), op.getCuKvLens());
    Window token = Window(3).at(0, at[0]).at(1, at[1]);
    Query query = {b.slice(op.getQLatent(), token),
                   b.slice(op.getQRope(), token)};
    auto load = [&](Value block, Value count) -> Keys {
      Value page = b.indexAt(op.getBlockTable(), {visible.sequence, block});
      auto part = [&](int64_t from, int64_t width) {
        return b.slice(
            cache, Window(3)
                       .at(0, page)
                       .range(1, b.getIndexAttr(0), count)
                       .range(2, b.getIndexAttr(from), b.getIndexAttr(width)));
      };
      Value latent = part(0, layout.getLatent());
      return {latent, part(layout.getLatent(), layout.getRope()), latent};
    };
    return attend(b, query, visible.rows, op.getScale().convertToDouble(), row,
                  load);
  })};
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

/// `row` copied into columns of the cached row at `slot`, rounded to its type.
static Value storeRow(TileBuilder &b, Value row, Value cache, Value page,
                      Value offset, int64_t from) {
  auto type = cast<RankedTensorType>(row.getType());
  Window window = Window(3).at(0, page).at(1, offset).range(
      2, b.getIndexAttr(from), b.getIndexAttr(type.getDimSize(0)));
  Value place = b.slice(cache, window);
  Type element = getElementTypeOrSelf(place.getType());
  Value stored = b.elementwise(row, place, [&](ValueRange args) {
    return b.round(b.widen(args[0]), element);
  });
  return b.put(stored, cache, window);
}

// Serial: a step writes few rows, and one after the other needs no proof that
// the slots differ.
static SmallVector<Value> lowerCacheAppend(TileBuilder &b, CacheAppendOp op) {
  auto pageSize = cast<RankedTensorType>(op.getCache().getType()).getDimSize(1);
  auto latentWidth =
      cast<RankedTensorType>(op.getLatent().getType()).getDimSize(1);
  if (ShapedType::isDynamic(pageSize) || ShapedType::isDynamic(latentWidth))
    return {};
  return b.serial(
      b.getIndexAttr(0), b.size(op.getSlots(), 0), 1, b.plain(op.getCache()),
      [&](Value token, ValueRange carried) -> SmallVector<Value> {
        Value slot = b.indexAt(op.getSlots(), token);
        return {b.choose(
            b.less(slot, b.index(0)), [&] { return carried[0]; },
            [&] {
              Value page = b.div(slot, pageSize),
                    offset = b.rem(slot, pageSize);
              Window row = Window(2).at(0, token);
              Value cache = storeRow(b, b.slice(op.getLatent(), row),
                                     carried[0], page, offset, 0);
              return storeRow(b, b.slice(op.getRope(), row), cache, page,
                              offset, latentWidth);
            })};
      });
}

static SmallVector<Value> lowerCacheGather(TileBuilder &b, CacheGatherOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto pageSize = cast<RankedTensorType>(op.getCache().getType()).getDimSize(1);
  if (ShapedType::isDynamic(pageSize) || type.isDynamicDim(1))
    return {};
  Value cache = b.plain(op.getCache());
  OpFoldResult one = b.getIndexAttr(1), zero = b.getIndexAttr(0);
  Value out =
      destination(b, op->getResult(0),
                  {op.getKvTotal(), b.getIndexAttr(type.getDimSize(1))});
  Value sequences = b.sub(b.size(op.getCuKvLens(), 0), one);
  return {b.parallel({sequences}, 1, out, [&](ValueRange at, Value shared) {
    Value begin = b.indexAt(op.getCuKvLens(), at[0]);
    Value rows = b.sub(b.indexAt(op.getCuKvLens(), b.add(at[0], one)), begin);
    Window window = Window(2).range(0, begin, rows);
    Value part =
        b.serial(
             zero, rows, 1, b.slice(shared, window),
             [&](Value i, ValueRange carried) -> SmallVector<Value> {
               Value page =
                   b.indexAt(op.getBlockTable(), {at[0], b.div(i, pageSize)});
               Window from = Window(3).at(0, page).at(1, b.rem(i, pageSize));
               Window to = Window(2).at(0, i);
               Value row = b.elementwise(
                   b.slice(cache, from), b.slice(carried[0], to),
                   [&](ValueRange args) {
                     return b.round(b.widen(args[0]), type.getElementType());
                   });
               return {b.put(row, carried[0], to)};
             })
            .front();
    return Part{window, part};
  })};
}

void deepseek::populateAttentionToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<CacheAppendOp, lowerCacheAppend>,
               LowerOp<CacheGatherOp, lowerCacheGather>,
               LowerOp<AttentionOp, lowerAttention>,
               LowerOp<LatentAttentionOp, lowerLatentAttention>>(
      patterns.getContext());
}
