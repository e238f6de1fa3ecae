//===- Float.cpp - Arithmetic of f32 and f64 ------------------------------===//
//
// The host's arithmetic rounds as PTX asks for. Results that are no number are
// the one NaN that GPUs make. A directed rounding mode is set around the lanes
// of an instruction; operands come from memory and results go there, so no
// compiler moves the operation out of the mode.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>

using namespace dsrt::simulator;

namespace {
/// The NaN of an instruction's result.
template <typename T>
T canonicalNaN() {
  T value;
  constexpr uint64_t bits = sizeof(T) == 4 ? kSingleNaN : kDoubleNaN;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <typename T>
T canonical(T value) {
  return value != value ? canonicalNaN<T>() : value;
}

struct Add {
  template <typename T>
  T operator()(T a, T b) {
    return canonical(a + b);
  }
};
struct Sub {
  template <typename T>
  T operator()(T a, T b) {
    return canonical(a - b);
  }
};
struct Mul {
  template <typename T>
  T operator()(T a, T b) {
    return canonical(a * b);
  }
};
struct Div {
  template <typename T>
  T operator()(T a, T b) {
    return canonical(a / b);
  }
};
struct Fma {
  template <typename T>
  T operator()(T a, T b, T c) {
    return canonical(std::fma(a, b, c));
  }
};
/// Neg and abs change the sign only, also of a NaN.
struct Neg {
  template <typename T>
  T operator()(T a) {
    return -a;
  }
};
struct Abs {
  template <typename T>
  T operator()(T a) {
    return std::fabs(a);
  }
};
/// -0 is less than +0; one NaN loses.
struct Min {
  template <typename T>
  T operator()(T a, T b) {
    if (a != a || b != b)
      return a == a ? a : canonical(b);
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <typename T>
  T operator()(T a, T b) {
    if (a != a || b != b)
      return a == a ? a : canonical(b);
    return a < b || (a == b && std::signbit(a)) ? b : a;
  }
};
struct Rcp {
  template <typename T>
  T operator()(T a) {
    return canonical(T(1) / a);
  }
};
struct Sqrt {
  template <typename T>
  T operator()(T a) {
    return canonical(std::sqrt(a));
  }
};

/// Rounds in a direction while it lives.
class RoundingScope {
public:
  explicit RoundingScope(Rounding rounding) {
    switch (rounding) {
    case Rounding::Zero:
      std::fesetround(FE_TOWARDZERO);
      break;
    case Rounding::Down:
      std::fesetround(FE_DOWNWARD);
      break;
    case Rounding::Up:
      std::fesetround(FE_UPWARD);
      break;
    default:
      break;
    }
  }
  ~RoundingScope() { std::fesetround(FE_TONEAREST); }
  RoundingScope(const RoundingScope &) = delete;
};

/// What the mode does to operands and to results.
template <typename T>
class Modifiers {
public:
  explicit Modifiers(const FloatMode &mode) : mode(mode) {}

  T operand(T value) const {
    return mode.flush && std::fabs(value) < std::numeric_limits<T>::min()
               ? std::copysign(T(0), value)
               : value;
  }
  T result(T value) const {
    value = operand(value);
    if (!mode.saturate)
      return value;
    return value > T(1) ? T(1) : value > T(0) ? value : T(0); // NaN: 0
  }

private:
  const FloatMode &mode;
};
} // namespace

template <typename F, typename T>
static Flow modalUnary(Warp &warp, const Instruction &i, LaneMask active) {
  RoundingScope scope(i.mode.rounding);
  Modifiers<T> modifiers(i.mode);
  return mapUnary<T, T>(warp, i, active, [&](T a) {
    return modifiers.result(F()(modifiers.operand(a)));
  });
}

template <typename F, typename T>
static Flow modalBinary(Warp &warp, const Instruction &i, LaneMask active) {
  RoundingScope scope(i.mode.rounding);
  Modifiers<T> modifiers(i.mode);
  bool propagate = i.mode.propagate;
  return mapBinary<T, T>(warp, i, active, [&](T a, T b) {
    if (propagate && (a != a || b != b))
      return canonicalNaN<T>();
    return modifiers.result(F()(modifiers.operand(a), modifiers.operand(b)));
  });
}

template <typename F, typename T>
static Flow modalTernary(Warp &warp, const Instruction &i, LaneMask active) {
  RoundingScope scope(i.mode.rounding);
  Modifiers<T> modifiers(i.mode);
  return mapTernary<T, T>(warp, i, active, [&](T a, T b, T c) {
    return modifiers.result(
        F()(modifiers.operand(a), modifiers.operand(b), modifiers.operand(c)));
  });
}

/// Most instructions change nothing about their operands and results.
template <typename F>
static void setUnary(Decoder &decoder, Type type) {
  bool plain = decoder.instruction.mode.plain();
  decoder.instruction.execute =
      type == Type::F64 ? (plain ? unary<F, double> : modalUnary<F, double>)
                        : (plain ? unary<F, float> : modalUnary<F, float>);
  takeOperands(decoder, type, 1);
}
template <typename F>
static void setBinary(Decoder &decoder, Type type) {
  bool plain = decoder.instruction.mode.plain();
  decoder.instruction.execute =
      type == Type::F64 ? (plain ? binary<F, double> : modalBinary<F, double>)
                        : (plain ? binary<F, float> : modalBinary<F, float>);
  takeOperands(decoder, type, 2);
}
template <typename F>
static void setTernary(Decoder &decoder, Type type) {
  bool plain = decoder.instruction.mode.plain();
  decoder.instruction.execute =
      type == Type::F64 ? (plain ? ternary<F, double> : modalTernary<F, double>)
                        : (plain ? ternary<F, float> : modalTernary<F, float>);
  takeOperands(decoder, type, 3);
}

void dsrt::simulator::decodeFloatArithmetic(Decoder &decoder, Type type) {
  std::string_view base = decoder.base();
  FloatMode &mode = decoder.instruction.mode;
  bool rounds =
      base != "neg" && base != "abs" && base != "min" && base != "max";
  mode.flush = type == Type::F32 && decoder.take("ftz");
  if (base == "min" || base == "max")
    mode.propagate = type == Type::F32 && decoder.take("NaN");
  if (rounds) {
    // .approx and .full name less exact divisions; ours are exact.
    bool loose = base == "div" && type == Type::F32 &&
                 (decoder.take("approx") || decoder.take("full"));
    std::optional<Rounding> rounding = decoder.takeRounding();
    mode.rounding = rounding.value_or(Rounding::NearestEven);
    if (!rounding && !loose && (base == "div" || base == "fma"))
      decoder.unknownForm();
    mode.saturate = type == Type::F32 && base != "div" && decoder.take("sat");
  }
  if (base == "add")
    setBinary<Add>(decoder, type);
  else if (base == "sub")
    setBinary<Sub>(decoder, type);
  else if (base == "mul")
    setBinary<Mul>(decoder, type);
  else if (base == "div")
    setBinary<Div>(decoder, type);
  else if (base == "fma" || base == "mad")
    setTernary<Fma>(decoder, type);
  else if (base == "neg")
    setUnary<Neg>(decoder, type);
  else if (base == "abs")
    setUnary<Abs>(decoder, type);
  else if (base == "min")
    setBinary<Min>(decoder, type);
  else if (base == "max")
    setBinary<Max>(decoder, type);
  else
    decoder.unknownForm();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {
// Computed in double and rounded once, so that results depend on no table of a
// GPU: within 0.50001 units in the last place.
struct Exp2 {
  float operator()(float a) { return canonical(float(std::exp2(double(a)))); }
};
struct Log2 {
  float operator()(float a) { return canonical(float(std::log2(double(a)))); }
};
struct Rsqrt {
  template <typename T>
  T operator()(T a) {
    return canonical(T(1 / std::sqrt(double(a))));
  }
};
struct Sin {
  float operator()(float a) { return canonical(float(std::sin(double(a)))); }
};
struct Cos {
  float operator()(float a) { return canonical(float(std::cos(double(a)))); }
};
struct Tanh {
  float operator()(float a) { return canonical(float(std::tanh(double(a)))); }
};
} // namespace

/// rcp and sqrt have rounded forms beside .approx.
template <typename F>
static void decodeRounded(Decoder &decoder) {
  FloatMode &mode = decoder.instruction.mode;
  Type type = decoder.takeType();
  bool known = type == Type::F32 || type == Type::F64;
  std::optional<Rounding> rounding = decoder.takeRounding();
  mode.flush = decoder.take("ftz");
  if (!known || (!rounding && !decoder.take("approx")))
    decoder.unknownForm();
  mode.rounding = rounding.value_or(Rounding::NearestEven);
  setUnary<F>(decoder, type);
}

static void decodeRsqrt(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.instruction.mode.flush = decoder.take("ftz");
  if (!decoder.take("approx") || (type != Type::F32 && type != Type::F64))
    decoder.unknownForm();
  setUnary<Rsqrt>(decoder, type);
}

template <typename F>
static void decodeApproximate(Decoder &decoder) {
  FloatMode &mode = decoder.instruction.mode;
  Type type = decoder.takeType();
  if (!decoder.take("approx"))
    decoder.unknownForm();
  bool hasHalves = decoder.base() == "ex2" || decoder.base() == "tanh";
  if (hasHalves && decodeHalfFunction(decoder, type))
    return;
  mode.flush = decoder.take("ftz");
  if (type != Type::F32)
    decoder.unknownForm();
  decoder.instruction.execute =
      mode.flush ? modalUnary<F, float> : unary<F, float>;
  takeOperands(decoder, type, 1);
}

void dsrt::simulator::addTranscendentals(OpcodeTable &table) {
  table["rcp"] = decodeRounded<Rcp>;
  table["sqrt"] = decodeRounded<Sqrt>;
  table["rsqrt"] = decodeRsqrt;
  table["ex2"] = decodeApproximate<Exp2>;
  table["lg2"] = decodeApproximate<Log2>;
  table["sin"] = decodeApproximate<Sin>;
  table["cos"] = decodeApproximate<Cos>;
  table["tanh"] = decodeApproximate<Tanh>;
}
