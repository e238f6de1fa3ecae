//===- AttentionOps.cpp - Multi-head latent attention ---------------------===//
//
// Verifiers, result shapes and result names of the ops in AttentionOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// CacheAppendOp
//===----------------------------------------------------------------------===//

LogicalResult CacheAppendOp::verify() { return success(); }

void CacheAppendOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "cache");
}

LogicalResult CacheAppendOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      tensor::getMixedSizes(builder, getLoc(), getCache()));
  return success();
}

//===----------------------------------------------------------------------===//
// CacheGatherOp
//===----------------------------------------------------------------------===//

LogicalResult CacheGatherOp::verify() { return success(); }

void CacheGatherOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "rows");
}

LogicalResult CacheGatherOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult width = tensor::getMixedSize(builder, getLoc(), getCache(), 2);
  shapes.push_back({OpFoldResult(getKvTotal()), width});
  return success();
}

//===----------------------------------------------------------------------===//
// MlaOp
//===----------------------------------------------------------------------===//

LogicalResult MlaOp::verify() { return success(); }

void MlaOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult MlaOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getQNope(), 0}, {getQNope(), 1}, {getKvB(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

LogicalResult AttentionOp::verify() { return success(); }

void AttentionOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult AttentionOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getQNope(), 0}, {getQNope(), 1}, {getKv(), 2}}));
  return success();
}

//===----------------------------------------------------------------------===//
// LatentAttentionOp
//===----------------------------------------------------------------------===//

LogicalResult LatentAttentionOp::verify() { return success(); }

void LatentAttentionOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult LatentAttentionOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      tensor::getMixedSizes(builder, getLoc(), getQLatent()));
  return success();
}
