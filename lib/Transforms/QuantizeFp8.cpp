//===- QuantizeFp8.cpp - Which products are in FP8 ------------------------===//
//
// Chooses the number formats of products:
//
//   %w = deepseek.dequantize %q, %s
//   %y = deepseek.linear %x, %w
//   ->                                                   activations=fp8
//   %xq, %xs = deepseek.quantize %x                      once for all users of
//   %x %y = deepseek.scaled_linear %xq, %xs, %q, %s
//
// and, before it, makes `dequantize(quantize(w))` of the plain weights that are
// marked quantizable. What an op's FP8 form is the op says itself
// (QuantizableOpInterface). A fused weight, `concat` of several, stays fused if
// its parts end with whole blocks, else its product is split again.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Passes.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_QUANTIZEFP8
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

/// The block of a weight that is quantized here, and the inner size of that of
/// activations: those of the official checkpoints.
static constexpr int64_t kBlock = 128;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The type of a tensor of `type` in an FP8 format, and that of its scales.
static std::pair<RankedTensorType, RankedTensorType>
getScaledTypes(RankedTensorType type, Type fp8, Type scale,
               BlockScaledAttr scaled) {
  auto q = RankedTensorType::get(type.getShape(), fp8, scaled);
  return {q, RankedTensorType::get(getScaleShape(q), scale)};
}

static void emitRemark(Operation *op, StringRef name, bool done,
                       const Twine &why) {
  using namespace mlir::remark;
  auto func = op->getParentOfType<func::FuncOp>();
  RemarkOpts options = RemarkOpts::name(name).category("fp8").function(
      func ? func.getSymName() : StringRef());
  std::string text = why.str();
  if (done)
    passed(op->getLoc(), options) << add("{0}", text);
  else
    missed(op->getLoc(), options) << reason("{0}", text);
}

namespace {

/// A tensor in FP8 and its scales.
struct Scaled {
  Value q, scale;

  /// The types of another tensor in the same format.
  std::pair<RankedTensorType, RankedTensorType>
  getTypesLike(RankedTensorType type) const {
    return getScaledTypes(type, typeOf(q).getElementType(),
                          typeOf(scale).getElementType(),
                          getBlockScaled(q.getType()));
  }
};

/// Rewrites the products of one function.
class ProductQuantization {
public:
  ProductQuantization(func::FuncOp func, ScaleChoice scales)
      : func(func), scales(scales) {}

  /// The number of products that are in FP8 afterwards.
  unsigned run();

private:
  bool rewrite(QuantizableOpInterface op);
  FailureOr<Scaled> findScaled(OpBuilder &builder, Value weight);
  FailureOr<Scaled> joinParts(OpBuilder &builder, tensor::ConcatOp concat);
  FailureOr<Scaled> sliceScaled(OpBuilder &builder,
                                tensor::ExtractSliceOp slice);
  Scaled quantizeActivation(Value x, BlockScaledAttr weightScaling);
  Scaled dispatchQuantized(MoEDispatchOp op, BlockScaledAttr weightScaling,
                           RankedTensorType rows, RankedTensorType rowsScale);
  Value build(OpBuilder &builder, QuantizableOpInterface op, const Scaled &w);
  bool splitProduct(OpBuilder &builder, QuantizableOpInterface op,
                    tensor::ConcatOp concat);

  func::FuncOp func;
  ScaleChoice scales;
  std::string obstacle; // why the last weight has no FP8 form
  llvm::DenseMap<std::pair<Value, Attribute>, Scaled> quantized;
};

} // namespace

//===----------------------------------------------------------------------===//
// The FP8 form of a weight
//===----------------------------------------------------------------------===//

