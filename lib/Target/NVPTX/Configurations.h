//===- Configurations.h - Names of attributes -------------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_CONFIGURATIONS_H
#define LIB_TARGET_NVPTX_CONFIGURATIONS_H

#include "llvm/ADT/StringRef.h"

namespace mlir::deepseek {

/// On a kernel function: by chip, a dictionary of the emitter and its
/// parameters.
constexpr llvm::StringLiteral kConfigurationAttr = "nvptx.configuration";
constexpr llvm::StringLiteral kEmitterAttr = "emitter";

/// On the module of kernels, for stage `llvm`.
constexpr llvm::StringLiteral kImagesAttr = "dsrt.images";
constexpr llvm::StringLiteral kDeviceKernelsAttr = "dsrt.device_kernels";
constexpr llvm::StringLiteral kScratchAttr = "dsrt.scratch_bytes";

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_CONFIGURATIONS_H
