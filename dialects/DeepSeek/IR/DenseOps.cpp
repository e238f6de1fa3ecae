//===- DenseOps.cpp - Token, projection and elementwise ops ---------------===//
//
// Verifiers, result shapes and result names of the ops in DenseOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// EmbeddingOp
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  ShapeLetters letters(*this);
  // embedding_c1
  if (failed(letters.match("tokens", getTokens(), {"T"})) ||
      failed(letters.match("table", getTable(), {"V", "H"})) ||
      failed(letters.match("result", getResult(), {"T", "H"})))
    return failure();
  return success();
}

void EmbeddingOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "embedding");
}

LogicalResult
EmbeddingOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getTokens(), 0}, {getTable(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// RMSNormOp
//===----------------------------------------------------------------------===//

LogicalResult RMSNormOp::verify() {
  ArrayRef<int64_t> shape = getX().getType().getShape();
  if (shape.empty()) // rms_norm_c1
    return emitOpError("expected shape(x) = [.., H], got []");
  SmallVector<LetterDim> dims(shape.size(), anyDim());
  dims.back() = "H";
  ShapeLetters letters(*this);
  // rms_norm_c1
  if (failed(letters.match("x", getX(), dims)) ||
      failed(letters.match("gamma", getGamma(), {"H"})))
    return failure();
  // rms_norm_c2
  if (failed(letters.matchSizes("result", getResult(), shape)) ||
      failed(letters.match("result", getResult(), dims)))
    return failure();
  // rms_norm_c3
  return verifyFinite(*this, "epsilon", getEpsilon(), Sign::Positive);
}

void RMSNormOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "norm");
}

LogicalResult
RMSNormOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// LinearOp
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  ShapeLetters letters(*this);
  // linear_c1
  if (failed(letters.match("x", getX(), {"T", "I"})) ||
      failed(letters.match("w", getW(), {"O", "I"})))
    return failure();
  // linear_c2
  return letters.match("result", getResult(), {"T", "O"});
}

void LinearOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "linear");
}

OpOperand &LinearOp::getActivationOperand() { return getXMutable(); }
OpOperand &LinearOp::getWeightOperand() { return getWMutable(); }

Value LinearOp::buildScaled(OpBuilder &builder, RankedTensorType result,
                            Value x, Value xScale, Value w, Value wScale) {
  return ScaledLinearOp::create(builder, getLoc(), result, x, xScale, w,
                                wScale);
}

LogicalResult LinearOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// HeadLinearOp
//===----------------------------------------------------------------------===//

LogicalResult HeadLinearOp::verify() {
  ShapeLetters letters(*this);
  // head_linear_c1
  if (failed(letters.match("x", getX(), {"T", "N", "I"})))
    return failure();
  LogicalResult w = getTransposed()
                        ? letters.match("w", getW(), {"N", "I", "O"})
                        : letters.match("w", getW(), {"N", "O", "I"});
  if (failed(w))
    return failure();
  // head_linear_c2
  return letters.match("result", getResult(), {"T", "N", "O"});
}

void HeadLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "head_linear");
}

LogicalResult
HeadLinearOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(
      builder, getResult(),
      {{getX(), 0}, {getX(), 1}, {getW(), getTransposed() ? 2 : 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// SwigluOp
//===----------------------------------------------------------------------===//

LogicalResult SwigluOp::verify() {
  ShapeLetters letters(*this);
  ArrayRef<int64_t> shape = getGate().getType().getShape();
  // swiglu_c1
  if (failed(letters.matchSizes("up", getUp(), shape)) ||
      failed(letters.matchSizes("result", getResult(), shape)) ||
      failed(letters.matchSizes("result", getResult(),
                                getUp().getType().getShape())))
    return failure();
  return success();
}

void SwigluOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "swiglu");
}

LogicalResult SwigluOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getGate()));
  return success();
}

//===----------------------------------------------------------------------===//
// RopeOp
//===----------------------------------------------------------------------===//

LogicalResult RopeOp::verify() {
  RankedTensorType type = getX().getType();
  if (type.getRank() < 2) // rope_c1
    return emitOpError("expected shape(x) = [T, .., R], got rank ")
           << type.getRank();
  SmallVector<LetterDim> dims(type.getRank(), anyDim());
  dims.front() = "T";
  ShapeLetters letters(*this);
  // rope_c1
  if (failed(letters.match("x", getX(), dims)) ||
      failed(letters.match("positions", getPositions(), {"T"})))
    return failure();
  int64_t width = type.getShape().back();
  if (!ShapedType::isDynamic(width) &&
      (width == 0 || width % 2 != 0)) // rope_c2
    return emitOpError("expected an even, positive R, got ") << width;
  // rope_c3
  if (failed(letters.matchSizes("result", getResult(), type.getShape())) ||
      failed(letters.match("result", getResult(), dims)) ||
      failed(verifySameElements(*this, "a result", getResult(), "x", getX())))
    return failure();
  // rope_c4
  return verifyFinite(*this, "theta", getTheta(), Sign::Positive);
}

void RopeOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "rope");
}

LogicalResult RopeOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// ArgmaxOp
//===----------------------------------------------------------------------===//

LogicalResult ArgmaxOp::verify() {
  ShapeLetters letters(*this);
  // argmax_c1
  if (failed(letters.match("logits", getLogits(), {"T", "V"})) ||
      failed(letters.match("result", getResult(), {"T"})))
    return failure();
  if (letters.size("V") == 0) // argmax_c2
    return emitOpError("expected a positive V, got 0");
  return success();
}

void ArgmaxOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "argmax");
}

LogicalResult ArgmaxOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getLogits(), 0}}));
  return success();
}
