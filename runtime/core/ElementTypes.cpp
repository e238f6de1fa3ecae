//===- ElementTypes.cpp - The element types of buffers --------------------===//
//
// Values are decoded by the definition of each format, one at a time: this is
// for messages and results, not for computing.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/ElementTypes.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace dsrt {

const char *elementTypeName(int64_t dtype) {
  static const char *const names[] = {"f32",    "bf16",      "f16", "f8E4M3FN",
                                      "f8E5M2", "f8E8M0FNU", "i32", "i64",
                                      "i8",     "index"};
  return dtype >= DSRT_F32 && dtype <= DSRT_INDEX ? names[dtype] : "unknown";
}

int64_t elementBytes(int64_t dtype) {
  static const int64_t bytes[] = {4, 2, 2, 1, 1, 1, 4, 8, 1, 0};
  return dtype >= DSRT_F32 && dtype <= DSRT_INDEX ? bytes[dtype] : 0;
}

namespace {

template <typename T>
T load(const void *data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

/// An IEEE-like number: sign, exponent, mantissa. With `finiteOnly` the largest
/// exponent holds numbers too and only all ones is NaN.
double decode(uint32_t bits, int exponentBits, int mantissaBits,
              bool finiteOnly) {
  const int bias = (1 << (exponentBits - 1)) - 1;
  const int largest = (1 << exponentBits) - 1;
  const int mantissaMask = (1 << mantissaBits) - 1;
  const double sign = bits >> (exponentBits + mantissaBits) & 1 ? -1.0 : 1.0;
  const int exponent = static_cast<int>(bits >> mantissaBits) & largest;
  const int mantissa = static_cast<int>(bits) & mantissaMask;
  if (exponent == largest && (!finiteOnly || mantissa == mantissaMask))
    return !finiteOnly && mantissa == 0
               ? sign * std::numeric_limits<double>::infinity()
               : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp(mantissa + (1 << mantissaBits),
                           exponent - bias - mantissaBits);
}

} // namespace

double elementValue(int64_t dtype, const void *data, int64_t index) {
  switch (dtype) {
  case DSRT_F32:
    return load<float>(data, index);
  case DSRT_BF16:
    return decode(load<uint16_t>(data, index), 8, 7, false);
  case DSRT_F16:
    return decode(load<uint16_t>(data, index), 5, 10, false);
  case DSRT_F8E4M3:
    return decode(load<uint8_t>(data, index), 4, 3, true);
  case DSRT_F8E5M2:
    return decode(load<uint8_t>(data, index), 5, 2, false);
  case DSRT_F8E8M0: {
    const uint8_t bits = load<uint8_t>(data, index);
    return bits == 0xff ? std::numeric_limits<double>::quiet_NaN()
                        : std::ldexp(1.0, bits - 127);
  }
  case DSRT_I32:
    return load<int32_t>(data, index);
  case DSRT_I64:
    return static_cast<double>(load<int64_t>(data, index));
  case DSRT_I8:
    return load<int8_t>(data, index);
  default:
    return 0;
  }
}

} // namespace dsrt
