//===- Convert.cpp - Conversions between types ----------------------------===//
//
// A conversion decodes its source into an exact number and encodes that in the
// result's type: one rounding. Registers may be wider than the types; results
// are extended by the sign of their type.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/numeric/FastFormat.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <cstring>

using namespace dsrt::simulator;

//===----------------------------------------------------------------------===//
// Lanes of any width
//===----------------------------------------------------------------------===//

/// Lane 'lane' of a register of 'bytes' bytes.
static uint64_t readLane(Warp &warp, Slot slot, unsigned bytes, unsigned lane) {
  switch (bytes) {
  case 2:
    return warp.lanes<uint16_t>(slot)[lane];
  case 4:
    return warp.lanes<uint32_t>(slot)[lane];
  default:
    return warp.lanes<uint64_t>(slot)[lane];
  }
}

static void writeLane(Warp &warp, Slot slot, unsigned bytes, unsigned lane,
                      uint64_t bits) {
  switch (bytes) {
  case 2:
    warp.lanes<uint16_t>(slot)[lane] = static_cast<uint16_t>(bits);
    break;
  case 4:
    warp.lanes<uint32_t>(slot)[lane] = static_cast<uint32_t>(bits);
    break;
  default:
    warp.lanes<uint64_t>(slot)[lane] = bits;
  }
}

/// The low 'bytes' bytes, extended to 64 bits.
static uint64_t extend(uint64_t bits, unsigned bytes, bool isSigned) {
  unsigned unused = 64 - 8 * bytes;
  bits <<= unused;
  return isSigned ? static_cast<uint64_t>(static_cast<int64_t>(bits) >> unused)
                  : bits >> unused;
}

//===----------------------------------------------------------------------===//
// One value
//===----------------------------------------------------------------------===//

static ExactNumber flushed(ExactNumber number) {
  // Only f32 is flushed: below 2^-126.
  bool zero = number.kind == ExactNumber::Kind::Finite &&
              number.significand != 0 &&
              63 - __builtin_clzll(number.significand) + number.exponent < -126;
  if (zero)
    number.significand = 0;
  return number;
}

static ExactNumber decodeValue(Type type, uint64_t bits,
                               const FloatMode &mode) {
  if (isFloat(type)) {
    ExactNumber number = exactOf(formatOf(type), bits);
    return mode.flush && type == Type::F32 ? flushed(number) : number;
  }
  uint64_t value = extend(bits, sizeOf(type), isSigned(type));
  return isSigned(type) ? exactOfSigned(static_cast<int64_t>(value))
                        : exactOfUnsigned(value);
}

static ExactNumber saturated(ExactNumber number) {
  ExactNumber one = exactOfUnsigned(1);
  bool large =
      number.kind == ExactNumber::Kind::Infinite ||
      (number.significand != 0 &&
       63 - __builtin_clzll(number.significand) + number.exponent >= 0);
  if (number.kind == ExactNumber::Kind::NaN || number.negative)
    return exactOfUnsigned(0);
  return large ? one : number;
}

static uint64_t encodeFloat(Type type, ExactNumber number,
                            const FloatMode &mode) {
  if (mode.relu && number.negative && number.kind != ExactNumber::Kind::NaN)
    number = exactOfUnsigned(0);
  if (mode.saturate)
    number = saturated(number);
  if (mode.flush && type == Type::F32)
    number = flushed(number);
  return encode(formatOf(type), number, mode.rounding, mode.finite);
}

/// Integers wrap unless they saturate; floats always saturate.
static uint64_t encodeInteger(Type type, Type sourceType,
                              const ExactNumber &number,
                              const FloatMode &mode) {
  unsigned bytes = sizeOf(type);
  if (!isFloat(sourceType) && !mode.saturate)
    return number.negative ? -number.significand : number.significand;
  bool wideNaN = sourceType == Type::F64 || bytes == 8;
  uint64_t nan = wideNaN ? uint64_t(1) << (8 * bytes - 1) : 0;
  return toInteger(number, mode.rounding, bytes, isSigned(type), nan);
}

