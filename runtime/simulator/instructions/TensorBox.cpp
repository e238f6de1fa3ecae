//===- TensorBox.cpp - The part of a tensor that a copy takes -------------===//
//
// A box is a number of rows, each contiguous in global memory as far as it is
// inside of the tensor. In shared memory the rows follow each other without
// gaps, and the swizzle then moves their blocks of 16 bytes.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/TensorBox.h"
#include "runtime/simulator/machine/AddressSpace.h"
#include "runtime/simulator/machine/AsyncWork.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

TensorBox::TensorBox(Warp &warp, const Instruction &i, unsigned lane) {
  constexpr unsigned half = 64; // the longest access; also the alignment
  uint8_t bytes[2 * half];
  uint64_t address = warp.addressOf(i.address[1], lane);
  for (unsigned k = 0; k < 2; ++k)
    std::memcpy(bytes + k * half,
                warp.access(i, Space::Generic, address + k * half, half,
                            Access::Read, lane),
                half);
  std::memcpy(&map, bytes, sizeof map);
  if (map.magic != kTensorMapMagic)
    warp.fault(FaultKind::InvalidUse, i, lane,
               fmt::format("expected a tensor map at 0x{:x}", address));
  if (map.rank != i.list.size())
    warp.fault(FaultKind::InvalidUse, i, lane,
               fmt::format("expected a tensor map of {} dimensions, got {}",
                           i.list.size(), map.rank));
  // What lies between shorter rows is not documented.
  if (map.swizzleBytes && rowBytes() != map.swizzleBytes)
    warp.fault(FaultKind::InvalidUse, i, lane,
               fmt::format("expected inner rows that fill the {} bytes of the "
                           "swizzle, got {}",
                           map.swizzleBytes, rowBytes()));
  for (unsigned k = 0; k < map.rank; ++k)
    coordinates[k] = warp.lanes<int32_t>(i.list[k])[lane];
}

uint64_t TensorBox::rows() const {
  uint64_t count = 1;
  for (unsigned k = 1; k < map.rank; ++k)
    count *= map.boxElements(k);
  return count;
}

uint64_t TensorBox::bytes() const { return rows() * rowBytes(); }

/// Where element 0 of the inner dimension lies; none if the row is out of
/// bounds.
std::optional<uint64_t> TensorBox::rowAddress(uint64_t row) const {
  uint64_t address = map.address;
  for (unsigned k = 1; k < map.rank; ++k) {
    auto inBox = static_cast<int64_t>(row % map.boxElements(k));
    row /= map.boxElements(k);
    int64_t index = coordinates[k] + inBox * map.steps[k];
    if (index < 0 || static_cast<uint64_t>(index) >= map.sizes[k])
      return std::nullopt;
    address += static_cast<uint64_t>(index) * map.strides[k - 1];
  }
  return address;
}

/// 'address' is that of the row in shared memory, before the swizzle.
void TensorBox::addRow(std::vector<BoxPart> &parts,
                       std::optional<uint64_t> global, uint64_t address) const {
  int64_t bytes = rowBytes(), element = map.elementBytes;
  int64_t first = coordinates[0] * element; // may lie outside of the tensor
  auto size = static_cast<int64_t>(map.sizes[0]) * element;
  int64_t begin = std::clamp<int64_t>(-first, 0, bytes);
  int64_t end = std::clamp<int64_t>(size - first, begin, bytes);
  if (!global)
    begin = end = bytes;
  int64_t piece = map.swizzleBytes ? 16 : bytes;
  auto add = [&](int64_t from, int64_t to, bool inside) {
    for (; from < to;) {
      int64_t stop = std::min(to, (from / piece + 1) * piece);
      uint64_t shared =
          swizzle(address + static_cast<uint64_t>(from), map.swizzleBytes);
      parts.push_back(
          {inside ? *global + static_cast<uint64_t>(first + from) : kZeros,
           shared - kSharedBase, static_cast<uint32_t>(stop - from)});
      from = stop;
    }
  };
  add(0, begin, false);
  add(begin, end, true);
  add(end, bytes, false);
}

std::vector<BoxPart> TensorBox::parts(uint64_t offset) const {
  std::vector<BoxPart> parts;
  for (uint64_t row = 0; row < rows(); ++row)
    addRow(parts, rowAddress(row), kSharedBase + offset + row * rowBytes());
  return parts;
}
