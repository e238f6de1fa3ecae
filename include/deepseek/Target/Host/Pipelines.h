//===- Pipelines.h - Stages of the host target ------------------*- C++ -*-===//
//
// What the host target adds to the two last stages of a compile.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_TARGET_HOST_PIPELINES_H
#define DEEPSEEK_TARGET_HOST_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace mlir::deepseek {

/// Stage `device` on the host: the functions of the nested module @kernels
/// become LLVM functions with the lowered kernel ABI. On the top-level module.
void buildHostDevicePipeline(OpPassManager &pm);

/// Stage `llvm`: the host program becomes LLVM, its tables are written, and
/// @kernels is merged into it. On the top-level module.
void buildHostLLVMPipeline(OpPassManager &pm);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_HOST_PIPELINES_H
