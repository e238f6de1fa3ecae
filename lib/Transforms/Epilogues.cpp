//===- Epilogues.cpp - What may follow a product in its kernel ------------===//
//
// The matchers that ds-fuse-epilogues and the targets share.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Epilogues.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::deepseek;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Product::Product(Operation *product) {
  auto take = [&](auto linear) {
    op = linear;
    x = linear.getX();
    w = linear.getW();
  };
  auto takeScaled = [&](auto linear) {
    take(linear);
    xScale = linear.getXScale();
    wScale = linear.getWScale();
  };
  if (auto linear = dyn_cast_or_null<LinearOp>(product)) {
    take(linear);
  } else if (auto linear = dyn_cast_or_null<GroupedLinearOp>(product)) {
    take(linear);
    offsets = linear.getOffsets();
  } else if (auto linear = dyn_cast_or_null<ScaledLinearOp>(product)) {
    takeScaled(linear);
  } else if (auto linear = dyn_cast_or_null<ScaledGroupedLinearOp>(product)) {
    takeScaled(linear);
    offsets = linear.getOffsets();
  }
}

bool Product::hasStaticWeight() const { return typeOf(w).hasStaticShape(); }

/// Whether `slice` is all rows of `width` columns of its rank-2 source.
static bool isHalf(tensor::ExtractSliceOp slice, int64_t first, int64_t width) {
  if (slice.getType().getRank() != 2 || !slice.hasUnitStride() ||
      slice.getStaticOffset(0) != 0 || slice.getStaticOffset(1) != first ||
      slice.getStaticSize(1) != width)
    return false;
  OpFoldResult rows = slice.getMixedSizes().front();
  if (std::optional<int64_t> known = getConstantIntValue(rows))
    return slice.getSourceType().getDimSize(0) == *known;
  auto dim = cast<Value>(rows).getDefiningOp<tensor::DimOp>();
  if (!dim || dim.getConstantIndex() != 0)
    return false;
  // A product has the rows of its input.
  Product product(slice.getSource().getDefiningOp());
  return dim.getSource() == slice.getSource() ||
         (product.op && dim.getSource() == product.x);
}

Value deepseek::getGatedSource(SwigluOp swiglu) {
  auto gate = swiglu.getGate().getDefiningOp<tensor::ExtractSliceOp>();
  auto up = swiglu.getUp().getDefiningOp<tensor::ExtractSliceOp>();
  if (!gate || !up || gate.getSource() != up.getSource() ||
      gate.getSourceType().getRank() != 2)
    return {};
  int64_t columns = gate.getSourceType().getDimSize(1), width = columns / 2;
  if (ShapedType::isDynamic(columns) || columns % 2 != 0 ||
      !isHalf(gate, 0, width) || !isHalf(up, width, width))
    return {};
  return gate.getSource();
}

SwigluOp deepseek::getOnlySwiglu(Value value) {
  SwigluOp only;
  for (Operation *user : value.getUsers()) {
    if (isa<tensor::DimOp>(user))
      continue;
    if (!isa<tensor::ExtractSliceOp>(user) || !user->hasOneUse())
      return {};
    auto swiglu = dyn_cast<SwigluOp>(*user->user_begin());
    if (!swiglu || (only && swiglu != only) || getGatedSource(swiglu) != value)
      return {};
    only = swiglu;
  }
  return only;
}

bool deepseek::quantizesTiles(QuantizeOp quantize, const Product &product) {
  BlockScaledAttr scaling = getBlockScaled(quantize.getQ().getType());
  ArrayRef<int64_t> block = scaling.getBlock();
  int64_t width = typeOf(quantize.getX()).getDimSize(1);
  if (!product.isScaled() || scaling.getLayout() != ScaleLayout::RowMajor ||
      block.size() != 2 || block.front() != 1 || ShapedType::isDynamic(width) ||
      width % block.back() != 0)
    return false;
  ArrayRef<int64_t> weights = getBlockScaled(product.w.getType()).getBlock();
  return weights.size() > 1 && weights[weights.size() - 2] % block.back() == 0;
}
