//===- MoE.cpp - Reference of the ops in MoEOps.td ------------------------===//
//
// Routing, sorting rows by expert and back, the experts. `experts` is the
// mathematics: f32 from end to end, one rounding of the sum.
//
//===----------------------------------------------------------------------===//

#include "Loops.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using llvm::Twine;

//===----------------------------------------------------------------------===//
// route
//===----------------------------------------------------------------------===//

/// The indices of the `k` largest keys, best first, ties to the lowest index.
static std::vector<int64_t> selectLargest(const std::vector<float> &keys,
                                          int64_t k) {
  std::vector<int64_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return keys[a] > keys[b] || (keys[a] == keys[b] && a < b);
  });
  order.resize(k);
  return order;
}

/// What a router makes of one token's logits: an affinity per expert.
static std::vector<float> computeAffinities(const float *logits, int64_t E,
                                            bool sigmoid) {
  std::vector<float> s(logits, logits + E);
  if (sigmoid) {
    for (float &value : s)
      value = 1.0f / (1.0f + std::exp(-value));
    return s;
  }
  float largest = *std::max_element(s.begin(), s.end()), sum = 0;
  for (float &value : s)
    sum += value = std::exp(value - largest);
  for (float &value : s)
    value /= sum;
  return s;
}

/// Sets the keys outside of the `topGroups` best groups to -inf. A group is as
/// good as the sum of its two best keys, or, without a bias, as its best key.
static void maskGroups(std::vector<float> &keys, int64_t groups,
                       int64_t topGroups, bool sumOfTwo) {
  int64_t perGroup = keys.size() / groups;
  std::vector<float> value(groups);
  for (int64_t g = 0; g < groups; ++g) {
    std::vector<float> group(keys.begin() + g * perGroup,
                             keys.begin() + (g + 1) * perGroup);
    std::sort(group.begin(), group.end(), std::greater<float>());
    value[g] = group[0];
    if (sumOfTwo && perGroup > 1)
      value[g] += group[1];
  }
  std::vector<int64_t> kept = selectLargest(value, topGroups);
  for (size_t e = 0; e < keys.size(); ++e)
    if (!llvm::is_contained(kept, static_cast<int64_t>(e) / perGroup))
      keys[e] = -INFINITY;
}

static llvm::Error checkRoute(const Tensor &logits, const Tensor *bias,
                              const RouteParameters &parameters) {
  if (llvm::Error error = expectShape("logits", logits, {-1, -1}))
    return error;
  int64_t E = logits.dim(1), G = parameters.groups, M = parameters.topGroups,
          K = parameters.topK;
  if (bias)
    if (llvm::Error error = expectShape("bias", *bias, {E}))
      return error;
  if (E == 0 || G <= 0 || E % G != 0 || M <= 0 || M > G || K <= 0 ||
      K > E / G * M)
    return makeError("expected groups that divide " + Twine(E) +
                     " experts and top_k of at most top_groups groups, got "
                     "groups " +
                     Twine(G) + ", top_groups " + Twine(M) + ", top_k " +
                     Twine(K));
  return llvm::Error::success();
}

/// Success if the router's logits or keys of token `t` are numbers.
static llvm::Error expectNumbers(const float *values, int64_t E, int64_t t) {
  for (int64_t e = 0; e < E; ++e)
    if (std::isnan(values[e]))
      return makeError("expected router logits and bias that are numbers, got "
                       "NaN for token " +
                       Twine(t) + ", expert " + Twine(e));
  return llvm::Error::success();
}

