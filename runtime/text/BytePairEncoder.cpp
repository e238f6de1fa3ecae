//===- BytePairEncoder.cpp - Merging bytes into tokens --------------------===//
//
// Two algorithms with one result. Words have a few bytes, and there a scan of
// the ranks is fastest. A piece may also be a megabyte of one letter, where
// that would take time with the square of its length: long pieces use a linked
// list and a queue ordered by rank, then place.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/BytePairEncoder.h"
#include "runtime/text/StringTable.h"

#include <algorithm>
#include <functional>

using namespace dsrt;

static constexpr uint64_t emptyKey = ~uint64_t(0);
static constexpr uint32_t noRank = ~uint32_t(0);
static constexpr uint32_t none = ~uint32_t(0); // no neighbour
static constexpr size_t shortLength = 48;

static uint64_t keyOf(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
         static_cast<uint32_t>(right);
}

void BytePairEncoder::reserve(size_t count) {
  size_t size = 16;
  while (size < count * 2)
    size *= 2;
  slots.assign(size, {emptyKey, noRank, -1});
}

bool BytePairEncoder::addMerge(int32_t left, int32_t right, int32_t joined) {
  uint64_t key = keyOf(left, right);
  size_t mask = slots.size() - 1;
  size_t at = mixBits(key) & mask;
  for (; slots[at].key != emptyKey; at = (at + 1) & mask)
    if (slots[at].key == key)
      return false;
  slots[at] = {key, mergeCount++, joined};
  return true;
}

const BytePairEncoder::Slot *BytePairEncoder::find(int32_t left,
                                                   int32_t right) const {
  if (slots.empty())
    return nullptr;
  uint64_t key = keyOf(left, right);
  size_t mask = slots.size() - 1;
  for (size_t at = mixBits(key) & mask; slots[at].key != emptyKey;
       at = (at + 1) & mask)
    if (slots[at].key == key)
      return &slots[at];
  return nullptr;
}

void BytePairEncoder::encode(std::string_view piece, Scratch &scratch,
                             std::vector<int32_t> &out) const {
  if (piece.size() <= shortLength)
    encodeShort(piece, out);
  else
    encodeLong(piece, scratch, out);
}

void BytePairEncoder::encodeShort(std::string_view piece,
                                  std::vector<int32_t> &out) const {
  std::array<int32_t, shortLength> ids;
  // The merge of token i with token i + 1.
  std::array<uint32_t, shortLength> ranks;
  std::array<int32_t, shortLength> joined;
  size_t count = piece.size();
  auto update = [&](size_t i) {
    const Slot *slot = i + 1 < count ? find(ids[i], ids[i + 1]) : nullptr;
    ranks[i] = slot ? slot->rank : noRank;
    joined[i] = slot ? slot->joined : -1;
  };
  for (size_t i = 0; i < count; ++i)
    ids[i] = byteIds[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i < count; ++i)
    update(i);
  while (count > 1) {
    size_t best =
        std::min_element(ranks.begin(), ranks.begin() + count) - ranks.begin();
    if (ranks[best] == noRank)
      break;
    ids[best] = joined[best];
    --count;
    for (size_t i = best + 1; i < count; ++i) {
      ids[i] = ids[i + 1];
      ranks[i] = ranks[i + 1];
      joined[i] = joined[i + 1];
    }
    update(best);
    if (best > 0)
      update(best - 1);
  }
  out.insert(out.end(), ids.begin(), ids.begin() + count);
}

void BytePairEncoder::encodeLong(std::string_view piece, Scratch &scratch,
                                 std::vector<int32_t> &out) const {
  uint32_t count = static_cast<uint32_t>(piece.size());
  std::vector<int32_t> &ids = scratch.ids;
  std::vector<uint32_t> &ranks = scratch.ranks;
  std::vector<uint32_t> &previous = scratch.previous, &next = scratch.next;
  std::vector<uint64_t> &queue = scratch.queue;
  ids.resize(count);
  ranks.assign(count, noRank);
  previous.resize(count);
  next.resize(count);
  queue.clear();
  // An entry of the queue is out of date when the rank at its place changed.
  auto update = [&](uint32_t i) {
    const Slot *slot = next[i] != none ? find(ids[i], ids[next[i]]) : nullptr;
    ranks[i] = slot ? slot->rank : noRank;
    if (!slot)
      return;
    queue.push_back(static_cast<uint64_t>(slot->rank) << 32 | i);
    std::push_heap(queue.begin(), queue.end(), std::greater<uint64_t>());
  };
  for (uint32_t i = 0; i < count; ++i) {
    ids[i] = byteIds[static_cast<unsigned char>(piece[i])];
    previous[i] = i == 0 ? none : i - 1;
    next[i] = i + 1 == count ? none : i + 1;
  }
  for (uint32_t i = 0; i < count; ++i)
    update(i);
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<uint64_t>());
    uint32_t rank = static_cast<uint32_t>(queue.back() >> 32);
    uint32_t i = static_cast<uint32_t>(queue.back());
    queue.pop_back();
    if (ranks[i] != rank)
      continue;
    uint32_t gone = next[i];
    ids[i] = find(ids[i], ids[gone])->joined;
    ranks[gone] = noRank;
    next[i] = next[gone];
    if (next[i] != none)
      previous[next[i]] = i;
    update(i);
    if (previous[i] != none)
      update(previous[i]);
  }
  for (uint32_t i = 0; i != none; i = next[i])
    out.push_back(ids[i]);
}
