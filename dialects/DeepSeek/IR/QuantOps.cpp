//===- QuantOps.cpp - Block-scaled FP8 ------------------------------------===//
//
// Verifiers, result shapes and result names of the ops in QuantOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// What several ops check
//===----------------------------------------------------------------------===//

static LogicalResult verifyBlockScaled(Operation *op, StringRef name,
                                       Value value) {
  BlockScaledAttr scaled = getBlockScaled(value.getType());
  if (!scaled)
    return op->emitOpError() << "expected " << name
                             << " with a #deepseek.block_scaled encoding, got "
                             << value.getType();
  if (!scaled.getPacking())
    return success();
  return op->emitOpError()
         << "expected the elements of " << name
         << " in row-major order, got those packed for the kernel "
         << scaled.getPacking()
         << "; only that kernel can read them, use the unpacked tensor here";
}

/// Whether the sizes that are not known show the scales to be of the other
/// layout: a dynamic size fits every size, so the shapes alone may not.
static bool isTransposed(ArrayRef<int64_t> expected, ArrayRef<int64_t> got) {
  if (expected.size() != got.size())
    return false;
  auto isDynamic = [](ArrayRef<int64_t> shape) {
    return std::pair(ShapedType::isDynamic(*std::prev(shape.end(), 2)),
                     ShapedType::isDynamic(shape.back()));
  };
  auto [rows, columns] = isDynamic(expected);
  return rows != columns && isDynamic(got) == std::pair(columns, rows);
}

LogicalResult deepseek::verifyScale(Operation *op, StringRef name,
                                    TypedValue<RankedTensorType> scale,
                                    StringRef qName,
                                    TypedValue<RankedTensorType> q) {
  BlockScaledAttr scaled = getBlockScaled(q.getType());
  SmallVector<int64_t> expected = getScaleShape(q.getType());
  ArrayRef<int64_t> got = scale.getType().getShape();
  bool transposed = isTransposed(expected, got);
  if (transposed || failed(verifyCompatibleShape(expected, got))) {
    InFlightDiagnostic error = op->emitOpError()
                               << "expected shape(" << name
                               << ") = " << printShape(expected) << ", got "
                               << printShape(got);
    if (transposed || scaled.getLayout() != ScaleLayout::RowMajor)
      error << "; the scales of " << qName << " are "
            << stringifyEnum(scaled.getLayout());
    return error;
  }
  if (isa<Float8E8M0FNUType>(scale.getType().getElementType()) &&
      scaled.getFormat() != ScaleFormat::PowerOfTwo)
    return op->emitOpError()
           << "expected " << name << " of type f32, as the scales of " << qName
           << " may be any number, got f8E8M0FNU";
  return success();
}

static LogicalResult verifyInnerBlocks(Operation *op, Value x, Value w) {
  int64_t xBlock = getBlockScaled(x.getType()).getBlock().back();
  int64_t wBlock = getBlockScaled(w.getType()).getBlock().back();
  if (xBlock == wBlock)
    return success();
  return op->emitOpError("expected equal inner blocks, got ")
         << xBlock << " and " << wBlock;
}

/// The sizes of the scales of a tensor of these sizes.
static SmallVector<OpFoldResult> reifyScaleShape(OpBuilder &builder,
                                                 Location loc,
                                                 ArrayRef<OpFoldResult> sizes,
                                                 BlockScaledAttr scaled) {
  SmallVector<OpFoldResult> shape(sizes);
  MutableArrayRef<OpFoldResult> blocked =
      MutableArrayRef<OpFoldResult>(shape).take_back(2);
  for (auto [size, block] : llvm::zip_equal(blocked, scaled.getBlock())) {
    Value value = getValueOrCreateConstantIndexOp(builder, loc, size);
    Value divisor = arith::ConstantIndexOp::create(builder, loc, block);
    size = builder.createOrFold<arith::CeilDivUIOp>(loc, value, divisor);
  }
  if (scaled.getLayout() == ScaleLayout::GroupMajor)
    std::swap(blocked[0], blocked[1]);
  return shape;
}

//===----------------------------------------------------------------------===//
// QuantizeOp
//===----------------------------------------------------------------------===//

LogicalResult QuantizeOp::verify() {
  ShapeLetters letters(*this);
  // quantize_c1
  if (failed(verifyBlockScaled(*this, "q", getQ())))
    return failure();
  // quantize_c2
  if (failed(letters.matchSizes("q", getQ(), getX().getType().getShape())))
    return failure();
  // quantize_c3, quantize_c4
  return verifyScale(*this, "scale", getScale(), "q", getQ());
}

void QuantizeOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getQ(), "q");
  setName(getScale(), "scale");
}

LogicalResult
QuantizeOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getX());
  shapes.push_back(sizes);
  BlockScaledAttr scaled = getBlockScaled(getQ().getType());
  if (!scaled)
    return failure();
  shapes.push_back(reifyScaleShape(builder, getLoc(), sizes, scaled));
  return success();
}

//===----------------------------------------------------------------------===//
// DequantizeOp
//===----------------------------------------------------------------------===//

