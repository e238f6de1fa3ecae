//===- Views.h - Ops that only look at their operands -----------*- C++ -*-===//
//
// What a kernel may hold a copy of, instead of reading its result from memory.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_VIEWS_H
#define LIB_TRANSFORMS_VIEWS_H

#include "mlir/IR/Operation.h"

namespace mlir::deepseek {

/// Slices, reshapes, casts, `dequantize` and constants of one value.
bool isViewKind(Operation *op);

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_VIEWS_H
