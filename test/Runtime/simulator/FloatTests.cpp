//===- FloatTests.cpp - Arithmetic and conversions of floats --------------===//
//
// The host computes exactly, or in a wider type, and rounds by search: the
// nearest of all codes, the even one of two.
//
//===----------------------------------------------------------------------===//

#include "Lanewise.h"

#include <cfenv>
#include <cmath>
#include <limits>

namespace dsrt::test {

using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s32 = int32_t;
using s64 = int64_t;

/// What GPUs make of a result that is no number.
static float canonical(float value) {
  return std::isnan(value) ? fromBits<float>(0x7fffffff) : value;
}

static double canonical(double value) {
  return std::isnan(value) ? fromBits<double>(0x7fffffffffffffff) : value;
}

static float flush(float value) {
  return std::fabs(value) < std::numeric_limits<float>::min()
             ? std::copysign(0.0f, value)
             : value;
}

/// Evaluates in a rounding mode of the host.
template <typename F>
static float inMode(int mode, F compute) {
  std::fesetround(mode);
  volatile float result = compute();
  std::fesetround(FE_TONEAREST);
  return canonical(result);
}

static void testSingles() {
  checkLanewise<float, float, float>(
      "add.rn.f32 %r, %a, %b;",
      [](float a, float b) { return canonical(a + b); });
  checkLanewise<float, float, float>(
      "add.f32 %r, %a, %b;", [](float a, float b) { return canonical(a + b); });
  checkLanewise<float, float, float>(
      "sub.ftz.f32 %r, %a, %b;",
      [](float a, float b) { return flush(canonical(flush(a) - flush(b))); });
  checkLanewise<float, float, float>(
      "mul.rn.f32 %r, %a, %b;",
      [](float a, float b) { return canonical(a * b); });
  checkLanewise<float, float>("mul.sat.f32 %r, %a, 0f40000000;", [](float a) {
    return 2 * a > 1 ? 1.0f : 2 * a > 0 ? 2 * a : 0.0f;
  });
  checkLanewise<float, float, float>(
      "add.rz.f32 %r, %a, %b;", [](volatile float a, volatile float b) {
        return inMode(FE_TOWARDZERO, [&] { return a + b; });
      });
  checkLanewise<float, float, float>(
      "mul.rp.f32 %r, %a, %b;", [](volatile float a, volatile float b) {
        return inMode(FE_UPWARD, [&] { return a * b; });
      });
  checkLanewise<float, float, float>(
      "div.rm.f32 %r, %a, %b;", [](volatile float a, volatile float b) {
        return inMode(FE_DOWNWARD, [&] { return a / b; });
      });
  checkLanewise<float, float, float, float>(
      "fma.rn.f32 %r, %a, %b, %c;",
      [](float a, float b, float c) { return canonical(std::fma(a, b, c)); });
  checkLanewise<double, double, double, double>(
      "fma.rn.f64 %r, %a, %b, %c;", [](double a, double b, double c) {
        return canonical(std::fma(a, b, c));
      });
  checkLanewise<float, float, float>(
      "div.rn.f32 %r, %a, %b;",
      [](float a, float b) { return canonical(a / b); });
  checkLanewise<float, float, float>(
      "div.full.f32 %r, %a, %b;",
      [](float a, float b) { return canonical(a / b); });
  checkLanewise<float, float>("sqrt.rn.f32 %r, %a;",
                              [](float a) { return canonical(std::sqrt(a)); });
  checkLanewise<float, float>("rcp.approx.ftz.f32 %r, %a;", [](float a) {
    return flush(canonical(1 / flush(a)));
  });
  checkLanewise<u32, u32>("neg.f32 %r, %a;",
                          [](u32 a) { return a ^ 0x80000000; });
  checkLanewise<u32, u32>("abs.f32 %r, %a;",
                          [](u32 a) { return a & 0x7fffffff; });
}

static void testMinMax() {
  auto minimum = [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return canonical(std::isnan(a) ? b : a);
    if (a == b)
      return std::signbit(a) ? a : b;
    return a < b ? a : b;
  };
  checkLanewise<float, float, float>("min.f32 %r, %a, %b;", minimum);
  checkLanewise<float, float, float>("max.NaN.f32 %r, %a, %b;",
                                     [](float a, float b) {
                                       if (std::isnan(a) || std::isnan(b))
                                         return fromBits<float>(0x7fffffff);
                                       if (a == b)
                                         return std::signbit(a) ? b : a;
                                       return a > b ? a : b;
                                     });
  checkLanewise<u32, float, float>(
      "setp.ltu.f32 %p0, %a, %b;\nselp.b32 %r, 1, 0, %p0;",
      [](float a, float b) { return u32(!(a >= b)); });
  checkLanewise<u32, float, float>(
      "setp.neu.f32 %p0, %a, %b;\nselp.b32 %r, 1, 0, %p0;",
      [](float a, float b) { return u32(a != b); });
  checkLanewise<u32, float, float>(
      "setp.ne.f32 %p0, %a, %b;\nselp.b32 %r, 1, 0, %p0;",
      [](float a, float b) { return u32(a < b || a > b); });
  checkLanewise<u32, float, float>(
      "setp.nan.f32 %p0, %a, %b;\nselp.b32 %r, 1, 0, %p0;",
      [](float a, float b) { return u32(std::isnan(a) || std::isnan(b)); });
}

/// Checks functions that are defined as rounded from double.
static void testFunctions() {
  checkLanewise<float, float>("ex2.approx.ftz.f32 %r, %a;", [](float a) {
    return flush(canonical(float(std::exp2(double(flush(a))))));
  });
  checkLanewise<float, float>("lg2.approx.f32 %r, %a;", [](float a) {
    return canonical(float(std::log2(double(a))));
  });
  checkLanewise<float, float>("rsqrt.approx.f32 %r, %a;", [](float a) {
    return canonical(float(1 / std::sqrt(double(a))));
  });
  checkLanewise<float, float>("sin.approx.f32 %r, %a;", [](float a) {
    return canonical(float(std::sin(double(a))));
  });
  checkLanewise<float, float>("cos.approx.f32 %r, %a;", [](float a) {
    return canonical(float(std::cos(double(a))));
  });
  checkLanewise<float, float>("tanh.approx.f32 %r, %a;", [](float a) {
    return canonical(float(std::tanh(double(a))));
  });
}

//===----------------------------------------------------------------------===//
// Narrow formats
//===----------------------------------------------------------------------===//

/// A format by its table of all codes with a plus sign, ascending.
class Codes {
public:
  Codes(int exponentBits, int mantissaBits, bool infinities, u32 nan)
      : nan(nan), infinities(infinities),
        sign(1u << (exponentBits + mantissaBits)) {
    int bias = (1 << (exponentBits - 1)) - 1;
    u32 end =
        infinities ? ((1u << exponentBits) - 1) << mantissaBits : sign - 1;
    for (u32 code = 0; code < end; ++code) {
      int field = static_cast<int>(code >> mantissaBits);
      u32 mantissa = code & ((1u << mantissaBits) - 1);
      long double significand =
          field ? mantissa + (1u << mantissaBits) : mantissa;
      values.push_back(
          std::ldexp(significand, std::max(field, 1) - bias - mantissaBits));
    }
    // Where the next number would be: ties with it are too large.
    beyond = 2 * values.back() - values[values.size() - 2];
  }

