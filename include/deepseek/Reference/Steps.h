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
