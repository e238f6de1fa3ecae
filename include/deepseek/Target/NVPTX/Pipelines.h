//===- Pipelines.h - Stages of the nvptx target -----------------*- C++ -*-===//

#ifndef DEEPSEEK_TARGET_NVPTX_PIPELINES_H
#define DEEPSEEK_TARGET_NVPTX_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace mlir::deepseek {

struct NVPTXDeviceOptions {
  /// "sm_90a,sm_80".
  std::string chips;
  /// Names of what may write kernels; empty: all emitters.
  std::string emitters;
  /// Whether ptxas adds machine code.
  bool cubin = false;
};

/// Stage `device` on nvptx: the functions of the nested module @kernels become
/// launchers, and PTX for each chip. On the top-level module.
void buildNVPTXDevicePipeline(OpPassManager &pm,
                              const NVPTXDeviceOptions &options);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_NVPTX_PIPELINES_H
