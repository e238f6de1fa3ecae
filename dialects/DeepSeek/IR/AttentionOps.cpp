//===- AttentionOps.cpp - Multi-head latent attention ---------------------===//
//
// Verifiers, result shapes and result names of the ops in AttentionOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

/// `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`.
static LogicalResult verifySequences(ShapeLetters &letters, Value cuQLens,
                                     Value cuKvLens) {
  if (failed(letters.match("cu_q_lens", cuQLens, {letters.plus("B", 1)})))
    return failure();
  return letters.match("cu_kv_lens", cuKvLens, {letters.plus("B", 1)});
}

//===----------------------------------------------------------------------===//
// CacheAppendOp
//===----------------------------------------------------------------------===//

LogicalResult CacheAppendOp::verify() {
  ShapeLetters letters(*this);
  // cache_append_c1
  if (failed(verifyCache(*this, letters, getCache())))
    return failure();
  // cache_append_c2
  if (failed(letters.match("latent", getLatent(), {"T", "C"})) ||
      failed(letters.match("rope", getRope(), {"T", "R"})) ||
      failed(letters.match("slots", getSlots(), {"T"})))
    return failure();
  // cache_append_c3
  if (failed(letters.matchSizes("result", getResult(),
                                getCache().getType().getShape())))
    return failure();
  return verifySameElements(*this, "a result", getResult(), "cache",
                            getCache());
}

void CacheAppendOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "cache");
}

LogicalResult
CacheAppendOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getCache()));
  return success();
}

//===----------------------------------------------------------------------===//
// CacheGatherOp
//===----------------------------------------------------------------------===//

LogicalResult CacheGatherOp::verify() {
  ShapeLetters letters(*this);
  // cache_gather_c1
  if (failed(verifyCache(*this, letters, getCache())))
    return failure();
  // cache_gather_c2
  if (failed(letters.match("block_table", getBlockTable(), {"B", "P"})) ||
      failed(
          letters.match("cu_kv_lens", getCuKvLens(), {letters.plus("B", 1)})))
    return failure();
  // cache_gather_c3
  return letters.match("result", getResult(),
                       {anyDim(), letters.sum("C", "R")});
}

void CacheGatherOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "rows");
}

LogicalResult
CacheGatherOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult width = tensor::getMixedSize(builder, getLoc(), getCache(), 2);
  shapes.push_back({OpFoldResult(getKvTotal()), width});
  return success();
}

//===----------------------------------------------------------------------===//
// MlaOp
//===----------------------------------------------------------------------===//

LogicalResult MlaOp::verify() {
  ShapeLetters letters(*this);
  // mla_c2
  if (failed(verifyCache(*this, letters, getCache())))
    return failure();
  // mla_c1
  if (failed(letters.match("q_nope", getQNope(), {"T", "N", "D"})) ||
      failed(letters.match("q_rope", getQRope(), {"T", "N", "R"})))
    return failure();
  // mla_c4
  if (failed(letters.match("result", getResult(), {"T", "N", "Dv"})))
    return failure();
  // mla_c3
  if (failed(
          letters.match("kv_b", getKvB(), {"N", letters.sum("D", "Dv"), "C"})))
    return failure();
  // mla_c5
  if (failed(letters.match("block_table", getBlockTable(), {"B", "P"})) ||
      failed(verifySequences(letters, getCuQLens(), getCuKvLens())))
    return failure();
  // mla_c6
  return verifyFinite(*this, "scale", getScale(), Sign::Positive);
}

void MlaOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult MlaOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &shapes) {
  if (getResult().getType().isDynamicDim(2))
    return failure(); // No operand has the size Dv alone.
  shapes.push_back(reifyShape(
      builder, getResult(), {{getQNope(), 0}, {getQNope(), 1}, {getKvB(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

LogicalResult AttentionOp::verify() {
  ShapeLetters letters(*this);
  // attention_c1
  if (failed(letters.match("q_nope", getQNope(), {"T", "N", "D"})) ||
      failed(letters.match("q_rope", getQRope(), {"T", "N", "R"})))
    return failure();
  // attention_c3
  if (getResult().getType().isDynamicDim(2))
    return emitOpError("expected a static Dv, got a result of type ")
           << getResult().getType();
  if (failed(letters.match("result", getResult(), {"T", "N", "Dv"})))
    return failure();
  // attention_c2
  if (failed(
          letters.match("kv", getKv(), {"S", "N", letters.sum("D", "Dv")})) ||
      failed(letters.match("k_rope", getKRope(), {"S", "R"})))
    return failure();
  // attention_c4
  if (failed(verifySequences(letters, getCuQLens(), getCuKvLens())))
    return failure();
  // attention_c5
  return verifyFinite(*this, "scale", getScale(), Sign::Positive);
}

void AttentionOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(
      builder, getResult(), {{getQNope(), 0}, {getQNope(), 1}, {getKv(), 2}}));
  return success();
}

//===----------------------------------------------------------------------===//
// LatentAttentionOp
//===----------------------------------------------------------------------===//

LogicalResult LatentAttentionOp::verify() {
  ShapeLetters letters(*this);
  // latent_attention_c1
  if (failed(verifyCache(*this, letters, getCache())))
    return failure();
  // latent_attention_c2
  if (failed(letters.match("q_latent", getQLatent(), {"T", "N", "C"})) ||
      failed(letters.match("q_rope", getQRope(), {"T", "N", "R"})))
    return failure();
  // latent_attention_c3
  if (failed(letters.match("result", getResult(), {"T", "N", "C"})))
    return failure();
  // latent_attention_c4
  if (failed(letters.match("block_table", getBlockTable(), {"B", "P"})) ||
      failed(verifySequences(letters, getCuQLens(), getCuKvLens())))
    return failure();
  // latent_attention_c5
  return verifyFinite(*this, "scale", getScale(), Sign::Positive);
}

void LatentAttentionOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "attention");
}

LogicalResult
LatentAttentionOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getQLatent()));
  return success();
}
