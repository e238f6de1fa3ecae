//===- Fp8Blocks.cpp - Matrices in blocks of one scale --------------------===//
//
// Each loop is written once, without branches, and compiled for several
// instruction sets; the compiler vectorizes it. Conversions work on the bits of
// f32. Division and multiplication are IEEE's, one rounding each, so that no
// instruction set gives another code.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/Fp8Blocks.h"

#include <algorithm>
#include <cstring>

#define DSRT_INLINE inline __attribute__((always_inline))

namespace dsrt {

namespace {

DSRT_INLINE uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

DSRT_INLINE float floatOf(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

constexpr uint32_t kInfinity = 0x7f800000;
constexpr uint32_t kLargest = 0x43e00000;     // 448
constexpr uint32_t kLeastNormal = 0x3c800000; // 2^-6
// E4M3's exponent is biased by 7, that of f32 by 127.
constexpr uint32_t kBias = 120;

DSRT_INLINE uint8_t encode(float x) {
  const uint32_t bits = bitsOf(x), magnitude = bits & 0x7fffffff;
  const uint32_t clamped = std::min(magnitude, kLargest);
  // 3 of 23 bits of the fraction stay; a carry moves into the exponent.
  const uint32_t normal =
      ((clamped + 0x7ffff + (clamped >> 20 & 1)) >> 20) - (kBias << 3);
  // Subnormal codes are 2^-9 apart, as f32 numbers from 2^14 on are: adding
  // 2^14 rounds to them.
  const uint32_t subnormal = bitsOf(floatOf(clamped) + 16384.0f) - 0x46800000;
  const uint32_t code = clamped < kLeastNormal ? subnormal : normal;
  const uint32_t signedCode = (bits >> 24 & 0x80) | code;
  return static_cast<uint8_t>(magnitude > kInfinity ? 0x7f : signedCode);
}

/// The finite codes; those of NaN give 480.
DSRT_INLINE float decode(uint8_t code) {
  const uint32_t magnitude = code & 0x7f, sign = (code & 0x80u) << 24;
  const uint32_t normal = (magnitude << 20) + (kBias << 23);
  const uint32_t subnormal =
      bitsOf(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-9f);
  return floatOf((magnitude < 8 ? subnormal : normal) | sign);
}

DSRT_INLINE uint16_t toBF16(float x) {
  const uint32_t bits = bitsOf(x);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// How the loops see an element type: its bits without the sign order its
/// magnitudes, and those from kNotFinite on are infinite or NaN.
struct BF16 {
  using Bits = uint16_t;
  static constexpr Bits kMagnitude = 0x7fff, kNotFinite = 0x7f80;
  static DSRT_INLINE float value(Bits bits) {
    return floatOf(static_cast<uint32_t>(bits) << 16);
  }
};

struct F16 {
  using Bits = uint16_t;
  static constexpr Bits kMagnitude = 0x7fff, kNotFinite = 0x7c00;
  static DSRT_INLINE float value(Bits bits) {
    const uint32_t magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;
    const uint32_t normal = (magnitude << 13) + ((127 - 15) << 23);
    const uint32_t subnormal =
        bitsOf(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
    return floatOf((magnitude < 0x400 ? subnormal : normal) | sign);
  }
};

struct F32 {
  using Bits = uint32_t;
  static constexpr Bits kMagnitude = 0x7fffffff, kNotFinite = kInfinity;
  static DSRT_INLINE float value(Bits bits) { return floatOf(bits); }
};

/// A block within a matrix whose rows are `stride` elements apart.
struct Block {
  int64_t rows, columns, stride;
};

template <typename Type>
DSRT_INLINE bool quantizeBlock(Block block, const typename Type::Bits *x,
                               ScaleFormat format, uint8_t *codes,
                               float &scale) {
  typename Type::Bits largest = 0;
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.columns; ++j) {
      const typename Type::Bits magnitude =
          x[i * block.stride + j] & Type::kMagnitude;
      largest = largest > magnitude ? largest : magnitude;
    }
  if (largest >= Type::kNotFinite)
    return false;
  scale = scaleOfBlock(Type::value(largest), format);
  const float divisor = scale;
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.columns; ++j)
      codes[i * block.stride + j] =
          encode(Type::value(x[i * block.stride + j]) / divisor);
  return true;
}

DSRT_INLINE bool dequantizeBlock(Block block, const uint8_t *codes, float scale,
                                 uint16_t *x) {
  uint8_t largest = 0;
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.columns; ++j) {
      const uint8_t magnitude = codes[i * block.stride + j] & 0x7f;
      largest = largest > magnitude ? largest : magnitude;
    }
  if (largest == 0x7f || toBF16(decode(largest) * scale) >= BF16::kNotFinite)
    return false;
  for (int64_t i = 0; i < block.rows; ++i)
    for (int64_t j = 0; j < block.columns; ++j)
      x[i * block.stride + j] =
          toBF16(decode(codes[i * block.stride + j]) * scale);
  return true;
}

/// Calls `body(block, offset of its first element, its number)` for each block
/// until that returns false.
template <typename Body>
DSRT_INLINE bool forBlocks(BlockGrid grid, Body body) {
  int64_t number = 0;
  for (int64_t i = 0; i < grid.rows; i += kBlockSize)
    for (int64_t j = 0; j < grid.columns; j += kBlockSize, ++number) {
      const Block block = {std::min(kBlockSize, grid.rows - i),
                           std::min(kBlockSize, grid.columns - j),
                           grid.columns};
      if (!body(block, i * grid.columns + j, number))
        return false;
    }
  return true;
}

struct QuantizeArguments {
  BlockGrid grid;
  const void *x;
  ScaleFormat format;
  uint8_t *codes;
  float *scales;
};

template <typename Type>
DSRT_INLINE bool quantizeAll(const QuantizeArguments &a) {
  const auto *x = static_cast<const typename Type::Bits *>(a.x);
  return forBlocks(
      a.grid, [&](Block block, int64_t offset,
                  int64_t number) __attribute__((always_inline)) {
        return quantizeBlock<Type>(block, x + offset, a.format,
                                   a.codes + offset, a.scales[number]);
      });
}

DSRT_INLINE bool quantizeAll(DataType type, const QuantizeArguments &a) {
  switch (type) {
  case DataType::BF16:
    return quantizeAll<BF16>(a);
  case DataType::F16:
    return quantizeAll<F16>(a);
  default:
    return quantizeAll<F32>(a);
  }
}

struct DequantizeArguments {
  BlockGrid grid;
  const uint8_t *codes;
  const float *scales;
  uint16_t *x;
};

DSRT_INLINE bool dequantizeAll(const DequantizeArguments &a) {
  return forBlocks(
      a.grid, [&](Block block, int64_t offset, int64_t number)
                  __attribute__((always_inline)) {
                    return dequantizeBlock(block, a.codes + offset,
                                           a.scales[number], a.x + offset);
                  });
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3"))) bool
quantizeV3(DataType type, const QuantizeArguments &a) {
  return quantizeAll(type, a);
}
__attribute__((target("arch=x86-64-v4"))) bool
quantizeV4(DataType type, const QuantizeArguments &a) {
  return quantizeAll(type, a);
}
__attribute__((target("arch=x86-64-v3"))) bool
dequantizeV3(const DequantizeArguments &a) {
  return dequantizeAll(a);
}
__attribute__((target("arch=x86-64-v4"))) bool
dequantizeV4(const DequantizeArguments &a) {
  return dequantizeAll(a);
}
#endif

template <typename Type>
int64_t findNotFinite(const void *x, int64_t count) {
  const auto *bits = static_cast<const typename Type::Bits *>(x);
  return std::find_if(bits, bits + count,
                      [](typename Type::Bits element) {
                        return (element & Type::kMagnitude) >= Type::kNotFinite;
                      }) -
         bits;
}

} // namespace

uint8_t toE4M3(float x) { return encode(x); }

float fromE4M3(uint8_t code) {
  return (code & 0x7f) == 0x7f ? floatOf(0x7fc00000) : decode(code);
}

float scaleOfBlock(float largest, ScaleFormat format) {
  const float scale = largest / 448.0f;
  if (scale == 0)
    return 1;
  if (format == ScaleFormat::Any)
    return scale;
  const uint32_t bits = bitsOf(scale);
  const uint32_t exponent = (bits >> 23) + ((bits & 0x7fffff) != 0);
  return floatOf(std::max(exponent, 1u) << 23);
}

std::vector<Kernel> usableKernels() {
  std::vector<Kernel> kernels = {Kernel::Baseline};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3"))
    kernels.push_back(Kernel::X86V3);
  if (__builtin_cpu_supports("x86-64-v4"))
    kernels.push_back(Kernel::X86V4);
#endif
  return kernels;
}

bool quantizeBlocks(Kernel kernel, BlockGrid grid, DataType type, const void *x,
                    ScaleFormat format, uint8_t *codes, float *scales) {
  const QuantizeArguments arguments = {grid, x, format, codes, scales};
#if defined(__x86_64__)
  if (kernel == Kernel::X86V4)
    return quantizeV4(type, arguments);
  if (kernel == Kernel::X86V3)
    return quantizeV3(type, arguments);
#endif
  (void)kernel;
  return quantizeAll(type, arguments);
}

bool dequantizeBlocks(Kernel kernel, BlockGrid grid, const uint8_t *codes,
                      const float *scales, uint16_t *x) {
  const DequantizeArguments arguments = {grid, codes, scales, x};
#if defined(__x86_64__)
  if (kernel == Kernel::X86V4)
    return dequantizeV4(arguments);
  if (kernel == Kernel::X86V3)
    return dequantizeV3(arguments);
#endif
  (void)kernel;
  return dequantizeAll(arguments);
}

int64_t findNotFinite(DataType type, const void *x, int64_t count) {
  switch (type) {
  case DataType::BF16:
    return findNotFinite<BF16>(x, count);
  case DataType::F16:
    return findNotFinite<F16>(x, count);
  default:
    return findNotFinite<F32>(x, count);
  }
}

} // namespace dsrt
