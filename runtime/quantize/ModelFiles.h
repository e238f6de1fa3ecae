//===- ModelFiles.h - The texts that speak of the weights -------*- C++ -*-===//
//
// What a change of the weights changes in config.json and in
// model.safetensors.index.json, and which weights the official layout keeps in
// FP8.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_MODELFILES_H
#define DSRT_QUANTIZE_MODELFILES_H

#include "runtime/core/Status.h"
#include "runtime/quantize/Fp8Blocks.h"

#include <map>

namespace dsrt {

inline constexpr const char *kConfigName = "config.json";
inline constexpr const char *kIndexName = "model.safetensors.index.json";
inline constexpr std::string_view kScaleSuffix = "_scale_inv";

/// True of the projections of the attention, of dense layers, and of routed and
/// shared experts.
bool isQuantizedWeight(std::string_view tensor);

/// The config with a quantization_config, in its place in the alphabet; all
/// else keeps its value and its place. `file` is for messages.
Result<std::string> quantizedConfig(const std::string &text,
                                    const std::string &file,
                                    ScaleFormat format);

struct DequantizedConfig {
  std::string text; // without quantization_config
  ScaleFormat format = ScaleFormat::Any;
};

/// An error if the config does not describe blocks of 128 x 128 in FP8.
Result<DequantizedConfig> dequantizedConfig(const std::string &text,
                                            const std::string &file);

/// The index with another map and size; other metadata is kept.
Result<std::string>
changedIndex(const std::string &text, const std::string &file,
             const std::map<std::string, std::string> &weightMap,
             uint64_t totalBytes);

} // namespace dsrt

#endif // DSRT_QUANTIZE_MODELFILES_H
