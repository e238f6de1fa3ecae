//===- FloatFormat.cpp - Exact conversions between formats ----------------===//
//
// Codes of one sign are ordered as their numbers, so rounding up is adding one
// to the code: the carry moves into the exponent by itself.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/numeric/FloatFormat.h"

#include <cmath>
#include <cstring>

using namespace dsrt::simulator;

const FloatFormat &dsrt::simulator::formatOf(Type type) {
  static constexpr FloatFormat f16 = {5, 10, true, 0, 0x7fff};
  static constexpr FloatFormat bf16 = {8, 7, true, 0, 0x7fff};
  static constexpr FloatFormat tf32 = {8, 10, true, 13, 0x3ffff};
  static constexpr FloatFormat e4m3 = {4, 3, false, 0, 0x7f};
  static constexpr FloatFormat e5m2 = {5, 2, true, 0, 0x7f};
  static constexpr FloatFormat f64 = {11, 52, true, 0, kDoubleNaN};
  static constexpr FloatFormat f32 = {8, 23, true, 0, kSingleNaN};
  switch (type) {
  case Type::F16:
  case Type::F16x2:
    return f16;
  case Type::BF16:
  case Type::BF16x2:
    return bf16;
  case Type::TF32:
    return tf32;
  case Type::E4M3:
  case Type::E4M3x2:
    return e4m3;
  case Type::E5M2:
  case Type::E5M2x2:
    return e5m2;
  case Type::F64:
    return f64;
  default:
    return f32;
  }
}

ExactNumber dsrt::simulator::exactOf(const FloatFormat &format, uint64_t bits) {
  bits >>= format.shift;
  ExactNumber number;
  number.negative = bits & format.signBit();
  uint64_t code = bits & (format.signBit() - 1);
  uint64_t implicit = uint64_t(1) << format.mantissaBits;
  uint64_t mantissa = code & (implicit - 1);
  if (code > format.largest()) {
    bool infinite = format.infinities && mantissa == 0;
    number.kind =
        infinite ? ExactNumber::Kind::Infinite : ExactNumber::Kind::NaN;
    return number;
  }
  auto field = static_cast<int>(code >> format.mantissaBits);
  number.significand = field ? mantissa | implicit : mantissa;
  number.exponent = (field ? field : 1) - format.bias() -
                    static_cast<int>(format.mantissaBits);
  return number;
}

ExactNumber dsrt::simulator::exactOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return exactOf(formatOf(Type::F64), bits);
}

ExactNumber dsrt::simulator::exactOfSigned(int64_t value) {
  ExactNumber number;
  number.negative = value < 0;
  number.significand = number.negative ? -static_cast<uint64_t>(value)
                                       : static_cast<uint64_t>(value);
  return number;
}

ExactNumber dsrt::simulator::exactOfUnsigned(uint64_t value) {
  ExactNumber number;
  number.significand = value;
  return number;
}

/// significand / 2^shift, rounded to an integer.
static uint64_t shiftRight(uint64_t significand, int shift, bool negative,
                           Rounding rounding) {
  if (shift <= 0)
    return significand << -shift;
  uint64_t kept = shift < 64 ? significand >> shift : 0;
  uint64_t rest = shift < 64 ? significand - (kept << shift) : significand;
  if (rest == 0)
    return kept;
  // Compares the rest with one half: -1, 0 or 1.
  int half = -1;
  if (shift <= 64) {
    uint64_t middle = uint64_t(1) << (shift - 1);
    half = rest < middle ? -1 : rest > middle;
  }
  bool up = false;
  switch (rounding) {
  case Rounding::NearestEven:
    up = half > 0 || (half == 0 && (kept & 1));
    break;
  case Rounding::NearestAway:
    up = half >= 0;
    break;
  case Rounding::Zero:
    break;
  case Rounding::Down:
    up = negative;
    break;
  case Rounding::Up:
    up = !negative;
    break;
  }
  return kept + up;
}

