//===- Lowering.h - The end of every target's lowering ----------*- C++ -*-===//

#ifndef LIB_TARGET_COMMON_LOWERING_H
#define LIB_TARGET_COMMON_LOWERING_H

#include "mlir/Pass/PassManager.h"

namespace mlir::deepseek {

/// From scf, vector, math, memref, arith and func to LLVM, on the module of
/// kernels and all that is nested in it.
void addLoweringToLLVM(OpPassManager &kernels);

} // namespace mlir::deepseek

#endif // LIB_TARGET_COMMON_LOWERING_H