llvm::Expected<Routing> reference::route(const Tensor &logits,
                                         const Tensor *bias,
                                         const RouteParameters &parameters) {
  if (llvm::Error error = checkRoute(logits, bias, parameters))
    return error;
  int64_t T = logits.dim(0), E = logits.dim(1), K = parameters.topK;
  Floats in(logits);
  Routing result = {Tensor(ElementType::F32, {T, K}),
                    Tensor(ElementType::I32, {T, K})};
  for (int64_t t = 0; t < T; ++t) {
    if (llvm::Error error = expectNumbers(in.data() + t * E, E, t))
      return error;
    std::vector<float> s =
        computeAffinities(in.data() + t * E, E, parameters.sigmoid);
    std::vector<float> keys = s;
    for (int64_t e = 0; bias && e < E; ++e)
      keys[e] += static_cast<float>(bias->getFloat(e));
    // Infinite logits make softmax keys that are no numbers.
    if (llvm::Error error = expectNumbers(keys.data(), E, t))
      return error;
    if (parameters.groups > 1)
      maskGroups(keys, parameters.groups, parameters.topGroups, bias);
    std::vector<int64_t> chosen = selectLargest(keys, K);
    float sum = 0;
    for (int64_t e : chosen)
      sum += s[e];
    for (int64_t k = 0; k < K; ++k) {
      float weight = s[chosen[k]]; // the bias chooses, it does not weigh
      if (parameters.normalize)
        weight /= sum + 1e-20f;
      result.scores.setFloat(t * K + k,
                             weight * static_cast<float>(parameters.scale));
      result.indices.setInt(t * K + k, chosen[k]);
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Dispatch and combine
//===----------------------------------------------------------------------===//

/// The expert of each (token, choice) number `t * K + k`. With a shared group
/// `K` counts a last choice, the last expert.
static llvm::Expected<std::vector<int64_t>>
listChoices(const Tensor &indices, int64_t E, bool sharedGroup) {
  if (llvm::Error error = expectShape("indices", indices, {-1, -1}))
    return error;
  std::vector<int64_t> chosen = toInts(indices), result;
  int64_t T = indices.dim(0), K = indices.dim(1);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t i = t * K; i < (t + 1) * K; ++i) {
      if (llvm::Error error =
              expectIndex("indices", i, chosen[i], E - sharedGroup))
        return error;
      result.push_back(chosen[i]);
    }
    if (sharedGroup)
      result.push_back(E - 1);
  }
  return result;
}

/// The choices sorted by expert, and where each expert's begin. The order
/// within an expert is that of the input.
static llvm::Expected<std::pair<std::vector<int64_t>, std::vector<int64_t>>>
sortByExpert(const Tensor &indices, int64_t E, bool sharedGroup = false) {
  auto choices = listChoices(indices, E, sharedGroup);
  if (!choices)
    return choices.takeError();
  std::vector<int64_t> &expert = *choices; // [T * K]
  std::vector<int64_t> offsets(E + 1), source(expert.size());
  for (int64_t e : expert)
    ++offsets[e + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<int64_t> next = offsets;
  for (size_t i = 0; i < expert.size(); ++i)
    source[next[expert[i]]++] = i;
  return std::make_pair(offsets, source);
}

llvm::Expected<Dispatch> reference::moeDispatch(const Tensor &x,
                                                const Tensor &indices,
                                                int64_t numExperts,
                                                bool sharedGroup) {
  if (llvm::Error error = expectShape("x", x, {-1, -1}))
    return error;
  if (llvm::Error error = expectShape("indices", indices, {x.dim(0), -1}))
    return error;
  auto sorted = sortByExpert(indices, numExperts, sharedGroup);
  if (!sorted)
    return sorted.takeError();
  auto &[offsets, source] = *sorted;
  auto rows = static_cast<int64_t>(source.size());
  Tensor order = Tensor::fromInts(ElementType::I32, {rows}, source);
  Result gathered = gatherRows(x, order, indices.dim(1) + sharedGroup);
  if (!gathered)
    return gathered.takeError();
  return Dispatch{std::move(*gathered),
                  Tensor::fromInts(ElementType::I32, {numExperts + 1}, offsets),
                  order};
}

Result reference::gatherRows(const Tensor &x, const Tensor &source,
                             int64_t choices) {
  if (llvm::Error error = expectShape("x", x, {-1, -1}))
    return error;
  int64_t H = x.dim(1), rows = source.size();
  Tensor result(x.type(), {rows, H});
  std::vector<float> row(H);
  for (int64_t p = 0; p < rows; ++p) {
    int64_t token = source.getInt(p) / choices;
    if (llvm::Error error = expectIndex("source", p, token, x.dim(0)))
      return error;
    x.readFloats(token * H, H, row.data());
    result.writeFloats(p * H, H, row.data());
  }
  return result;
}

/// `y[t] = sum over t's rows p, ascending, of scores[source[p]] * rows[p]`,
/// plus `shared[t]`. rows [T * K, H] in f32, source [T * K], scores [T, K] in
/// f32; with a shared group one choice more, of score 1.
static llvm::Expected<Tensor>
combine(const float *rows, llvm::ArrayRef<int64_t> source, const Tensor &scores,
        const Tensor *shared, bool sharedGroup, int64_t H, ElementType type) {
  int64_t T = scores.dim(0), K = scores.dim(1), C = K + sharedGroup;
  if (shared)
    if (llvm::Error error = expectShape("shared", *shared, {T, H}))
      return error;
  Floats score(scores);
  std::vector<float> y(T * H);
  for (auto [p, from] : llvm::enumerate(source)) {
    if (llvm::Error error = expectIndex("source", p, from, T * C))
      return error;
    int64_t t = from / C, k = from % C;
    float weight = k < K ? score[t * K + k] : 1.0f;
    for (int64_t h = 0; h < H; ++h)
      y[t * H + h] += weight * rows[p * H + h];
  }
  if (shared) {
    Floats extra(*shared);
    for (int64_t i = 0; i < T * H; ++i)
      y[i] += extra[i];
  }
  return Tensor::fromFloats(type, {T, H}, y);
}

Result reference::moeCombine(const Tensor &rows, const Tensor &source,
                             const Tensor &scores, const Tensor *shared,
                             bool sharedGroup, ElementType type) {
  if (llvm::Error error = expectShape("scores", scores, {-1, -1}))
    return error;
  int64_t count = scores.dim(0) * (scores.dim(1) + sharedGroup);
  if (llvm::Error error = expectShape("rows", rows, {count, -1}))
    return error;
  if (llvm::Error error = expectShape("source", source, {count}))
    return error;
  Floats in(rows);
  return combine(in.data(), toInts(source), scores, shared, sharedGroup,
                 rows.dim(1), type);
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

Result reference::groupedLinear(const Tensor &x, const Tensor &w,
                                const Tensor &offsets, ElementType type) {
  if (llvm::Error error = expectShape("x", x, {-1, -1}))
    return error;
  int64_t M = x.dim(0), I = x.dim(1);
  if (llvm::Error error = expectShape("w", w, {-1, -1, I}))
    return error;
  int64_t E = w.dim(0), O = w.dim(1);
  if (llvm::Error error = expectShape("offsets", offsets, {E + 1}))
    return error;
  std::vector<int64_t> begin = toInts(offsets);
  if (llvm::Error error = expectPrefixSums("offsets", begin, M))
    return error;
  Floats in(x);
  std::vector<float> y(M * O), weight(O * I);
  for (int64_t e = 0; e < E; ++e) {
    int64_t rows = begin[e + 1] - begin[e];
    if (rows == 0)
      continue;
    w.readFloats(e * O * I, O * I, weight.data());
    multiply({in.data() + begin[e] * I, rows, I}, {weight.data(), O, I}, I,
             y.data() + begin[e] * O);
  }
  return Tensor::fromFloats(type, {M, O}, y);
}

Result reference::experts(const Tensor &x, const Tensor &scores,
                          const Tensor &indices, ExpertWeights weights,
                          const Tensor *shared, ElementType type) {
  if (llvm::Error error = expectShape("x", x, {-1, -1}))
    return error;
  int64_t T = x.dim(0), H = x.dim(1);
  if (llvm::Error error = expectShape("indices", indices, {T, -1}))
    return error;
  if (llvm::Error error = expectShape("scores", scores, indices.shape()))
    return error;
  if (llvm::Error error = expectShape("gate", weights.gate, {-1, -1, H}))
    return error;
  int64_t E = weights.gate.dim(0), I = weights.gate.dim(1);
  if (llvm::Error error = expectShape("up", weights.up, {E, I, H}))
    return error;
  if (llvm::Error error = expectShape("down", weights.down, {E, H, I}))
    return error;
  // The same steps as the ops that `ds-fuse-experts` makes of this one, in
  // f32.
  constexpr ElementType f32 = ElementType::F32;
  Tensor wide = Tensor::fromFloats(f32, x.shape(),
                                   llvm::ArrayRef(Floats(x).data(), x.size()));
  auto dispatched = moeDispatch(wide, indices, E, /*sharedGroup=*/false);
  if (!dispatched)
    return dispatched.takeError();
  auto &[rows, offsets, source] = *dispatched;
  Result gate = groupedLinear(rows, weights.gate, offsets, f32);
  if (!gate)
    return gate.takeError();
  Result up = groupedLinear(rows, weights.up, offsets, f32);
  if (!up)
    return up.takeError();
  Result product = swiglu(*gate, *up, f32);
  if (!product)
    return product.takeError();
  Result down = groupedLinear(*product, weights.down, offsets, f32);
  if (!down)
    return down.takeError();
  return combine(Floats(*down).data(), toInts(source), scores, shared,
                 /*sharedGroup=*/false, H, type);
}

//===----------------------------------------------------------------------===//
// Balancing
//===----------------------------------------------------------------------===//

Result reference::expertLoad(const Tensor &indices, int64_t numExperts) {
  auto sorted = sortByExpert(indices, numExperts);
  if (!sorted)
    return sorted.takeError();
  const std::vector<int64_t> &offsets = sorted->first;
  Tensor result(ElementType::I32, {numExperts});
  for (int64_t e = 0; e < numExperts; ++e)
    result.setInt(e, offsets[e + 1] - offsets[e]);
  return result;
}

Result reference::updateRouterBias(const Tensor &bias, const Tensor &load,
                                   double speed) {
  if (llvm::Error error = expectShape("bias", bias, {-1}))
    return error;
  if (llvm::Error error = expectShape("load", load, bias.shape()))
    return error;
  int64_t E = bias.dim(0);
  std::vector<int64_t> counts = toInts(load);
  int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t(0));
  Tensor result(ElementType::F32, {E});
  for (int64_t e = 0; e < E; ++e) {
    // sign(mean - load), in integers: no rounding of the mean.
    int64_t difference = total - counts[e] * E;
    auto step =
        static_cast<float>(speed * ((difference > 0) - (difference < 0)));
    result.setFloat(e, static_cast<float>(bias.getFloat(e)) + step);
  }
  return result;
}
