//===- ModelConfig.cpp - A model's config.json ----------------------------===//
//
// Reads config.json with the defaults of each model type and refuses what the
// graph builder could not honour: a key that would change the answers and is
// not implemented is an error, a key that has no bearing on inference is
// skipped.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/ModelConfig.h"

#include "FieldReader.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cmath>

using namespace llvm;
using namespace mlir::deepseek;

namespace {

// No released model comes near these limits. Together they keep the number of
// parameters below 2^61, so that nothing that is computed from a config can
// overflow.
constexpr int64_t kMaxLayers = 512;
constexpr int64_t kMaxMtpModules = 16;
constexpr int64_t kMaxWidth = int64_t(1) << 19;
constexpr int64_t kMaxExperts = 4096;
constexpr int64_t kMaxSharedExperts = 64;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadSize = 4096;
constexpr int64_t kMaxVocabulary = int64_t(1) << 24;
constexpr int64_t kMaxPositions = (int64_t(1) << 31) - 1; // positions are i32
constexpr int64_t kMaxTokenId = kMaxPositions;
constexpr int64_t kMaxBlock = 65536;

/// A config is one flat object; the parser recurses once per level of nesting.
constexpr unsigned kMaxNesting = 64;
constexpr uint64_t kMaxFileSize = uint64_t(16) << 20;

/// The fields, read in the order of the config's sections.
class ConfigReader {
public:
  ConfigReader(FieldReader &fields) : fields(fields) {}

  ModelConfig read() {
    readModelType();
    refuseUnsupported();
    readSizes();
    readAttention();
    readRope();
    readExperts();
    readTokens();
    readStorage();
    return std::move(config);
  }

private:
  bool isV2() const { return config.modelType == "deepseek_v2"; }

  void readModelType();
  void refuseUnsupported();
  void readSizes();
  void readAttention();
  void readRope();
  void readYarn(FieldReader &scaling);
  void readExperts();
  void readRouter();
  void readGroups(bool grouped);
  void readTokens();
  void readStorage();
  void readQuantization(FieldReader quantization);

  FieldReader &fields;
  ModelConfig config;
};

} // namespace

void ConfigReader::readModelType() {
  // V3.2 is asked for first: its model type alone would only be "unknown".
  for (StringRef key : {"index_n_heads", "index_head_dim", "index_topk"})
    if (fields.find(key))
      fields.expected(key, "no such field (the sparse attention of "
                           "DeepSeek-V3.2 is not supported yet)");
  config.modelType = fields.string("model_type");
  for (StringRef known : {"deepseek_v2", "deepseek_v3", "kimi_k2"})
    if (config.modelType == known)
      return;
  fields.expected("model_type", "deepseek_v2, deepseek_v3 or kimi_k2");
}

/// Switches that would change the answers and that no released model turns on.
void ConfigReader::refuseUnsupported() {
  if (fields.boolean("attention_bias", false))
    fields.expected("attention_bias",
                    "false (biases of projections are not supported)");
  if (fields.boolean("tie_word_embeddings", false))
    fields.expected("tie_word_embeddings",
                    "false (a tied head is not supported)");
  if (!fields.boolean("rope_interleave", true))
    fields.expected("rope_interleave",
                    "true (permuted rope weights are not supported)");
  if (fields.string("hidden_act", "silu") != "silu")
    fields.expected("hidden_act", "silu");
}

void ConfigReader::readSizes() {
  config.vocabSize = fields.integer("vocab_size", 1, kMaxVocabulary);
  config.hiddenSize = fields.integer("hidden_size", 1, kMaxWidth);
  config.numLayers = fields.integer("num_hidden_layers", 1, kMaxLayers);
  config.numMtpModules =
      fields.integer("num_nextn_predict_layers", 0, kMaxMtpModules, 0);
  config.normEpsilon = fields.number("rms_norm_eps", 0, 1, 1e-6);
  if (config.normEpsilon == 0)
    fields.expected("rms_norm_eps", "a positive number");
  config.maxPositions =
      fields.integer("max_position_embeddings", 1, kMaxPositions);
}