//===----------------------------------------------------------------------===//
// cvt of one value
//===----------------------------------------------------------------------===//

/// variant: rounds to an integral value first. immediate: the widths in bytes
/// of the registers, destination * 16 + source.
static Flow convert(Warp &warp, const Instruction &i, LaneMask active) {
  auto destinationBytes = static_cast<unsigned>(i.immediate / 16);
  auto sourceBytes = static_cast<unsigned>(i.immediate % 16);
  bool toFloat = isFloat(i.type);
  forLanes(active, [&](unsigned lane) {
    uint64_t bits = readLane(warp, i.operand[1], sourceBytes, lane);
    ExactNumber number = decodeValue(
        i.sourceType, extend(bits, sizeOf(i.sourceType), false), i.mode);
    if (i.variant)
      number = toIntegral(number, i.mode.rounding);
    uint64_t result = toFloat
                          ? encodeFloat(i.type, number, i.mode)
                          : encodeInteger(i.type, i.sourceType, number, i.mode);
    writeLane(warp, i.operand[0], destinationBytes, lane,
              extend(result, sizeOf(i.type), isSigned(i.type)));
  });
  return Flow::Next;
}

/// Between integers without saturation only the low bits count.
template <typename To, typename From>
static Flow resize(Warp &warp, const Instruction &i, LaneMask active) {
  return mapUnary<To, From>(warp, i, active,
                            [](From a) { return static_cast<To>(a); });
}

/// Common conversions of integers whose registers have the types' widths.
static Handler resizeHandler(Type to, Type from) {
  bool narrow = from == Type::U32 || from == Type::S32 || from == Type::B32;
  if (to == Type::U64 || to == Type::S64)
    return from == Type::S32   ? resize<int64_t, int32_t>
           : from == Type::U32 ? resize<uint64_t, uint32_t>
                               : nullptr;
  if (to == Type::U32 || to == Type::S32)
    return sizeOf(from) == 8 ? resize<uint32_t, uint64_t>
           : narrow          ? resize<uint32_t, uint32_t>
                             : nullptr;
  return nullptr;
}

struct ConversionRounding {
  Rounding rounding;
  bool integral;
};

static std::optional<ConversionRounding>
takeConversionRounding(Decoder &decoder) {
  constexpr ConversionRounding all[] = {{Rounding::NearestEven, false},
                                        {Rounding::Zero, false},
                                        {Rounding::Down, false},
                                        {Rounding::Up, false},
                                        {Rounding::NearestAway, false},
                                        {Rounding::NearestEven, true},
                                        {Rounding::Zero, true},
                                        {Rounding::Down, true},
                                        {Rounding::Up, true}};
  unsigned index = decoder.takeOneOf(
      {"rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi"}, 9);
  if (index == 9)
    return std::nullopt;
  return all[index];
}

namespace {
struct HalfToSingle {
  float operator()(uint16_t a) { return singleOfHalf(a); }
};
struct BfloatToSingle {
  float operator()(uint16_t a) { return singleOfBfloat(a); }
};
struct SingleToHalf {
  uint16_t operator()(float a) { return halfOfSingle(a); }
};
struct SingleToBfloat {
  uint16_t operator()(float a) { return bfloatOfSingle(a); }
};
struct ToSingle {
  template <typename T>
  float operator()(T a) {
    return static_cast<float>(a);
  }
};
} // namespace

template <typename F, typename To, typename From>
static Flow convertPlainly(Warp &warp, const Instruction &i, LaneMask active) {
  return mapUnary<To, From>(warp, i, active, F());
}

