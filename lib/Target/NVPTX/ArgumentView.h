//===- ArgumentView.h - Slices and reshapes of arguments --------*- C++ -*-===//
//
// Kernel functions take their operands out of arguments by slices and reshapes;
// an emitter wants to know at which element of the argument a value's stand.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_ARGUMENTVIEW_H
#define LIB_TARGET_NVPTX_ARGUMENTVIEW_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace mlir::deepseek {

/// A value as elements of an argument: element (i, j, ..) of the value is
/// element offset + i * strides[0] + j * strides[1] .. of it.
struct ArgumentView {
  unsigned argument;
  RankedTensorType argumentType;
  /// The scales of `dequantize`, if the value is that of FP8 codes.
  Value scales;
  int64_t offset = 0;
  SmallVector<int64_t> sizes, strides;
};

/// The view that `value` is, or nothing if it is computed, or a size before the
/// outermost one is unknown.
std::optional<ArgumentView> viewOf(Value value);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_ARGUMENTVIEW_H
