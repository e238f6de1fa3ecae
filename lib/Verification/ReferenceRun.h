//===- ReferenceRun.h - A program's steps by the reference ------*- C++ -*-===//
//
// The steps that every stage runs: one of a prompt, one of the MTP module where
// the program has it, some of one token. The runtime's command `steps` runs the
// same and names its results alike.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_VERIFICATION_REFERENCERUN_H
#define LIB_VERIFICATION_REFERENCERUN_H

#include "deepseek/Reference/Files.h"

namespace mlir::deepseek::verification {

/// The tokens of the steps. The first program that runs chooses those after the
/// prompt, greedily; the others get the same.
struct StepTokens {
  std::vector<int64_t> prompt;
  std::vector<int64_t> next;
  size_t nextCount = 0;
};

class StepObserver : public reference::EvaluationObserver {
public:
  /// What is evaluated from now on is of this step, after which the caches hold
  /// `length` tokens.
  virtual void beginStep(StringRef name, int64_t length) = 0;
};

/// All results of all steps: "prefill.logits", "decode.0.cache.3"; of a cache
/// the rows in use. A failure is a diagnostic.
FailureOr<reference::TensorMap> runReference(ModuleOp module,
                                             reference::WeightLoader loader,
                                             StepTokens &tokens,
                                             StepObserver &observer);

bool isCache(StringRef result);

/// The first `length` rows of a cache's pages: [length, width].
reference::Tensor getCacheRows(const reference::Tensor &cache, int64_t length);
/// The cache with other values in its first rows.
reference::Tensor setCacheRows(const reference::Tensor &cache,
                               const reference::Tensor &rows);

} // namespace mlir::deepseek::verification

#endif // LIB_VERIFICATION_REFERENCERUN_H
