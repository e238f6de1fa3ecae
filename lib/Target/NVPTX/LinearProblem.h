//===- LinearProblem.h - What a kernel of a product computes ----*- C++ -*-===//
//
// The one reading of kernel functions that multiply rows with a weight, for all
// emitters that write them:
//
//   y[t, b, o] = sum_k x[t, b, k] * w[b, o, k]
//
// b is a head (its own columns of x and y), or a group of rows t (an expert;
// offsets say which), or only one. The outputs o are those of one or more
// weights one after the other. FP8 operands have block scales. What may follow:
// swiglu of the two halves of the outputs, and quantize of that.
//
// Slices and reshapes of arguments become offsets and strides, in elements.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_LINEARPROBLEM_H
#define LIB_TARGET_NVPTX_LINEARPROBLEM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>

namespace mlir::deepseek {

/// Outputs [0, outputs) of a piece follow those of the piece before.
struct WeightPiece {
  /// Argument of the kernel function, and that of its f32 scales (FP8 only).
  unsigned argument;
  std::optional<unsigned> scales;
  int64_t outputs;
  /// w[b, o, k] is element offset + b * batchStride + o * rowStride + k of the
  /// argument; if the weight is transposed, ... + k * rowStride + o.
  int64_t offset, batchStride, rowStride;
  /// With r = rowOffset + o and c = k (transposed: r = rowOffset + k, c = o),
  /// the scale is element b * scaleBatchStride + r / blockRows * scaleRowStride
  /// + c / blockColumns of the scales.
  int64_t rowOffset = 0, scaleBatchStride = 0, scaleRowStride = 0;
};

struct LinearProblem {
  enum class Epilogue { None, Swiglu, SwigluQuantize };

  /// What `kernel` computes, or nothing if it is no such product.
  static std::optional<LinearProblem> parse(func::FuncOp kernel);

  bool isScaled() const { return xScale.has_value(); }
  bool isGrouped() const { return offsets.has_value(); }
  bool hasFp8Weight() const { return pieces.front().scales.has_value(); }
  bool isGated() const { return epilogue != Epilogue::None; }
  /// Columns of y of one head: half of the outputs if gated.
  int64_t resultColumns() const { return isGated() ? outputs / 2 : outputs; }

  /// x[t, b, k] is element xOffset + t * xRowStride + b * xHeadStride + k of
  /// argument x; b is 0 in a grouped product. xType is bf16 or f8E4M3FN.
  unsigned x;
  Type xType;
  int64_t xOffset, xRowStride, xHeadStride;
  /// [T, ceil(inner / blockColumns)], one scale a row and block; if x is FP8.
  std::optional<unsigned> xScale;

  /// Of bf16 or f8E4M3FN, all alike. A gated problem has two: gate, up.
  SmallVector<WeightPiece, 2> pieces;
  Type wType;
  bool transposed = false;
  /// Block of the weight's scales.
  int64_t blockRows = 1, blockColumns = 1;

  int64_t outputs, inner;
  /// Heads, or 1.
  int64_t heads = 1;
  /// Groups of rows, or 1; argument [groups + 1] i32, ascending.
  int64_t groups = 1;
  std::optional<unsigned> offsets;

  Epilogue epilogue = Epilogue::None;
  /// Products are rounded to it before the epilogue; without one, y's type.
  Type productType;
  /// [T, heads * resultColumns()], of bf16 or f32; of f8E4M3FN with scales
  /// [T, resultColumns() / quantizeBlock] if quantized.
  unsigned y;
  Type yType;
  std::optional<unsigned> yScale;
  int64_t quantizeBlock = 0;
  bool powerOfTwoScales = false;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_LINEARPROBLEM_H
