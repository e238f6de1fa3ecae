//===- Epilogues.h - What may follow a product in its kernel ----*- C++ -*-===//
//
// ds-fuse-epilogues decides that a kernel ends a product with what is done to
// its result, targets emit such kernels: both mean what is written here.
//
//   y = (grouped_)linear(x, w) or their scaled forms      [M, 2 I]
//   z = swiglu(y[:, 0 : I], y[:, I : 2 I])                [M, I]
//   q, scale = quantize(z)                                if the product is
//   scaled
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_TRANSFORMS_EPILOGUES_H
#define DEEPSEEK_TRANSFORMS_EPILOGUES_H

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

namespace mlir::deepseek {

/// One of the four ops that multiply with a weight; `op` is null if it is none.
struct Product {
  explicit Product(Operation *op);

  bool isScaled() const { return bool(wScale); }
  /// Weights of sizes that are known.
  bool hasStaticWeight() const;

  Operation *op = nullptr;
  /// Null: xScale and wScale of a plain product, offsets of one without groups.
  Value x, xScale, w, wScale, offsets;
};

/// The tensor of which gate and up are the halves of the last dimension, all
/// rows of it; or null.
Value getGatedSource(SwigluOp swiglu);

/// The swiglu of which `value`, by its two halves, is the only use; or null.
SwigluOp getOnlySwiglu(Value value);

/// Whether the blocks of `quantize` are parts of the tiles in which a kernel
/// computes a swiglu of `product`: of one row, and of outputs that share the
/// scales of their weights.
bool quantizesTiles(QuantizeOp quantize, const Product &product);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TRANSFORMS_EPILOGUES_H