/// `concat` of the FP8 tensors and of their scales, if each part but the last
/// ends with a whole block.
FailureOr<Scaled> ProductQuantization::joinParts(OpBuilder &builder,
                                                 tensor::ConcatOp concat) {
  int64_t rank = typeOf(concat).getRank(), dim = concat.getDim();
  SmallVector<Value> qs, scales;
  Scaled first;
  for (Value input : concat.getInputs()) {
    FailureOr<Scaled> part = findScaled(builder, input);
    if (failed(part))
      return failure();
    if (qs.empty())
      first = *part;
    if (getBlockScaled(part->q.getType()).getLayout() !=
            ScaleLayout::RowMajor ||
        part->getTypesLike(typeOf(concat)) !=
            first.getTypesLike(typeOf(concat))) {
      obstacle = "the parts of its weight are scaled differently";
      return failure();
    }
    ArrayRef<int64_t> blocks = getBlockScaled(part->q.getType()).getBlock();
    int64_t block = dim < rank - 2 ? 1 : blocks[dim - (rank - 2)];
    if (!qs.empty() && typeOf(qs.back()).getDimSize(dim) % block != 0) {
      obstacle = "a part of its weight ends within a block";
      return failure();
    }
    qs.push_back(part->q);
    scales.push_back(part->scale);
  }
  auto [qType, scaleType] = first.getTypesLike(typeOf(concat));
  Location loc = concat.getLoc();
  return Scaled{tensor::ConcatOp::create(builder, loc, qType, dim, qs),
                tensor::ConcatOp::create(builder, loc, scaleType, dim, scales)};
}

/// The same slice of the FP8 tensor, and the slice of its scales, if it begins
/// with a block.
FailureOr<Scaled>
ProductQuantization::sliceScaled(OpBuilder &builder,
                                 tensor::ExtractSliceOp slice) {
  FailureOr<Scaled> whole = findScaled(builder, slice.getSource());
  if (failed(whole))
    return failure();
  ArrayRef<int64_t> blocks = getBlockScaled(whole->q.getType()).getBlock();
  RankedTensorType type = slice.getType();
  int64_t rank = slice.getSourceType().getRank();
  bool isStatic =
      llvm::none_of(slice.getStaticOffsets(), ShapedType::isDynamic) &&
      type.hasStaticShape() && slice.hasUnitStride();
  if (!isStatic || type.getRank() != rank ||
      getBlockScaled(whole->q.getType()).getLayout() != ScaleLayout::RowMajor) {
    obstacle = "a slice of its weight is not of constant rows";
    return failure();
  }
  auto [qType, scaleType] = whole->getTypesLike(type);
  SmallVector<int64_t> offsets(slice.getStaticOffsets());
  for (int64_t dim = rank - 2; dim < rank; ++dim) {
    int64_t block = blocks[dim - (rank - 2)];
    if (offsets[dim] % block != 0) {
      obstacle = "a slice of its weight begins within a block";
      return failure();
    }
    offsets[dim] /= block;
  }
  SmallVector<OpFoldResult> strides(rank, builder.getIndexAttr(1));
  auto indices = [&](ArrayRef<int64_t> values) {
    return getAsIndexOpFoldResult(builder.getContext(), values);
  };
  Location loc = slice.getLoc();
  return Scaled{tensor::ExtractSliceOp::create(builder, loc, qType, whole->q,
                                               slice.getMixedOffsets(),
                                               slice.getMixedSizes(), strides),
                tensor::ExtractSliceOp::create(
                    builder, loc, scaleType, whole->scale, indices(offsets),
                    indices(scaleType.getShape()), strides)};
}

/// The FP8 tensor and the scales that `weight` is made of.
FailureOr<Scaled> ProductQuantization::findScaled(OpBuilder &builder,
                                                  Value weight) {
  Operation *op = weight.getDefiningOp();
  if (auto dequantize = dyn_cast_or_null<DequantizeOp>(op))
    return Scaled{dequantize.getQ(), dequantize.getScale()};
  if (auto concat = dyn_cast_or_null<tensor::ConcatOp>(op))
    return joinParts(builder, concat);
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return sliceScaled(builder, slice);
  // A matrix split into heads and put together again is folded before; other
  // reshapes would tear blocks.
  obstacle = isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)
                 ? "its weight is reshaped"
                 : "its weight is not in FP8";
  return failure();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The rows of a dispatch in FP8: what is dispatched is quantized before, where
