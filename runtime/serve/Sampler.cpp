//===- Sampler.cpp - Which token comes next -------------------------------===//
//
// Order of the filters: temperature, top-k, top-p, min-p, as in the usual
// serving libraries. Candidates are ordered by logit, ties by id, so that every
// filter cuts at one well-defined place; sums run in that order.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace dsrt;

Status SamplerOptions::check() const {
  // Written so that NaN fails too.
  if (!(temperature >= 0 && temperature <= 100))
    return error(DSRT_INVALID_ARGUMENT,
                 "--temperature is {}, expected a number from 0 to 100",
                 temperature);
  if (topK < 0)
    return error(DSRT_INVALID_ARGUMENT,
                 "--top-k is {}, expected 0 (off) or a positive number", topK);
  if (!(topP > 0 && topP <= 1))
    return error(DSRT_INVALID_ARGUMENT,
                 "--top-p is {}, expected a number above 0 and at most 1 (off)",
                 topP);
  if (!(minP >= 0 && minP <= 1))
    return error(DSRT_INVALID_ARGUMENT,
                 "--min-p is {}, expected a number from 0 (off) to 1", minP);
  return Status();
}

// The seed becomes a state by SplitMix64, as the authors of xoshiro advise.
Sampler::Sampler(const SamplerOptions &options) : options(options) {
  uint64_t seed = options.seed;
  for (uint64_t &word : state) {
    seed += 0x9E3779B97F4A7C15u;
    uint64_t mixed = seed;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    word = mixed ^ mixed >> 31;
  }
}

Result<Sampler> Sampler::create(const SamplerOptions &options) {
  DSRT_TRY(options.check());
  return Sampler(options);
}

// xoshiro256++ (Blackman and Vigna); 53 bits make a number in [0, 1).
double Sampler::nextUniform() {
  auto rotate = [](uint64_t x, int by) { return x << by | x >> (64 - by); };
  uint64_t result = rotate(state[0] + state[3], 23) + state[0];
  uint64_t shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotate(state[3], 45);
  return static_cast<double>(result >> 11) * 0x1p-53;
}

static bool isBetter(float a, int32_t idA, float b, int32_t idB) {
  return a > b || (a == b && idA < idB);
}

// Orders the best `count` candidates and drops the others.
void Sampler::keepTop(size_t count) {
  auto better = [](const Candidate &a, const Candidate &b) {
    return isBetter(a.logit, a.id, b.logit, b.id);
  };
  count = std::min(count, candidates.size());
  if (count < candidates.size())
    std::nth_element(candidates.begin(), candidates.begin() + count,
                     candidates.end(), better);
  candidates.resize(count);
  std::sort(candidates.begin(), candidates.end(), better);
}

int32_t Sampler::draw(const float *logits, int64_t limit) {
  candidates.clear();
  for (int64_t id = 0; id < limit; ++id)
    candidates.push_back({logits[id], static_cast<int32_t>(id)});
  keepTop(options.topK > 0 ? static_cast<size_t>(options.topK)
                           : candidates.size());

  // Probabilities relative to the first candidate's.
  weights.resize(candidates.size());
  double total = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    double distance = static_cast<double>(candidates[i].logit) -
                      static_cast<double>(candidates[0].logit);
    weights[i] = std::exp(distance / options.temperature);
    total += weights[i];
  }
  // Top-p keeps the first candidates that together reach its share.
  size_t count = candidates.size();
  double kept = 0;
  for (size_t i = 0; i < count; ++i) {
    kept += weights[i];
    if (options.topP < 1 && kept >= options.topP * total)
      count = i + 1;
  }
  for (size_t i = count; i > 1 && weights[i - 1] < options.minP; --i)
    count = i - 1;

  kept = 0;
  for (size_t i = 0; i < count; ++i)
    kept += weights[i];
  double target = nextUniform() * kept;
  size_t chosen = 0;
  for (double sum = weights[0]; chosen + 1 < count && sum <= target;)
    sum += weights[++chosen];
  // Rounding may lead past the last candidate that has any weight.
  while (weights[chosen] == 0)
    --chosen;
  return candidates[chosen].id;
}

Result<SampledToken> Sampler::sample(const float *logits, int64_t count,
                                     int64_t limit) {
  limit = std::min(limit, count);
  if (limit <= 0)
    return error(DSRT_INVALID_ARGUMENT,
                 "sampling needs at least one token, got {} logits and a limit "
                 "of {}",
                 count, limit);
  int32_t best = 0;
  float largest = logits[0];
  for (int64_t id = 0; id < count; ++id) {
    // NaN, and an infinity that would make every probability NaN.
    if (!(logits[id] <= std::numeric_limits<float>::max()))
      return error(DSRT_MODEL_FAILED,
                   "the model's logit of token {} is {}, expected a finite "
                   "number; check the weights, or compile with --dtype=f32",
                   id, logits[id]);
    if (id < limit && logits[id] > logits[best])
      best = static_cast<int32_t>(id);
    largest = std::max(largest, logits[id]);
  }
  if (logits[best] == -std::numeric_limits<float>::infinity())
    return error(DSRT_MODEL_FAILED,
                 "the model's logits are all -inf, expected finite numbers; "
                 "check the weights, or compile with --dtype=f32");
  double total = 0;
  for (int64_t id = 0; id < count; ++id)
    total += std::exp(static_cast<double>(logits[id]) - largest);
  SampledToken token;
  token.id = options.temperature == 0 ? best : draw(logits, limit);
  token.logprob =
      static_cast<double>(logits[token.id]) - largest - std::log(total);
  return token;
}
