//===- Emitter.h - What writes a kind of kernel -----------------*- C++ -*-===//
//
// An emitter knows one kind of kernel: which kernel functions it can write for
// which chip, how it would configure them, and how to write them. One file of
// Kernels/ each, registered in Emitters.cpp in order of preference.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_EMITTER_H
#define LIB_TARGET_NVPTX_EMITTER_H

#include "lib/Target/NVPTX/Launcher.h"

namespace mlir::deepseek {

/// What an emitter would do with a kernel on a chip, and why.
struct Configuration {
  /// Parameters by name ("tile", "stages"): what a person may edit. The name of
  /// the emitter is added as "emitter".
  SmallVector<NamedAttribute> parameters;
  /// For the remark: "memory bound, 9.4 us at 3.35 TB/s; 3 stages fit in 96
  /// KB".
  std::string reason;
};

class KernelEmitter {
public:
  virtual ~KernelEmitter() = default;

  /// As in `nvptx.configuration`: "sm90_fp8_linear"; "any_..." if no chip is
  /// needed.
  virtual StringRef getName() const = 0;

  /// Whether this emitter can write `kernel` for `chip`.
  virtual bool match(func::FuncOp kernel, const Chip &chip) const = 0;

  virtual Configuration configure(func::FuncOp kernel,
                                  const Chip &chip) const = 0;

  /// Writes device functions and the launcher. `parameters` may have been
  /// edited by a person: values that make no sense are errors on `kernel`.
  virtual LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                             LaunchBuilder &launch) const = 0;
};

/// A kernel function of tensors only, which all emitters may count on; anything
/// else is an error on it.
LogicalResult verifyDeviceKernel(func::FuncOp kernel);

/// The integer parameter `name`, or failure with an error on `kernel` if it is
/// missing or not within [low, high].
FailureOr<int64_t> getParameter(func::FuncOp kernel, DictionaryAttr parameters,
                                StringRef name, int64_t low, int64_t high);

/// All emitters, the preferred ones first; the last takes every kernel.
ArrayRef<const KernelEmitter *> getKernelEmitters();

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_EMITTER_H
