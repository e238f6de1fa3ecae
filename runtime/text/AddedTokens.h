//===- AddedTokens.h - Tokens that text may spell out -----------*- C++ -*-===//
//
// Finds added tokens such as <think> in a text: the leftmost match, and of
// those that start there the longest. A trie over bytes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_ADDEDTOKENS_H
#define DSRT_TEXT_ADDEDTOKENS_H

#include "runtime/text/StringTable.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace dsrt {

class AddedTokens {
public:
  struct Match {
    size_t offset;
    size_t length; // 0: nothing found
    int32_t id;
  };

  /// Returns false when the token is there already. It must not be empty.
  bool insert(std::string_view token, int32_t id);

  /// The first match at or after `from`.
  Match find(std::string_view text, size_t from) const;

  int32_t id(std::string_view token) const { return ids.find(token); }

private:
  struct Node {
    int32_t id = -1; // of the token that ends here
    std::vector<std::pair<unsigned char, uint32_t>> children;
  };
  uint32_t child(uint32_t node, unsigned char byte) const;
  Match longestAt(std::string_view text, size_t offset) const;

  StringTable ids;
  std::vector<Node> nodes{1};
  std::array<bool, 256> starts{}; // bytes that a token starts with
};

} // namespace dsrt

#endif // DSRT_TEXT_ADDEDTOKENS_H
