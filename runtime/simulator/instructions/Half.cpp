//===- Half.cpp - Arithmetic of f16 and bf16, packed or not ---------------===//
//
// Computed in double, where sums that are not exact are rounded to odd, and
// rounded once more: the result is that of one rounding, since a double has
// more than twice the digits.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <cmath>
#include <cstring>

using namespace dsrt::simulator;

/// a + b, rounded to the neighbour whose last bit is odd if it is not exact.
static double addToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  double back = sum - a;
  double error = (a - (sum - back)) + (b - back);
  uint64_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  if (error == 0 || (bits & 1))
    return sum;
  bool away = (error > 0) == (sum > 0);
  bits += away ? 1 : -1;
  std::memcpy(&sum, &bits, sizeof sum);
  return sum;
}

namespace {
struct Add {
  double operator()(double a, double b, double) { return addToOdd(a, b); }
};
struct Sub {
  double operator()(double a, double b, double) { return addToOdd(a, -b); }
};
struct Mul {
  double operator()(double a, double b, double) { return a * b; }
};
struct Fma {
  double operator()(double a, double b, double c) { return addToOdd(a * b, c); }
};
struct Min {
  double operator()(double a, double b, double) {
    if (a != a || b != b)
      return a == a ? a : b;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  double operator()(double a, double b, double) {
    if (a != a || b != b)
      return a == a ? a : b;
    return a < b || (a == b && std::signbit(a)) ? b : a;
  }
};
struct Exp2 {
  double operator()(double a, double, double) { return std::exp2(a); }
};
struct Tanh {
  double operator()(double a, double, double) { return std::tanh(a); }
};
} // namespace

static double finish(const FloatMode &mode, double value) {
  if (mode.saturate)
    value = value > 1 ? 1 : value > 0 ? value : 0;
  if (mode.relu && value < 0)
    value = 0;
  return value;
}

/// One value of 16 bits, or two in 32.
template <typename F, typename Bits, bool Bfloat>
static Flow halves(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<Bits>(i.operand[0]);
  const Bits *sources[3];
  for (unsigned k = 0; k < 3; ++k)
    sources[k] =
        warp.lanes<Bits>(i.operand[i.operand[k + 1] == kNoSlot ? 1 : k + 1]);
  forLanes(active, [&](unsigned lane) {
    Bits packed = 0;
    for (unsigned shift = 0; shift < 8 * sizeof(Bits); shift += 16) {
      double values[3];
      bool anyNaN = false;
      for (unsigned k = 0; k < 3; ++k) {
        auto bits = static_cast<uint16_t>(sources[k][lane] >> shift);
        values[k] = Bfloat ? bfloatToFloat(bits) : halfToFloat(bits);
        anyNaN |= values[k] != values[k];
      }
      double value = F()(values[0], values[1], values[2]);
      if (i.mode.propagate && anyNaN)
        value = std::nan("");
      uint64_t bits =
          encode(formatOf(Bfloat ? Type::BF16 : Type::F16),
                 exactOf(finish(i.mode, value)), Rounding::NearestEven, false);
      packed = static_cast<Bits>(packed | bits << shift);
    }
    result[lane] = packed;
  });
  return Flow::Next;
}

template <typename F>
static Handler handlerFor(Type type) {
  switch (type) {
  case Type::F16:
    return halves<F, uint16_t, false>;
  case Type::BF16:
    return halves<F, uint16_t, true>;
  case Type::F16x2:
    return halves<F, uint32_t, false>;
  default:
    return halves<F, uint32_t, true>;
  }
}

/// neg and abs are of the bits, also of a NaN.
template <typename Bits, bool Negate>
static Flow signs(Warp &warp, const Instruction &i, LaneMask active) {
  constexpr auto mask = static_cast<Bits>(0x80008000);
  return mapUnary<Bits, Bits>(warp, i, active, [](Bits a) {
    return static_cast<Bits>(Negate ? a ^ mask : a & ~mask);
  });
}

static void decodeSigns(Decoder &decoder, Type type) {
  bool negate = decoder.base() == "neg";
  bool packed = sizeOf(type) == 4;
  decoder.instruction.execute =
      packed ? (negate ? signs<uint32_t, true> : signs<uint32_t, false>)
             : (negate ? signs<uint16_t, true> : signs<uint16_t, false>);
  takeOperands(decoder, type, 1);
}

void dsrt::simulator::decodeHalfArithmetic(Decoder &decoder, Type type) {
  if (type != Type::F16 && type != Type::BF16 && type != Type::F16x2 &&
      type != Type::BF16x2)
    decoder.unknownForm();
  std::string_view base = decoder.base();
  if (base == "neg" || base == "abs")
    return decodeSigns(decoder, type);
  bool isBfloat = type == Type::BF16 || type == Type::BF16x2;
  FloatMode &mode = decoder.instruction.mode;
  Handler &execute = decoder.instruction.execute;
  if (base == "min" || base == "max") {
    mode.propagate = decoder.take("NaN");
    execute = base == "min" ? handlerFor<Min>(type) : handlerFor<Max>(type);
    return takeOperands(decoder, type, 2);
  }
  decoder.take("rn");
  mode.saturate = !isBfloat && decoder.take("sat");
  if (base == "fma") {
    mode.relu = decoder.take("relu");
    execute = handlerFor<Fma>(type);
    return takeOperands(decoder, type, 3);
  }
  if (base == "add")
    execute = handlerFor<Add>(type);
  else if (base == "sub")
    execute = handlerFor<Sub>(type);
  else if (base == "mul")
    execute = handlerFor<Mul>(type);
  else
    decoder.unknownForm();
  takeOperands(decoder, type, 2);
}

bool dsrt::simulator::decodeHalfFunction(Decoder &decoder, Type type) {
  bool isBfloat = type == Type::BF16 || type == Type::BF16x2;
  bool isHalf = type == Type::F16 || type == Type::F16x2;
  if (!isBfloat && !isHalf)
    return false;
  if (isBfloat && decoder.base() == "ex2" && !decoder.take("ftz"))
    decoder.unknownForm(); // bf16 has only this form
  decoder.instruction.execute =
      decoder.base() == "ex2" ? handlerFor<Exp2>(type) : handlerFor<Tanh>(type);
  takeOperands(decoder, type, 1);
  return true;
}

uint16_t dsrt::simulator::addRounded(Type format, uint16_t a, uint16_t b) {
  const FloatFormat &half = formatOf(format);
  double sum = addToOdd(toDouble(exactOf(half, a)), toDouble(exactOf(half, b)));
  return static_cast<uint16_t>(
      encode(half, exactOf(sum), Rounding::NearestEven, false));
}
