//===- Configurations.h - Names of attributes -------------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_CONFIGURATIONS_H
#define LIB_TARGET_NVPTX_CONFIGURATIONS_H

#include "llvm/ADT/StringRef.h"

namespace mlir::deepseek {

/// On a kernel function: by chip, a dictionary of the emitter and its
/// parameters.
constexpr llvm::StringLiteral kConfigurationAttr = "nvptx.configuration";
constexpr llvm::StringLiteral kEmitterAttr = "emitter";

/// In a row of dsrt.device_kernels: the dictionary that the function was
/// written from, for reports.
constexpr llvm::StringLiteral kRowConfigurationAttr = "configuration";

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_CONFIGURATIONS_H
