//===- Bits.cpp - Logic, shifts and bit fields ----------------------------===//
//
// Shifts by the width or more give zeros or signs, as PTX says, not what a C++
// shift would.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"

#include <type_traits>

using namespace dsrt::simulator;

namespace {
struct And {
  template <typename T>
  T operator()(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <typename T>
  T operator()(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <typename T>
  T operator()(T a, T b) {
    return a ^ b;
  }
};
struct Not {
  template <typename T>
  T operator()(T a) {
    return static_cast<T>(~a);
  }
};
struct CNot {
  template <typename T>
  T operator()(T a) {
    return a == 0;
  }
};
struct ShiftLeft {
  template <typename T>
  T operator()(T a, uint32_t n) {
    return n < 8 * sizeof(T) ? static_cast<T>(std::make_unsigned_t<T>(a) << n)
                             : 0;
  }
};
struct ShiftRight {
  template <typename T>
  T operator()(T a, uint32_t n) {
    constexpr uint32_t width = 8 * sizeof(T);
    if (n >= width)
      return std::is_signed_v<T> && a < 0 ? static_cast<T>(-1) : T(0);
    return static_cast<T>(a >> n);
  }
};
struct Reverse {
  template <typename T>
  T operator()(T a) {
    T reversed = 0;
    for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit)
      reversed = static_cast<T>(reversed << 1 | (a >> bit & 1));
    return reversed;
  }
};
/// prmt: bytes of two words, or their signs.
struct Permute {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t selection) {
    uint64_t bytes = uint64_t(b) << 32 | a;
    uint32_t result = 0;
    for (unsigned k = 0; k < 4; ++k) {
      uint32_t select = selection >> (4 * k) & 0xf;
      auto byte = static_cast<uint32_t>(bytes >> (8 * (select & 7)) & 0xff);
      if (select & 8)
        byte = byte & 0x80 ? 0xff : 0;
      result |= byte << (8 * k);
    }
    return result;
  }
};
/// shf: the upper or lower word of two words that are shifted together.
template <bool Left, bool Clamp>
struct Funnel {
  uint32_t operator()(uint32_t low, uint32_t high, uint32_t count) {
    uint32_t n = Clamp ? (count < 32 ? count : 32) : count & 31;
    uint64_t both = uint64_t(high) << 32 | low;
    return static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
  }
};
} // namespace

template <typename F>
static Flow predicateLogic(Warp &warp, const Instruction &i, LaneMask active) {
  LaneMask a = warp.predicate(i.operand[1]), b = warp.predicate(i.operand[2]);
  warp.setPredicate(i.operand[0], active, F()(a, b));
  return Flow::Next;
}

static Flow predicateNot(Warp &warp, const Instruction &i, LaneMask active) {
  warp.setPredicate(i.operand[0], active, ~warp.predicate(i.operand[1]));
  return Flow::Next;
}

template <typename F>
static void decodeLogic(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.instruction.execute =
      type == Type::Pred ? predicateLogic<F>
                         : forBits(decoder, type, [](auto value) -> Handler {
                             return binary<F, decltype(value)>;
                           });
  takeOperands(decoder, type, 2);
}

static void decodeNot(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.instruction.execute =
      type == Type::Pred ? predicateNot
                         : forBits(decoder, type, [](auto value) -> Handler {
                             return unary<Not, decltype(value)>;
                           });
  takeOperands(decoder, type, 1);
}

static void decodeCNot(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.instruction.execute =
      forBits(decoder, type, [](auto value) -> Handler {
        return unary<CNot, decltype(value)>;
      });
  takeOperands(decoder, type, 1);
}

/// The count has 32 bits whatever is shifted.
template <typename F, typename T>
static Flow shift(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *count = warp.lanes<uint32_t>(i.operand[2]);
  forLanes(active,
           [&](unsigned lane) { result[lane] = F()(a[lane], count[lane]); });
  return Flow::Next;
}

