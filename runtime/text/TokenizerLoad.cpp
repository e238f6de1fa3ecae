//===- TokenizerLoad.cpp - A Tokenizer from its files ---------------------===//
//
// Goes through tokenizer.json field by field. A field that would change ids and
// has a value that is not implemented is an error that names both.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Json.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/TokenizerFile.h"

#include <cctype>

using namespace dsrt;
using nlohmann::json;

// ByteLevel's own expression, which it applies unless use_regex is false.
static constexpr std::string_view byteLevelRegex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// The value of a key; null when the key, or the object, is not there.
static const json &field(const json &object, const char *key) {
  static const json null;
  if (!object.is_object())
    return null;
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

static Status unsupported(const std::string &name, std::string_view where,
                          const json &found, std::string_view expected) {
  return error(DSRT_MALFORMED, "{}: {} is {}, expected {}", name, where,
               quoteJson(found), expected);
}

// A key that must be absent, null or one value.
static Status expectValue(const std::string &name, const json &object,
                          const char *key, const json &wanted,
                          std::string_view where) {
  const json &found = field(object, key);
  if (found.is_null() || found == wanted)
    return Status();
  return unsupported(name, fmt::format("{}.{}", where, key), found,
                     wanted.dump() + " or null");
}

// The steps of a "Sequence", or the single step that stands in its place.
static Result<std::vector<json>> sequence(const std::string &name,
                                          const json &value, const char *where,
                                          const char *listKey) {
  if (value.is_null())
    return std::vector<json>();
  if (field(value, "type") != "Sequence")
    return std::vector<json>{value};
  const json &list = field(value, listKey);
  if (!list.is_array())
    return unsupported(name, fmt::format("{}.{}", where, listKey), list,
                       "an array");
  return list.get<std::vector<json>>();
}

//===----------------------------------------------------------------------===//
// Vocabulary, added tokens and merges
//===----------------------------------------------------------------------===//

Status Tokenizer::setBytes(int32_t id, std::string_view text,
                           const std::string &where) {
  if (static_cast<size_t>(id) >= tokens.size())
    tokens.resize(id + 1);
  Token &token = tokens[id];
  if (token.present)
    return error(DSRT_MALFORMED, "{} has id {}, which another token has", where,
                 id);
  token.present = true;
  token.offset = static_cast<uint32_t>(bytes.size());
  token.length = static_cast<uint32_t>(text.size());
  bytes += text;
  return Status();
}

namespace {

struct AddedToken {
  std::string content;
  int32_t id;
  bool special;
  bool normalized;
};

} // namespace

static Result<AddedToken> readAddedToken(const json &entry,
                                         const std::string &name,
                                         const std::string &where) {
  const json &content = field(entry, "content");
  const json &id = field(entry, "id");
  if (!content.is_string() || content.get_ref<const std::string &>().empty())
    return unsupported(name, where + ".content", content,
                       "a string that is not empty");
  if (!id.is_number_unsigned() || id.get<uint64_t>() > TokenizerFile::maxId)
    return unsupported(name, where + ".id", id,
                       fmt::format("an id from 0 to {}", TokenizerFile::maxId));
  for (const char *key : {"single_word", "lstrip", "rstrip"})
    DSRT_TRY(expectValue(name, entry, key, false, where));
  const json &special = field(entry, "special");
  const json &normalized = field(entry, "normalized");
  for (const json *flag : {&special, &normalized})
    if (!flag->is_null() && !flag->is_boolean())
      return unsupported(name, where + ".special or .normalized", *flag,
                         "true or false");
  bool isSpecial = special == json(true);
  return AddedToken{content.get<std::string>(), id.get<int32_t>(), isSpecial,
                    normalized.is_null() ? !isSpecial : normalized.get<bool>()};
}

Status Tokenizer::addTokens(const TokenizerFile &file) {
  const json &model = field(file.rest, "model");
  if (!field(model, "vocab").is_object() || file.vocab.size() == 0)
    return error(DSRT_MALFORMED,
                 "{}: model.vocab is missing or empty, expected an object of "
                 "tokens and ids",
                 file.name);
  std::string text;
  for (const StringTable::Entry &entry : file.vocab) {
    std::string_view symbols = file.vocab.text(entry);
    text.clear();
    // What is not written in the byte alphabet is an added token's text.
    if (!appendBytesOfSymbols(symbols, text))
      text = symbols;
    else if (text.size() == 1)
      merger.setByte(text[0], entry.id);
    Status status = setBytes(entry.id, text, {});
    if (!status.ok())
      return error(DSRT_MALFORMED,
                   "{}: model.vocab['{}'] has id {}, which another token has",
                   file.name, quoteText(symbols), entry.id);
  }

  const json &list = field(file.rest, "added_tokens");
  if (!list.is_null() && !list.is_array())
    return unsupported(file.name, "added_tokens", list, "an array");
  for (size_t i = 0; i < list.size(); ++i) {
    std::string where = fmt::format("added_tokens[{}]", i);
    Result<AddedToken> added = readAddedToken(list[i], file.name, where);
    if (!added.ok())
      return added.status();
    int32_t inVocab = file.vocab.find(added->content);
    if (inVocab >= 0 && inVocab != added->id)
      return error(DSRT_MALFORMED,
                   "{}: {} has id {} for '{}', model.vocab has {}", file.name,
                   where, added->id, quoteText(added->content), inVocab);
    if (addedToken(added->content))
      return error(DSRT_MALFORMED, "{}: {} repeats the token '{}'", file.name,
                   where, quoteText(added->content));
    // An added token's text is taken as it is, also where it could be read in
    // the byte alphabet.
    if (inVocab >= 0)
      tokens[inVocab].present = false;
    DSRT_TRY(setBytes(added->id, added->content,
                      fmt::format("{}: {}", file.name, where)));
    tokens[added->id].special = added->special;
    AddedTokens &group = added->normalized ? normalizedAdded : rawAdded;
    group.insert(added->content, added->id);
  }
  return Status();
}

Status Tokenizer::addMerges(const TokenizerFile &file) {
  merger.reserve(file.merges.size());
  std::vector<bool> made(tokens.size());
  for (size_t rank = 0; rank < file.merges.size(); ++rank) {
    const TokenizerFile::Merge &merge = file.merges[rank];
    std::string_view joined = file.joined(merge);
    std::string_view left = joined.substr(0, merge.leftLength);
    std::string_view right = joined.substr(merge.leftLength);
    int32_t ids[3] = {file.vocab.find(left), file.vocab.find(right),
                      file.vocab.find(joined)};
    for (int i = 0; i < 3; ++i)
      if (ids[i] < 0)
        return error(DSRT_MALFORMED,
                     "{}: model.merges[{}] needs the token '{}', which "
                     "model.vocab lacks",
                     file.name, rank,
                     quoteText(i == 0   ? left
                               : i == 1 ? right
                                        : joined));
    if (!merger.addMerge(ids[0], ids[1], ids[2]))
      return error(DSRT_MALFORMED,
                   "{}: model.merges[{}] repeats the merge of '{}' and '{}'",
                   file.name, rank, quoteText(left), quoteText(right));
    made[ids[2]] = true;
  }
  return checkAllMade(file, made);
}

/// A token that no merge makes would never be used: a merge is missing, and the
/// text would silently become other tokens than the model was trained on.
Status Tokenizer::checkAllMade(const TokenizerFile &file,
                               const std::vector<bool> &made) const {
  std::string text;
  for (const StringTable::Entry &entry : file.vocab) {
    std::string_view symbols = file.vocab.text(entry);
    text.clear();
    if (!made[entry.id] && appendBytesOfSymbols(symbols, text) &&
        text.size() > 1 && !addedToken(symbols))
      return error(DSRT_MALFORMED,
                   "{}: model.vocab has the token '{}', which no entry of "
                   "model.merges makes; a merge is missing",
                   file.name, quoteText(symbols));
  }
  return Status();
}

//===----------------------------------------------------------------------===//
// Pre-tokenizer
//===----------------------------------------------------------------------===//

// A "String" pattern is matched literally.
static std::string escapeRegex(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c < 0x80 && !std::isalnum(c))
      out += '\\';
    out += static_cast<char>(c);
  }
  return out;
}

