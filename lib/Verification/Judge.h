//===- Judge.h - Where two stages compute different values ------*- C++ -*-===//
//
// Three searches, one for each kind of neighbours. All but the last let one
// program go on with the other's values after each comparison, so that an error
// is seen where it is made and nothing is blamed for what it was given.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_VERIFICATION_JUDGE_H
#define LIB_VERIFICATION_JUDGE_H

#include "lib/Verification/Difference.h"
#include "lib/Verification/Trace.h"

#include "deepseek/Pipelines/Stages.h"

namespace mlir::deepseek::verification {

/// A value that two stages compute differently.
struct Finding {
  std::string what; // "prefill: deepseek.linear at model.layers.0.mlp"
  /// Ops that led to it since the last values that both stages have.
  SmallVector<StringRef> origin;
  Difference difference;
  reference::Tensor before, after;
};

/// True if the op of a rounding led to the value, and it is within its bound.
bool isAllowed(const Finding &finding, ArrayRef<Rounding> roundings);

/// Both run by the reference: `run` evaluates the later program, under an
/// observer.
LogicalResult compareTraces(const Trace &before, const Trace &after,
                            function_ref<LogicalResult(StepObserver &)> run,
                            std::vector<Finding> &findings);

/// Each kernel of a host program against the reference on the values that the
/// host program gave it. `run` evaluates the module of stage kernels; `host`
/// are results with those of the dispatches.
LogicalResult compareKernels(const reference::TensorMap &host,
                             function_ref<LogicalResult(StepObserver &)> run,
                             std::vector<Finding> &findings);

/// Results only, where nothing else corresponds.
void compareResults(const reference::TensorMap &before,
                    const reference::TensorMap &after,
                    std::vector<Finding> &findings);

/// Two host programs with the results of their dispatches; `module` has those.
void compareDispatches(const reference::TensorMap &before,
                       const reference::TensorMap &after, ModuleOp module,
                       std::vector<Finding> &findings);

} // namespace mlir::deepseek::verification

#endif // LIB_VERIFICATION_JUDGE_H