/// it may have other users in FP8 and each token is one row.
Scaled ProductQuantization::dispatchQuantized(MoEDispatchOp op,
                                              BlockScaledAttr weightScaling,
                                              RankedTensorType rows,
                                              RankedTensorType rowsScale) {
  Scaled x = quantizeActivation(op.getX(), weightScaling);
  OpBuilder builder(op);
  auto dispatch = MoEDispatchOp::create(
      builder, op.getLoc(), rows, op.getOffsets().getType(),
      op.getSource().getType(), rowsScale, x.q, op.getIndices(), x.scale,
      op.getNumExperts(), op.getSharedGroup());
  op.getOffsets().replaceAllUsesWith(dispatch.getOffsets());
  op.getSource().replaceAllUsesWith(dispatch.getSource());
  return {dispatch.getRows(), dispatch.getRowsScale()};
}

/// `x` in FP8, made where `x` is, once for all products that read it.
Scaled ProductQuantization::quantizeActivation(Value x,
                                               BlockScaledAttr weightScaling) {
  ScaleFormat format = scales == ScaleChoice::PowerOfTwo
                           ? ScaleFormat::PowerOfTwo
                       : scales == ScaleChoice::Any ? ScaleFormat::Any
                                                    : weightScaling.getFormat();
  auto scaled = BlockScaledAttr::get(
      x.getContext(), {1, weightScaling.getBlock().back()}, format);
  if (Scaled known = quantized.lookup({x, scaled}); known.q)
    return known;
  OpBuilder builder(x.getContext());
  builder.setInsertionPointAfterValue(x);
  auto [qType, scaleType] =
      getScaledTypes(typeOf(x), builder.getType<Float8E4M3FNType>(),
                     builder.getF32Type(), scaled);
  Scaled result;
  auto dispatch = x.getDefiningOp<MoEDispatchOp>();
  if (dispatch && x == dispatch.getRows() && !dispatch.getXScale()) {
    result = dispatchQuantized(dispatch, weightScaling, qType, scaleType);
  } else {
    auto quantize =
        QuantizeOp::create(builder, x.getLoc(), qType, scaleType, x);
    result = {quantize.getQ(), quantize.getScale()};
  }
  return quantized[{x, scaled}] = result;
}

Value ProductQuantization::build(OpBuilder &builder, QuantizableOpInterface op,
                                 const Scaled &w) {
  RankedTensorType type = typeOf(op->getResult(0)), wType = typeOf(w.q);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = wType.getDimSize(wType.getRank() - 2);
  Scaled x = quantizeActivation(op.getActivationOperand().get(),
                                getBlockScaled(wType));
  return op.buildScaled(builder, type.clone(shape), x.q, x.scale, w.q, w.scale);
}

/// One product for each part of a weight whose parts cannot be one. Slices of
/// the fused result that lie in one part become those of its product.
bool ProductQuantization::splitProduct(OpBuilder &builder,
                                       QuantizableOpInterface op,
                                       tensor::ConcatOp concat) {
  RankedTensorType type = typeOf(op->getResult(0));
  if (int64_t(concat.getDim()) != typeOf(concat).getRank() - 2)
    return false;
  SmallVector<Scaled> parts;
  for (Value input : concat.getInputs()) {
    FailureOr<Scaled> part = findScaled(builder, input);
    if (failed(part))
      return false;
    parts.push_back(*part);
  }
  SmallVector<Value> products;
  for (const Scaled &part : parts)
    products.push_back(build(builder, op, part));

  int64_t last = type.getRank() - 1;
  for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || slice.isDynamicOffset(last) || slice.isDynamicSize(last))
      continue;
    int64_t begin = slice.getStaticOffset(last), at = 0;
    for (Value product : products) {
      int64_t width = typeOf(product).getShape().back();
      if (begin >= at && begin + slice.getStaticSize(last) <= at + width) {
        builder.setInsertionPoint(slice);
        SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
        offsets[last] = builder.getIndexAttr(begin - at);
        Value part = tensor::ExtractSliceOp::create(
            builder, slice.getLoc(), slice.getType(), product, offsets,
            slice.getMixedSizes(), slice.getMixedStrides());
        slice.getResult().replaceAllUsesWith(part);
        slice.erase();
        break;
      }
      at += width;
    }
  }
  if (!op->use_empty()) {
    builder.setInsertionPoint(op);
    op->getResult(0).replaceAllUsesWith(
        tensor::ConcatOp::create(builder, op->getLoc(), type, last, products));
  }
  emitRemark(op, "split", /*done=*/true,
             "into a product per part of its weight, as " + obstacle);
  return true;
}