void ConfigReader::readAttention() {
  config.numHeads = fields.integer("num_attention_heads", 1, kMaxHeads);
  config.queryRank = fields.integerOrNull("q_lora_rank", 1, kMaxWidth);
  config.latentSize = fields.integer("kv_lora_rank", 1, kMaxWidth);
  config.nopeHeadSize = fields.integer("qk_nope_head_dim", 1, kMaxHeadSize);
  config.ropeHeadSize = fields.integer("qk_rope_head_dim", 2, kMaxHeadSize);
  config.valueHeadSize = fields.integer("v_head_dim", 1, kMaxHeadSize);
  if (config.ropeHeadSize % 2 != 0)
    fields.expected("qk_rope_head_dim",
                    "an even number (rotation works on pairs)");
}

/// The three spellings: `rope_scaling` with `type`, the same with `rope_type`,
/// and `rope_parameters`, which holds `rope_theta` too.
void ConfigReader::readRope() {
  constexpr double kMaxTheta = 1e12;
  double theta = fields.number("rope_theta", 1.001, kMaxTheta, 10000.0);
  std::optional<FieldReader> scaling = fields.nested("rope_parameters");
  if (scaling)
    theta = scaling->number("rope_theta", 1.001, kMaxTheta, theta);
  else
    scaling = fields.nested("rope_scaling");
  config.ropeTheta = theta;
  if (!scaling)
    return;
  StringRef key = scaling->find("rope_type") ? "rope_type" : "type";
  std::string type = scaling->string(key);
  if (type == "yarn")
    readYarn(*scaling);
  else if (type != "default")
    scaling->expected(key, "yarn or default");
}

void ConfigReader::readYarn(FieldReader &scaling) {
  YarnConfig yarn;
  yarn.factor = scaling.number("factor", 1, 1e6);
  yarn.originalLength =
      scaling.integer("original_max_position_embeddings", 1, kMaxPositions);
  yarn.betaFast = scaling.number("beta_fast", 1e-6, 1e6, 32.0);
  yarn.betaSlow = scaling.number("beta_slow", 1e-6, 1e6, 1.0);
  double mscale = scaling.number("mscale", 0, 100, 1.0);
  yarn.mscaleAllDim = scaling.number("mscale_all_dim", 0, 100, 0.0);
  if (yarn.betaFast < yarn.betaSlow)
    scaling.expected("beta_fast", "at least the value of beta_slow");
  // cos and sin are multiplied by the quotient of both; no model has it other
  // than 1.
  if (mscale != yarn.mscaleAllDim && yarn.factor > 1)
    scaling.expected("mscale", "the value of mscale_all_dim");
  if (scaling.find("attention_factor"))
    scaling.expected("attention_factor",
                     "no such field (mscale_all_dim decides the factor)");
  if (!scaling.boolean("truncate", true))
    scaling.expected("truncate", "true");
  config.yarn = yarn;
}

void ConfigReader::readExperts() {
  config.numExperts =
      fields.integerOrNull("n_routed_experts", 1, kMaxExperts).value_or(0);
  config.firstMoELayer =
      fields.integer("first_k_dense_replace", 0, kMaxLayers, 0);
  config.moeLayerStep = fields.integer("moe_layer_freq", 1, kMaxLayers, 1);
  if (config.firstMoELayer > config.numLayers)
    fields.expected("first_k_dense_replace",
                    "at most num_hidden_layers = " + Twine(config.numLayers));
  if (config.numExperts == 0 || config.firstMoELayer > 0 ||
      config.moeLayerStep > 1)
    config.intermediateSize = fields.integer("intermediate_size", 1, kMaxWidth);
  if (config.numExperts == 0)
    return;
  config.numSharedExperts =
      fields.integer("n_shared_experts", 0, kMaxSharedExperts, 0);
  config.expertIntermediateSize =
      fields.integer("moe_intermediate_size", 1, kMaxWidth);
  config.topK = fields.integer("num_experts_per_tok", 1, config.numExperts);
  readRouter();
}

