//===- TokenizerFile.h - The content of a tokenizer.json --------*- C++ -*-===//
//
// Reads the syntax. The two large tables, model.vocab and model.merges, go into
// flat arrays as they are parsed; everything else is a JSON document. What the
// fields mean, and which values are supported, is Tokenizer's business.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_TOKENIZERFILE_H
#define DSRT_TEXT_TOKENIZERFILE_H

#include "runtime/core/Status.h"
#include "runtime/text/StringTable.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

struct TokenizerFile {
  /// Ids are columns of the logits; the largest published vocabulary has 256
  /// 000.
  static constexpr uint64_t maxId = (1 << 20) - 1;

  /// A merge of two tokens, written as one string.
  struct Merge {
    uint32_t offset;
    uint32_t leftLength;
    uint32_t length;
  };

  static Result<TokenizerFile> parse(std::string_view text,
                                     const std::string &name);

  std::string_view joined(const Merge &merge) const {
    return std::string_view(mergeText).substr(merge.offset, merge.length);
  }

  std::string name;    // of the file, for messages
  nlohmann::json rest; // without model.vocab and model.merges
  StringTable vocab;   // the token as it is written -> id
  std::string mergeText;
  std::vector<Merge> merges; // in order of rank
};

} // namespace dsrt

#endif // DSRT_TEXT_TOKENIZERFILE_H
