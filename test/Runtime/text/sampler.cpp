//===- sampler.cpp - What the sampler draws -------------------------------===//
//
// ds-test-sampler: greedy choice, padding, filters, frequencies against the
// softmax, the sequence of a seed, and every error.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Sampler.h"

#include <cmath>
#include <cstdio>
#include <limits>

using namespace dsrt;

static const float inf = std::numeric_limits<float>::infinity();

static std::string draw(const SamplerOptions &options,
                        const std::vector<float> &logits, int64_t limit,
                        int count) {
  Result<Sampler> sampler = Sampler::create(options);
  if (!sampler.ok())
    return "error: " + sampler.status().message();
  std::vector<int> ids;
  for (int i = 0; i < count; ++i) {
    Result<SampledToken> token =
        sampler->sample(logits.data(), logits.size(), limit);
    if (!token.ok())
      return "error: " + token.status().message();
    ids.push_back(token->id);
  }
  return fmt::format("{}", fmt::join(ids, " "));
}

static SamplerOptions options(double temperature, int64_t topK = 0,
                              double topP = 1, double minP = 0,
                              uint64_t seed = 1) {
  SamplerOptions result;
  result.temperature = temperature;
  result.topK = topK;
  result.topP = topP;
  result.minP = minP;
  result.seed = seed;
  return result;
}

static void greedy() {
  fmt::print("greedy: {}\n", draw(options(0), {1, 3, 2, 3, 9}, 5, 1));
  fmt::print("greedy tie: {}\n", draw(options(0), {1, 3, 2, 3}, 4, 1));
  fmt::print("greedy below limit: {}\n", draw(options(0), {1, 3, 2, 9}, 3, 1));
  fmt::print("greedy with -inf: {}\n", draw(options(0), {-inf, -5}, 2, 1));
  Sampler sampler = *Sampler::create(options(0));
  const float logits[] = {0, 1, 2};
  fmt::print("logprob: {:.12f}\n", sampler.sample(logits, 3, 3)->logprob);
  const float large[] = {1e30f, 0};
  fmt::print("logprob of the certain: {:.1f}\n",
             std::fabs(sampler.sample(large, 2, 2)->logprob));
}

// Largest difference between frequency and probability, in standard errors.
static void frequencies() {
  const float logits[] = {0.5f, -1, 2, 0, 1.5f, 3};
  const double temperature = 0.7;
  const int64_t limit = 5, draws = 100000;
  std::vector<double> p(limit);
  double total = 0;
  for (int64_t i = 0; i < limit; ++i)
    total += p[i] = std::exp(logits[i] / temperature);
  std::vector<int64_t> seen(6);
  Sampler sampler = *Sampler::create(options(temperature));
  for (int64_t i = 0; i < draws; ++i)
    ++seen[sampler.sample(logits, 6, limit)->id];
  double worst = 0;
  for (int64_t i = 0; i < limit; ++i) {
    double wanted = p[i] / total;
    double deviation = std::sqrt(wanted * (1 - wanted) / draws);
    worst = std::max(worst,
                     std::fabs(static_cast<double>(seen[i]) / draws - wanted) /
                         deviation);
  }
  fmt::print("frequencies: {}, padding drawn {} times\n",
             worst < 4 ? "within 4 standard errors" : "WRONG", seen[5]);
}

static void filters() {
  const std::vector<float> logits = {0, 3, 1, 2, 3, -4};
  fmt::print("top-k 1: {}\n", draw(options(1, 1), logits, 6, 8));
  fmt::print("top-k 2: {}\n", draw(options(1, 2), logits, 6, 12));
  fmt::print("top-p 0.1: {}\n", draw(options(1, 0, 0.1), logits, 6, 8));
  fmt::print("top-p 0.8: {}\n", draw(options(1, 0, 0.8), logits, 6, 12));
  fmt::print("min-p 1: {}\n", draw(options(1, 0, 1, 1), logits, 6, 12));
  fmt::print("min-p 0.3: {}\n", draw(options(1, 0, 1, 0.3), logits, 6, 12));
  fmt::print("cold: {}\n", draw(options(1e-300), {1, 2, 3}, 3, 4));
  fmt::print("seed 7: {}\n", draw(options(2, 0, 1, 0, 7), logits, 6, 16));
  fmt::print("seed 8: {}\n", draw(options(2, 0, 1, 0, 8), logits, 6, 16));
}

static void errors() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  fmt::print("{}\n", draw(options(-1), {1}, 1, 1));
  fmt::print("{}\n", draw(options(std::nan("")), {1}, 1, 1));
  fmt::print("{}\n", draw(options(1, -2), {1}, 1, 1));
  fmt::print("{}\n", draw(options(1, 0, 0), {1}, 1, 1));
  fmt::print("{}\n", draw(options(1, 0, 1, 1.5), {1}, 1, 1));
  fmt::print("{}\n", draw(options(0), {1, nan}, 2, 1));
  fmt::print("{}\n", draw(options(0), {1, inf}, 2, 1));
  fmt::print("{}\n", draw(options(0), {-inf, -inf}, 2, 1));
  fmt::print("{}\n", draw(options(0), {}, 2, 1));
}

int main() {
  greedy();
  frequencies();
  filters();
  errors();
  return 0;
}
