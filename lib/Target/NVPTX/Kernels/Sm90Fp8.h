//===- Sm90Fp8.h - FP8 products by wgmma: shared parts ----------*- C++ -*-===//
//
// One form of kernel for all FP8 products of sm_90a. The weight is the M side
// of wgmma (128 rows of it a CTA, or 128 of gate and the matching 128 of up),
// the tokens are the N side, in tiles of 8 to 128. A token's sums are the same
// in every tile, so what is computed for a token depends on nothing but its
// row.
//
// Sm90Fp8Plan.cpp chooses tiles and launches, Sm90Fp8.cpp writes the device
// function.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_SM90FP8_H
#define LIB_TARGET_NVPTX_KERNELS_SM90FP8_H

#include "lib/Target/NVPTX/Emitter.h"
#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/LinearProblem.h"

namespace mlir::deepseek {

/// Weight rows and elements of K of a tile: the block of the weight's scales.
constexpr int64_t kFp8Rows = 128, kFp8Block = 128;

/// How a product is cut; parameters of a configuration.
struct Fp8Plan {
  /// Blocks of K of one partial sum. Partial sums are made one by one and added
  /// in order, for every number of tokens.
  int64_t range;
  /// Tokens a CTA, ascending, and stages of its ring.
  SmallVector<int64_t> tiles, stages;
};

/// One device function: its tile, and whether the partial sums are made by the
/// CTAs of a cluster or by one CTA one after the other.
struct Fp8Variant {
  int64_t tokens, stages;
  int64_t ranges, blocksPerRange;
  bool clustered;
  /// CTAs that a multiprocessor has registers for.
  int64_t occupancy;
  /// Whether the producers give registers to the consumers.
  bool movesRegisters;

  int64_t ctasPerTile() const { return clustered ? ranges : 1; }
};

/// Chooses a plan and launches; the two emitters differ in what they take.
class Sm90Fp8Emitter : public KernelEmitter {
public:
  bool match(func::FuncOp kernel, const Chip &chip) const override;
  Configuration configure(func::FuncOp kernel, const Chip &chip) const override;
  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;

private:
  virtual bool writes(const LinearProblem &problem) const = 0;
};

/// Parameters of the device function: maps of x and each weight; addresses of
/// the scales of x and of each weight, y, y's scales, offsets; the number of
/// rows. What the problem lacks is null.
SmallVector<Type> getSm90Fp8Parameters(MLIRContext *context,
                                       const LinearProblem &problem);

/// Writes the body of `k`, of getSm90Fp8Threads() threads.
void buildSm90Fp8(KernelBuilder &k, const LinearProblem &problem,
                  const Fp8Variant &variant);
int64_t getSm90Fp8Threads();

/// Shared memory of a stage, and all of it.
int64_t getSm90Fp8StageBytes(const LinearProblem &problem, int64_t tokens);
int64_t getSm90Fp8SharedBytes(const LinearProblem &problem, int64_t tokens,
                              int64_t stages);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_SM90FP8_H
