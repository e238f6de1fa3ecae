//===- Steps.cpp - A prompt through the entries of a model ----------------===//

#include "deepseek/Reference/Steps.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

static constexpr int64_t kPageSize = 64;

Sequence::Sequence(Evaluator &evaluator, int64_t capacity)
    : evaluator(evaluator), pages((capacity + kPageSize - 1) / kPageSize) {}

static Tensor makeInts(ArrayRef<int64_t> values) {
  return Tensor::fromInts(ElementType::I32,
                          {static_cast<int64_t>(values.size())}, values);
}

FailureOr<TensorMap> Sequence::run(func::FuncOp entry, ArrayRef<int64_t> tokens,
                                   int64_t begin, const Tensor *hidden) {
  int64_t count = tokens.size(), end = begin + count;
  SmallVector<int64_t> rows, positions, table;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(i);
    positions.push_back(begin + i);
  }
  for (int64_t page = 0; page < pages; ++page)
    table.push_back(page);
  TensorMap inputs = std::move(caches);
  caches.clear();
  inputs["tokens"] = makeInts(tokens);
  inputs["positions"] = makeInts(positions);
  inputs["slots"] = makeInts(positions); // page p of the sequence is page p
  inputs["block_table"] = Tensor::fromInts(ElementType::I32, {1, pages}, table);
  inputs["cu_q_lens"] = makeInts({0, count});
  inputs["cu_kv_lens"] = makeInts({0, end});
  inputs["kv_total"] = Tensor::index(end);
  inputs["logit_rows"] = makeInts(rows);
  if (hidden)
    inputs["hidden"] = *hidden;
  auto arguments = bindArguments(entry, inputs, pages);
  if (!arguments)
    return entry.emitError() << llvm::toString(arguments.takeError());
  FailureOr<SmallVector<Tensor>> results =
      evaluator.run(entry, std::move(*arguments));
  if (failed(results))
    return failure();
  TensorMap named = nameResults(entry, std::move(*results));
  for (auto it = named.begin(); it != named.end();) {
    bool isCache = StringRef(it->first).starts_with("cache.");
    if (isCache)
      caches[it->first] = std::move(it->second);
    it = isCache ? named.erase(it) : std::next(it);
  }
  // Caches that this entry does not have belong to another one.
  for (auto &[name, tensor] : inputs)
    if (StringRef(name).starts_with("cache."))
      caches[name] = std::move(tensor);
  return named;
}

std::pair<int64_t, double> reference::chooseToken(const Tensor &logits) {
  int64_t V = logits.dim(1), row = (logits.dim(0) - 1) * V, best = 0;
  for (int64_t v = 1; v < V; ++v)
    if (logits.getFloat(row + v) > logits.getFloat(row + best))
      best = v;
  double sum = 0;
  for (int64_t v = 0; v < V; ++v)
    sum += std::exp(logits.getFloat(row + v) - logits.getFloat(row + best));
  return {best, -std::log(sum)};
}

FailureOr<Tensor> reference::getLogits(func::FuncOp entry,
                                       const TensorMap &results) {
  auto logits = results.find("logits");
  if (logits == results.end() || logits->second.rank() != 2 ||
      logits->second.size() == 0)
    return entry.emitError()
           << "'" << entry.getName()
           << "' expected a result 'logits' of rank 2, got "
           << (logits == results.end() ? std::string("none of this name")
                                       : logits->second.describe());
  return logits->second;
}

/// Runs the MTP module on the prompt: row i gets the hidden state of token i
/// and token i + 1, which for the last row is the model's own choice.
static LogicalResult runMtp(Sequence &sequence, func::FuncOp entry,
                            ArrayRef<int64_t> ids, TensorMap &tensors) {
  auto hidden = tensors.find("hidden");
  if (hidden == tensors.end())
    return entry.emitError() << "'" << entry.getName()
                             << "' needs the result 'hidden' of the main model";
  SmallVector<int64_t> next(ids.drop_front());
  next.push_back(chooseToken(tensors.at("logits")).first);
  FailureOr<TensorMap> results = sequence.run(entry, next, 0, &hidden->second);
  if (failed(results))
    return failure();
  for (auto &[name, tensor] : *results)
    tensors["mtp_" + name] = std::move(tensor);
  return success();
}

FailureOr<Generation> reference::generate(Evaluator &evaluator, ModuleOp module,
                                          const Prompt &prompt) {
  FailureOr<func::FuncOp> entry = evaluator.findFunction(prompt.entry);
  if (failed(entry))
    return failure();
  auto count = static_cast<int64_t>(prompt.ids.size());
  Sequence sequence(evaluator, count + prompt.newTokens);
  Generation generation;
  FailureOr<TensorMap> results = sequence.run(*entry, prompt.ids, 0, nullptr);
  if (failed(results) || failed(getLogits(*entry, *results)))
    return failure();
  generation.tensors = std::move(*results);
  if (auto mtp = module.lookupSymbol<func::FuncOp>("mtp"))
    if (failed(runMtp(sequence, mtp, prompt.ids, generation.tensors)))
      return failure();

  Tensor logits = generation.tensors["logits"];
  // Without `decode` the entry of the prompt serves: it has the same signature.
  auto decode = module.lookupSymbol<func::FuncOp>("decode");
  func::FuncOp next = decode ? decode : *entry;
  for (int64_t i = 0; i < prompt.newTokens; ++i) {
    auto [id, logprob] = chooseToken(logits);
    generation.ids.push_back(id);
    generation.logprobs.push_back(logprob);
    if (i + 1 == prompt.newTokens)
      break;
    FailureOr<TensorMap> step = sequence.run(next, {id}, count + i, nullptr);
    if (failed(step))
      return failure();
    FailureOr<Tensor> nextLogits = getLogits(next, *step);
    if (failed(nextLogits))
      return failure();
    logits = *nextLogits;
  }
  return generation;
}
