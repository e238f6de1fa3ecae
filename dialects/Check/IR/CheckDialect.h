//===- CheckDialect.h - The check dialect -----------------------*- C++ -*-===//
//
// Expectations inside of a program. See CheckOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_CHECK_IR_CHECKDIALECT_H
#define DIALECTS_CHECK_IR_CHECKDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Check/IR/CheckDialect.h.inc"
#define GET_OP_CLASSES
#include "dialects/Check/IR/CheckOps.h.inc"

#endif // DIALECTS_CHECK_IR_CHECKDIALECT_H