void ConfigReader::readRouter() {
  std::string method =
      fields.string("topk_method", StringRef(isV2() ? "greedy" : "noaux_tc"));
  std::string scoring =
      fields.string("scoring_func", StringRef(isV2() ? "softmax" : "sigmoid"));
  if (method != "noaux_tc" && method != "greedy" &&
      method != "group_limited_greedy")
    fields.expected("topk_method", "noaux_tc, group_limited_greedy or greedy");
  config.routerBias = method == "noaux_tc";
  StringRef fitting = config.routerBias ? "sigmoid" : "softmax";
  if (scoring != fitting)
    fields.expected("scoring_func",
                    fitting + ", which goes with topk_method " + method);
  config.scoring =
      config.routerBias ? ScoringFunction::Sigmoid : ScoringFunction::Softmax;
  readGroups(method != "greedy");

  bool normalize = fields.boolean("norm_topk_prob", !isV2());
  double scale = fields.number("routed_scaling_factor", 1e-6, 1e6, 1.0);
  config.normalizeScores = normalize && config.topK > 1;
  // V2 either normalizes or scales; V3 does both.
  config.routerScale = isV2() && config.normalizeScores ? 1.0 : scale;
}

void ConfigReader::readGroups(bool grouped) {
  int64_t groups = fields.integer("n_group", 1, config.numExperts, 1);
  int64_t topGroups = fields.integer("topk_group", 1, config.numExperts, 1);
  if (!grouped)
    return;
  if (config.numExperts % groups != 0)
    fields.expected("n_group", "a divisor of n_routed_experts = " +
                                   Twine(config.numExperts));
  if (topGroups > groups)
    fields.expected("topk_group", "at most n_group = " + Twine(groups));
  int64_t candidates = topGroups * (config.numExperts / groups);
  if (config.topK > candidates)
    fields.expected("num_experts_per_tok",
                    "at most " + Twine(candidates) +
                        ", the experts of topk_group groups");
  // A group's value is the sum of its two best experts.
  if (config.routerBias && groups > 1 && config.numExperts / groups < 2)
    fields.expected("n_group", "groups of two experts or more");
  config.groups = groups;
  config.topGroups = topGroups;
}

void ConfigReader::readTokens() {
  config.bosToken = fields.integer("bos_token_id", 0, kMaxTokenId, -1);
  const json::Value *eos = fields.find("eos_token_id");
  const json::Array *list = eos ? eos->getAsArray() : nullptr;
  if (eos && !list)
    config.eosTokens.push_back(fields.integer("eos_token_id", 0, kMaxTokenId));
  for (size_t i = 0; list && i != list->size(); ++i) {
    std::optional<int64_t> id = FieldReader::asInteger((*list)[i]);
    if (!id || *id < 0 || *id > kMaxTokenId)
      return fields.expected("eos_token_id", "a token id or a list of them");
    config.eosTokens.push_back(*id);
  }
  if (config.bosToken >= config.vocabSize)
    fields.expected("bos_token_id",
                    "less than vocab_size = " + Twine(config.vocabSize));
  for (int64_t id : config.eosTokens)
    if (id >= config.vocabSize)
      fields.expected("eos_token_id",
                      "less than vocab_size = " + Twine(config.vocabSize));
}

void ConfigReader::readStorage() {
  // Newer files say `dtype`.
  StringRef key = fields.find("dtype") ? "dtype" : "torch_dtype";
  std::string type = fields.string(key, StringRef("bfloat16"));
  if (type == "float16")
    config.storedType = StoredType::Float16;
  else if (type == "float32")
    config.storedType = StoredType::Float32;
  else if (type != "bfloat16")
    fields.expected(key, "bfloat16, float16 or float32");
  if (std::optional<FieldReader> quantization =
          fields.nested("quantization_config"))
    readQuantization(*quantization);
}

