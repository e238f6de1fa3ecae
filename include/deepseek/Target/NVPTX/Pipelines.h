//===- Pipelines.h - Stages of the nvptx target -----------------*- C++ -*-===//

#ifndef DEEPSEEK_TARGET_NVPTX_PIPELINES_H
#define DEEPSEEK_TARGET_NVPTX_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace mlir::deepseek {

/// Stage `device` on nvptx: the functions of the nested module @kernels become
/// launchers, and PTX for each of `chips` ("sm_90a,sm_80"), written by one of
/// `emitters` (empty: all). On the top-level module.
void buildNVPTXDevicePipeline(OpPassManager &pm, StringRef chips,
                              StringRef emitters);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_NVPTX_PIPELINES_H
