//===- LowerMla.cpp - Choose a form of multi-head latent attention --------===//
//
// Rewrites `mla` into one of its two forms. With kv_b = [w_uk; w_uv] per head:
//
//   expanded:
//     rows = cache_gather(cache)
//     kv   = linear(rows[:, :C], kv_b)
//     y    = attention(q_nope, q_rope, kv, rows[:, C:])
//   absorbed:
//     q' = head_linear(q_nope, w_uk^T)
//     y' = latent_attention(q', q_rope, cache)
//     y  = head_linear(y', w_uv)
//
// Slices and reshapes are views, which the kernels that read them take over: no
// form copies anything. It does not look at sizes to choose; `form` says which.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Passes.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_LOWERMLA
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The sizes of an `mla`, all but T, B and S static.
struct Sizes {
  int64_t tokens, heads, nope, value, latent, rope;
};

} // namespace

static RankedTensorType tensorOf(ArrayRef<int64_t> shape, Type element) {
  return RankedTensorType::get(shape, element);
}

/// `source[offsets][sizes]` with stride one; a dynamic size is the source's
/// own.
static Value slice(OpBuilder &builder, Location loc, Value source,
                   ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) {
  auto element = cast<RankedTensorType>(source.getType()).getElementType();
  SmallVector<OpFoldResult> mixedSizes;
  for (auto [dim, size] : llvm::enumerate(sizes))
    mixedSizes.push_back(ShapedType::isDynamic(size)
                             ? tensor::getMixedSize(builder, loc, source, dim)
                             : builder.getIndexAttr(size));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(
      builder, loc, tensorOf(sizes, element), source,
      getAsIndexOpFoldResult(builder.getContext(), offsets), mixedSizes,
      strides);
}

static Value lowerAbsorbed(OpBuilder &builder, MlaOp op, const Sizes &s) {
  Location loc = op.getLoc();
  Type element =
      cast<RankedTensorType>(op.getQNope().getType()).getElementType();
  RankedTensorType latent = tensorOf({s.tokens, s.heads, s.latent}, element);
  Value keys =
      slice(builder, loc, op.getKvB(), {0, 0, 0}, {s.heads, s.nope, s.latent});
  Value values = slice(builder, loc, op.getKvB(), {0, s.nope, 0},
                       {s.heads, s.value, s.latent});
  Value query = HeadLinearOp::create(builder, loc, latent, op.getQNope(), keys,
                                     /*transposed=*/true);
  Value attended = LatentAttentionOp::create(
      builder, loc, latent, query, op.getQRope(), op.getCache(),
      op.getBlockTable(), op.getCuQLens(), op.getCuKvLens(), op.getScaleAttr());
  return HeadLinearOp::create(builder, loc, op.getType(), attended, values,
                              /*transposed=*/false);
}

static Value lowerExpanded(OpBuilder &builder, MlaOp op, const Sizes &s) {
  Location loc = op.getLoc();
  constexpr int64_t dynamic = ShapedType::kDynamic;
  Type element =
      cast<RankedTensorType>(op.getQNope().getType()).getElementType();
  Value rows = CacheGatherOp::create(
      builder, loc, tensorOf({dynamic, s.latent + s.rope}, element),
      op.getCache(), op.getBlockTable(), op.getCuKvLens(), op.getKvTotal());
  Value latent = slice(builder, loc, rows, {0, 0}, {dynamic, s.latent});
  Value rope = slice(builder, loc, rows, {0, s.latent}, {dynamic, s.rope});

  int64_t width = s.nope + s.value;
  SmallVector<ReassociationIndices> groups = {{0, 1}, {2}};
  Value weight = builder.createOrFold<tensor::CollapseShapeOp>(
      loc,
      tensorOf({s.heads * width, s.latent},
               cast<RankedTensorType>(op.getKvB().getType()).getElementType()),
      op.getKvB(), groups);
  Value flat = LinearOp::create(builder, loc,
                                tensorOf({dynamic, s.heads * width}, element),
                                latent, weight);
  SmallVector<ReassociationIndices> perHead = {{0}, {1, 2}};
  SmallVector<OpFoldResult> shape = {
      tensor::getMixedSize(builder, loc, flat, 0),
      builder.getIndexAttr(s.heads), builder.getIndexAttr(width)};
  Value kv = tensor::ExpandShapeOp::create(
      builder, loc, tensorOf({dynamic, s.heads, width}, element), flat, perHead,
      shape);
  return AttentionOp::create(builder, loc, op.getType(), op.getQNope(),
                             op.getQRope(), kv, rope, op.getCuQLens(),
                             op.getCuKvLens(), op.getScaleAttr());
}

/// The sizes of `op`; an error if one that a form needs is dynamic.
static FailureOr<Sizes> getSizes(MlaOp op) {
  auto query = cast<RankedTensorType>(op.getQNope().getType());
  auto rope = cast<RankedTensorType>(op.getQRope().getType());
  auto weight = cast<RankedTensorType>(op.getKvB().getType());
  auto result = cast<RankedTensorType>(op.getType());
  Sizes sizes = {query.getDimSize(0),  query.getDimSize(1),
                 query.getDimSize(2),  result.getDimSize(2),
                 weight.getDimSize(2), rope.getDimSize(2)};
  for (int64_t size :
       {sizes.heads, sizes.nope, sizes.value, sizes.latent, sizes.rope})
    if (ShapedType::isDynamic(size))
      return op.emitOpError("expected static sizes but for tokens, got q_nope ")
             << query << ", q_rope " << rope << ", kv_b " << weight;
  return sizes;
}

namespace {

struct LowerMla : deepseek::impl::LowerMlaBase<LowerMla> {
  using LowerMlaBase::LowerMlaBase;

  void runOnOperation() override {
    bool expanded =
        form == MlaForm::Expanded ||
        (form == MlaForm::Auto && getOperation().getSymName() == kPrefillEntry);
    SmallVector<MlaOp> ops;
    getOperation().walk([&](MlaOp op) { ops.push_back(op); });
    for (MlaOp op : ops) {
      FailureOr<Sizes> sizes = getSizes(op);
      if (failed(sizes))
        return signalPassFailure();
      OpBuilder builder(op);
      Value lowered = expanded ? lowerExpanded(builder, op, *sizes)
                               : lowerAbsorbed(builder, op, *sizes);
      op.getResult().replaceAllUsesWith(lowered);
      op.erase();
    }
  }
};

} // namespace
