//===- WeightOps.cpp - Weights of the model -------------------------------===//
//
// Verifiers, result shapes and result names of the ops in WeightOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

LogicalResult WeightOp::verify() { return success(); }

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &table) {
  auto weight = table.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "'" << getWeight() << "' does not name a weight";
  if (weight.getType() != getType())
    return emitOpError() << "expected " << weight.getType()
                         << ", the weight's type, got " << getType();
  return success();
}

void GetWeightOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), getWeight());
}
