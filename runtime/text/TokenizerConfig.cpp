//===- TokenizerConfig.cpp - The small files beside a tokenizer -----------===//
//
// Tokens appear as a string or as an object with "content"; chat templates as a
// string, a list of named ones, or a file.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/TokenizerConfig.h"
#include "runtime/text/Json.h"

#include <limits>

using namespace dsrt;
using nlohmann::json;

// The value of a key; null when it is absent.
static const json &field(const json &object, const char *key) {
  static const json null;
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

static Status wrongType(const std::string &name, const char *key,
                        const json &found, const char *expected) {
  return error(DSRT_MALFORMED, "{}: {} is {}, expected {}", name, key,
               quoteJson(found), expected);
}

static Status readToken(const json &config, const char *key,
                        const std::string &name,
                        std::optional<std::string> &out) {
  const json &value = field(config, key);
  const json &text = value.is_object() ? field(value, "content") : value;
  if (value.is_null())
    return Status();
  if (!text.is_string())
    return wrongType(name, key, value,
                     "a string or an object with a string 'content'");
  out = text.get<std::string>();
  return Status();
}

static Status readChatTemplate(const json &config, const std::string &name,
                               std::optional<std::string> &out) {
  const json &value = field(config, "chat_template");
  if (value.is_null())
    return Status();
  if (value.is_string()) {
    out = value.get<std::string>();
    return Status();
  }
  if (!value.is_array())
    return wrongType(name, "chat_template", value, "a string or a list");
  for (const json &entry : value)
    if (entry.is_object() && field(entry, "name") == "default" &&
        field(entry, "template").is_string())
      out = field(entry, "template").get<std::string>();
  if (!out)
    return error(DSRT_MALFORMED,
                 "{}: chat_template is a list without a template named "
                 "'default'",
                 name);
  return Status();
}

Result<TokenizerConfig> dsrt::parseTokenizerConfig(std::string_view text,
                                                   const std::string &name) {
  Result<json> config = parseJson(text, name);
  if (!config.ok())
    return config.status();
  if (!config->is_object())
    return wrongType(name, "the document", *config, "an object");
  const json &addBos = field(*config, "add_bos_token");
  if (!addBos.is_null() && !addBos.is_boolean())
    return wrongType(name, "add_bos_token", addBos, "true or false");
  const json &addEos = field(*config, "add_eos_token");
  if (!addEos.is_null() && addEos != json(false))
    return wrongType(name, "add_eos_token", addEos,
                     "false, for a prompt has to stay open");
  TokenizerConfig result;
  if (addBos.is_boolean())
    result.addBosToken = addBos.get<bool>();
  DSRT_TRY(readToken(*config, "bos_token", name, result.bosToken));
  DSRT_TRY(readToken(*config, "eos_token", name, result.eosToken));
  DSRT_TRY(readChatTemplate(*config, name, result.chatTemplate));
  return result;
}

Result<TokenizerConfig> dsrt::loadTokenizerConfig(const std::string &folder) {
  TokenizerConfig config;
  std::string path = folder + "/tokenizer_config.json";
  Result<std::string> text = readTextFile(path);
  if (text.ok()) {
    Result<TokenizerConfig> parsed = parseTokenizerConfig(*text, path);
    if (!parsed.ok())
      return parsed.status();
    config = std::move(*parsed);
  } else if (text.status().code() != DSRT_NOT_FOUND) {
    return text.status();
  }
  if (config.chatTemplate)
    return config;
  text = readTextFile(folder + "/chat_template.jinja");
  if (text.ok())
    config.chatTemplate = std::move(*text);
  else if (text.status().code() != DSRT_NOT_FOUND)
    return text.status();
  return config;
}

Result<std::vector<int32_t>> dsrt::loadEosIds(const std::string &folder) {
  std::vector<int32_t> ids;
  std::string path = folder + "/generation_config.json";
  Result<std::string> text = readTextFile(path);
  if (!text.ok()) {
    if (text.status().code() == DSRT_NOT_FOUND)
      return ids;
    return text.status();
  }
  Result<json> config = parseJson(*text, path);
  if (!config.ok())
    return config.status();
  if (!config->is_object())
    return wrongType(path, "the document", *config, "an object");
  const json &value = field(*config, "eos_token_id");
  if (value.is_null())
    return ids;
  for (const json &id : value.is_array() ? value : json::array({value})) {
    if (!id.is_number_unsigned() ||
        id.get<uint64_t>() > std::numeric_limits<int32_t>::max())
      return wrongType(path, "eos_token_id", id, "an id or a list of ids");
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}
