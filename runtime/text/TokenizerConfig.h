//===- TokenizerConfig.h - The small files beside a tokenizer ---*- C++ -*-===//
//
// What is needed of tokenizer_config.json and generation_config.json. Keys that
// are not named here are ignored: they do not change ids.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_TOKENIZERCONFIG_H
#define DSRT_TEXT_TOKENIZERCONFIG_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

struct TokenizerConfig {
  std::optional<bool> addBosToken;
  std::optional<std::string> bosToken;
  std::optional<std::string> eosToken;
  std::optional<std::string> chatTemplate; // Jinja source
};

/// The text of a tokenizer_config.json; `name` is for messages.
Result<TokenizerConfig> parseTokenizerConfig(std::string_view json,
                                             const std::string &name);

/// tokenizer_config.json of a folder, and chat_template.jinja where it is a
/// file of its own. Without the files everything is absent.
Result<TokenizerConfig> loadTokenizerConfig(const std::string &folder);

/// eos_token_id of generation_config.json, one or several; empty without the
/// file or the key. Needs no tokenizer.
Result<std::vector<int32_t>> loadEosIds(const std::string &folder);

} // namespace dsrt

#endif // DSRT_TEXT_TOKENIZERCONFIG_H
