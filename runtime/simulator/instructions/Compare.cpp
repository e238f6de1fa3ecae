//===- Compare.cpp - Comparisons and selections ---------------------------===//
//
// A comparison makes a mask of the lanes where it holds; setp combines it with
// another predicate, set writes it as a number.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <cmath>
#include <limits>

using namespace dsrt::simulator;

namespace {
enum Comparison {
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  // Of floats only: true also if an operand is NaN.
  EqualOrNaN,
  NotEqualOrNaN,
  LessOrNaN,
  LessEqualOrNaN,
  GreaterOrNaN,
  GreaterEqualOrNaN,
  BothNumbers,
  AnyNaN
};

/// Values of f16 and bf16 are compared as f32.
struct HalfValue {
  float operator()(uint16_t bits) const { return halfToFloat(bits); }
};
struct BfloatValue {
  float operator()(uint16_t bits) const { return bfloatToFloat(bits); }
};
struct SameValue {
  template <typename T>
  T operator()(T value) const {
    return value;
  }
};
struct FlushedValue {
  float operator()(float value) const {
    bool subnormal = std::fabs(value) < std::numeric_limits<float>::min();
    return subnormal ? 0.0f : value;
  }
};
} // namespace

template <typename T, typename Value, typename F>
static LaneMask collect(const T *a, const T *b, Value value, F holds) {
  LaneMask mask = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    mask |= static_cast<LaneMask>(holds(value(a[lane]), value(b[lane])))
            << lane;
  return mask;
}

template <typename T, typename Value>
static LaneMask compare(Warp &warp, const Instruction &i, unsigned first) {
  const auto *a = warp.lanes<T>(i.operand[first]);
  const auto *b = warp.lanes<T>(i.operand[first + 1]);
  auto with = [&](auto holds) { return collect(a, b, Value(), holds); };
  switch (i.variant) {
  case Equal:
    return with([](auto x, auto y) { return x == y; });
  case NotEqual:
    return with([](auto x, auto y) { return x < y || x > y; });
  case Less:
    return with([](auto x, auto y) { return x < y; });
  case LessEqual:
    return with([](auto x, auto y) { return x <= y; });
  case Greater:
    return with([](auto x, auto y) { return x > y; });
  case GreaterEqual:
    return with([](auto x, auto y) { return x >= y; });
  case EqualOrNaN:
    return with([](auto x, auto y) { return !(x < y || x > y); });
  case NotEqualOrNaN:
    return with([](auto x, auto y) { return !(x == y); });
  case LessOrNaN:
    return with([](auto x, auto y) { return !(x >= y); });
  case LessEqualOrNaN:
    return with([](auto x, auto y) { return !(x > y); });
  case GreaterOrNaN:
    return with([](auto x, auto y) { return !(x <= y); });
  case GreaterEqualOrNaN:
    return with([](auto x, auto y) { return !(x < y); });
  case BothNumbers:
    return with([](auto x, auto y) { return x == x && y == y; });
  default:
    return with([](auto x, auto y) { return x != x || y != y; });
  }
}

/// setp: operand 0 and 1 are predicates, 2 and 3 are compared; with a boolean
/// operation (immediate) operand 4 is the third predicate.
template <typename T, typename Value>
static Flow setPredicates(Warp &warp, const Instruction &i, LaneMask active) {
  LaneMask holds = compare<T, Value>(warp, i, 2), fails = ~holds;
  if (i.operand[4] != kNoSlot) {
    LaneMask other = warp.predicate(i.operand[4]);
    other = i.list.empty() ? other : ~other;
    auto combine = [&](LaneMask mask) {
      return i.immediate == 0   ? mask & other
             : i.immediate == 1 ? mask | other
                                : mask ^ other;
    };
    holds = combine(holds);
    fails = combine(fails);
  }
  warp.setPredicate(i.operand[0], active, holds);
  warp.setPredicate(i.operand[1], active, fails);
  return Flow::Next;
}

/// set: all ones, or 1.0, where the comparison holds.
template <typename T, typename Value>
static Flow setNumber(Warp &warp, const Instruction &i, LaneMask active) {
  LaneMask holds = compare<T, Value>(warp, i, 1);
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  auto yes = static_cast<uint32_t>(i.immediate);
  forLanes(active,
           [&](unsigned lane) { result[lane] = holds >> lane & 1 ? yes : 0; });
  return Flow::Next;
}

