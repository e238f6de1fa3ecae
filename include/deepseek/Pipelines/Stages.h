//===- Stages.h - The eight stages of a compile -----------------*- C++ -*-===//
//
// graph, shard, fuse, quantize, kernels, buffers, device, llvm: what holds
// after each, and the pass pipelines that get a module there.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_PIPELINES_STAGES_H
#define DEEPSEEK_PIPELINES_STAGES_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::deepseek {

/// What a compile may be told.
struct CompileOptions {
  std::string target = "host";
  std::string chip = "native";
  /// What may write kernels on nvptx, by name; empty: all emitters.
  std::string emitters;
  /// Whether ptxas adds machine code to the PTX, and what kernels take of the
  /// chip is printed.
  bool cubin = false;
  /// Whether kernels are merged; false shows what that is worth.
  bool fuseKernels = true;
  std::string mla = "absorbed";
  /// "bf16" or "fp8"; empty: the target's own.
  std::string activations;
  std::string scales = "checkpoint";
  bool quantizeWeights = false;
  /// Whether weights without an FP8 product (kv_b) are dequantized at the
  /// start.
  bool dequantizeOnce = false;
  int64_t maxTokens = 512;
  int64_t maxSequences = 8;
  /// 0: the model's context, at most 4096.
  int64_t context = 0;
  /// Stages, by name; empty: from the first, to the last.
  std::string startAfter;
  std::string stopAfter;
  /// A folder for the module after each stage, as 1.graph.mlir and so on;
  /// PTX as 7.device.sm_90a.ptx.
  std::string dumpStages;
  /// Print the launches of a step and the bytes they move, after stage kernels.
  bool report = false;
};

/// Rewrites of a stage after which values may differ by rounding.
struct Rounding {
  /// Ops that are rewritten, or that the rewrites add; none: any op.
  ArrayRef<StringLiteral> ops;
  /// The largest change of a value that they lead to, as a power of two of the
  /// largest magnitude in the value's tensor; and where that is of f32.
  int log2Bound, log2BoundF32;
};

struct Stage {
  StringLiteral name;
  /// What holds after the stage, in one sentence.
  StringLiteral sentence;
  /// Without one every value keeps its bytes.
  std::optional<Rounding> rounding;
  void (*build)(OpPassManager &pm, const CompileOptions &options);
};

/// The stages, in order.
ArrayRef<Stage> getStages();

/// What the stage promises of values: "same bytes, but deepseek.mla within
/// 2^-5".
std::string describeNumerics(const Stage &stage);

/// An error that lists the choices if `target` does not exist, or is nvptx and
/// `chip` names no chips of it.
llvm::Error checkChip(StringRef target, StringRef chip);

/// Adds one stage, which ends with its ds-verify-stage. An error if `options`
/// has a value that does not exist.
llvm::Error buildStagePipeline(OpPassManager &pm, const Stage &stage,
                               const CompileOptions &options);

/// Adds the stages from `startAfter` to `stopAfter`. With `startAfter` the
/// module is first checked to be what that stage leaves.
llvm::Error buildCompilePipeline(OpPassManager &pm,
                                 const CompileOptions &options);

/// Registers `ds-stage-<name>` and `ds-compile`.
void registerPipelines();

} // namespace mlir::deepseek

#endif // DEEPSEEK_PIPELINES_STAGES_H
