//===- DSRTToLLVM.h - The module of a compiled model ------------*- C++ -*-===//

#ifndef DEEPSEEK_CONVERSION_DSRTTOLLVM_H
#define DEEPSEEK_CONVERSION_DSRTTOLLVM_H

#include "llvm/ADT/StringRef.h"

namespace mlir::deepseek {

/// The global behind dsrt_module.cpu_features: empty until machine code is made
/// for a processor.
constexpr llvm::StringLiteral kCpuFeaturesGlobal = "cpu_features";

} // namespace mlir::deepseek

#endif // DEEPSEEK_CONVERSION_DSRTTOLLVM_H
