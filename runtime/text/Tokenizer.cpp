//===- Tokenizer.cpp - Text to token ids and back -------------------------===//
//
// encode: check UTF-8; cut out added tokens; split each gap by the regular
// expressions in turn; merge the bytes of each piece. Pieces repeat, so their
// ids are looked up in what was already written.
//
// How a Tokenizer comes to be from a file is in TokenizerLoad.cpp.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Json.h"

using namespace dsrt;

// Offsets into a text are 32 bits wide.
static constexpr size_t maxTextBytes = size_t(1) << 31;

namespace {

/// Where the ids of a piece stand in the output. Pieces point into the text, so
/// a cache lives as long as one call of encode.
class PieceCache {
public:
  struct Entry {
    uint64_t hash = 0;
    uint32_t offset = 0;
    uint32_t length = 0; // 0: empty
    uint32_t firstId = 0;
    uint32_t idCount = 0;
  };
  // Longer pieces seldom repeat.
  static constexpr size_t maxLength = 128;

  explicit PieceCache(std::string_view text) : text(text), entries(1024) {}

  /// The entry of a piece, or the empty one where it belongs.
  Entry &find(std::string_view piece, uint64_t hash) {
    size_t mask = entries.size() - 1;
    size_t at = hash & mask;
    for (; entries[at].length != 0; at = (at + 1) & mask)
      if (entries[at].hash == hash &&
          text.substr(entries[at].offset, entries[at].length) == piece)
        break;
    return entries[at];
  }

  void fill(Entry &empty, const Entry &value) {
    empty = value;
    if (++used * 2 > entries.size())
      grow();
  }
  bool isFull() const { return used == maxEntries; }

private:
  static constexpr size_t maxEntries = size_t(1) << 20;

  void grow() {
    std::vector<Entry> old(entries.size() * 4);
    old.swap(entries);
    size_t mask = entries.size() - 1;
    for (const Entry &entry : old) {
      if (entry.length == 0)
        continue;
      size_t at = entry.hash & mask;
      while (entries[at].length != 0)
        at = (at + 1) & mask;
      entries[at] = entry;
    }
  }

  std::string_view text;
  std::vector<Entry> entries;
  size_t used = 0;
};

} // namespace

/// One call of encode.
class Tokenizer::TextEncoder {
public:
  TextEncoder(const Tokenizer &tokenizer, std::string_view text,
              std::vector<int32_t> &ids)
      : tokenizer(tokenizer), text(text), ids(ids), cache(text) {}

  Status run() { return cutAdded(text, tokenizer.rawAdded, /*isRaw=*/true); }

private:
  Status cutAdded(std::string_view part, const AddedTokens &added, bool isRaw);
  Status plainText(std::string_view part, bool isRaw);
  Status split(std::string_view part, size_t step);
  Status piece(std::string_view part);
  Status merge(std::string_view part);

  const Tokenizer &tokenizer;
  std::string_view text;
  std::vector<int32_t> &ids;
  PieceCache cache;
  SplitPattern::Scratch matches;
  BytePairEncoder::Scratch merges;
};

Status Tokenizer::TextEncoder::cutAdded(std::string_view part,
                                        const AddedTokens &added, bool isRaw) {
  for (size_t at = 0; at < part.size();) {
    AddedTokens::Match match = added.find(part, at);
    DSRT_TRY(plainText(part.substr(at, match.offset - at), isRaw));
    if (match.length > 0)
      ids.push_back(match.id);
    at = match.offset + match.length;
  }
  return Status();
}

// Text without raw added tokens may hold normalized ones; without both it is
// split.
Status Tokenizer::TextEncoder::plainText(std::string_view part, bool isRaw) {
  if (part.empty())
    return Status();
  return isRaw ? cutAdded(part, tokenizer.normalizedAdded, /*isRaw=*/false)
               : split(part, 0);
}

// Matches and what lies between them are split by the next step.
Status Tokenizer::TextEncoder::split(std::string_view part, size_t step) {
  if (step == tokenizer.splits.size())
    return piece(part);
  size_t done = 0;
  auto cut = [&](size_t end) {
    std::string_view next = part.substr(done, end - done);
    done = end;
    return next.empty() ? Status() : split(next, step + 1);
  };
  for (size_t from = 0; from < part.size();) {
    Result<SplitPattern::Match> match =
        tokenizer.splits[step].find(part, from, matches);
    if (!match.ok())
      return match.status();
    if (!match->found)
      break;
    DSRT_TRY(cut(match->begin));
    DSRT_TRY(cut(match->end));
    // After an empty match the search goes on at the next character.
    from = match->end;
    if (match->begin == match->end && from < part.size())
      from += utf8Length(part[from]);
  }
  return cut(part.size());
}

