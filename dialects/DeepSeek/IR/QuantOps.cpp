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
  if (getBlockScaled(value.getType()))
    return success();
  return op->emitOpError() << "expected " << name
                           << " with a #deepseek.block_scaled encoding, got "
                           << value.getType();
}

/// The scales of `q`: `ceil(size / block)` of them along the two last
/// dimensions, and f8E8M0FNU only for powers of two.
static LogicalResult verifyScale(Operation *op, ShapeLetters &letters,
                                 StringRef name,
                                 TypedValue<RankedTensorType> scale,
                                 StringRef qName,
                                 TypedValue<RankedTensorType> q) {
  BlockScaledAttr scaled = getBlockScaled(q.getType());
  SmallVector<int64_t> shape(q.getType().getShape());
  MutableArrayRef<int64_t> blocked =
      MutableArrayRef<int64_t>(shape).take_back(2);
  for (auto [size, block] : llvm::zip_equal(blocked, scaled.getBlock()))
    if (!ShapedType::isDynamic(size))
      size = llvm::divideCeil(size, block);
  if (failed(letters.matchSizes(name, scale, shape)))
    return failure();
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

//===----------------------------------------------------------------------===//
// QuantizeOp
//===----------------------------------------------------------------------===//

LogicalResult QuantizeOp::verify() {
  ShapeLetters letters(*this);
  // quantize_c1
  if (failed(verifyBlockScaled(*this, "q", getQ())))
    return failure();
  // quantize_c2
  if (failed(letters.match("x", getX(), {"A", "B"})) ||
      failed(letters.match("q", getQ(), {"A", "B"})))
    return failure();
  // quantize_c3, quantize_c4
  return verifyScale(*this, letters, "scale", getScale(), "q", getQ());
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
  for (auto [size, block] : llvm::zip_equal(sizes, scaled.getBlock())) {
    Value value = getValueOrCreateConstantIndexOp(builder, getLoc(), size);
    Value divisor = arith::ConstantIndexOp::create(builder, getLoc(), block);
    size = builder.createOrFold<arith::CeilDivUIOp>(getLoc(), value, divisor);
  }
  shapes.push_back(sizes);
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
  if (failed(verifyScale(*this, letters, "scale", getScale(), "q", getQ())))
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
  if (failed(
          verifyScale(*this, letters, "x_scale", getXScale(), "x", getX())) ||
      failed(verifyScale(*this, letters, "w_scale", getWScale(), "w", getW())))
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
  if (failed(
          verifyScale(*this, letters, "x_scale", getXScale(), "x", getX())) ||
      failed(verifyScale(*this, letters, "w_scale", getWScale(), "w", getW())))
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