// The expression that a step other than ByteLevel splits by.
static Result<std::string> stepRegex(const json &step, const std::string &name,
                                     const std::string &where) {
  const json &type = field(step, "type");
  if (type == "Digits")
    return std::string(
        field(step, "individual_digits") == json(true) ? "\\p{N}" : "\\p{N}+");
  if (type != "Split")
    return unsupported(name, where + ".type", type,
                       "Split, Digits or ByteLevel");
  if (field(step, "behavior") != "Isolated")
    return unsupported(name, where + ".behavior", field(step, "behavior"),
                       "Isolated");
  DSRT_TRY(expectValue(name, step, "invert", false, where));
  const json &pattern = field(step, "pattern");
  const json &regex = field(pattern, "Regex");
  const json &literal = field(pattern, "String");
  if (regex.is_string())
    return regex.get<std::string>();
  if (literal.is_string())
    return escapeRegex(literal.get_ref<const std::string &>());
  return unsupported(name, where + ".pattern", pattern,
                     "an object with Regex or String");
}

Status Tokenizer::addSplits(const TokenizerFile &file) {
  Result<std::vector<json>> steps =
      sequence(file.name, field(file.rest, "pre_tokenizer"), "pre_tokenizer",
               "pretokenizers");
  if (!steps.ok())
    return steps.status();
  bool hasByteLevel = false;
  for (size_t i = 0; i < steps->size(); ++i) {
    const json &step = (*steps)[i];
    std::string where = fmt::format("pre_tokenizer step {}", i);
    if (hasByteLevel)
      return unsupported(file.name, where + ".type", field(step, "type"),
                         "nothing after ByteLevel");
    std::string regex;
    if (field(step, "type") == "ByteLevel") {
      hasByteLevel = true;
      DSRT_TRY(expectValue(file.name, step, "add_prefix_space", false, where));
      if (field(step, "use_regex") == json(false))
        continue;
      regex = byteLevelRegex;
    } else {
      Result<std::string> found = stepRegex(step, file.name, where);
      if (!found.ok())
        return found.status();
      regex = std::move(*found);
    }
    Result<SplitPattern> pattern = SplitPattern::compile(regex);
    if (!pattern.ok())
      return error(pattern.status().code(), "{}: {}: {}", file.name, where,
                   pattern.status().message());
    splits.push_back(std::move(*pattern));
  }
  if (!hasByteLevel)
    return unsupported(file.name, "pre_tokenizer",
                       field(file.rest, "pre_tokenizer"),
                       "one that ends in ByteLevel");
  return Status();
}

