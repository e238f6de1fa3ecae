//===- AddedTokens.cpp - Tokens that text may spell out -------------------===//
//
// Node 0 is the root, which is nobody's child: 0 also means "no child".
//
//===----------------------------------------------------------------------===//

#include "runtime/text/AddedTokens.h"

using namespace dsrt;

uint32_t AddedTokens::child(uint32_t node, unsigned char byte) const {
  for (auto [label, target] : nodes[node].children)
    if (label == byte)
      return target;
  return 0;
}

bool AddedTokens::insert(std::string_view token, int32_t id) {
  if (!ids.insert(token, id))
    return false;
  starts[static_cast<unsigned char>(token[0])] = true;
  uint32_t node = 0;
  for (unsigned char byte : token) {
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes.size());
      nodes[node].children.push_back({byte, next});
      nodes.emplace_back();
    }
    node = next;
  }
  nodes[node].id = id;
  return true;
}

AddedTokens::Match AddedTokens::longestAt(std::string_view text,
                                          size_t offset) const {
  Match best{offset, 0, -1};
  uint32_t node = 0;
  for (size_t at = offset; at < text.size(); ++at) {
    node = child(node, text[at]);
    if (node == 0)
      break;
    if (nodes[node].id >= 0)
      best = {offset, at + 1 - offset, nodes[node].id};
  }
  return best;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!starts[static_cast<unsigned char>(text[at])])
      continue;
    Match match = longestAt(text, at);
    if (match.length > 0)
      return match;
  }
  return {text.size(), 0, -1};
}
