//===- BytePairEncoder.h - Merging bytes into tokens ------------*- C++ -*-===//
//
// Byte-pair encoding of one piece of text: of all neighbours that some merge
// joins, the merge of lowest rank is done first, at its leftmost place.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_BYTEPAIRENCODER_H
#define DSRT_TEXT_BYTEPAIRENCODER_H

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace dsrt {

class BytePairEncoder {
public:
  /// Memory of encode(), kept between pieces; not for two threads at once.
  struct Scratch {
    std::vector<int32_t> ids;
    std::vector<uint32_t> ranks, previous, next;
    std::vector<uint64_t> queue;
  };

  BytePairEncoder() { byteIds.fill(-1); }

  void setByte(unsigned char byte, int32_t id) { byteIds[byte] = id; }
  int32_t byteId(unsigned char byte) const { return byteIds[byte]; }

  /// Room for so many merges.
  void reserve(size_t count);
  /// The next merge, in order of rank. Returns false when these two already
  /// have one.
  bool addMerge(int32_t left, int32_t right, int32_t joined);

  /// Appends the ids of a piece; each of its bytes must have an id.
  void encode(std::string_view piece, Scratch &scratch,
              std::vector<int32_t> &out) const;

private:
  struct Slot {
    uint64_t key; // left and right id; emptyKey: no merge
    uint32_t rank;
    int32_t joined;
  };
  const Slot *find(int32_t left, int32_t right) const;
  void encodeShort(std::string_view piece, std::vector<int32_t> &out) const;
  void encodeLong(std::string_view piece, Scratch &scratch,
                  std::vector<int32_t> &out) const;

  std::array<int32_t, 256> byteIds;
  std::vector<Slot> slots;
  uint32_t mergeCount = 0;
};

} // namespace dsrt

#endif // DSRT_TEXT_BYTEPAIRENCODER_H
