//===- ModelFolder.cpp - What lies beside the weights ---------------------===//

#include "runtime/serve/ModelFolder.h"

#include <algorithm>
#include <filesystem>

namespace dsrt {

Result<ModelFolder>
ModelFolder::open(const Model &model,
                  const std::optional<std::string> &folder) {
  ModelFolder result;
  const dsrt_module &tables = model.module().tables();
  result.eos.assign(tables.eos_tokens, tables.eos_tokens + tables.eos_count);
  const std::string source = model.source(folder);
  if (isSynthetic(source)) {
    result.missing = error(DSRT_NOT_FOUND,
                           "text needs a tokenizer and weights of '{}' have "
                           "none; give token ids, or a checkpoint folder with "
                           "--model",
                           source);
    return result;
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(source, ignored))
    return error(DSRT_NOT_FOUND,
                 "there is no model folder '{}'; give the checkpoint folder "
                 "with --model",
                 source);
  Result<std::vector<int32_t>> eos = loadEosIds(source);
  if (!eos.ok())
    return eos.status();
  result.eos.insert(result.eos.end(), eos->begin(), eos->end());

  Result<Tokenizer> tokenizer = Tokenizer::load(source);
  if (tokenizer.ok())
    result.text = std::make_shared<const Tokenizer>(std::move(*tokenizer));
  else if (tokenizer.status().code() == DSRT_NOT_FOUND)
    result.missing = tokenizer.status();
  else
    return tokenizer.status();
  return result;
}

Result<const Tokenizer *> ModelFolder::requireTokenizer() const {
  if (!text)
    return missing;
  return text.get();
}

bool ModelFolder::isEos(int32_t id) const {
  return std::find(eos.begin(), eos.end(), id) != eos.end();
}

} // namespace dsrt
