//===- Matvec.h - Products of very few rows, without mma.sync ---*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_MATVEC_H
#define LIB_TARGET_NVPTX_KERNELS_MATVEC_H

#include "lib/Target/NVPTX/Launcher.h"
#include "lib/Target/NVPTX/LinearProblem.h"

namespace mlir::deepseek {

constexpr int64_t kMostMatvecTokens = 4;

/// Whether emitMatvec can write it: the weight is not transposed.
bool isMatvec(const LinearProblem &problem);

/// Writes the device function `<kernel>_matvec<tokens>`, which takes so many
/// tokens at a time, and its launch.
void emitMatvec(LaunchBuilder &launch, const LinearProblem &problem,
                int64_t tokens);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_MATVEC_H
