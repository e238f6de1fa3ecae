//===- MTPOps.cpp - Multi-token prediction --------------------------------===//
//
// Verifiers, result shapes and result names of the ops in MTPOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// MtpProjectOp
//===----------------------------------------------------------------------===//

LogicalResult MtpProjectOp::verify() { return success(); }

void MtpProjectOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "projected");
}

LogicalResult MtpProjectOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getHidden(), 0}, {getW(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// MtpVerifyOp
//===----------------------------------------------------------------------===//

LogicalResult MtpVerifyOp::verify() { return success(); }

void MtpVerifyOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getAccepted(), "accepted");
  setName(getNext(), "next");
}

LogicalResult MtpVerifyOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getAccepted(), {{getDraft(), 0}}));
  shapes.push_back(reifyShape(builder, getNext(), {{getDraft(), 0}}));
  return success();
}
