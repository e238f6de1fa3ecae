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