  float decode(u32 code) const {
    u32 magnitude = code & (sign - 1);
    float value = magnitude < values.size()
                      ? static_cast<float>(values[magnitude])
                  : infinities && magnitude == values.size()
                      ? std::numeric_limits<float>::infinity()
                      : std::nanf("");
    return code & sign ? -value : value;
  }

  /// The nearest code; of two the even one.
  u32 encode(long double value, bool finite) const {
    if (std::isnan(value))
      return nan;
    u32 signCode = std::signbit(value) ? sign : 0;
    long double magnitude = std::fabs(value);
    u32 last = static_cast<u32>(values.size()) - 1;
    long double tie = (values.back() + beyond) / 2;
    if (magnitude > tie || (magnitude == tie && (last & 1)))
      return signCode | (finite ? last : infinities ? last + 1 : nan);
    u32 low = 0, high = last; // values[low] <= magnitude
    while (low < high) {
      u32 middle = (low + high + 1) / 2;
      if (values[middle] <= magnitude)
        low = middle;
      else
        high = middle - 1;
    }
    if (low == last)
      return signCode | last;
    long double down = magnitude - values[low],
                up = values[low + 1] - magnitude;
    bool takeUpper = up < down || (up == down && (low & 1));
    return signCode | (low + takeUpper);
  }

