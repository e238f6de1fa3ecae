//===- ModelConfig.h - A model's config.json --------------------*- C++ -*-===//
//
// What `config.json` says about a model of the DeepSeek-V3 family, with every
// default filled in and every contradiction refused: whoever holds a
// ModelConfig may build a graph from it without checking again.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_IMPORT_MODELCONFIG_H
#define DEEPSEEK_IMPORT_MODELCONFIG_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::deepseek {

/// YaRN scaling of the rotary frequencies (`rope_scaling`).
struct YarnConfig {
  double factor = 1;
  int64_t originalLength = 0;
  double betaFast = 32;
  double betaSlow = 1;
  /// Grows the scale of the softmax; 0 leaves it alone.
  double mscaleAllDim = 0;
};

/// Block-scaled FP8 weights (`quantization_config`).
struct Fp8Config {
  int64_t blockRows = 128;
  int64_t blockColumns = 128;
  /// `scale_fmt` is "ue8m0": every scale is a power of two.
  bool powerOfTwo = false;
};

/// How a router logit becomes a score (`scoring_func`).
enum class ScoringFunction { Softmax, Sigmoid };

/// The element type in which weights that are not FP8 are stored.
enum class StoredType { BFloat16, Float16, Float32 };

/// The members carry the meaning of the config's fields, not their spelling:
/// the number of groups is 1 where the routing method knows no groups, the
/// router's scale is 1 where the model skips it.
struct ModelConfig {
  std::string modelType;

  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t numLayers = 0;
  int64_t numMtpModules = 0;
  int64_t intermediateSize = 0;
  double normEpsilon = 1e-6;
  int64_t maxPositions = 0;

  // Attention.
  int64_t numHeads = 0;
  std::optional<int64_t> queryRank; // none: the query has no low-rank form
  int64_t latentSize = 0;
  int64_t nopeHeadSize = 0;
  int64_t ropeHeadSize = 0;
  int64_t valueHeadSize = 0;
  double ropeTheta = 10000;
  std::optional<YarnConfig> yarn;

  // Mixture of experts; numExperts is 0 in a model that has none.
  int64_t numExperts = 0;
  int64_t numSharedExperts = 0;
  int64_t expertIntermediateSize = 0;
  int64_t firstMoELayer = 0;
  int64_t moeLayerStep = 1;
  int64_t topK = 0;
  int64_t groups = 1;
  int64_t topGroups = 1;
  ScoringFunction scoring = ScoringFunction::Sigmoid;
  bool routerBias = false;
  bool normalizeScores = false;
  double routerScale = 1;

  // Tokens.
  int64_t bosToken = -1; // -1: none
  std::vector<int64_t> eosTokens;

  // Storage.
  StoredType storedType = StoredType::BFloat16;
  std::optional<Fp8Config> fp8;

  int64_t queryHeadSize() const { return nopeHeadSize + ropeHeadSize; }

  bool isMoELayer(int64_t layer) const {
    return numExperts > 0 && layer >= firstMoELayer &&
           layer % moeLayerStep == 0;
  }

  /// The factor of the attention logits, YaRN's share included.
  double softmaxScale() const;
};

/// Reads the text of a config. Errors name `file`, the field, what was expected
/// and what was found; no text, however broken, does more than that.
llvm::Expected<ModelConfig> parseModelConfig(llvm::StringRef text,
                                             llvm::StringRef file);

/// Reads a config file, or the `config.json` of a checkpoint folder.
llvm::Expected<ModelConfig> readModelConfig(llvm::StringRef path);

/// The config file that `readModelConfig` reads for `path`.
std::string configPath(llvm::StringRef path);

} // namespace mlir::deepseek

#endif // DEEPSEEK_IMPORT_MODELCONFIG_H
