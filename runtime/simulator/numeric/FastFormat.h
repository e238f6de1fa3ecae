//===- FastFormat.h - Common conversions without branches -------*- C++ -*-===//
//
// The conversions that kernels spend their time on, as arithmetic on bits that
// compilers vectorize. All round to nearest, ties to even, and give the bits
// that FloatFormat.h gives.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_NUMERIC_FASTFORMAT_H
#define DSRT_SIMULATOR_NUMERIC_FASTFORMAT_H

#include <cstdint>
#include <cstring>

namespace dsrt::simulator {

inline uint32_t bitsOfSingle(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float singleOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// NaNs become the one that instructions compute.
inline float singleOfHalf(uint16_t bits) {
  uint32_t code = bits & 0x7fff;
  // As the bits of an f32 the number is too small by the biases' difference.
  uint32_t finite = bitsOfSingle(singleOfBits(code << 13) * 0x1p112f);
  uint32_t magnitude = code < 0x7c00    ? finite
                       : code == 0x7c00 ? 0x7f800000
                                        : 0x7fffffff;
  uint32_t sign = code > 0x7c00 ? 0 : uint32_t(bits & 0x8000) << 16;
  return singleOfBits(sign | magnitude);
}

inline float singleOfBfloat(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  return singleOfBits((wide & 0x7fffffff) > 0x7f800000 ? 0x7fffffff : wide);
}

inline uint16_t bfloatOfSingle(float value) {
  uint32_t bits = bitsOfSingle(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  bool isNaN = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<uint16_t>(isNaN ? 0x7fff : rounded);
}

/// The magnitude's code in a format of narrower exponents: 'Mantissa' bits of
/// significand, and 2^'Least' as the least normal number.
template <unsigned Mantissa, int Least>
inline uint32_t roundedCode(uint32_t magnitude) {
  constexpr unsigned dropped = 23 - Mantissa;
  uint32_t normal =
      (magnitude + ((1u << (dropped - 1)) - 1) + (magnitude >> dropped & 1) -
       (static_cast<uint32_t>(Least + 126) << 23)) >>
      dropped;
  // Adding a number whose last bit is that of a subnormal rounds to one.
  constexpr uint32_t unit =
      static_cast<uint32_t>(Least - static_cast<int>(Mantissa) + 23 + 127)
      << 23;
  uint32_t subnormal =
      bitsOfSingle(singleOfBits(magnitude) + singleOfBits(unit)) - unit;
  return magnitude < static_cast<uint32_t>(Least + 127) << 23 ? subnormal
                                                              : normal;
}

inline uint16_t halfOfSingle(float value) {
  uint32_t bits = bitsOfSingle(value), magnitude = bits & 0x7fffffff;
  uint32_t code = roundedCode<10, -14>(magnitude);
  code = magnitude >= 0x47800000 || code > 0x7c00 ? 0x7c00 : code; // 2^16
  return static_cast<uint16_t>(
      magnitude > 0x7f800000 ? 0x7fff : (bits >> 16 & 0x8000) | code);
}

/// What is too large becomes the largest number.
inline uint8_t e4m3OfSingle(float value) {
  uint32_t bits = bitsOfSingle(value), magnitude = bits & 0x7fffffff;
  uint32_t code = roundedCode<3, -6>(magnitude);
  code = magnitude >= 0x43e00000 || code > 0x7e ? 0x7e : code; // 448
  return static_cast<uint8_t>(
      magnitude > 0x7f800000 ? 0x7f : (bits >> 24 & 0x80) | code);
}

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_NUMERIC_FASTFORMAT_H