static void decodeShift(Decoder &decoder) {
  Type type = decoder.takeType();
  if (decoder.base() == "shl")
    decoder.instruction.execute =
        forBits(decoder, type, [](auto value) -> Handler {
          return shift<ShiftLeft, decltype(value)>;
        });
  else if (isSigned(type))
    decoder.instruction.execute =
        forInteger(decoder, type, [](auto value) -> Handler {
          return shift<ShiftRight, decltype(value)>;
        });
  else
    decoder.instruction.execute =
        forBits(decoder, type, [](auto value) -> Handler {
          return shift<ShiftRight, decltype(value)>;
        });
  takeOperands(decoder, type, 1);
  decoder.source(Type::U32);
}

static void decodeFunnelShift(Decoder &decoder) {
  bool left = decoder.takeOneOf({"l", "r"}) == 0;
  bool clamp = decoder.takeOneOf({"clamp", "wrap"}) == 0;
  Type type = decoder.takeType();
  if (type != Type::B32)
    decoder.unknownForm();
  decoder.instruction.execute =
      left ? (clamp ? ternary<Funnel<true, true>, uint32_t>
                    : ternary<Funnel<true, false>, uint32_t>)
           : (clamp ? ternary<Funnel<false, true>, uint32_t>
                    : ternary<Funnel<false, false>, uint32_t>);
  takeOperands(decoder, type, 3);
}

static void decodePermute(Decoder &decoder) {
  if (decoder.takeType() != Type::B32)
    decoder.unknownForm();
  decoder.instruction.execute = ternary<Permute, uint32_t>;
  takeOperands(decoder, Type::B32, 3);
}

static void decodeReverse(Decoder &decoder) {
  Type type = decoder.takeType();
  if (type != Type::B32 && type != Type::B64)
    decoder.unknownForm();
  decoder.instruction.execute =
      forBits(decoder, type, [](auto value) -> Handler {
        return unary<Reverse, decltype(value)>;
      });
  takeOperands(decoder, type, 1);
}

