//===- MTPOps.cpp - Multi-token prediction --------------------------------===//
//
// Verifiers, result shapes and result names of the ops in MTPOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// MtpProjectOp
//===----------------------------------------------------------------------===//

LogicalResult MtpProjectOp::verify() {
  ShapeLetters letters(*this);
  // mtp_project_c1
  if (failed(letters.match("hidden", getHidden(), {"T", "H"})) ||
      failed(letters.match("embedding", getEmbedding(), {"T", "H"})))
    return failure();
  // mtp_project_c2
  if (failed(letters.match("hidden_gamma", getHiddenGamma(), {"H"})) ||
      failed(letters.match("embedding_gamma", getEmbeddingGamma(), {"H"})))
    return failure();
  // mtp_project_c3
  if (failed(letters.match("w", getW(), {"H", LetterDim("H", 2, 0, "2 * H")})))
    return failure();
  // mtp_project_c4
  if (failed(letters.match("result", getResult(), {"T", "H"})))
    return failure();
  // mtp_project_c5
  return verifyFinite(*this, "epsilon", getEpsilon(), Sign::Positive);
}

void MtpProjectOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "projected");
}

LogicalResult
MtpProjectOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getHidden(), 0}, {getW(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// MtpVerifyOp
//===----------------------------------------------------------------------===//

LogicalResult MtpVerifyOp::verify() {
  ShapeLetters letters(*this);
  // mtp_verify_c1
  if (failed(letters.match("draft", getDraft(), {"B", "M"})) ||
      failed(letters.match("choice", getChoice(), {"B", letters.plus("M", 1)})))
    return failure();
  // mtp_verify_c2
  if (failed(letters.match("accepted", getAccepted(), {"B"})) ||
      failed(letters.match("next", getNext(), {"B"})))
    return failure();
  return success();
}

void MtpVerifyOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getAccepted(), "accepted");
  setName(getNext(), "next");
}

LogicalResult
MtpVerifyOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getAccepted(), {{getDraft(), 0}}));
  shapes.push_back(reifyShape(builder, getNext(), {{getDraft(), 0}}));
  return success();
}
