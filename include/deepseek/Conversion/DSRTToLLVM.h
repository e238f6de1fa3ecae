//===- DSRTToLLVM.h - The module of a compiled model ------------*- C++ -*-===//

#ifndef DEEPSEEK_CONVERSION_DSRTTOLLVM_H
#define DEEPSEEK_CONVERSION_DSRTTOLLVM_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace mlir::deepseek {

/// The global behind dsrt_module.cpu_features: empty until machine code is made
/// for a processor.
constexpr llvm::StringLiteral kCpuFeaturesGlobal = "cpu_features";

/// The dtype code of dsrt/abi.h, or -1.
int64_t getDtypeCode(Type element);

/// Globals with PTX: "ptx_sm_90a".
constexpr llvm::StringLiteral kPtxGlobalPrefix = "ptx_";

// On the module of kernels after stage `device`, where the target is a GPU:
// what the tables dsrt_image and dsrt_device_kernel of dsrt/abi.h hold.

/// `[{chip = "sm_90a", ptx = "...", cubin = "..."}]`; a cubin need not be
/// there. A module with this attribute is for GPUs.
constexpr llvm::StringLiteral kImagesAttr = "dsrt.images";

struct DeviceImage {
  StringRef chip, ptx;
  std::optional<StringRef> cubin;
};

/// The images of the module of kernels, none if it is not for GPUs; or an error
/// on it, as a person may have edited them.
FailureOr<SmallVector<DeviceImage>> readImages(ModuleOp kernels);

/// `[{name, location, image, block, cluster, shared_bytes, dependent}]`, the
/// rows that launches name: strings, integers, and arrays of three integers.
constexpr llvm::StringLiteral kDeviceKernelsAttr = "dsrt.device_kernels";

/// The bytes that the launches of one kernel share, at most.
constexpr llvm::StringLiteral kScratchBytesAttr = "dsrt.scratch_bytes";

} // namespace mlir::deepseek

#endif // DEEPSEEK_CONVERSION_DSRTTOLLVM_H
