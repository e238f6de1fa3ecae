//===- Attention.h - What attention kernels share ---------------*- C++ -*-===//
//
// Where a query row stands in its sequence, and the arithmetic that merges
// softmax sums of two pieces of one row. All kernels that split a row merge it
// with the same operations in the same order, so that a row's bits do not
// depend on who merged it.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ATTENTION_H
#define LIB_TARGET_NVPTX_KERNELS_ATTENTION_H

#include "lib/Target/NVPTX/ArgumentView.h"
#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// `value` as consecutive elements of an argument, or nothing. Sizes may be
/// unknown if it is the argument itself.
std::optional<ArgumentView> viewContiguous(Value value);

/// The address of the view's first element.
Value dataOf(LaunchBuilder &launch, const ArgumentView &view);

/// How many of `count` sequences `isBefore(b)` (i1) holds for: the number of
/// the sequence that something belongs to. All threads of a warp must come here
/// together, and know the same.
Val countSequences(KernelBuilder &k, Val count,
                   llvm::function_ref<Val(Val)> isBefore);

/// Copies `rows` rows of `bytes` bytes into shared memory by cp.async, `stride`
/// bytes from one to the next there and `sourceStride` in global memory; zeros
/// instead of those for which `exists(row)` (i1) does not hold. `bytes` is a
/// multiple of 16. A few lanes copy a row, so that a thread's addresses differ
/// by constants.
void copyRows(KernelBuilder &k, int64_t rows, int64_t bytes, Val target,
              int64_t stride, Val source, int64_t sourceStride,
              llvm::function_ref<Val(Val)> exists);

/// A query row's sequence, and how many cached rows of it the row sees.
struct QueryRow {
  Val sequence, visible;
};

/// Of row `token`, by the prefix sums of `sequences` sequences. All threads of
/// a warp must come here together.
QueryRow findQueryRow(KernelBuilder &k, Val token, Val cuQueries,
                      Val cuCachedRows, Val sequences);

/// Of one row: the largest score (in units of log2) and the sum of 2^(score -
/// largest).
struct SoftmaxSum {
  Val largest, sum;
};

/// Of no scores.
SoftmaxSum emptySum(KernelBuilder &k);

/// The factors of both parts' weighted values.
struct MergeFactors {
  Val before, next;
};

/// Adds `next` to `total`.
MergeFactors mergeSums(KernelBuilder &k, SoftmaxSum &total, SoftmaxSum next);

/// `total * before + next * next`.
Val mergeValues(KernelBuilder &k, Val total, Val next, MergeFactors factors);

/// Partial values of a chunk, a row and a head in scratch memory: f32 of all
/// columns, then largest score and sum, padded to a multiple of 16 bytes. The
/// order is row, chunk, head.
constexpr int64_t kStatisticFloats = 4;

/// Parameters of the kernel that merges chunks: partial values, result (bf16),
/// prefix sums of query rows and of cached rows; number of sequences, and of
/// chunks that a row has room for.
SmallVector<Type> combineParameters(MLIRContext *context);

/// Its body. A CTA merges a head of a query row, four columns a thread.
void writeCombine(KernelBuilder &k, int64_t heads, int64_t columns,
                  int64_t chunk);

/// Says that one CTA a multiprocessor is enough: ptxas, which would guess, may
/// give a thread all registers it asks for.
void setSingleCta(KernelBuilder &k);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ATTENTION_H
