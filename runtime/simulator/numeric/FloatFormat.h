//===- FloatFormat.h - Exact conversions between formats --------*- C++ -*-===//
//
// Every conversion goes through the exact value, so one rounding is written
// once for all formats and modes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_NUMERIC_FLOATFORMAT_H
#define DSRT_SIMULATOR_NUMERIC_FLOATFORMAT_H

#include "runtime/simulator/machine/Program.h"

#include <cstdint>

namespace dsrt::simulator {

/// (-1)^negative * significand * 2^exponent, or what is no number.
struct ExactNumber {
  enum class Kind { Finite, Infinite, NaN };
  Kind kind = Kind::Finite;
  bool negative = false;
  uint64_t significand = 0;
  int exponent = 0;
};

struct FloatFormat {
  unsigned exponentBits;
  unsigned mantissaBits;
  bool
      infinities; // without: all exponents are of numbers, the last code is NaN
  unsigned shift; // unused bits below, of tf32
  uint64_t nan;   // the code of a NaN that is computed

  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  uint64_t signBit() const {
    return uint64_t(1) << (exponentBits + mantissaBits);
  }
  /// The code of the largest number.
  uint64_t largest() const {
    uint64_t codes = (uint64_t(1) << exponentBits) << mantissaBits;
    return infinities ? codes - (uint64_t(1) << mantissaBits) - 1 : codes - 2;
  }
};

/// The codes of a NaN that is computed.
constexpr uint64_t kSingleNaN = 0x7fffffff;
constexpr uint64_t kDoubleNaN = 0x7fffffffffffffff;

/// The format of a type of floating point; packed types count as their parts.
const FloatFormat &formatOf(Type type);

ExactNumber exactOf(const FloatFormat &format, uint64_t bits);
ExactNumber exactOf(double value);
ExactNumber exactOfSigned(int64_t value);
ExactNumber exactOfUnsigned(uint64_t value);

/// Rounds once. 'finite': what is too large, infinities too, becomes the
/// largest number of the format.
uint64_t encode(const FloatFormat &format, const ExactNumber &number,
                Rounding rounding, bool finite);

/// Rounds to an integer of 'bytes' bytes; too large becomes the largest. A NaN
/// is 'nan'.
uint64_t toInteger(const ExactNumber &number, Rounding rounding, unsigned bytes,
                   bool isSigned, uint64_t nan);
/// Rounds to an integral value of the format.
ExactNumber toIntegral(const ExactNumber &number, Rounding rounding);

double toDouble(const ExactNumber &number);

/// f16 and bf16 as numbers; exact.
float halfToFloat(uint16_t bits);
inline float bfloatToFloat(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}
/// To nearest, ties to even.
uint16_t floatToHalf(float value);
uint16_t floatToBfloat(float value);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_NUMERIC_FLOATFORMAT_H