static unsigned takeComparison(Decoder &decoder, Type type) {
  if (isFloat(type))
    return decoder.takeOneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu",
                              "ltu", "leu", "gtu", "geu", "num", "nan"});
  constexpr unsigned unsignedNames[] = {Less, LessEqual, Greater, GreaterEqual};
  unsigned index = decoder.takeOneOf(
      {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"});
  return index < 6 ? index : unsignedNames[index - 6];
}

/// 'choose' gets a value of the type in registers and how it is compared.
template <typename F>
static Handler forCompared(Decoder &decoder, Type type, F choose) {
  bool flush = type == Type::F32 && decoder.take("ftz");
  switch (type) {
  case Type::F32:
    return flush ? choose(float(), FlushedValue())
                 : choose(float(), SameValue());
  case Type::F64:
    return choose(double(), SameValue());
  case Type::F16:
    decoder.take("ftz"); // of f16 it changes no comparison but with zero
    return choose(uint16_t(), HalfValue());
  case Type::BF16:
    return choose(uint16_t(), BfloatValue());
  case Type::B16:
  case Type::B32:
  case Type::B64:
    return forBits(decoder, type,
                   [&](auto value) { return choose(value, SameValue()); });
  default:
    return forInteger(decoder, type,
                      [&](auto value) { return choose(value, SameValue()); });
  }
}

static void decodeSetPredicate(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  Type type = decoder.takeType();
  instruction.variant = takeComparison(decoder, type);
  unsigned combination = decoder.takeOneOf({"and", "or", "xor"}, 3);
  instruction.execute =
      forCompared(decoder, type, [](auto value, auto how) -> Handler {
        return setPredicates<decltype(value), decltype(how)>;
      });
  decoder.destinationPair(Type::Pred, Type::Pred);
  decoder.source(type);
  decoder.source(type);
  if (combination == 3)
    return;
  instruction.immediate = combination;
  bool negated = false;
  instruction.operand[4] = decoder.readPredicate(negated);
  if (negated)
    instruction.list = {instruction.operand[4]};
}

static void decodeSet(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  Type result = decoder.takeType(), type = decoder.takeType();
  if (sizeOf(result) != 4)
    decoder.unknownForm();
  instruction.variant = takeComparison(decoder, type);
  instruction.immediate = result == Type::F32 ? 0x3f800000 : 0xffffffff;
  instruction.execute =
      forCompared(decoder, type, [](auto value, auto how) -> Handler {
        return setNumber<decltype(value), decltype(how)>;
      });
  decoder.destination(result);
  decoder.source(type);
  decoder.source(type);
}

//===----------------------------------------------------------------------===//
// Selections
//===----------------------------------------------------------------------===//

template <typename T>
static Flow select(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  LaneMask condition = warp.predicate(i.operand[3]);
  forLanes(active, [&](unsigned lane) {
    result[lane] = condition >> lane & 1 ? a[lane] : b[lane];
  });
  return Flow::Next;
}

static void decodeSelect(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.instruction.execute =
      forBits(decoder, type,
              [](auto value) -> Handler { return select<decltype(value)>; });
  takeOperands(decoder, type, 2);
  decoder.source(Type::Pred);
}

/// slct: a where c >= 0, else b.
template <typename T, typename Condition>
static Flow selectBySign(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  const auto *c = warp.lanes<Condition>(i.operand[3]);
  forLanes(active, [&](unsigned lane) {
    result[lane] = c[lane] >= 0 ? a[lane] : b[lane];
  });
  return Flow::Next;
}

static void decodeSelectBySign(Decoder &decoder) {
  Type type = decoder.takeType(), condition = decoder.takeType();
  if (condition != Type::S32 && condition != Type::F32)
    decoder.unknownForm();
  bool integer = condition == Type::S32;
  decoder.instruction.execute =
      forBits(decoder, type, [&](auto value) -> Handler {
        using T = decltype(value);
        return integer ? selectBySign<T, int32_t> : selectBySign<T, float>;
      });
  takeOperands(decoder, type, 2);
  decoder.source(condition);
}

void dsrt::simulator::addComparisons(OpcodeTable &table) {
  table["setp"] = decodeSetPredicate;
  table["set"] = decodeSet;
  table["selp"] = decodeSelect;
  table["slct"] = decodeSelectBySign;
}
