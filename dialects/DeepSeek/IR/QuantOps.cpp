//===- QuantOps.cpp - Block-scaled FP8 ------------------------------------===//
//
// Verifiers, result shapes and result names of the ops in QuantOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// QuantizeOp
//===----------------------------------------------------------------------===//

LogicalResult QuantizeOp::verify() { return success(); }

void QuantizeOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getQ(), "q");
  setName(getScale(), "scale");
}

LogicalResult QuantizeOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getX());
  shapes.push_back(sizes);
  BlockScaledAttr scaled = getBlockScaled(getQ().getType());
  if (!scaled)
    return failure();
  for (auto [size, block] : llvm::zip_equal(sizes, scaled.getBlock())) {
    Value value = getValueOrCreateConstantIndexOp(builder, getLoc(), size);
    Value divisor =
        arith::ConstantIndexOp::create(builder, getLoc(), block);
    size = builder.createOrFold<arith::CeilDivUIOp>(getLoc(), value, divisor);
  }
  shapes.push_back(sizes);
  return success();
}

//===----------------------------------------------------------------------===//
// DequantizeOp
//===----------------------------------------------------------------------===//

LogicalResult DequantizeOp::verify() { return success(); }

void DequantizeOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "w");
}

LogicalResult DequantizeOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      tensor::getMixedSizes(builder, getLoc(), getQ()));
  return success();
}

//===----------------------------------------------------------------------===//
// ScaledLinearOp
//===----------------------------------------------------------------------===//

LogicalResult ScaledLinearOp::verify() { return success(); }

void ScaledLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "linear");
}

LogicalResult ScaledLinearOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// ScaledGroupedLinearOp
//===----------------------------------------------------------------------===//

LogicalResult ScaledGroupedLinearOp::verify() { return success(); }

void ScaledGroupedLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "grouped_linear");
}

LogicalResult ScaledGroupedLinearOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 1}}));
  return success();
}
