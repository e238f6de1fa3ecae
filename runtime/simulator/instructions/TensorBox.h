//===- TensorBox.h - The part of a tensor that a copy takes -----*- C++ -*-===//
//
// Where the elements of a box lie in global and in shared memory.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_TENSORBOX_H
#define DSRT_SIMULATOR_INSTRUCTIONS_TENSORBOX_H

#include "runtime/simulator/machine/TensorMap.h"
#include "runtime/simulator/machine/Warp.h"

namespace dsrt::simulator {

/// Exchanges the blocks of 16 bytes inside of a span of 32, 64 or 128 bytes, by
/// the number of the row of 128 bytes. A span of 0 changes nothing.
inline uint64_t swizzle(uint64_t address, unsigned span) {
  uint64_t blocks = span / 16;
  return blocks ? address ^ ((address >> 7 & (blocks - 1)) << 4) : address;
}

struct BoxPart {
  uint64_t global; // an address; kZeros: out of bounds
  uint64_t shared; // an offset
  uint32_t bytes;
};

class TensorBox {
public:
  /// Reads the map that operand 1 of the lane's copy names. A fault if there is
  /// none or if it is not for so many coordinates.
  TensorBox(Warp &warp, const Instruction &instruction, unsigned lane);

  uint64_t bytes() const;
  /// The parts of the box at 'offset' of shared memory.
  std::vector<BoxPart> parts(uint64_t offset) const;

private:
  void addRow(std::vector<BoxPart> &parts, std::optional<uint64_t> global,
              uint64_t address) const;
  std::optional<uint64_t> rowAddress(uint64_t row) const;
  unsigned rowBytes() const { return map.box[0] * map.elementBytes; }
  uint64_t rows() const;

  TensorMap map;
  int32_t coordinates[kMaxTensorRank] = {};
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_TENSORBOX_H