/// Common conversions of floats that round to nearest.
static Handler plainHandler(Type to, Type from) {
  if (to == Type::F32)
    return from == Type::F16
               ? fastest<convertPlainly<HalfToSingle, float, uint16_t>>()
           : from == Type::BF16
               ? fastest<convertPlainly<BfloatToSingle, float, uint16_t>>()
           : from == Type::S32
               ? fastest<convertPlainly<ToSingle, float, int32_t>>()
           : from == Type::U32
               ? fastest<convertPlainly<ToSingle, float, uint32_t>>()
               : nullptr;
  if (from == Type::F32)
    return to == Type::F16
               ? fastest<convertPlainly<SingleToHalf, uint16_t, float>>()
           : to == Type::BF16
               ? fastest<convertPlainly<SingleToBfloat, uint16_t, float>>()
               : nullptr;
  return nullptr;
}

static void decodeScalar(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  Type to = instruction.type, from = instruction.sourceType;
  FloatMode &mode = instruction.mode;
  RegisterInfo destination = decoder.readWide(to);
  RegisterInfo source = decoder.readWide(from);
  instruction.operand[0] = destination.slot;
  instruction.operand[1] = source.slot;
  instruction.immediate = sizeOf(destination.type) * 16 + sizeOf(source.type);
  bool sameWidths = sizeOf(destination.type) == sizeOf(to) &&
                    sizeOf(source.type) == sizeOf(from);
  instruction.execute = convert;
  if (!isFloat(to) && !isFloat(from) && !mode.saturate && sameWidths)
    if (Handler handler = resizeHandler(to, from))
      instruction.execute = handler;
  if (mode.plain() && !instruction.variant && sameWidths)
    if (Handler handler = plainHandler(to, from))
      instruction.execute = handler;
}

//===----------------------------------------------------------------------===//
// cvt of packed values
//===----------------------------------------------------------------------===//

/// Two f32 into one register of two narrower values; the first source is the
/// upper half.
static Flow packTwo(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *high = warp.lanes<uint32_t>(i.operand[1]);
  const auto *low = warp.lanes<uint32_t>(i.operand[2]);
  unsigned bytes = sizeOf(i.type);
  forLanes(active, [&](unsigned lane) {
    auto part = [&](uint32_t bits) {
      return encodeFloat(i.type, decodeValue(Type::F32, bits, i.mode), i.mode);
    };
    writeLane(warp, i.operand[0], bytes, lane,
              part(high[lane]) << (4 * bytes) | part(low[lane]));
  });
  return Flow::Next;
}

/// Two packed values of one type into two of another.
static Flow convertTwo(Warp &warp, const Instruction &i, LaneMask active) {
  unsigned from = sizeOf(i.sourceType), to = sizeOf(i.type);
  uint64_t partMask = (uint64_t(1) << (4 * from)) - 1;
  forLanes(active, [&](unsigned lane) {
    uint64_t bits = readLane(warp, i.operand[1], from, lane);
    auto part = [&](uint64_t code) {
      return encodeFloat(i.type, exactOf(formatOf(i.sourceType), code), i.mode);
    };
    writeLane(warp, i.operand[0], to, lane,
              part(bits >> (4 * from)) << (4 * to) | part(bits & partMask));
  });
  return Flow::Next;
}

/// Two f32 by a function of one, of parts of 'Bits' bits.
template <typename Packed, unsigned Bits, typename F>
static Flow packTwoPlainly(Warp &warp, const Instruction &i, LaneMask active) {
  return mapBinary<Packed, float>(warp, i, active, [](float high, float low) {
    return static_cast<Packed>(uint32_t(F()(high)) << Bits | F()(low));
  });
}

namespace {
struct SingleToE4M3 {
  uint8_t operator()(float a) { return e4m3OfSingle(a); }
};

/// The f16 of each code of a format of 8 bits, which are exact.
struct NarrowTable {
  explicit NarrowTable(Type type) {
    for (unsigned code = 0; code < 256; ++code)
      halves[code] = static_cast<uint16_t>(
          encode(formatOf(Type::F16), exactOf(formatOf(type), code),
                 Rounding::NearestEven, false));
  }
  uint16_t halves[256];
};
} // namespace

