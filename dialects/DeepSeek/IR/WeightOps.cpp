//===- WeightOps.cpp - Weights of the model -------------------------------===//
//
// Verifiers, visibility and result names of the ops in WeightOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// WeightOp
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  int sources = getKey().has_value() + getValue().has_value() + getDerived();
  if (sources != 1) // weight_c1
    return emitOpError("expected one of a key, a value and 'derived', got ")
           << (sources == 0   ? "none"
               : sources == 2 ? "two"
                              : "all");
  auto type = cast<RankedTensorType>(getType());
  if (getValue() && getValue()->getShapedType() != type) // weight_c2
    return emitOpError("expected a value of type ")
           << type << ", got " << getValue()->getShapedType();
  size_t stars = getKey() ? getKey()->count('*') : 0;
  if (stars > 1) // weight_c3
    return emitOpError("expected at most one '*' in the key, got ") << stars;
  if (getKey() && getKey()->empty()) // weight_c3
    return emitOpError("expected the name of a tensor, got an empty key");
  if (!type.hasStaticShape() ||
      llvm::is_contained(type.getShape(), 0)) // weight_c4
    return emitOpError("expected a static shape without a zero, got ") << type;
  if (stars == 1 && type.getRank() == 0) // weight_c4
    return emitOpError("expected a leading dimension for the '*' in the key, "
                       "got ")
           << type;
  BlockScaledAttr scaled = getBlockScaled(type);
  if (getKey() && scaled &&
      (scaled.getLayout() != ScaleLayout::RowMajor || scaled.getPacking()))
    // weight_c5
    return emitOpError("expected row-major scales and elements, as checkpoints "
                       "store them, got ")
           << type << "; use deepseek.requantize to change the layout";
  if (getLastKey() && (stars == 0 || getLastKey()->empty() ||
                       getLastKey()->contains('*'))) // weight_c6
    return emitOpError(
               "expected a last_key that names one tensor, behind those "
               "of a key with a '*', got ")
           << getLastKeyAttr();
  return success();
}

SymbolTable::Visibility WeightOp::getVisibility() {
  return SymbolTable::Visibility::Private;
}

//===----------------------------------------------------------------------===//
// GetWeightOp
//===----------------------------------------------------------------------===//

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &table) {
  auto weight = table.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight) // get_weight_c1
    return emitOpError("expected the name of a deepseek.weight, got ")
           << getWeightAttr();
  if (weight.getType() == getType()) // get_weight_c2
    return success();
  InFlightDiagnostic error = emitOpError("expected the weight's type, ")
                             << weight.getType() << ", got " << getType();
  error.attachNote(weight.getLoc()) << "the weight is declared here";
  return error;
}

void GetWeightOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), getWeight());
}