/// The code of a magnitude beyond all numbers.
static uint64_t overflow(const FloatFormat &format, bool negative,
                         Rounding rounding, bool finite) {
  bool towardsZero = rounding == Rounding::Zero ||
                     (rounding == Rounding::Down && !negative) ||
                     (rounding == Rounding::Up && negative);
  if (finite || towardsZero)
    return format.largest();
  return format.infinities ? format.largest() + 1 : format.nan;
}

uint64_t dsrt::simulator::encode(const FloatFormat &format,
                                 const ExactNumber &number, Rounding rounding,
                                 bool finite) {
  if (number.kind == ExactNumber::Kind::NaN)
    return format.nan << format.shift;
  uint64_t sign = number.negative ? format.signBit() : 0;
  uint64_t code = 0;
  if (number.kind == ExactNumber::Kind::Infinite) {
    code =
        finite || !format.infinities
            ? overflow(format, number.negative, Rounding::NearestEven, finite)
            : format.largest() + 1;
  } else if (number.significand != 0) {
    auto mantissaBits = static_cast<int>(format.mantissaBits);
    int top = 63 - __builtin_clzll(number.significand);
    int least = 1 - format.bias(); // exponent of normal numbers
    int unit = std::max(number.exponent + top, least) - mantissaBits;
    int field = unit + mantissaBits + format.bias();
    if (field >= 1 << format.exponentBits) {
      code = overflow(format, number.negative, rounding, finite);
    } else {
      code = shiftRight(number.significand, unit - number.exponent,
                        number.negative, rounding);
      code += static_cast<uint64_t>(field - 1) << mantissaBits;
      if (code > format.largest())
        code = overflow(format, number.negative, rounding, finite);
    }
  }
  return (sign | code) << format.shift;
}

ExactNumber dsrt::simulator::toIntegral(const ExactNumber &number,
                                        Rounding rounding) {
  if (number.kind != ExactNumber::Kind::Finite || number.exponent >= 0)
    return number;
  ExactNumber integral = number;
  integral.significand = shiftRight(number.significand, -number.exponent,
                                    number.negative, rounding);
  integral.exponent = 0;
  return integral;
}

uint64_t dsrt::simulator::toInteger(const ExactNumber &number,
                                    Rounding rounding, unsigned bytes,
                                    bool isSigned, uint64_t nan) {
  if (number.kind == ExactNumber::Kind::NaN)
    return nan;
  unsigned bits = 8 * bytes - isSigned;
  uint64_t largest = bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
  uint64_t smallest = isSigned ? largest + 1 : 0; // its magnitude
  uint64_t limit = number.negative ? smallest : largest;
  ExactNumber integral = toIntegral(number, rounding);
  uint64_t magnitude = integral.significand;
  if (number.kind == ExactNumber::Kind::Infinite)
    magnitude = limit;
  else if (integral.exponent > 0 && magnitude != 0)
    magnitude = integral.exponent > __builtin_clzll(magnitude)
                    ? limit
                    : magnitude << integral.exponent;
  magnitude = std::min(magnitude, limit);
  return number.negative ? -magnitude : magnitude;
}

double dsrt::simulator::toDouble(const ExactNumber &number) {
  uint64_t bits =
      encode(formatOf(Type::F64), number, Rounding::NearestEven, false);
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float dsrt::simulator::halfToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t code = bits & 0x7fff;
  float value;
  if (code >= 0x7c00) {
    uint32_t wide = sign | 0x7f800000 | (code & 0x3ff) << 13;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  // As the bits of an f32 the number is too small by the biases' difference.
  uint32_t wide = code << 13;
  std::memcpy(&value, &wide, sizeof value);
  value *= 0x1p112f;
  return sign ? -value : value;
}

uint16_t dsrt::simulator::floatToHalf(float value) {
  return static_cast<uint16_t>(encode(formatOf(Type::F16), exactOf(value),
                                      Rounding::NearestEven, false));
}

uint16_t dsrt::simulator::floatToBfloat(float value) {
  return static_cast<uint16_t>(encode(formatOf(Type::BF16), exactOf(value),
                                      Rounding::NearestEven, false));
}
