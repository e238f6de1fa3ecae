//===- Sampler.h - Which token comes next -----------------------*- C++ -*-===//
//
// Chooses a token from a row of logits: the largest at temperature 0, else
// drawn from the distribution that top-k, top-p and min-p leave. The same seed
// and logits give the same tokens on every machine that rounds exp alike: the
// generator and the way from bits to a number are written out here.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_SAMPLER_H
#define DSRT_SERVE_SAMPLER_H

#include "runtime/core/Status.h"

#include <array>
#include <cstdint>
#include <vector>

namespace dsrt {

struct SamplerOptions {
  double temperature = 0; // 0: always the most probable token
  int64_t topK = 0;       // 0: off
  double topP = 1;        // 1: off
  double minP = 0;        // 0: off
  uint64_t seed = 0;

  /// Fails when a value is outside of its range; names the option.
  Status check() const;
};

struct SampledToken {
  int32_t id = 0;
  double logprob = 0; // of the softmax over all logits, at temperature 1
};

class Sampler {
public:
  static Result<Sampler> create(const SamplerOptions &options);

  /// The next token. Only ids below `limit` are chosen: the columns from there
  /// to `count` are padding without a token. Fails on NaN, on +inf, and when
  /// every logit below the limit is -inf.
  Result<SampledToken> sample(const float *logits, int64_t count,
                              int64_t limit);

private:
  struct Candidate {
    float logit;
    int32_t id;
  };
  explicit Sampler(const SamplerOptions &options);
  int32_t draw(const float *logits, int64_t limit);
  void keepTop(size_t count);
  double nextUniform();

  SamplerOptions options;
  std::array<uint64_t, 4> state;
  std::vector<Candidate> candidates; // scratch, kept to allocate once
  std::vector<double> weights;
};

} // namespace dsrt

#endif // DSRT_SERVE_SAMPLER_H
