//===- Steps.h - A prompt through the entries of a model --------*- C++ -*-===//
//
// Makes the inputs of a step for one sequence (positions, slots, pages,
// lengths) and runs the entries that ds-import makes: the prompt through one,
// then a greedy continuation, with the caches kept between the steps.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_STEPS_H
#define DEEPSEEK_REFERENCE_STEPS_H

#include "deepseek/Reference/Binding.h"

namespace mlir::deepseek::reference {

/// One sequence and its caches: its page p is page p of every cache.
class Sequence {
public:
  /// `capacity` is the most tokens that the sequence will have.
  Sequence(Evaluator &evaluator, int64_t capacity);

  /// Runs an entry on the tokens at positions `begin ..`, with logits of every
  /// row. `hidden`, if not null, is the input of that name. The caches are
  /// kept; the other results returned.
  FailureOr<TensorMap> run(func::FuncOp entry, ArrayRef<int64_t> tokens,
                           int64_t begin, const Tensor *hidden);

  const TensorMap &getCaches() const { return caches; }

private:
  Evaluator &evaluator;
  int64_t pages;
  TensorMap caches;
};

/// The logits of a step, which must have at least one row and column.
FailureOr<Tensor> getLogits(func::FuncOp entry, const TensorMap &results);

/// The index of the largest logit of the last row, the lowest of equal ones, and
/// the logarithm of its probability.
std::pair<int64_t, double> chooseToken(const Tensor &logits);

struct Prompt {
  std::vector<int64_t> ids;
  std::string entry = "prefill"; // runs the prompt
  int64_t newTokens = 0;         // to generate, greedily
};

struct Generation {
  TensorMap tensors; // of the prompt: logits, hidden, traces, and mtp_*
  std::vector<int64_t> ids;
  std::vector<double> logprobs;
};

/// Runs the prompt, the MTP module if there is one, and the continuation.
FailureOr<Generation> generate(Evaluator &evaluator, ModuleOp module,
                               const Prompt &prompt);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_STEPS_H