/// lop3: any function of three bits, by its table.
static Flow logicTable(Warp &warp, const Instruction &i, LaneMask active) {
  auto table = static_cast<uint32_t>(i.immediate);
  return mapTernary<uint32_t, uint32_t>(
      warp, i, active, [&](uint32_t a, uint32_t b, uint32_t c) {
        uint32_t result = 0;
        for (unsigned row = 0; row < 8; ++row)
          if (table >> row & 1)
            result |=
                (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        return result;
      });
}

static void decodeLogicTable(Decoder &decoder) {
  if (decoder.takeType() != Type::B32)
    decoder.unknownForm();
  decoder.instruction.execute = logicTable;
  takeOperands(decoder, Type::B32, 3);
  decoder.instruction.immediate = decoder.readImmediate();
}

//===----------------------------------------------------------------------===//
// Bit fields and counts
//===----------------------------------------------------------------------===//

/// bfe: the field's sign fills the bits above it if the type has one.
template <typename T>
static Flow extract(Warp &warp, const Instruction &i, LaneMask active) {
  constexpr uint32_t width = 8 * sizeof(T);
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *position = warp.lanes<uint32_t>(i.operand[2]);
  const auto *length = warp.lanes<uint32_t>(i.operand[3]);
  forLanes(active, [&](unsigned lane) {
    uint32_t first = position[lane] & 0xff, count = length[lane] & 0xff;
    T shifted = ShiftRight()(a[lane], first);
    if (count == 0)
      result[lane] = 0;
    else if (count >= width || (std::is_signed_v<T> && first + count >= width))
      result[lane] = shifted;
    else
      result[lane] =
          ShiftRight()(ShiftLeft()(shifted, width - count), width - count);
  });
  return Flow::Next;
}

static void decodeExtract(Decoder &decoder) {
  Type type = decoder.takeType();
  if (sizeOf(type) < 4)
    decoder.unknownForm();
  decoder.instruction.execute =
      forInteger(decoder, type, [](auto value) -> Handler {
        return extract<decltype(value)>;
      });
  takeOperands(decoder, type, 1);
  decoder.source(Type::U32);
  decoder.source(Type::U32);
}

/// bfi: the low bits of a, put into b.
template <typename T>
static Flow insert(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  const auto *position = warp.lanes<uint32_t>(i.operand[3]);
  const auto *length = warp.lanes<uint32_t>(i.operand[4]);
  forLanes(active, [&](unsigned lane) {
    uint32_t first = position[lane] & 0xff, count = length[lane] & 0xff;
    T mask = ShiftLeft()(static_cast<T>(ShiftLeft()(T(1), count) - 1), first);
    result[lane] = static_cast<T>((b[lane] & ~mask) |
                                  (ShiftLeft()(a[lane], first) & mask));
  });
  return Flow::Next;
}

static void decodeInsert(Decoder &decoder) {
  Type type = decoder.takeType();
  if (type != Type::B32 && type != Type::B64)
    decoder.unknownForm();
  decoder.instruction.execute =
      type == Type::B32 ? insert<uint32_t> : insert<uint64_t>;
  takeOperands(decoder, type, 2);
  decoder.source(Type::U32);
  decoder.source(Type::U32);
}

namespace {
struct CountOnes {
  template <typename T>
  uint32_t operator()(T a) {
    return static_cast<uint32_t>(__builtin_popcountll(a));
  }
};
struct LeadingZeros {
  template <typename T>
  uint32_t operator()(T a) {
    constexpr int unused = 64 - 8 * static_cast<int>(sizeof(T));
    return a ? static_cast<uint32_t>(__builtin_clzll(a) - unused)
             : 8 * sizeof(T);
  }
};
/// bfind: where the highest bit is that differs from the sign; ~0 if none does.
struct HighestBit {
  template <typename T>
  uint32_t operator()(T a) {
    using U = std::make_unsigned_t<T>;
    auto bits = static_cast<U>(std::is_signed_v<T> && a < 0 ? ~a : a);
    return bits ? 63 - static_cast<uint32_t>(__builtin_clzll(bits)) : ~0u;
  }
};
} // namespace

/// The result has 32 bits.
template <typename F, typename T>
static Flow countBits(Warp &warp, const Instruction &i, LaneMask active) {
  return mapUnary<uint32_t, T>(warp, i, active, F());
}

static void decodeCount(Decoder &decoder) {
  Type type = decoder.takeType();
  std::string_view base = decoder.base();
  if (sizeOf(type) < 4)
    decoder.unknownForm();
  if (base == "bfind")
    decoder.instruction.execute =
        forInteger(decoder, type, [](auto value) -> Handler {
          return countBits<HighestBit, decltype(value)>;
        });
  else
    decoder.instruction.execute =
        forBits(decoder, type, [&](auto value) -> Handler {
          using T = decltype(value);
          return base == "popc" ? countBits<CountOnes, T>
                                : countBits<LeadingZeros, T>;
        });
  decoder.destination(Type::U32);
  decoder.source(type);
}

void dsrt::simulator::addBits(OpcodeTable &table) {
  table["and"] = decodeLogic<And>;
  table["or"] = decodeLogic<Or>;
  table["xor"] = decodeLogic<Xor>;
  table["not"] = decodeNot;
  table["cnot"] = decodeCNot;
  table["shl"] = decodeShift;
  table["shr"] = decodeShift;
  table["shf"] = decodeFunnelShift;
  table["prmt"] = decodePermute;
  table["brev"] = decodeReverse;
  table["lop3"] = decodeLogicTable;
  table["bfe"] = decodeExtract;
  table["bfi"] = decodeInsert;
  table["popc"] = decodeCount;
  table["clz"] = decodeCount;
  table["bfind"] = decodeCount;
}
