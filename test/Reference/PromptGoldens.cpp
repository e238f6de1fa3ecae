//===- PromptGoldens.cpp - A whole model against its golden values --------===//
//
// Compares what a model wrote for a prompt (`ds-eval --prompt-ids` of a module
// imported with --dtype=f32 --trace, or the command `logits` of an executable)
// with golden/prompt_<n>.safetensors.
//
//===----------------------------------------------------------------------===//

#include "Cases.h"

#include <algorithm>
#include <cmath>

using namespace mlir::deepseek::reference;

// The goldens' own noise is 1e-5; another order of summation gives up to 1e-3.
static constexpr double kBound = 1e-3;
// A choice of experts is comparable where the golden gap exceeds this.
static constexpr double kMargin = 1e-4;

/// Rows `rows` of a matrix.
static Tensor selectRows(const Tensor &x, const std::vector<int64_t> &rows) {
  int64_t width = x.dim(1);
  Tensor result(x.type(), {static_cast<int64_t>(rows.size()), width});
  std::vector<float> row(width);
  for (size_t i = 0; i < rows.size(); ++i) {
    x.readFloats(rows[i] * width, width, row.data());
    result.writeFloats(i * width, width, row.data());
  }
  return result;
}

/// Compares rows of `actual[name]` if it has as many as the prompt.
static void expectRows(Cases &cases, const TensorMap &actual,
                       const std::string &name,
                       const std::vector<int64_t> &rows,
                       const Tensor &expected) {
  auto found = actual.find(name);
  if (found == actual.end())
    return cases.fail(name, "is missing");
  const Tensor &x = found->second;
  if (x.rank() != 2 || *std::max_element(rows.begin(), rows.end()) >= x.dim(0))
    return cases.fail(name, "got " + x.describe());
  cases.expectClose(name, selectRows(x, rows), expected, kBound);
}

/// The experts of one layer as sets, and their weights, wherever the golden
/// choice is clear. Expert order within a token is by score, so both sides have
/// it.
static void expectRouter(Cases &cases, TensorMap &golden, TensorMap &actual,
                         const std::string &layer, const std::string &prefix) {
  const Tensor &indices = actual[prefix + "router_idx." + layer];
  const Tensor &weights = actual[prefix + "router_w." + layer];
  const Tensor &expected = golden["router_idx." + layer];
  const Tensor &margin = golden["router_margin." + layer];
  std::string name = prefix + "router " + layer;
  if (indices.size() != expected.size() || weights.size() != expected.size())
    return cases.fail(name, "is missing or has another size");
  int64_t T = expected.dim(0), K = expected.dim(1), wrong = 0;
  double error = 0;
  for (int64_t t = 0; t < T; ++t) {
    std::map<int64_t, double> want, got;
    for (int64_t i = t * K; i < (t + 1) * K; ++i) {
      want[expected.getInt(i)] = golden["router_w." + layer].getFloat(i);
      got[indices.getInt(i)] = weights.getFloat(i);
    }
    bool same = std::equal(want.begin(), want.end(), got.begin(), got.end(),
                           [](auto &a, auto &b) { return a.first == b.first; });
    wrong += !same && margin.getFloat(t) > kMargin;
    if (same)
      for (auto &[expert, weight] : want)
        error = std::max(error, std::fabs(weight - got[expert]));
  }
  cases.expect(name + ": tokens with other experts", wrong, 0);
  cases.expect(name + ": weights", error, kBound);
}

void runPromptGoldens(Cases &cases, TensorMap golden, TensorMap actual) {
  std::vector<int64_t> positions = toInts(golden["positions"]);
  std::vector<int64_t> last = {golden["input_ids"].size() - 1};
  expectRows(cases, actual, "logits", positions, golden["logits_pos"]);
  expectRows(cases, actual, "logits", last, golden["logits_last"]);
  const Tensor &hidden = golden["hidden_last"]; // embedding, layers, final norm
  for (int64_t i = 0; i + 1 < hidden.dim(0); ++i)
    expectRows(cases, actual, "hidden." + std::to_string(i), last,
               selectRows(hidden, {i}));
  expectRows(cases, actual, "hidden", last,
             selectRows(hidden, {hidden.dim(0) - 1}));
  for (std::string layer : {"1", "2", "3", "4"})
    expectRouter(cases, golden, actual, layer, "");
  expectRouter(cases, golden, actual, "5", "mtp_");
  expectRows(cases, actual, "mtp_logits", positions, golden["mtp_logits_pos"]);
  expectRows(cases, actual, "mtp_logits", last, golden["mtp_logits_last"]);

  // The continuation, as far as one was asked for.
  const Tensor &ids = actual["ids"], &greedy = golden["greedy_ids"];
  int64_t wrong = 0, count = std::min(ids.size(), greedy.size());
  for (int64_t i = 0; i < count; ++i)
    wrong += ids.getInt(i) != greedy.getInt(i);
  cases.expect("greedy continuation of " + std::to_string(count) +
                   " tokens: other ones",
               wrong, 0);
}
