//===- Tokenizer.h - Text to token ids and back -----------------*- C++ -*-===//
//
// The byte-level BPE tokenizer of a checkpoint folder: tokenizer.json, and from
// tokenizer_config.json whether a beginning-of-sequence token is added, and the
// chat template. Whatever else a tokenizer.json may ask for is an error at
// load, so that a loaded tokenizer gives the published ids.
//
// A Tokenizer is immutable: threads may share one.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_TOKENIZER_H
#define DSRT_TEXT_TOKENIZER_H

#include "runtime/core/Status.h"
#include "runtime/text/AddedTokens.h"
#include "runtime/text/BytePairEncoder.h"
#include "runtime/text/ChatTemplate.h"
#include "runtime/text/SplitPattern.h"
#include "runtime/text/TokenizerConfig.h"
#include "runtime/text/Utf8.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

struct TokenizerFile;

class Tokenizer {
public:
  /// Reads tokenizer.json and, where it exists, tokenizer_config.json. A folder
  /// without tokenizer.json is DSRT_NOT_FOUND.
  static Result<Tokenizer> load(const std::string &folder);

  /// The tokenizer of the text of a tokenizer.json; `name` is for messages.
  static Result<Tokenizer> parse(std::string_view json, const std::string &name,
                                 TokenizerConfig config = {});

  /// The ids of a text, which has to be valid UTF-8. Added tokens written out
  /// in the text become their ids. With `addBos` the beginning-of-sequence
  /// token comes first, which is an error when there is none.
  Result<std::vector<int32_t>> encode(std::string_view text, bool addBos) const;

  /// The text of ids; bytes that are no UTF-8 become U+FFFD. With `skipSpecial`
  /// tokens marked special are left out.
  Result<std::string> decode(const std::vector<int32_t> &ids,
                             bool skipSpecial) const;

  /// The ids of a conversation; the template brings its own BOS.
  Result<std::vector<int32_t>>
  encodeChat(const std::vector<ChatMessage> &messages,
             bool addGenerationPrompt) const;

  /// Whether the published tokenizer puts BOS before a prompt.
  bool addsBos() const { return addsBosToken; }
  std::optional<int32_t> bosId() const { return bos; }
  std::optional<int32_t> eosId() const { return eos; }

  /// One more than the largest id: no id at or above it has a text.
  int32_t size() const { return static_cast<int32_t>(tokens.size()); }
  bool isSpecial(int32_t id) const;
  /// The bytes of a token, which need not be whole characters.
  Result<std::string_view> tokenBytes(int32_t id) const;
  /// The id of an added token.
  std::optional<int32_t> addedToken(std::string_view text) const;

private:
  struct Token {
    uint32_t offset = 0;
    uint32_t length = 0;
    bool present = false;
    bool special = false;
  };
  class TextEncoder;

  Status addTokens(const TokenizerFile &file);
  Status addMerges(const TokenizerFile &file);
  Status checkAllMade(const TokenizerFile &file,
                      const std::vector<bool> &made) const;
  Status addSplits(const TokenizerFile &file);
  Status setPostProcessor(const TokenizerFile &file);
  Status applyConfig(const std::string &name);
  Status setBytes(int32_t id, std::string_view bytes, const std::string &where);

  std::string bytes; // of all tokens
  std::vector<Token> tokens;
  AddedTokens rawAdded;        // matched first, as "normalized": false asks
  AddedTokens normalizedAdded; // matched in what is left
  std::vector<SplitPattern> splits;
  BytePairEncoder merger;
  TokenizerConfig config;
  bool addsBosToken = false;
  std::optional<int32_t> bos, eos;
};

/// Turns tokens into text as they come. What it has returned, joined, equals
/// Tokenizer::decode of all ids: an unfinished character is held back.
class StreamDecoder {
public:
  StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer(tokenizer), skipSpecial(skipSpecial) {}

  /// The text that is certain after this token; often empty.
  Result<std::string> push(int32_t id);
  /// What is left at the end.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  bool skipSpecial;
  Utf8Repair repair;
};

} // namespace dsrt

#endif // DSRT_TEXT_TOKENIZER_H
