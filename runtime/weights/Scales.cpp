//===- Scales.cpp - Checks the scales of FP8 weights ----------------------===//
//
// Bit patterns decide: of all f32 patterns those from 1 to 0x7f7fffff are the
// finite numbers above zero. The first pass over a tensor only asks whether
// there is any bad one and vectorizes; the second finds it.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Scales.h"

#include "runtime/weights/Parallel.h"
#include "runtime/weights/Quote.h"

#include <cstring>

namespace dsrt {

static constexpr uint32_t kInfinity = 0x7f800000;
static constexpr uint32_t kMantissa = 0x007fffff;

static bool isBad(uint32_t bits, bool powerOfTwo) {
  if (bits - 1 >= kInfinity - 1)
    return true;
  if (!powerOfTwo || (bits & kMantissa) == 0)
    return false;
  // Below 2^-126 the one bit of a power of two is in the mantissa.
  return bits > kMantissa || (bits & (bits - 1)) != 0;
}

/// The position of the first bad one of `count` elements, or `count`. `Element`
/// holds the upper bits of an f32.
template <typename Element>
static uint64_t findBad(const void *data, uint64_t count, bool powerOfTwo) {
  const Element *elements = static_cast<const Element *>(data);
  constexpr unsigned kShift = 32 - 8 * sizeof(Element);
  uint32_t mask = powerOfTwo ? kMantissa : 0, suspicious = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t bits = static_cast<uint32_t>(elements[i]) << kShift;
    suspicious |= (bits - 1 >= kInfinity - 1) | (bits & mask);
  }
  if (!suspicious)
    return count;
  for (uint64_t i = 0; i < count; ++i)
    if (isBad(static_cast<uint32_t>(elements[i]) << kShift, powerOfTwo))
      return i;
  return count;
}

static uint64_t elementCount(const ScaleTensor &scale) {
  return scale.tensor->bytes() * 8 / dataTypeBits(scale.tensor->dtype);
}

/// The bits of an element as an f32.
static uint32_t bitsAt(const ScaleTensor &scale, uint64_t position) {
  if (scale.tensor->dtype == DataType::F32)
    return static_cast<const uint32_t *>(scale.data)[position];
  return static_cast<uint32_t>(
             static_cast<const uint16_t *>(scale.data)[position])
         << 16;
}

static Status badScale(const ScaleTensor &scale, uint64_t position) {
  uint32_t bits = bitsAt(scale, position);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  std::vector<int64_t> index = scale.tensor->shape;
  uint64_t rest = position;
  for (size_t i = index.size(); i-- > 0;) {
    uint64_t size = static_cast<uint64_t>(index[i]);
    index[i] = static_cast<int64_t>(rest % size);
    rest /= size;
  }
  return error(
      DSRT_MALFORMED,
      "{}: scale {} at {}: expected {}, found {}; the checkpoint is "
      "damaged",
      quote(scale.file->path()), quote(scale.tensor->name), shapeText(index),
      scale.powerOfTwo && !isBad(bits, false) ? "a power of two"
                                              : "a finite number above 0",
      value);
}

Status checkScales(const std::vector<ScaleTensor> &scales) {
  std::vector<uint64_t> bad(scales.size(), UINT64_MAX);
  constexpr size_t kPiece = 256; // tensors: scales of one may be a single block
  size_t pieces = (scales.size() + kPiece - 1) / kPiece;
  parallelFor(pieces, [&](size_t piece) {
    size_t end = std::min(scales.size(), (piece + 1) * kPiece);
    for (size_t i = piece * kPiece; i < end; ++i) {
      const ScaleTensor &scale = scales[i];
      uint64_t count = elementCount(scale), found = count;
      if (scale.tensor->dtype == DataType::F32)
        found = findBad<uint32_t>(scale.data, count, scale.powerOfTwo);
      else if (scale.tensor->dtype == DataType::BF16)
        found = findBad<uint16_t>(scale.data, count, scale.powerOfTwo);
      if (found != count)
        bad[i] = found;
    }
  });
  for (size_t i = 0; i < scales.size(); ++i)
    if (bad[i] != UINT64_MAX)
      return badScale(scales[i], bad[i]);
  return Status();
}

} // namespace dsrt
