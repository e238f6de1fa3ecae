//===- StringTable.h - Hash tables of the tokenizer -------------*- C++ -*-===//
//
// Open addressing with linear probing, strings in one block of memory: loading
// 128 000 tokens and 127 000 merges takes tens of milliseconds, and a look-up
// touches one or two cache lines.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_STRINGTABLE_H
#define DSRT_TEXT_STRINGTABLE_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

inline uint64_t mixBits(uint64_t value) {
  value ^= value >> 32;
  value *= 0xE9846AF9B1A615Du;
  return value ^ value >> 28;
}

inline uint64_t hashBytes(std::string_view text) {
  uint64_t hash = text.size() * 0x9E3779B97F4A7C15u;
  const char *at = text.data();
  size_t left = text.size();
  for (uint64_t word; left >= 8; at += 8, left -= 8) {
    std::memcpy(&word, at, 8);
    hash = mixBits(hash ^ word) * 0x9E3779B97F4A7C15u;
  }
  uint64_t tail = 0;
  if (left > 0)
    std::memcpy(&tail, at, left);
  return mixBits(hash ^ tail);
}

/// Strings, each with an id.
class StringTable {
public:
  struct Entry {
    uint32_t offset;
    uint32_t length;
    int32_t id;
  };

  /// Returns false when the string is there already.
  bool insert(std::string_view text, int32_t id) {
    if (entries.size() * 2 >= slots.size())
      grow();
    uint32_t &slot = slots[probe(text)];
    if (slot != 0)
      return false;
    entries.push_back({static_cast<uint32_t>(arena.size()),
                       static_cast<uint32_t>(text.size()), id});
    arena += text;
    slot = static_cast<uint32_t>(entries.size());
    return true;
  }

  /// The id of a string, -1 when it is not there.
  int32_t find(std::string_view text) const {
    if (slots.empty())
      return -1;
    uint32_t slot = slots[probe(text)];
    return slot == 0 ? -1 : entries[slot - 1].id;
  }

  std::string_view text(const Entry &entry) const {
    return std::string_view(arena).substr(entry.offset, entry.length);
  }
  size_t size() const { return entries.size(); }
  auto begin() const { return entries.begin(); }
  auto end() const { return entries.end(); }

private:
  // The slot of a string, or the empty one where it belongs.
  size_t probe(std::string_view wanted) const {
    size_t mask = slots.size() - 1;
    size_t at = hashBytes(wanted) & mask;
    while (slots[at] != 0 && text(entries[slots[at] - 1]) != wanted)
      at = (at + 1) & mask;
    return at;
  }
  void grow() {
    slots.assign(slots.empty() ? 1024 : slots.size() * 4, 0);
    for (size_t i = 0; i < entries.size(); ++i)
      slots[probe(text(entries[i]))] = static_cast<uint32_t>(i + 1);
  }

  std::string arena;
  std::vector<Entry> entries;
  std::vector<uint32_t> slots; // index into entries plus one; 0: empty
};

} // namespace dsrt

#endif // DSRT_TEXT_STRINGTABLE_H