//===----------------------------------------------------------------------===//
// The other fields
//===----------------------------------------------------------------------===//

static Status checkModel(const TokenizerFile &file) {
  const json &model = field(file.rest, "model");
  if (field(model, "type") != "BPE")
    return unsupported(file.name, "model.type", field(model, "type"),
                       "\"BPE\"");
  if (!field(model, "merges").is_array())
    return unsupported(file.name, "model.merges", field(model, "merges"),
                       "an array");
  const std::pair<const char *, json> plain[] = {
      {"dropout", nullptr},
      {"unk_token", nullptr},
      {"continuing_subword_prefix", ""},
      {"end_of_word_suffix", ""},
      {"byte_fallback", false},
      {"ignore_merges", false}};
  for (const auto &[key, value] : plain)
    DSRT_TRY(expectValue(file.name, model, key, value, "model"));
  return Status();
}

static Status checkNormalizer(const TokenizerFile &file) {
  const json &normalizer = field(file.rest, "normalizer");
  Result<std::vector<json>> steps =
      sequence(file.name, normalizer, "normalizer", "normalizers");
  if (!steps.ok())
    return steps.status();
  if (!steps->empty())
    return unsupported(file.name, "normalizer.type",
                       field(steps->front(), "type"), "no normalizer");
  return Status();
}

