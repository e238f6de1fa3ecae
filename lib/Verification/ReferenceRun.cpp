//===- ReferenceRun.cpp - A program's steps by the reference --------------===//

#include "lib/Verification/ReferenceRun.h"

#include "deepseek/Reference/Steps.h"

#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::Tensor;
using reference::TensorMap;

bool verification::isCache(StringRef result) {
  return result.starts_with("cache.");
}

Tensor verification::getCacheRows(const Tensor &cache, int64_t length) {
  Tensor rows(cache.type(), {length, cache.dim(2)});
  std::memcpy(rows.mutableData(), cache.data(), rows.bytes());
  return rows;
}

Tensor verification::setCacheRows(const Tensor &cache, const Tensor &rows) {
  Tensor changed = cache;
  std::memcpy(changed.mutableData(), rows.data(), rows.bytes());
  return changed;
}

namespace {

class ReferenceRun {
public:
  ReferenceRun(ModuleOp module, reference::WeightLoader loader,
               StepTokens &tokens, StepObserver &observer)
      : module(module), evaluator(module, std::move(loader)), tokens(tokens),
        observer(observer),
        sequence(evaluator, tokens.prompt.size() + tokens.nextCount) {
    evaluator.setObserver(&observer);
  }

  FailureOr<TensorMap> run();

private:
  FailureOr<TensorMap> runStep(const Twine &name, func::FuncOp entry,
                               ArrayRef<int64_t> ids, int64_t begin,
                               const Tensor *hidden = nullptr);
  LogicalResult runMtp(func::FuncOp entry, const TensorMap &prompt);
  LogicalResult chooseNext(size_t i, func::FuncOp entry,
                           const TensorMap &results);

  ModuleOp module;
  reference::Evaluator evaluator;
  StepTokens &tokens;
  StepObserver &observer;
  reference::Sequence sequence;
  TensorMap all;
};

} // namespace

/// Runs an entry and keeps what it returns.
FailureOr<TensorMap> ReferenceRun::runStep(const Twine &name,
                                           func::FuncOp entry,
                                           ArrayRef<int64_t> ids, int64_t begin,
                                           const Tensor *hidden) {
  int64_t length = begin + ids.size();
  std::string step = name.str();
  observer.beginStep(step, length);
  FailureOr<TensorMap> results = sequence.run(entry, ids, begin, hidden);
  if (failed(results))
    return failure();
  for (unsigned i = 0; i < entry.getNumResults(); ++i) {
    std::string result = reference::getResultName(entry, i);
    all[step + "." + result] =
        isCache(result) ? getCacheRows(sequence.getCaches().at(result), length)
                        : results->at(result);
  }
  return results;
}

/// Row i gets the hidden state of token i and token i + 1.
LogicalResult ReferenceRun::runMtp(func::FuncOp entry,
                                   const TensorMap &prompt) {
  auto hidden = prompt.find("hidden");
  if (hidden == prompt.end())
    return entry.emitError()
           << "'mtp' needs a result 'hidden' of the step before";
  SmallVector<int64_t> ids(llvm::drop_begin(tokens.prompt));
  ids.push_back(tokens.next.front());
  return runStep("mtp", entry, ids, 0, &hidden->second);
}

LogicalResult ReferenceRun::chooseNext(size_t i, func::FuncOp entry,
                                       const TensorMap &results) {
  if (i < tokens.next.size())
    return success();
  FailureOr<Tensor> logits = reference::getLogits(entry, results);
  if (failed(logits))
    return failure();
  tokens.next.push_back(reference::chooseToken(*logits).first);
  return success();
}

FailureOr<TensorMap> ReferenceRun::run() {
  auto decode = module.lookupSymbol<func::FuncOp>("decode");
  auto prefill = module.lookupSymbol<func::FuncOp>("prefill");
  if (!decode)
    return module.emitError(
        "expected an entry 'decode', as ds-import makes it");
  func::FuncOp first = prefill ? prefill : decode;
  FailureOr<TensorMap> results = runStep("prefill", first, tokens.prompt, 0);
  if (failed(results) || failed(chooseNext(0, first, *results)))
    return failure();
  if (auto mtp = module.lookupSymbol<func::FuncOp>("mtp"))
    if (failed(runMtp(mtp, *results)))
      return failure();
  for (size_t i = 0; i < tokens.nextCount; ++i) {
    results = runStep("decode." + Twine(i), decode, {tokens.next[i]},
                      tokens.prompt.size() + i);
    if (failed(results))
      return failure();
    if (i + 1 < tokens.nextCount && failed(chooseNext(i + 1, decode, *results)))
      return failure();
  }
  return std::move(all);
}

FailureOr<TensorMap> verification::runReference(ModuleOp module,
                                                reference::WeightLoader loader,
                                                StepTokens &tokens,
                                                StepObserver &observer) {
  return ReferenceRun(module, std::move(loader), tokens, observer).run();
}
