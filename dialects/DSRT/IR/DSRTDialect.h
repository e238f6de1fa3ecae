//===- DSRTDialect.h - The dsrt dialect -------------------------*- C++ -*-===//
//
// The host program of a compiled model. See DSRTOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DSRT_IR_DSRTDIALECT_H
#define DIALECTS_DSRT_IR_DSRTDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/DSRT/IR/DSRTDialect.h.inc"
#define GET_OP_CLASSES
#include "dialects/DSRT/IR/DSRTOps.h.inc"

namespace mlir::dsrt {

/// On a kernel's argument: it is a stacked weight, which arrives as a table of
/// pointers, one per leading index.
constexpr StringLiteral kStackedAttr = "dsrt.stacked";

/// On arguments of a kernel that works row by row: their leading sizes are one
/// and the same number.
constexpr StringLiteral kRowsAttr = "dsrt.rows";

/// On an entry after ds-merge-entries: further names of it.
constexpr StringLiteral kAliasesAttr = "dsrt.aliases";

/// On an entry after ds-plan-memory: the bytes of its workspace.
constexpr StringLiteral kWorkspaceBytesAttr = "dsrt.workspace_bytes";

/// On an entry's argument after ds-plan-memory: the largest size of each of its
/// dimensions that the plan allows.
constexpr StringLiteral kBoundsAttr = "dsrt.bounds";

/// Models of upstream's BufferizableOpInterface for the ops with data.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace mlir::dsrt

#endif // DIALECTS_DSRT_IR_DSRTDIALECT_H