  u32 largest() const { return static_cast<u32>(values.size()) - 1; }
  const u32 nan;

private:
  std::vector<long double> values;
  long double beyond;
  bool infinities;
  u32 sign;
};

static const Codes f16(5, 10, true, 0x7fff);
static const Codes bf16(8, 7, true, 0x7fff);
static const Codes e4m3(4, 3, false, 0x7f);
static const Codes e5m2(5, 2, true, 0x7f);

static u32 toSinglePattern(float value) {
  return static_cast<u32>(bitsOf(canonical(value)));
}

static void testNarrowConversions() {
  checkLanewise<u32, u16>("cvt.f32.f16 %r, %a;",
                          [](u16 a) { return toSinglePattern(f16.decode(a)); });
  checkLanewise<u32, u16>("cvt.f32.bf16 %r, %a;", [](u16 a) {
    return toSinglePattern(bf16.decode(a));
  });
  checkLanewise<u16, float>("cvt.rn.f16.f32 %r, %a;",
                            [](float a) { return u16(f16.encode(a, false)); });
  checkLanewise<u16, float>("cvt.rn.bf16.f32 %r, %a;",
                            [](float a) { return u16(bf16.encode(a, false)); });
  checkLanewise<u16, float>("cvt.rn.relu.bf16.f32 %r, %a;", [](float a) {
    return u16(bf16.encode(a < 0 || (a == 0) ? 0 : a, false));
  });
  checkLanewise<u32, float, float>(
      "cvt.rn.bf16x2.f32 %r, %a, %b;", [](float a, float b) {
        return bf16.encode(a, false) << 16 | bf16.encode(b, false);
      });
  checkLanewise<u32, float, float>(
      "cvt.rn.f16x2.f32 %r, %a, %b;", [](float a, float b) {
        return f16.encode(a, false) << 16 | f16.encode(b, false);
      });
  checkLanewise<u16, float, float>(
      "cvt.rn.satfinite.e4m3x2.f32 %r, %a, %b;", [](float a, float b) {
        return u16(e4m3.encode(a, true) << 8 | e4m3.encode(b, true));
      });
  checkLanewise<u16, float, float>(
      "cvt.rn.satfinite.e5m2x2.f32 %r, %a, %b;", [](float a, float b) {
        return u16(e5m2.encode(a, true) << 8 | e5m2.encode(b, true));
      });
  checkLanewise<u32, u16>("cvt.rn.f16x2.e4m3x2 %r, %a;", [](u16 a) {
    return f16.encode(e4m3.decode(a >> 8), false) << 16 |
           f16.encode(e4m3.decode(a & 255), false);
  });
  checkLanewise<u32, u16>("cvt.rn.f16x2.e5m2x2 %r, %a;", [](u16 a) {
    return f16.encode(e5m2.decode(a >> 8), false) << 16 |
           f16.encode(e5m2.decode(a & 255), false);
  });
  checkLanewise<u16, u32>("cvt.rn.satfinite.e4m3x2.f16x2 %r, %a;", [](u32 a) {
    return u16(e4m3.encode(f16.decode(a >> 16), true) << 8 |
               e4m3.encode(f16.decode(a & 0xffff), true));
  });
  checkLanewise<u32, u32>("cvt.rna.tf32.f32 %r, %a;", [](u32 a) {
    u32 magnitude = a & 0x7fffffff;
    if (magnitude > 0x7f800000)
      return 0x3ffffu << 13;
    return (a & 0x80000000) | ((magnitude + 0x1000) & ~0x1fffu);
  });
}

static void testNumberConversions() {
  checkLanewise<float, s32>("cvt.rn.f32.s32 %r, %a;",
                            [](s32 a) { return float(a); });
  checkLanewise<float, u64>("cvt.rn.f32.u64 %r, %a;",
                            [](u64 a) { return float(a); });
  checkLanewise<float, s64>("cvt.rz.f32.s64 %r, %a;", [](volatile s64 a) {
    return inMode(FE_TOWARDZERO, [&] { return float(a); });
  });
  checkLanewise<double, s64>("cvt.rn.f64.s64 %r, %a;",
                             [](s64 a) { return double(a); });
  checkLanewise<double, float>("cvt.f64.f32 %r, %a;",
                               [](float a) { return canonical(double(a)); });
  checkLanewise<float, double>("cvt.rn.f32.f64 %r, %a;",
                               [](double a) { return canonical(float(a)); });
  auto toInteger = [](double a, double low, double high) {
    return std::isnan(a) ? 0 : a < low ? low : a > high ? high : a;
  };
  checkLanewise<s32, float>("cvt.rzi.s32.f32 %r, %a;", [&](float a) {
    return s32(toInteger(std::trunc(double(a)), INT32_MIN, INT32_MAX));
  });
  checkLanewise<u32, float>("cvt.rni.u32.f32 %r, %a;", [&](float a) {
    return u32(toInteger(std::nearbyint(double(a)), 0, UINT32_MAX));
  });
  checkLanewise<s32, double>("cvt.rmi.s32.f64 %r, %a;", [&](double a) {
    return std::isnan(a) ? INT32_MIN
                         : s32(toInteger(std::floor(a), INT32_MIN, INT32_MAX));
  });
  checkLanewise<s64, float>("cvt.rpi.s64.f32 %r, %a;", [](float a) {
    if (std::isnan(a) || a < -0x1p63f)
      return INT64_MIN;
    return a >= 0x1p63f ? INT64_MAX : s64(std::ceil(a));
  });
  checkLanewise<float, float>("cvt.rmi.f32.f32 %r, %a;",
                              [](float a) { return canonical(std::floor(a)); });
  checkLanewise<float, float>("cvt.rzi.ftz.f32.f32 %r, %a;", [](float a) {
    return canonical(std::trunc(flush(a)));
  });
  checkLanewise<u16, s32>("cvt.rn.f16.s32 %r, %a;",
                          [](s32 a) { return u16(f16.encode(a, false)); });
}

//===----------------------------------------------------------------------===//
// Arithmetic of narrow formats
//===----------------------------------------------------------------------===//

static void testHalves() {
  checkLanewise<u16, u16, u16>("add.rn.f16 %r, %a, %b;", [](u16 a, u16 b) {
    return u16(f16.encode((long double)f16.decode(a) + f16.decode(b), false));
  });
  checkLanewise<u16, u16, u16>("mul.rn.bf16 %r, %a, %b;", [](u16 a, u16 b) {
    return u16(
        bf16.encode((long double)bf16.decode(a) * bf16.decode(b), false));
  });
  checkLanewise<u32, u32, u32>("fma.rn.f16x2 %r, %a, %b, %a;", [](u32 a,
                                                                  u32 b) {
    u32 result = 0;
    for (int shift = 0; shift < 32; shift += 16) {
      // Exact in 113 bits; rounded to odd in 64 before the search.
      u16 x = u16(a >> shift), y = u16(b >> shift);
      __float128 exact =
          (__float128)f16.decode(x) * f16.decode(y) + (__float128)f16.decode(x);
      auto rounded = static_cast<long double>(exact);
      if (std::isfinite(rounded) && rounded != exact) {
        unsigned char bytes[sizeof rounded];
        std::memcpy(bytes, &rounded, sizeof rounded);
        if (!(bytes[0] & 1))
          rounded = std::nextafter(
              rounded, exact > rounded
                           ? std::numeric_limits<long double>::infinity()
                           : -std::numeric_limits<long double>::infinity());
      }
      result |= f16.encode(rounded, false) << shift;
    }
    return result;
  });
  // The product lies halfway between two bf16; -2^-60, which a double forgets,
  // decides for the odd one.
  checkLanewise<u16, u16>("fma.rn.bf16 %r, 0x3f81, 0x3fc0, 0xa180;",
                          [](u16) { return u16(0x3fc1); });
  checkLanewise<u16, u16>(
      "mov.b16 %r, 0x3b80;\nfma.rn.bf16 %r, %r, 0x3f81, 0x3f80;", [](u16) {
        return u16(bf16.encode(1.0L + 0x1p-8L * (1 + 0x1p-7L), false));
      });
  checkLanewise<u16, u16, u16>("max.f16 %r, %a, %b;", [](u16 a, u16 b) {
    float x = f16.decode(a), y = f16.decode(b);
    if (std::isnan(x) || std::isnan(y))
      return std::isnan(x) ? (std::isnan(y) ? u16(0x7fff) : b) : a;
    return x == y ? u16(std::signbit(x) ? b : a) : x > y ? a : b;
  });
  checkLanewise<u16, u16>("neg.bf16 %r, %a;",
                          [](u16 a) { return u16(a ^ 0x8000); });
  checkLanewise<u32, u32>("abs.f16x2 %r, %a;",
                          [](u32 a) { return a & 0x7fff7fff; });
  checkLanewise<u32, u16, u16>(
      "setp.ge.bf16 %p0, %a, %b;\nselp.b32 %r, 1, 0, %p0;",
      [](u16 a, u16 b) { return u32(bf16.decode(a) >= bf16.decode(b)); });
  checkLanewise<u16, u16>("ex2.approx.f16 %r, %a;", [](u16 a) {
    return u16(f16.encode(std::exp2(double(f16.decode(a))), false));
  });
}

void testFloats() {
  testSingles();
  testMinMax();
  testFunctions();
  testNarrowConversions();
  testNumberConversions();
  testHalves();
}

} // namespace dsrt::test
