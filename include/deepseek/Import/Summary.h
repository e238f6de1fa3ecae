//===- Summary.h - What a model graph amounts to ----------------*- C++ -*-===//
//
// Counts parameters, bytes and operations of a `graph`-stage module. Everything
// is read off the ops and the weights that they use, nothing off the config: a
// weight that the graph forgets is missing in the count.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_IMPORT_SUMMARY_H
#define DEEPSEEK_IMPORT_SUMMARY_H

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>

namespace mlir::deepseek {

/// Counts of the main model or of the MTP modules.
struct PartSummary {
  /// Numbers that were trained: all weights but the scales of FP8 blocks.
  uint64_t parameters = 0;
  /// Of these, what one token meets: of the experts only those chosen for it,
  /// and nothing of the embedding.
  uint64_t activated = 0;
  /// Tensors of the checkpoint that are read, scales included, and their bytes.
  uint64_t tensors = 0;
  uint64_t weightBytes = 0;
  /// Bytes of the latent cache per token.
  uint64_t cacheBytes = 0;
  /// Floating-point operations per token, two per multiply-add: all matrix
  /// products but attention's, and of these the head's.
  uint64_t matrixFlops = 0;
  uint64_t headFlops = 0;
  /// Attention's per token and cached token, in its two forms.
  uint64_t expandedFlops = 0;
  uint64_t absorbedFlops = 0;
};

struct ModelSummary {
  PartSummary main;
  /// What the MTP modules add; the embedding and the head that they share with
  /// the main model are not among their weights.
  PartSummary mtp;
};

ModelSummary summarize(ModuleOp module);

/// A table for people, or one JSON object for programs.
void printSummary(const ModelSummary &summary, llvm::raw_ostream &os);
void printSummaryAsJson(const ModelSummary &summary, llvm::raw_ostream &os);

} // namespace mlir::deepseek

#endif // DEEPSEEK_IMPORT_SUMMARY_H
