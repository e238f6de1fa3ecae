//===- Loops.h - What several families of the reference share ---*- C++ -*-===//
//
// The one matrix product, RMSNorm and SiLU of the reference in f32, and the
// checks of shapes and indices.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_LIB_REFERENCE_LOOPS_H
#define DEEPSEEK_LIB_REFERENCE_LOOPS_H

#include "deepseek/Reference/Ops.h"

namespace mlir::deepseek::reference {

/// A matrix in f32 whose rows lie `stride` elements apart.
struct Matrix {
  const float *data;
  int64_t rows;
  int64_t stride;
};

/// `y[t, o] = sum_i x[t, i] * w[o, i]`, i < inner, added in ascending i.
/// `y` is dense: [x.rows, w.rows].
void multiply(Matrix x, Matrix w, int64_t inner, float *y);

/// `y = x / sqrt(mean(x^2) + epsilon) * gamma` of one row.
void normalizeRow(const float *x, const float *gamma, int64_t width,
                  double epsilon, float *y);

/// `gate * sigmoid(gate) * up`.
float silu(float gate, float up);

/// Success if `tensor` has this shape, where -1 is any size.
llvm::Error expectShape(llvm::StringRef what, const Tensor &tensor,
                        llvm::ArrayRef<int64_t> shape);

/// Success if 0 <= value < limit; the message names `what[position]`.
llvm::Error expectIndex(llvm::StringRef what, int64_t position, int64_t value,
                        int64_t limit);

/// Success if `values` ascend from 0 to `total`: prefix sums.
llvm::Error expectPrefixSums(llvm::StringRef what,
                             llvm::ArrayRef<int64_t> values, int64_t total);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_LIB_REFERENCE_LOOPS_H