void ConfigReader::readQuantization(FieldReader quantization) {
  Fp8Config fp8;
  if (quantization.string("quant_method") != "fp8")
    quantization.expected("quant_method", "fp8");
  if (quantization.string("fmt", StringRef("e4m3")) != "e4m3")
    quantization.expected("fmt", "e4m3");
  if (quantization.string("activation_scheme", StringRef("dynamic")) !=
      "dynamic")
    quantization.expected("activation_scheme", "dynamic");
  if (quantization.find("scale_fmt")) {
    fp8.powerOfTwo = quantization.string("scale_fmt") == "ue8m0";
    if (!fp8.powerOfTwo)
      quantization.expected("scale_fmt", "ue8m0 or null");
  }
  for (StringRef key : {"modules_to_not_convert", "ignored_layers"})
    if (const json::Value *list = quantization.find(key))
      if (!list->getAsArray() || !list->getAsArray()->empty())
        quantization.expected(
            key, "null or [] (the format says which weights are FP8)");

  const json::Value *block = quantization.find("weight_block_size");
  const json::Array *sizes = block ? block->getAsArray() : nullptr;
  std::optional<int64_t> rows, columns;
  if (sizes && sizes->size() == 2) {
    rows = FieldReader::asInteger((*sizes)[0]);
    columns = FieldReader::asInteger((*sizes)[1]);
  }
  if (!rows || !columns || *rows < 1 || *columns < 1 || *rows > kMaxBlock ||
      *columns > kMaxBlock) {
    quantization.expected("weight_block_size",
                          "a list of two positive integers, such as [128,128]");
    return;
  }
  fp8.blockRows = *rows;
  fp8.blockColumns = *columns;
  config.fp8 = fp8;
}

double ModelConfig::softmaxScale() const {
  double scale = 1 / std::sqrt(double(queryHeadSize()));
  if (!yarn || yarn->mscaleAllDim == 0 || yarn->factor <= 1)
    return scale;
  double growth = 0.1 * yarn->mscaleAllDim * std::log(yarn->factor) + 1;
  return scale * growth * growth;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// Whether brackets nest deeper than the recursive parser may follow.
static bool nestsTooDeep(StringRef text) {
  unsigned depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
      continue;
    }
    if (c == '"')
      inString = true;
    else if ((c == '[' || c == '{') && ++depth > kMaxNesting)
      return true;
    else if ((c == ']' || c == '}') && depth > 0)
      --depth;
  }
  return false;
}

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<ModelConfig> mlir::deepseek::parseModelConfig(StringRef text,
                                                       StringRef file) {
  if (nestsTooDeep(text))
    return makeError(file +
                     ": expected a config, got JSON nested deeper than " +
                     Twine(kMaxNesting) + " levels");
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return makeError(file + ": expected JSON, got an error at " +
                     toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object)
    return makeError(file + ": expected a JSON object at the top");
  std::string error;
  FieldReader fields(*object, file, "", error);
  ModelConfig config = ConfigReader(fields).read();
  if (!error.empty())
    return makeError(error);
  return config;
}

std::string mlir::deepseek::configPath(StringRef path) {
  SmallString<256> file(path);
  if (sys::fs::is_directory(path))
    sys::path::append(file, "config.json");
  return std::string(file);
}

Expected<ModelConfig> mlir::deepseek::readModelConfig(StringRef path) {
  std::string file = configPath(path);
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(file, status))
    return makeError(file + ": cannot open it: " + code.message());
  // A device could be read forever.
  if (status.type() != sys::fs::file_type::regular_file)
    return makeError(file + ": expected a regular file");
  if (status.getSize() > kMaxFileSize)
    return makeError(file + ": expected a config of at most " +
                     Twine(kMaxFileSize >> 20) + " MiB, got " +
                     Twine(status.getSize() >> 20) + " MiB");
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(file);
  if (!buffer)
    return makeError(file + ": cannot read it: " + buffer.getError().message());
  return parseModelConfig((*buffer)->getBuffer(), file);
}