static Status checkDecoder(const TokenizerFile &file) {
  const json &decoder = field(file.rest, "decoder");
  if (!decoder.is_null() && field(decoder, "type") != "ByteLevel")
    return unsupported(file.name, "decoder.type", field(decoder, "type"),
                       "\"ByteLevel\"");
  return Status();
}

// ByteLevel adds nothing; TemplateProcessing may put one token, BOS, in front.
Status Tokenizer::setPostProcessor(const TokenizerFile &file) {
  Result<std::vector<json>> steps =
      sequence(file.name, field(file.rest, "post_processor"), "post_processor",
               "processors");
  if (!steps.ok())
    return steps.status();
  for (const json &step : *steps) {
    const json &type = field(step, "type");
    if (type == "ByteLevel")
      continue;
    if (type != "TemplateProcessing")
      return unsupported(file.name, "post_processor.type", type,
                         "ByteLevel or TemplateProcessing");
    const json &single = field(step, "single");
    size_t count = single.is_array() ? single.size() : 0;
    bool endsInText = count > 0 && single[count - 1].is_object() &&
                      single[count - 1].contains("Sequence");
    const json &first =
        count == 2 ? field(field(single[0], "SpecialToken"), "id") : single;
    if (!endsInText || count > 2 || (count == 2 && !first.is_string()))
      return unsupported(file.name, "post_processor.single", single,
                         "the text, with at most one special token before it");
    if (count == 1)
      continue;
    const std::string &text = first.get_ref<const std::string &>();
    bos = addedToken(text);
    if (!bos)
      return error(DSRT_MALFORMED,
                   "{}: post_processor.single begins with '{}', which is not "
                   "in added_tokens",
                   file.name, quoteText(text));
    addsBosToken = true;
  }
  return Status();
}

// tokenizer_config.json has the last word on BOS.
Status Tokenizer::applyConfig(const std::string &name) {
  auto resolve = [&](const char *key, const std::optional<std::string> &text,
                     std::optional<int32_t> &id) -> Status {
    if (!text)
      return Status();
    id = addedToken(*text);
    if (!id)
      return error(DSRT_MALFORMED,
                   "{} of tokenizer_config.json is '{}', which is not in "
                   "added_tokens of {}",
                   key, quoteText(*text), name);
    return Status();
  };
  DSRT_TRY(resolve("bos_token", config.bosToken, bos));
  DSRT_TRY(resolve("eos_token", config.eosToken, eos));
  addsBosToken = config.addBosToken.value_or(addsBosToken);
  if (addsBosToken && !bos)
    return error(DSRT_MALFORMED,
                 "add_bos_token of tokenizer_config.json is true, but there is "
                 "no bos_token");
  return Status();
}

Result<Tokenizer> Tokenizer::parse(std::string_view text,
                                   const std::string &name,
                                   TokenizerConfig config) {
  Result<TokenizerFile> file = TokenizerFile::parse(text, name);
  if (!file.ok())
    return file.status();
  Tokenizer tokenizer;
  tokenizer.config = std::move(config);
  DSRT_TRY(checkModel(*file));
  DSRT_TRY(checkNormalizer(*file));
  DSRT_TRY(checkDecoder(*file));
  DSRT_TRY(tokenizer.addTokens(*file));
  DSRT_TRY(tokenizer.addMerges(*file));
  DSRT_TRY(tokenizer.addSplits(*file));
  DSRT_TRY(tokenizer.setPostProcessor(*file));
  DSRT_TRY(tokenizer.applyConfig(name));
  return tokenizer;
}

Result<Tokenizer> Tokenizer::load(const std::string &folder) {
  std::string path = folder + "/tokenizer.json";
  Result<std::string> text = readTextFile(path);
  if (!text.ok())
    return text.status();
  Result<TokenizerConfig> config = loadTokenizerConfig(folder);
  if (!config.ok())
    return config.status();
  return parse(*text, path, std::move(*config));
}
