//===- Integer.cpp - Arithmetic of integers -------------------------------===//
//
// Computed without sign where the sign does not matter: overflow wraps.
// Division by zero gives all ones, as GPUs do.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"

#include <limits>
#include <type_traits>

using namespace dsrt::simulator;

namespace {
template <typename T>
using Unsigned = std::make_unsigned_t<T>;

/// A product of twice the width.
template <typename T>
using Wide = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<
        sizeof(T) == 4,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <typename T>
T wrap(uint64_t value) {
  return static_cast<T>(value);
}

struct Add {
  template <typename T>
  T operator()(T a, T b) {
    return wrap<T>(uint64_t(a) + uint64_t(b));
  }
};
struct AddSaturated {
  template <typename T>
  T operator()(T a, T b) {
    T sum;
    if (!__builtin_add_overflow(a, b, &sum))
      return sum;
    return a < 0 ? std::numeric_limits<T>::min()
                 : std::numeric_limits<T>::max();
  }
};
struct Sub {
  template <typename T>
  T operator()(T a, T b) {
    return wrap<T>(uint64_t(a) - uint64_t(b));
  }
};
struct SubSaturated {
  template <typename T>
  T operator()(T a, T b) {
    T difference;
    if (!__builtin_sub_overflow(a, b, &difference))
      return difference;
    return a < 0 ? std::numeric_limits<T>::min()
                 : std::numeric_limits<T>::max();
  }
};
struct MulLow {
  template <typename T>
  T operator()(T a, T b) {
    return wrap<T>(uint64_t(a) * uint64_t(b));
  }
};
struct MulHigh {
  template <typename T>
  T operator()(T a, T b) {
    return static_cast<T>((Wide<T>(a) * Wide<T>(b)) >> (8 * sizeof(T)));
  }
};
template <typename Multiply>
struct MultiplyAdd {
  template <typename T>
  T operator()(T a, T b, T c) {
    return Add()(Multiply()(a, b), c);
  }
};
struct Div {
  template <typename T>
  T operator()(T a, T b) {
    if (b == 0)
      return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return wrap<T>(-uint64_t(a));
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <typename T>
  T operator()(T a, T b) {
    if (b == 0)
      return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return 0;
    return static_cast<T>(a % b);
  }
};
struct Neg {
  template <typename T>
  T operator()(T a) {
    return wrap<T>(-uint64_t(a));
  }
};
struct Abs {
  template <typename T>
  T operator()(T a) {
    return a < 0 ? wrap<T>(-uint64_t(a)) : a;
  }
};
struct Min {
  template <typename T>
  T operator()(T a, T b) {
    return a < b ? a : b;
  }
};
struct Max {
  template <typename T>
  T operator()(T a, T b) {
    return a < b ? b : a;
  }
};
} // namespace

/// mul.wide and mad.wide: the sum is of twice the width of the factors.
template <typename T>
static Flow wideProduct(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<Wide<T>>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  const auto *c =
      i.operand[3] == kNoSlot ? nullptr : warp.lanes<Wide<T>>(i.operand[3]);
  forLanes(active, [&](unsigned lane) {
    Wide<T> product = Wide<T>(a[lane]) * Wide<T>(b[lane]);
    result[lane] = c ? Add()(product, c[lane]) : product;
  });
  return Flow::Next;
}

static Type wideType(const Decoder &decoder, Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  case Type::S32:
    return Type::S64;
  default:
    decoder.unknownForm();
  }
}

template <typename F>
static Handler binaryFor(const Decoder &decoder, Type type) {
  return forInteger(decoder, type, [](auto value) -> Handler {
    return binary<F, decltype(value)>;
  });
}

/// mul and mad.
static void decodeProduct(Decoder &decoder, Type type, bool add) {
  Handler &execute = decoder.instruction.execute;
  enum { Low, High, WideForm };
  switch (decoder.takeOneOf({"lo", "hi", "wide"})) {
  case WideForm: {
    Type wide = wideType(decoder, type);
    execute = type == Type::U16   ? wideProduct<uint16_t>
              : type == Type::S16 ? wideProduct<int16_t>
              : type == Type::U32 ? wideProduct<uint32_t>
                                  : wideProduct<int32_t>;
    decoder.destination(wide);
    decoder.source(type);
    decoder.source(type);
    if (add)
      decoder.source(wide);
    return;
  }
  case High:
    execute = forInteger(decoder, type, [&](auto value) -> Handler {
      using T = decltype(value);
      return add ? ternary<MultiplyAdd<MulHigh>, T> : binary<MulHigh, T>;
    });
    break;
  case Low:
    execute = forInteger(decoder, type, [&](auto value) -> Handler {
      using T = decltype(value);
      return add ? ternary<MultiplyAdd<MulLow>, T> : binary<MulLow, T>;
    });
    break;
  }
  takeOperands(decoder, type, add ? 3 : 2);
}

void dsrt::simulator::decodeIntegerArithmetic(Decoder &decoder, Type type) {
  std::string_view base = decoder.base();
  Handler &execute = decoder.instruction.execute;
  bool saturated = type == Type::S32 && decoder.take("sat");
  if (base == "mul" || base == "mad")
    return decodeProduct(decoder, type, base == "mad");
  if (base == "neg" || base == "abs") {
    if (!isSigned(type))
      decoder.unknownForm();
    bool negate = base == "neg";
    execute = forInteger(decoder, type, [&](auto value) -> Handler {
      using T = decltype(value);
      return negate ? unary<Neg, T> : unary<Abs, T>;
    });
    return takeOperands(decoder, type, 1);
  }
  if (base == "add")
    execute = saturated ? binary<AddSaturated, int32_t>
                        : binaryFor<Add>(decoder, type);
  else if (base == "sub")
    execute = saturated ? binary<SubSaturated, int32_t>
                        : binaryFor<Sub>(decoder, type);
  else if (base == "div")
    execute = binaryFor<Div>(decoder, type);
  else if (base == "rem")
    execute = binaryFor<Rem>(decoder, type);
  else if (base == "min")
    execute = binaryFor<Min>(decoder, type);
  else if (base == "max")
    execute = binaryFor<Max>(decoder, type);
  else
    decoder.unknownForm();
  takeOperands(decoder, type, 2);
}
