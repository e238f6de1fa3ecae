//===- SyntheticWeights.h - Weights without a checkpoint --------*- C++ -*-===//
//
// Values for `seed:N` (random, of the size that a trained model's have) and
// `splat:X` (all X). A tensor's values depend on the source and on its own
// name, type, shape and scale format, on nothing else: whoever asks for the
// same tensor gets the same bytes, on every machine and with any number of
// threads.
//
// With a seed:
//   matrices        uniform, standard deviation 1/sqrt(last size)
//   FP8 matrices    any finite codes, with scales that give them that deviation
//   scales          within a factor of two of each other, powers of two on
//   request *norm.weight    1 + uniform in [-0.1, 0.1) other vectors   uniform
//   in [-0.05, 0.05)
//
// A matrix of more than 1 MiB is not made: it is a window, at an offset given
// by its name, into a pool of 64 MiB per type and last size, repeated as often
// as the largest such matrix needs. So a model of 671 GB starts in a second;
// but its large weights are shifted copies of each other.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SYNTHETIC_SYNTHETICWEIGHTS_H
#define DSRT_WEIGHTS_SYNTHETIC_SYNTHETICWEIGHTS_H

#include "runtime/weights/AlignedBuffer.h"
#include "runtime/weights/WeightTable.h"
#include "runtime/weights/synthetic/RepeatedPool.h"

#include <map>

namespace dsrt {

/// "seed:N" or "splat:X".
struct SyntheticSource {
  bool isSplat = false;
  uint64_t seed = 0;
  float value = 0;

  /// True if `source` begins like one, so that it is no folder.
  static bool matches(std::string_view source);
  static Result<SyntheticSource> parse(const std::string &source);
};

class SyntheticWeights {
public:
  static Result<SyntheticWeights> create(const SyntheticSource &source,
                                         const std::vector<WantedTensor> &);

  /// In the order of the tensors asked for.
  const std::vector<const void *> &addresses() const { return addressList; }

private:
  Status makePools(const SyntheticSource &source,
                   const std::vector<WantedTensor> &tensors);
  void makeTensor(const SyntheticSource &source, const WantedTensor &tensor,
                  size_t index);

  std::vector<const void *> addressList;
  std::vector<AlignedBuffer> owned;
  std::map<std::string, RepeatedPool> pools; // by what they hold
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_SYNTHETIC_SYNTHETICWEIGHTS_H
