//===- MoEOps.cpp - Mixture of experts ------------------------------------===//
//
// Verifiers, result shapes and result names of the ops in MoEOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// RouteOp
//===----------------------------------------------------------------------===//

LogicalResult RouteOp::verify() { return success(); }

void RouteOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getScores(), "scores");
  setName(getIndices(), "experts");
}

LogicalResult RouteOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getScores(), {{getLogits(), 0}, {getLogits(), 1}}));
  shapes.push_back(reifyShape(builder, getIndices(), {{getLogits(), 0}, {getLogits(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// ExpertsOp
//===----------------------------------------------------------------------===//

LogicalResult ExpertsOp::verify() { return success(); }

void ExpertsOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "experts");
}

LogicalResult ExpertsOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      tensor::getMixedSizes(builder, getLoc(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// MoEDispatchOp
//===----------------------------------------------------------------------===//

LogicalResult MoEDispatchOp::verify() { return success(); }

void MoEDispatchOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getRows(), "rows");
  setName(getOffsets(), "offsets");
  setName(getSource(), "source");
}

LogicalResult MoEDispatchOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  // T * K rows; K is the static number of chosen experts.
  Value tokens = getValueOrCreateConstantIndexOp(
      builder, getLoc(),
      tensor::getMixedSize(builder, getLoc(), getIndices(), 0));
  Value chosen = getValueOrCreateConstantIndexOp(
      builder, getLoc(),
      tensor::getMixedSize(builder, getLoc(), getIndices(), 1));
  OpFoldResult rows =
      builder.createOrFold<arith::MulIOp>(getLoc(), tokens, chosen);
  if (!cast<RankedTensorType>(getRows().getType()).isDynamicDim(0))
    rows = builder.getIndexAttr(
        cast<RankedTensorType>(getRows().getType()).getDimSize(0));
  OpFoldResult width = tensor::getMixedSize(builder, getLoc(), getX(), 1);
  shapes.push_back({rows, width});
  shapes.push_back({builder.getIndexAttr(getNumExperts() + 1)});
  shapes.push_back({rows});
  return success();
}

//===----------------------------------------------------------------------===//
// GroupedLinearOp
//===----------------------------------------------------------------------===//

LogicalResult GroupedLinearOp::verify() { return success(); }

void GroupedLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "grouped_linear");
}

LogicalResult GroupedLinearOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// MoECombineOp
//===----------------------------------------------------------------------===//

LogicalResult MoECombineOp::verify() { return success(); }

void MoECombineOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "combined");
}

LogicalResult MoECombineOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getScores(), 0}, {getRows(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// ExpertLoadOp
//===----------------------------------------------------------------------===//

LogicalResult ExpertLoadOp::verify() { return success(); }

void ExpertLoadOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "load");
}

LogicalResult ExpertLoadOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getIndices(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// UpdateRouterBiasOp
//===----------------------------------------------------------------------===//

LogicalResult UpdateRouterBiasOp::verify() { return success(); }

void UpdateRouterBiasOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "bias");
}

LogicalResult UpdateRouterBiasOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getBias(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// EpDispatchOp
//===----------------------------------------------------------------------===//

LogicalResult EpDispatchOp::verify() { return success(); }

void EpDispatchOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getRows(), "rows");
  setName(getOffsets(), "offsets");
  setName(getHandle(), "handle");
}

LogicalResult EpDispatchOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return emitOpError("has results whose sizes are known only when it runs");
}

//===----------------------------------------------------------------------===//
// EpCombineOp
//===----------------------------------------------------------------------===//

LogicalResult EpCombineOp::verify() { return success(); }

void EpCombineOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "rows");
}

LogicalResult EpCombineOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return emitOpError("has a result whose size is known only when it runs");
}
