//===- Scales.cpp - Checks the scales of FP8 weights ----------------------===//
//
// Bit patterns decide: of all f32 patterns those from 1 to 0x7f7fffff are the
// finite numbers above zero. The first pass over a piece only asks whether
// there is any bad one and vectorizes; the second finds it.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Scales.h"

#include "runtime/weights/Parallel.h"
#include "runtime/weights/Quote.h"

#include <algorithm>
#include <cstring>

namespace dsrt {

static constexpr uint32_t kInfinity = 0x7f800000;
static constexpr uint32_t kMantissa = 0x007fffff;

static bool isBad(uint32_t bits, bool powerOfTwo) {
  if (bits - 1 >= kInfinity - 1)
    return true;
  // The smallest ue8m0, 2^-127, is a subnormal f32 with one bit.
  constexpr uint32_t kSmallest = 0x00400000;
  return powerOfTwo && bits != kSmallest &&
         (bits <= kMantissa || (bits & kMantissa) != 0);
}

/// The first bad one of the elements `[begin, end)`, or `end`. `Element` holds
/// the upper bits of an f32.
template <typename Element>
static uint64_t findBad(const void *data, uint64_t begin, uint64_t end,
                        bool powerOfTwo) {
  const Element *elements = static_cast<const Element *>(data);
  constexpr unsigned kShift = 32 - 8 * sizeof(Element);
  // The sign bit of `outside` is set by a number below 1 or above the largest
  // finite one.
  uint32_t outside = 0, any = 0;
  for (uint64_t i = begin; i < end; ++i) {
    uint32_t bits = static_cast<uint32_t>(elements[i]) << kShift;
    outside |= (bits - 1) | (kInfinity - 1 - bits);
    any |= bits;
  }
  if (!(outside >> 31) && !(powerOfTwo && (any & kMantissa)))
    return end;
  for (uint64_t i = begin; i < end; ++i)
    if (isBad(static_cast<uint32_t>(elements[i]) << kShift, powerOfTwo))
      return i;
  return end;
}

/// A ue8m0 is a power of two, or NaN.
static uint64_t findNan(const void *data, uint64_t begin, uint64_t end) {
  const uint8_t *codes = static_cast<const uint8_t *>(data);
  const void *found = std::memchr(codes + begin, 0xff, end - begin);
  return found ? static_cast<const uint8_t *>(found) - codes : end;
}

static uint64_t findBad(const ScaleTensor &scale, uint64_t begin,
                        uint64_t end) {
  switch (scale.dtype) {
  case DataType::F32:
    return findBad<uint32_t>(scale.data, begin, end, scale.powerOfTwo);
  case DataType::BF16:
    return findBad<uint16_t>(scale.data, begin, end, scale.powerOfTwo);
  case DataType::F8_E8M0:
    return findNan(scale.data, begin, end);
  default:
    return end;
  }
}

static uint64_t elementCount(const Tensor &tensor) {
  return tensor.bytes() * 8 / dataTypeBits(tensor.dtype);
}

/// The bits of an element as an f32.
static uint32_t bitsAt(const ScaleTensor &scale, uint64_t position) {
  if (scale.dtype == DataType::F32)
    return static_cast<const uint32_t *>(scale.data)[position];
  if (scale.dtype == DataType::F8_E8M0)
    return 0x7fc00000; // only its NaN is bad
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
  bool isNumber = !isBad(bits, false);
  return error(
      DSRT_MALFORMED, "{}: scale {} at {}: expected {}, found {}; {}",
      quote(scale.file->path()), quote(scale.tensor->name), shapeText(index),
      isNumber ? "a power of two" : "a finite number above 0", value,
      isNumber ? "the model was compiled for scale_fmt ue8m0, and these are "
                 "other scales: correct the config and compile anew"
               : "the checkpoint is damaged");
}

Status checkScales(const std::vector<ScaleTensor> &scales) {
  // All elements in a row, cut into pieces of equal size: a checkpoint may have
  // thousands of tensors of one scale, or a few large ones.
  constexpr uint64_t kPiece = 1 << 18;
  std::vector<uint64_t> begins = {0};
  for (const ScaleTensor &scale : scales)
    begins.push_back(begins.back() + elementCount(*scale.tensor));
  uint64_t total = begins.back();
  struct Bad {
    size_t scale = SIZE_MAX;
    uint64_t position = 0;
  };
  std::vector<Bad> bad((total + kPiece - 1) / kPiece);
  parallelFor(bad.size(), [&](size_t piece) {
    uint64_t begin = piece * kPiece, end = std::min(begin + kPiece, total);
    size_t i = std::upper_bound(begins.begin(), begins.end(), begin) -
               begins.begin() - 1;
    for (; i < scales.size() && begins[i] < end; ++i) {
      uint64_t first = std::max(begin, begins[i]) - begins[i];
      uint64_t last = std::min(end, begins[i + 1]) - begins[i];
      uint64_t found = findBad(scales[i], first, last);
      if (found == last)
        continue;
      bad[piece] = {i, found};
      return;
    }
  });
  for (const Bad &first : bad)
    if (first.scale != SIZE_MAX)
      return badScale(scales[first.scale], first.position);
  return Status();
}

//===----------------------------------------------------------------------===//
// Codes that do not belong to their scales
//===----------------------------------------------------------------------===//

// A block that was quantized with a power of two `s`, rounded up, has its
// largest `|x| / s` in (224, 448], and the code of that is 448 (0x7e) only from
// 432 on: for 5 of 100 blocks if the numbers are spread evenly over an octave,
// and hardly for more than one in four, as the largest of 16384 weights varies
// by more than the 4 % between 432 and 448. If the scales alone were rounded,
// each block's largest code is still the 448 that an arbitrary scale gave it.
// (Of the 672 blocks of the bundled model 16 peak at 448 when quantized for
// ue8m0, and all 672 with arbitrary scales.)
//
// So N honest blocks all peak at 448 with a probability of about 4^-N at most:
// 2e-10 for 16, 3e-39 for 64. Blocks of one magnitude, such as zeros, say
// nothing. Wrongly refused would be a model whose blocks all reach one limit at
// which its weights were clipped, if that is 432 to 448 times a power of two.

static constexpr size_t kSampledBlocks = 64;
static constexpr size_t kFewestBlocks = 16;
static constexpr uint8_t kLargestCode = 0x7e;

namespace {

struct BlockPeak {
  uint8_t largest = 0;
  bool varied = false; // more than one magnitude
};

} // namespace

/// Rows or columns of a block, of which there are `blocks`; 0 if no size fits.
/// Tensors do not say it; 128 is that of all published checkpoints.
static int64_t blockSize(int64_t size, int64_t blocks) {
  auto fits = [&](int64_t block) {
    return block > 0 && (size + block - 1) / block == blocks;
  };
  if (fits(128))
    return 128;
  int64_t block = blocks > 0 ? (size + blocks - 1) / blocks : 0;
  return fits(block) ? block : 0;
}

static BlockPeak peakOf(const PowerOfTwoWeight &weight, int64_t index) {
  const std::vector<int64_t> &shape = weight.codes->shape;
  const std::vector<int64_t> &blocks = weight.scales->shape;
  int64_t height = blockSize(shape[0], blocks[0]);
  int64_t width = blockSize(shape[1], blocks[1]);
  int64_t top = index / blocks[1] * height, left = index % blocks[1] * width;
  int64_t bottom = std::min(top + height, shape[0]);
  int64_t right = std::min(left + width, shape[1]);
  const uint8_t *codes = weight.codes->data;
  BlockPeak peak;
  uint8_t first = codes[top * shape[1] + left] & 0x7f;
  for (int64_t i = top; i < bottom; ++i)
    for (int64_t j = left; j < right; ++j) {
      uint8_t code = codes[i * shape[1] + j] & 0x7f;
      peak.largest = std::max(peak.largest, code);
      peak.varied |= code != first;
    }
  return peak;
}

static bool hasBlocks(const PowerOfTwoWeight &weight) {
  const std::vector<int64_t> &shape = weight.codes->shape;
  const std::vector<int64_t> &blocks = weight.scales->shape;
  return weight.codes->dtype == DataType::F8_E4M3 && shape.size() == 2 &&
         blocks.size() == 2 && blockSize(shape[0], blocks[0]) > 0 &&
         blockSize(shape[1], blocks[1]) > 0;
}

Status checkCodesAreRequantized(const std::vector<PowerOfTwoWeight> &weights) {
  std::vector<uint64_t> begins = {0}; // of each weight among all blocks
  for (const PowerOfTwoWeight &weight : weights)
    begins.push_back(begins.back() +
                     (hasBlocks(weight) ? elementCount(*weight.scales) : 0));
  uint64_t total = begins.back();
  uint64_t samples = std::min<uint64_t>(total, kSampledBlocks), telling = 0;
  for (uint64_t k = 0; k < samples; ++k) {
    uint64_t block = total / samples * k + total / samples / 2;
    size_t i = std::upper_bound(begins.begin(), begins.end(), block) -
               begins.begin() - 1;
    BlockPeak peak =
        peakOf(weights[i], static_cast<int64_t>(block - begins[i]));
    if (!peak.varied)
      continue;
    // The usual end, at the first block.
    if (peak.largest != kLargestCode)
      return Status();
    ++telling;
  }
  if (telling < kFewestBlocks)
    return Status();
  return error(
      DSRT_MALFORMED,
      "{}: {}: expected codes that were quantized for power-of-two scales "
      "(ue8m0), found the largest code to be 448 in each of {} blocks that "
      "were looked at: the scales were rounded to powers of two and the codes not "
      "requantized; quantize the original weights for ue8m0",
      quote(weights.front().file->path()), quote(weights.front().codes->name),
      telling);
}

} // namespace dsrt
