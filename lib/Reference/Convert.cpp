//===- Convert.cpp - Conversions of single numbers ------------------------===//
//
// The small float formats. Encoding rounds to nearest even by way of a division
// by a power of two, which is exact; decoding is by the format's definition.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Reference/Tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

/// The code of |value| (finite) in a format with `mantissa` stored bits and
/// this exponent bias, ignoring the format's largest number. In units of the
/// last place of its binade the value is `q`; a `q` that rounds up to the next
/// binade carries into the exponent field by itself.
static uint32_t encodeMagnitude(double value, int mantissa, int bias) {
  if (value == 0)
    return 0;
  int exponent = std::max(std::ilogb(value), 1 - bias);
  auto q = static_cast<uint32_t>(
      std::nearbyint(std::ldexp(value, mantissa - exponent)));
  return (static_cast<uint32_t>(exponent + bias - 1) << mantissa) + q;
}

/// The value of a code without sign, for codes that are finite numbers.
static double decodeMagnitude(uint32_t code, int mantissa, int bias) {
  uint32_t exponent = code >> mantissa;
  uint32_t fraction = code & ((1u << mantissa) - 1);
  if (exponent == 0)
    return std::ldexp(fraction, 1 - bias - mantissa);
  return std::ldexp(fraction + (1u << mantissa),
                    static_cast<int>(exponent) - bias - mantissa);
}

float reference::decodeBFloat16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

uint16_t reference::encodeBFloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value))
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  // Adds just under half of the last place, or half if that place is odd.
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float reference::decodeFloat16(uint16_t bits) {
  double sign = bits & 0x8000 ? -1 : 1;
  uint32_t magnitude = bits & 0x7fff;
  if (magnitude > 0x7c00)
    return std::numeric_limits<float>::quiet_NaN();
  if (magnitude == 0x7c00)
    return static_cast<float>(sign) * std::numeric_limits<float>::infinity();
  return static_cast<float>(sign * decodeMagnitude(magnitude, 10, 15));
}

uint16_t reference::encodeFloat16(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7e00;
  uint32_t code = 0x7c00;
  if (!std::isinf(value))
    code = std::min(encodeMagnitude(std::fabs(value), 10, 15), 0x7c00u);
  return static_cast<uint16_t>(sign | code);
}

static float decodeE4M3(uint8_t bits) {
  uint32_t magnitude = bits & 0x7f;
  if (magnitude == 0x7f)
    return std::numeric_limits<float>::quiet_NaN();
  double value = decodeMagnitude(magnitude, 3, 7);
  return static_cast<float>(bits & 0x80 ? -value : value);
}

static float decodeE5M2(uint8_t bits) {
  // E5M2 is the upper half of a F16.
  return decodeFloat16(static_cast<uint16_t>(bits << 8));
}

static float decodeE8M0(uint8_t bits) {
  if (bits == 0xff)
    return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, bits - 127);
}

/// All 256 values of an 8-bit format.
static std::array<float, 256> makeTable(float (*decode)(uint8_t)) {
  std::array<float, 256> table;
  for (int code = 0; code < 256; ++code)
    table[code] = decode(static_cast<uint8_t>(code));
  return table;
}

const std::array<float, 256> &reference::getFloat8Table(ElementType type) {
  static const std::array<float, 256> e4m3 = makeTable(decodeE4M3);
  static const std::array<float, 256> e5m2 = makeTable(decodeE5M2);
  static const std::array<float, 256> e8m0 = makeTable(decodeE8M0);
  if (type == ElementType::F8E4M3FN)
    return e4m3;
  return type == ElementType::F8E5M2 ? e5m2 : e8m0;
}

/// The nearest power of two; a value that has none (zero, negative) becomes the
/// smallest, one that is no number the format's NaN.
static uint8_t encodeE8M0(float value) {
  if (std::isnan(value) || std::isinf(value))
    return 0xff;
  if (!(value > 0))
    return 0;
  int exponent = std::ilogb(value);
  float fraction = std::scalbn(value, -exponent); // in [1, 2)
  int code = exponent + 127;
  if (fraction > 1.5f || (fraction == 1.5f && (code & 1)))
    ++code;
  return static_cast<uint8_t>(std::min(std::max(code, 0), 254));
}

uint8_t reference::encodeFloat8(ElementType type, float value) {
  if (type == ElementType::F8E8M0)
    return encodeE8M0(value);
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (type == ElementType::F8E4M3FN) {
    if (std::isnan(value))
      return 0x7f;
    float magnitude = std::min(std::fabs(value), 448.0f);
    return sign | static_cast<uint8_t>(encodeMagnitude(magnitude, 3, 7));
  }
  if (std::isnan(value))
    return sign | 0x7e;
  uint32_t code = 0x7c;
  if (!std::isinf(value))
    code = std::min(encodeMagnitude(std::fabs(value), 2, 15), 0x7cu);
  return sign | static_cast<uint8_t>(code);
}