Status Tokenizer::TextEncoder::piece(std::string_view part) {
  if (part.size() > PieceCache::maxLength || cache.isFull())
    return merge(part);
  uint64_t hash = hashBytes(part);
  PieceCache::Entry &entry = cache.find(part, hash);
  if (entry.length != 0) {
    size_t end = ids.size();
    ids.resize(end + entry.idCount);
    std::copy_n(ids.begin() + entry.firstId, entry.idCount, ids.begin() + end);
    return Status();
  }
  size_t first = ids.size();
  DSRT_TRY(merge(part));
  cache.fill(entry,
             {hash, static_cast<uint32_t>(part.data() - text.data()),
              static_cast<uint32_t>(part.size()), static_cast<uint32_t>(first),
              static_cast<uint32_t>(ids.size() - first)});
  return Status();
}

Status Tokenizer::TextEncoder::merge(std::string_view part) {
  for (unsigned char byte : part)
    if (tokenizer.merger.byteId(byte) < 0)
      return error(DSRT_MALFORMED,
                   "the tokenizer has no token for byte 0x{:02x}, which the "
                   "text contains; use a tokenizer.json with all 256 bytes",
                   byte);
  tokenizer.merger.encode(part, merges, ids);
  return Status();
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                               bool addBos) const {
  if (text.size() > maxTextBytes)
    return error(DSRT_LIMIT_EXCEEDED,
                 "the text has {} bytes, expected at most {}", text.size(),
                 maxTextBytes);
  DSRT_TRY(checkUtf8(text, "the text"));
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 1);
  if (addBos) {
    if (!bos)
      return error(DSRT_NOT_FOUND,
                   "the tokenizer has no bos_token to begin the prompt with; "
                   "give it in tokenizer_config.json");
    ids.push_back(*bos);
  }
  DSRT_TRY(TextEncoder(*this, text, ids).run());
  return ids;
}

Result<std::vector<int32_t>>
Tokenizer::encodeChat(const std::vector<ChatMessage> &messages,
                      bool addGenerationPrompt) const {
  if (!config.chatTemplate)
    return error(DSRT_NOT_FOUND,
                 "the model has no chat_template in tokenizer_config.json; "
                 "give a plain prompt instead");
  Result<ChatTemplate> chat = ChatTemplate::recognize(*config.chatTemplate);
  if (!chat.ok())
    return chat.status();
  Result<std::string> text =
      chat->render(messages, addGenerationPrompt, config.bosToken.value_or(""),
                   config.eosToken.value_or(""));
  if (!text.ok())
    return text.status();
  return encode(*text, /*addBos=*/false);
}

Result<std::string_view> Tokenizer::tokenBytes(int32_t id) const {
  if (id < 0 || id >= size() || !tokens[id].present)
    return error(DSRT_INVALID_ARGUMENT,
                 "token id {} has no text: the tokenizer's ids end at {}", id,
                 size() - 1);
  return std::string_view(bytes).substr(tokens[id].offset, tokens[id].length);
}

bool Tokenizer::isSpecial(int32_t id) const {
  return id >= 0 && id < size() && tokens[id].special;
}

std::optional<int32_t> Tokenizer::addedToken(std::string_view text) const {
  for (const AddedTokens *added : {&rawAdded, &normalizedAdded})
    if (int32_t id = added->id(text); id >= 0)
      return id;
  return std::nullopt;
}

Result<std::string> Tokenizer::decode(const std::vector<int32_t> &ids,
                                      bool skipSpecial) const {
  StreamDecoder decoder(*this, skipSpecial);
  std::string text;
  for (int32_t id : ids) {
    Result<std::string> part = decoder.push(id);
    if (!part.ok())
      return part.status();
    text += *part;
  }
  return text + decoder.finish();
}

Result<std::string> StreamDecoder::push(int32_t id) {
  Result<std::string_view> token = tokenizer.tokenBytes(id);
  if (!token.ok())
    return token.status();
  std::string text;
  if (!skipSpecial || !tokenizer.isSpecial(id))
    repair.push(*token, text);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  repair.finish(text);
  return text;
}