bool ProductQuantization::rewrite(QuantizableOpInterface op) {
  OpBuilder builder(op);
  Value weight = op.getWeightOperand().get();
  FailureOr<Scaled> w = findScaled(builder, weight);
  if (succeeded(w)) {
    op->getResult(0).replaceAllUsesWith(build(builder, op, *w));
    emitRemark(op, "quantized", /*done=*/true, "both operands in FP8");
    op.erase();
    return true;
  }
  auto concat = weight.getDefiningOp<tensor::ConcatOp>();
  if (concat && splitProduct(builder, op, concat)) {
    op.erase();
    return true;
  }
  emitRemark(op, "not-quantized", /*done=*/false, obstacle);
  return false;
}

unsigned ProductQuantization::run() {
  SmallVector<QuantizableOpInterface> ops;
  func.walk([&](QuantizableOpInterface op) { ops.push_back(op); });
  return llvm::count_if(ops, [&](auto op) { return rewrite(op); });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct QuantizeFp8 : deepseek::impl::QuantizeFp8Base<QuantizeFp8> {
  using QuantizeFp8Base::QuantizeFp8Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> funcs(getOperation().getOps<func::FuncOp>());
    if (quantizeWeights)
      for (func::FuncOp func : funcs)
        func.walk([&](GetWeightOp get) {
          auto weight = symbols.lookup<WeightOp>(get.getWeight());
          if (weight && weight->hasAttr(kQuantizableAttr))
            quantizeWeight(get);
        });
    if (scales == ScaleChoice::PowerOfTwo)
      for (func::FuncOp func : funcs)
        func.walk([](DequantizeOp op) { requantizeWeight(op); });
    if (activations == ActivationFormat::BF16)
      return;
    unsigned products = 0;
    for (func::FuncOp func : funcs)
      products += ProductQuantization(func, scales).run();
    if (products > 0 || activations == ActivationFormat::Weights)
      return;
    getOperation().emitError(
        "activations=fp8 expected products of FP8 weights, got none; "
        "quantize-weights makes FP8 weights of plain ones");
    signalPassFailure();
  }

  /// Gives a weight scales that are powers of two.
  static void requantizeWeight(DequantizeOp op) {
    BlockScaledAttr scaled = getBlockScaled(op.getQ().getType());
    if (!op.getQ().getDefiningOp<GetWeightOp>() ||
        scaled.getFormat() == ScaleFormat::PowerOfTwo)
      return;
    OpBuilder builder(op);
    auto [qType, scaleType] = getScaledTypes(
        typeOf(op.getQ()), typeOf(op.getQ()).getElementType(),
        builder.getF32Type(),
        BlockScaledAttr::get(op.getContext(), scaled.getBlock(),
                             ScaleFormat::PowerOfTwo, scaled.getLayout()));
    auto requantize = RequantizeOp::create(builder, op.getLoc(), qType,
                                           scaleType, op.getQ(), op.getScale());
    op.getQMutable().assign(requantize.getRequantized());
    op.getScaleMutable().assign(requantize.getNewScale());
  }

  /// All that reads a plain weight reads it dequantized.
  void quantizeWeight(GetWeightOp get) {
    RankedTensorType type = typeOf(get);
    ScaleFormat format = scales == ScaleChoice::PowerOfTwo
                             ? ScaleFormat::PowerOfTwo
                             : ScaleFormat::Any;
    OpBuilder builder(&getContext());
    auto [qType, scaleType] = getScaledTypes(
        type, builder.getType<Float8E4M3FNType>(), builder.getF32Type(),
        BlockScaledAttr::get(&getContext(), {kBlock, kBlock}, format));
    builder.setInsertionPointAfter(get);
    auto quantize =
        QuantizeOp::create(builder, get.getLoc(), qType, scaleType, get);
    Value plain = DequantizeOp::create(builder, get.getLoc(), type,
                                       quantize.getQ(), quantize.getScale());
    get.getResult().replaceAllUsesExcept(plain, quantize);
  }
};

} // namespace