LogicalResult DequantizeOp::verify() {
  ShapeLetters letters(*this);
  // dequantize_c1
  if (failed(verifyBlockScaled(*this, "q", getQ())))
    return failure();
  // dequantize_c2, dequantize_c4
  if (failed(verifyScale(*this, "scale", getScale(), "q", getQ())))
    return failure();
  // dequantize_c3
  return letters.matchSizes("result", getResult(), getQ().getType().getShape());
}

void DequantizeOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "w");
}

LogicalResult
DequantizeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getQ()));
  return success();
}

//===----------------------------------------------------------------------===//
// RequantizeOp
//===----------------------------------------------------------------------===//

LogicalResult RequantizeOp::verify() {
  // requantize_c1
  if (failed(verifyBlockScaled(*this, "q", getQ())) ||
      failed(verifyBlockScaled(*this, "requantized", getRequantized())))
    return failure();
  // requantize_c2
  ShapeLetters letters(*this);
  RankedTensorType from = getQ().getType(), to = getRequantized().getType();
  if (failed(
          letters.matchSizes("requantized", getRequantized(), from.getShape())))
    return failure();
  if (from.getElementType() != to.getElementType())
    return emitOpError("expected requantized with the element type of q, ")
           << from.getElementType() << ", got " << to.getElementType();
  // requantize_c3, requantize_c4
  if (failed(verifyScale(*this, "scale", getScale(), "q", getQ())))
    return failure();
  return verifyScale(*this, "new_scale", getNewScale(), "requantized",
                     getRequantized());
}

/// Whether changing the scaling `from` one encoding `to` another copies codes.
static bool isExactChange(BlockScaledAttr from, BlockScaledAttr to) {
  return from.getBlock() == to.getBlock() &&
         (from.getFormat() == to.getFormat() ||
          to.getFormat() == ScaleFormat::Any);
}

bool RequantizeOp::isExact() {
  return isExactChange(getBlockScaled(getQ().getType()),
                       getBlockScaled(getRequantized().getType()));
}

LogicalResult RequantizeOp::fold(FoldAdaptor adaptor,
                                 SmallVectorImpl<OpFoldResult> &results) {
  if (getQ().getType() == getRequantized().getType() &&
      getScale().getType() == getNewScale().getType()) {
    results.append({getQ(), getScale()});
    return success();
  }
  auto inner = getQ().getDefiningOp<RequantizeOp>();
  if (!inner || inner.getNewScale() != getScale() || !inner.isExact())
    return failure();
  // To powers of two and back would become a copy of scales that are none.
  if (isExactChange(getBlockScaled(inner.getQ().getType()),
                    getBlockScaled(getRequantized().getType())) != isExact())
    return failure();
  getQMutable().assign(inner.getQ());
  getScaleMutable().assign(inner.getScale());
  return success(); // in place
}

void RequantizeOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getRequantized(), "q");
  setName(getNewScale(), "scale");
}

LogicalResult
RequantizeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQ());
  shapes.push_back(sizes);
  shapes.push_back(reifyScaleShape(builder, getLoc(), sizes,
                                   getBlockScaled(getRequantized().getType())));
  return success();
}

//===----------------------------------------------------------------------===//
// ScaledLinearOp
//===----------------------------------------------------------------------===//

LogicalResult ScaledLinearOp::verify() {
  ShapeLetters letters(*this);
  // scaled_linear_c1
  if (failed(verifyBlockScaled(*this, "x", getX())) ||
      failed(verifyBlockScaled(*this, "w", getW())))
    return failure();
  // scaled_linear_c5
  if (failed(letters.match("x", getX(), {"T", "I"})) ||
      failed(letters.match("w", getW(), {"O", "I"})) ||
      failed(letters.match("result", getResult(), {"T", "O"})))
    return failure();
  // scaled_linear_c2, scaled_linear_c4
  if (failed(verifyScale(*this, "x_scale", getXScale(), "x", getX())) ||
      failed(verifyScale(*this, "w_scale", getWScale(), "w", getW())))
    return failure();
  // scaled_linear_c3
  return verifyInnerBlocks(*this, getX(), getW());
}

void ScaledLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "linear");
}

LogicalResult
ScaledLinearOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// ScaledGroupedLinearOp
//===----------------------------------------------------------------------===//

LogicalResult ScaledGroupedLinearOp::verify() {
  ShapeLetters letters(*this);
  // scaled_grouped_linear_c1
  if (failed(verifyBlockScaled(*this, "x", getX())) ||
      failed(verifyBlockScaled(*this, "w", getW())))
    return failure();
  // scaled_grouped_linear_c5
  if (failed(letters.match("x", getX(), {"M", "I"})) ||
      failed(letters.match("w", getW(), {"E", "O", "I"})) ||
      failed(letters.match("offsets", getOffsets(), {letters.plus("E", 1)})) ||
      failed(letters.match("result", getResult(), {"M", "O"})))
    return failure();
  // scaled_grouped_linear_c2, scaled_grouped_linear_c4
  if (failed(verifyScale(*this, "x_scale", getXScale(), "x", getX())) ||
      failed(verifyScale(*this, "w_scale", getWScale(), "w", getW())))
    return failure();
  // scaled_grouped_linear_c3
  return verifyInnerBlocks(*this, getX(), getW());
}

void ScaledGroupedLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "grouped_linear");
}

LogicalResult
ScaledGroupedLinearOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 1}}));
  return success();
}
