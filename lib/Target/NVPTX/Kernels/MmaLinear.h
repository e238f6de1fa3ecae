//===- MmaLinear.h - Products by mma.sync -----------------------*- C++ -*-===//
//
// The device function of `any_mma_linear`, for one size of its tile.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_MMALINEAR_H
#define LIB_TARGET_NVPTX_KERNELS_MMALINEAR_H

#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/LinearProblem.h"

namespace mlir::deepseek {

/// Bytes of a row in shared memory: what ldmatrix reads without bank conflicts.
constexpr int64_t kRowBytes = 128;
constexpr int64_t kVectorBytes = 16;
constexpr int64_t kRowVectors = kRowBytes / kVectorBytes;

/// What a CTA computes at a time, and by which warps.
struct MmaTile {
  /// Rows of the weight (gate and up together, if gated) and of x.
  int64_t outputs, tokens;
  /// Warps along outputs, tokens, and the ranges of the inner dimension.
  int64_t warpsM, warpsN, warpsK;
  /// Ranges of the inner dimension whose sums are added last, in order. All at
  /// once by warpsK = ranges, or one after the other by warpsK = 1: same bits.
  int64_t ranges;
  /// Chunks of the inner dimension in shared memory at a time.
  int64_t stages;

  int64_t threads() const { return 32 * warpsM * warpsN * warpsK; }
  /// Fragments of 16 outputs and of 8 tokens of one warp.
  int64_t fragmentsM() const { return outputs / warpsM / 16; }
  int64_t fragmentsN() const { return tokens / warpsN / 8; }
};

/// How the operands of a problem lie in shared memory and meet in mma.sync.
struct MmaOperands {
  MmaOperands(const LinearProblem &problem, const Chip &chip);

  bool fp8Input, fp8Weight, transposed;
  /// mma of e4m3; else FP8 is widened in registers.
  bool fp8Mma;
  /// Elements of the inner dimension in a chunk, and how many there are.
  int64_t chunk, chunks;
  /// Bytes of an element.
  int64_t xBytes, wBytes;
  /// Rows of 128 bytes that the x of one token has in a chunk.
  int64_t xRows;
  /// FP8 weights meet bf16 in the order in which a lane has their bytes: x is
  /// then read as eight consecutive bytes a lane.
  bool pairedBytes() const { return fp8Weight && !fp8Input && !transposed; }
  bool isWidened() const { return fp8Weight && !fp8Mma; }
};

/// Bytes of shared memory of one stage, and of all a CTA uses.
int64_t getStageBytes(const MmaOperands &operands, const MmaTile &tile);
int64_t getSharedBytes(const MmaOperands &operands, const MmaTile &tile);

/// Writes the device function `<kernel>_<suffix>` and its launch for `rows`
/// (i64) rows of x.
void emitMmaLinear(LaunchBuilder &launch, const LinearProblem &problem,
                   const MmaTile &tile);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_MMALINEAR_H
