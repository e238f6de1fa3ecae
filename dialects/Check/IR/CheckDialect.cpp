//===- CheckDialect.cpp - The check dialect -------------------------------===//

#include "dialects/Check/IR/CheckDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::check;

#include "dialects/Check/IR/CheckDialect.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Check/IR/CheckOps.cpp.inc"

void CheckDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Check/IR/CheckOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

static bool isRankedTensorOrMemRef(Type type) {
  return isa<RankedTensorType, MemRefType>(type);
}

LogicalResult ExpectCloseOp::verify() {
  auto type = cast<ShapedType>(getActual().getType());
  if (!isRankedTensorOrMemRef(type) ||
      !isa<FloatType>(type.getElementType())) // expect_close_c2
    return emitOpError("expected a ranked tensor or a memref of a float type, "
                       "got ")
           << getActual().getType();
  for (const APFloat &tolerance : {getAtol(), getRtol()}) {
    if (tolerance.isFinite() &&
        (tolerance.isZero() || !tolerance.isNegative())) // expect_close_c3
      continue;
    SmallString<16> text;
    tolerance.toString(text);
    return emitOpError("expected finite, not negative tolerances, got ")
           << text;
  }
  return success();
}

LogicalResult ExpectEqOp::verify() {
  if (isRankedTensorOrMemRef(getActual().getType())) // expect_eq_c2
    return success();
  return emitOpError("expected a ranked tensor or a memref, got ")
         << getActual().getType();
}
