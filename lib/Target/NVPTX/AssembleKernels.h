//===- AssembleKernels.h - Machine code beside the PTX ----------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_ASSEMBLEKERNELS_H
#define LIB_TARGET_NVPTX_ASSEMBLEKERNELS_H

#include "mlir/Pass/Pass.h"

namespace mlir::deepseek {

/// For the nested module of kernels, after nvptx-serialize-kernels: adds the
/// machine code that ptxas makes of each PTX, and prints a table of registers,
/// shared memory (static and dynamic) and spilled bytes to stderr, with what
/// ptxas warns of. Part of `cubin`, without a flag of its own: it starts a
/// program.
std::unique_ptr<Pass> createAssembleKernelsPass();

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_ASSEMBLEKERNELS_H