template <Type From>
static Flow widenTwo(Warp &warp, const Instruction &i, LaneMask active) {
  static const NarrowTable table(From);
  return mapUnary<uint32_t, uint16_t>(warp, i, active, [](uint16_t a) {
    return uint32_t(table.halves[a >> 8]) << 16 | table.halves[a & 0xff];
  });
}

/// Common conversions of pairs.
static Handler plainPairHandler(Type to, Type from, const FloatMode &mode) {
  if (mode.relu || mode.flush)
    return nullptr;
  if (from == Type::F32 && mode.rounding == Rounding::NearestEven)
    return to == Type::E4M3x2
               ? fastest<packTwoPlainly<uint16_t, 8, SingleToE4M3>>()
           : mode.finite ? nullptr
           : to == Type::F16x2
               ? fastest<packTwoPlainly<uint32_t, 16, SingleToHalf>>()
           : to == Type::BF16x2
               ? fastest<packTwoPlainly<uint32_t, 16, SingleToBfloat>>()
               : nullptr;
  return from == Type::E4M3x2   ? widenTwo<Type::E4M3>
         : from == Type::E5M2x2 ? widenTwo<Type::E5M2>
                                : nullptr;
}

static bool isNarrowPair(Type type) {
  return type == Type::E4M3x2 || type == Type::E5M2x2;
}

static bool isPair(Type type) {
  return isNarrowPair(type) || type == Type::F16x2 || type == Type::BF16x2;
}

static void decodePair(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  Type to = instruction.type, from = instruction.sourceType;
  decoder.destination(to);
  if (from == Type::F32) {
    instruction.execute = packTwo;
    decoder.source(from);
    decoder.source(from);
  } else if (isNarrowPair(to) ? from == Type::F16x2 || from == Type::BF16x2
                              : isNarrowPair(from) && to == Type::F16x2) {
    instruction.execute = convertTwo;
    decoder.source(from);
  } else {
    decoder.unknownForm();
  }
  if (isNarrowPair(to) && !instruction.mode.finite)
    decoder.unknownForm();
  if (Handler handler = plainPairHandler(to, from, instruction.mode))
    instruction.execute = handler;
}

static bool isNarrow(Type type) {
  return type == Type::E4M3 || type == Type::E5M2;
}

static void decodeConversion(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  FloatMode &mode = instruction.mode;
  instruction.type = decoder.takeType();
  instruction.sourceType = decoder.takeType();
  Type to = instruction.type, from = instruction.sourceType;
  std::optional<ConversionRounding> rounding = takeConversionRounding(decoder);
  mode.rounding = rounding ? rounding->rounding : Rounding::NearestEven;
  instruction.variant = rounding && rounding->integral;
  mode.flush = decoder.take("ftz");
  mode.saturate = decoder.take("sat");
  mode.finite = isFloat(to) && decoder.take("satfinite");
  mode.relu = isFloat(to) && decoder.take("relu");
  if (isPair(to) || isPair(from))
    return decodePair(decoder);
  bool known = to != Type::Pred && from != Type::Pred && from != Type::TF32 &&
               !isNarrow(to) && !isNarrow(from) &&
               (to != Type::TF32 || from == Type::F32);
  // Without a rounding only exact conversions are defined.
  bool toInteger = isFloat(from) && !isFloat(to);
  bool narrows = isFloat(from) && isFloat(to) && sizeOf(to) < sizeOf(from);
  bool fromInteger = isFloat(to) && !isFloat(from);
  if (!known || ((toInteger || narrows || fromInteger) && !rounding) ||
      (toInteger && !rounding->integral))
    decoder.unknownForm();
  decodeScalar(decoder);
}

void dsrt::simulator::addConversions(OpcodeTable &table) {
  table["cvt"] = decodeConversion;
}
