//===- Launcher.h - The host side of a kernel -------------------*- C++ -*-===//
//
// A kernel function of @kernels becomes a launcher: a host function of the same
// name with the lowered kernel ABI, (call, data and dynamic sizes of each
// argument...) -> i32, that computes grids from the sizes and launches device
// functions. LaunchBuilder writes it, for one chip.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_LAUNCHER_H
#define LIB_TARGET_NVPTX_LAUNCHER_H

#include "deepseek/Target/NVPTX/Chips.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::deepseek {

class KernelBuilder;

/// What the device functions of one chip share.
struct DeviceModule {
  const Chip &chip;
  gpu::GPUModuleOp module;
  /// Index of the chip's image.
  int64_t image;
  /// Of all chips: rows of dsrt.device_kernels, and the largest scratch.
  SmallVector<Attribute> &deviceKernels;
  int64_t &scratchBytes;
};

/// An argument of the kernel as the launcher sees it.
struct LaunchArgument {
  Value data;               // !llvm.ptr, a device address
  SmallVector<Value> sizes; // i64, of every dimension
};

/// A tensor map of `rank` dimensions, innermost first.
struct TensorMap {
  Value address; // !llvm.ptr
  Type element;
  SmallVector<Value> sizes;   // i64, elements
  SmallVector<Value> strides; // i64, bytes, of the dimensions after the first
  SmallVector<int64_t> box;
  int64_t swizzleBytes = 0;
};

class LaunchBuilder : public ImplicitLocOpBuilder {
public:
  /// Writes at the insertion point of `builder`, which is in the launcher.
  LaunchBuilder(OpBuilder &builder, func::FuncOp kernel, DeviceModule &device,
                Value call, Value status, ArrayRef<LaunchArgument> arguments);

  func::FuncOp getKernel() { return kernel; }
  DeviceModule &getDevice() { return device; }
  StringRef getName() { return kernel.getName(); }

  /// By number of the kernel function's argument, inputs then outs.
  Value data(unsigned argument) { return arguments[argument].data; }
  Value size(unsigned argument, unsigned dim) {
    return arguments[argument].sizes[dim];
  }
  /// Product of all sizes.
  Value elementCount(unsigned argument);

  Value i64(int64_t value);
  Value ceilDiv(Value value, int64_t divisor);
  Value mul(Value a, Value b);
  Value min(Value a, Value b);
  /// A device address plus bytes (i64).
  Value at(Value address, Value bytes);
  /// As a 32-bit parameter.
  Value toI32(Value value);

  /// Device memory that lasts until the kernel's last launch; `bytes` is the
  /// most that any step needs.
  Value scratch(int64_t bytes);
  /// A tensor map, to be passed as a parameter of KernelBuilder's
  /// tensorMapType.
  Value tensorMap(const TensorMap &map);

  /// Ends `kernel` and launches it on `grid` (three i64) with `parameters`, one
  /// for each of the function's: addresses, i64, i32, f32, tensor maps.
  void launch(KernelBuilder &kernel, ArrayRef<Value> grid,
              ArrayRef<Value> parameters);

  /// Host control flow over an i1.
  void ifElse(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise);
  Value lessOrEqual(Value a, int64_t b);

private:
  Value stackSlot(Type type, int64_t alignment);
  void keepStatus(Value next);

  func::FuncOp kernel;
  DeviceModule &device;
  Value call, status;
  SmallVector<LaunchArgument> arguments;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_LAUNCHER_H
