//===- ModelFiles.cpp - The texts that speak of the weights ---------------===//
//
// The layout is that of transformers' own writer: two spaces, and in new text
// keys by the alphabet.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/ModelFiles.h"

#include "runtime/text/Json.h"
#include "runtime/weights/Quote.h"

#include <algorithm>

namespace dsrt {

using nlohmann::json;
using nlohmann::ordered_json;

static constexpr const char *kQuantization = "quantization_config";

/// Takes `prefix` off the front of `text`.
static bool consume(std::string_view &text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix)
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

static bool consumeNumber(std::string_view &text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    ++digits;
  text.remove_prefix(digits);
  return digits > 0;
}

bool isQuantizedWeight(std::string_view tensor) {
  if (!consume(tensor, "model.layers.") || !consumeNumber(tensor))
    return false;
  static constexpr std::string_view attention[] = {
      "q_proj.weight",
      "q_a_proj.weight",
      "q_b_proj.weight",
      "kv_a_proj_with_mqa.weight",
      "kv_b_proj.weight",
      "o_proj.weight",
      // Of V3.2.
      "indexer.wq_b.weight",
      "indexer.wk.weight",
  };
  if (consume(tensor, ".self_attn."))
    return std::find(std::begin(attention), std::end(attention), tensor) !=
           std::end(attention);
  if (!consume(tensor, ".mlp."))
    return false;
  if (consume(tensor, "experts.")) {
    if (!consumeNumber(tensor) || !consume(tensor, "."))
      return false;
  } else {
    consume(tensor, "shared_experts.");
  }
  return tensor == "gate_proj.weight" || tensor == "up_proj.weight" ||
         tensor == "down_proj.weight";
}

/// Ends with a line break where the file it comes from does.
template <typename Json>
static std::string written(const Json &document, const std::string &original) {
  const bool ends = !original.empty() && original.back() == '\n';
  return document.dump(2, ' ', false, Json::error_handler_t::replace) +
         (ends ? "\n" : "");
}

/// The config in the order of its keys.
static Result<ordered_json> parseConfig(const std::string &text,
                                        const std::string &file) {
  // This parser has the better messages, and refuses keys given twice.
  Result<json> checked = parseJson(text, file);
  if (!checked.ok())
    return checked.status();
  if (!checked->is_object())
    return error(DSRT_MALFORMED, "{}: expected an object, found {}", file,
                 quoteJson(*checked));
  static const char *const family[] = {"deepseek_v2", "deepseek_v3",
                                       "deepseek_v32", "kimi_k2"};
  const json type = checked->value("model_type", json());
  if (std::find(std::begin(family), std::end(family), type) == std::end(family))
    return error(DSRT_UNSUPPORTED,
                 "{}: field 'model_type': expected deepseek_v2, deepseek_v3, "
                 "deepseek_v32 or kimi_k2, found {}",
                 file, quoteJson(type));
  return ordered_json::parse(text);
}

Result<std::string> quantizedConfig(const std::string &text,
                                    const std::string &file,
                                    ScaleFormat format) {
  Result<ordered_json> config = parseConfig(text, file);
  if (!config.ok())
    return config.status();
  if (config->contains(kQuantization))
    return error(DSRT_INVALID_ARGUMENT,
                 "{}: expected a checkpoint that is not quantized, found a "
                 "{}; --dequantize makes BF16 of FP8",
                 file, kQuantization);
  ordered_json quantization = {{"activation_scheme", "dynamic"},
                               {"fmt", "e4m3"},
                               {"quant_method", "fp8"}};
  if (format == ScaleFormat::PowerOfTwo)
    quantization["scale_fmt"] = "ue8m0";
  quantization["weight_block_size"] = {kBlockSize, kBlockSize};

  ordered_json result = ordered_json::object();
  for (const auto &[key, value] : config->items()) {
    if (key > kQuantization && !result.contains(kQuantization))
      result[kQuantization] = quantization;
    result[key] = value;
  }
  if (!result.contains(kQuantization))
    result[kQuantization] = quantization;
  return written(result, text);
}

Result<DequantizedConfig> dequantizedConfig(const std::string &text,
                                            const std::string &file) {
  Result<ordered_json> config = parseConfig(text, file);
  if (!config.ok())
    return config.status();
  if (!config->contains(kQuantization))
    return error(DSRT_INVALID_ARGUMENT,
                 "{}: expected a {}, found none: nothing is to be dequantized",
                 file, kQuantization);
  const json found = config->at(kQuantization);
  const json expected = {{"quant_method", "fp8"},
                         {"weight_block_size", {kBlockSize, kBlockSize}}};
  for (const auto &[key, value] : expected.items()) {
    const json got = found.is_object() ? found.value(key, json()) : json();
    if (got != value)
      return error(DSRT_UNSUPPORTED, "{}: field '{}.{}': expected {}, found {}",
                   file, kQuantization, key, value.dump(),
                   got.is_array() && got.size() < 8 ? got.dump()
                                                    : quoteJson(got));
  }
  DequantizedConfig result;
  if (found.value("scale_fmt", json()) == "ue8m0")
    result.format = ScaleFormat::PowerOfTwo;
  config->erase(kQuantization);
  result.text = written(*config, text);
  return result;
}

Result<std::string>
changedIndex(const std::string &text, const std::string &file,
             const std::map<std::string, std::string> &weightMap,
             uint64_t totalBytes) {
  Result<json> index = parseJson(text, file);
  if (!index.ok())
    return index.status();
  json &metadata = (*index)["metadata"];
  if (!metadata.is_object() && !metadata.is_null())
    return error(DSRT_MALFORMED,
                 "{}: expected metadata to be an object, found {}", file,
                 quoteJson(metadata));
  metadata["total_size"] = totalBytes;
  (*index)["weight_map"] = weightMap;
  return written(*index, text);
}

} // namespace dsrt
