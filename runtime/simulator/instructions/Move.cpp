//===- Move.cpp - Copies, packing and address conversion ------------------===//
//
// An address is converted by adding or taking away the window of its space; one
// of another space then is in no window, and its use is a fault.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/machine/Launch.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

namespace {
struct Same {
  template <typename T>
  T operator()(T a) {
    return a;
  }
};
} // namespace

static Flow movePredicate(Warp &warp, const Instruction &i, LaneMask active) {
  warp.setPredicate(i.operand[0], active, warp.predicate(i.operand[1]));
  return Flow::Next;
}

/// The parts in 'list' become one value, the first the lowest.
template <typename T, typename Part>
static Flow pack(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  forLanes(active, [&](unsigned lane) {
    T value = 0;
    for (size_t k = 0; k < i.list.size(); ++k)
      value |= T(warp.lanes<Part>(i.list[k])[lane]) << (8 * sizeof(Part) * k);
    result[lane] = value;
  });
  return Flow::Next;
}

template <typename T, typename Part>
static Flow unpack(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *source = warp.lanes<T>(i.operand[0]);
  forLanes(active, [&](unsigned lane) {
    T value = source[lane];
    for (size_t k = 0; k < i.list.size(); ++k)
      warp.lanes<Part>(i.list[k])[lane] =
          static_cast<Part>(value >> (8 * sizeof(Part) * k));
  });
  return Flow::Next;
}

/// Packs or unpacks, whichever side the list is on.
static void decodeParts(Decoder &decoder, Type type) {
  Instruction &instruction = decoder.instruction;
  bool unpacks = decoder.peekOperand().kind == OperandSyntax::Kind::List;
  Slot whole = kNoSlot;
  if (!unpacks)
    whole = decoder.readDestination(type);
  size_t count = decoder.peekOperand().elements.size();
  unsigned partBytes = count ? sizeOf(type) / static_cast<unsigned>(count) : 0;
  Type part = partBytes == 2 ? Type::B16 : Type::B32;
  if (partBytes * count != sizeOf(type) || sizeOf(part) != partBytes)
    decoder.fail("expected parts of 16 or 32 bits that make up the whole");
  instruction.list = unpacks ? decoder.readDestinationList(part)
                             : decoder.readSourceList(part);
  if (unpacks)
    whole = decoder.readSource(type);
  instruction.operand[0] = whole;
  if (sizeOf(type) == 4)
    instruction.execute =
        unpacks ? unpack<uint32_t, uint16_t> : pack<uint32_t, uint16_t>;
  else if (partBytes == 2)
    instruction.execute =
        unpacks ? unpack<uint64_t, uint16_t> : pack<uint64_t, uint16_t>;
  else
    instruction.execute =
        unpacks ? unpack<uint64_t, uint32_t> : pack<uint64_t, uint32_t>;
}

static void decodeMove(Decoder &decoder) {
  Type type = decoder.takeType();
  bool list = decoder.peekOperand().kind == OperandSyntax::Kind::List ||
              decoder.secondOperandIsList();
  if (list && sizeOf(type) >= 4)
    return decodeParts(decoder, type);
  decoder.instruction.execute =
      type == Type::Pred ? movePredicate
                         : forBits(decoder, type, [](auto value) -> Handler {
                             return unary<Same, decltype(value)>;
                           });
  takeOperands(decoder, type, 1);
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

/// immediate: what is added. The window of shared addresses is left by taking
/// it away.
static Flow moveWindow(Warp &warp, const Instruction &i, LaneMask active) {
  auto offset = static_cast<uint64_t>(i.immediate);
  return mapUnary<uint64_t, uint64_t>(warp, i, active,
                                      [&](uint64_t a) { return a + offset; });
}

static Flow moveParameterWindow(Warp &warp, const Instruction &i,
                                LaneMask active) {
  uint64_t offset = warp.cta.cluster.launch.parameterAddress();
  return mapUnary<uint64_t, uint64_t>(warp, i, active, [&](uint64_t a) {
    return i.variant ? a - offset : a + offset;
  });
}

static uint64_t windowOf(Space space) {
  return space == Space::Shared || space == Space::Cluster ? kSharedWindow
         : space == Space::Local                           ? kLocalWindow
                                                           : 0;
}

static void decodeAddressConversion(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  bool fromGeneric = decoder.take("to");
  Space space = decoder.takeSpace();
  Type type = decoder.takeType();
  if (sizeOf(type) != 8 || space == Space::Generic)
    decoder.unknownForm();
  auto window = static_cast<int64_t>(windowOf(space));
  instruction.immediate = fromGeneric ? -window : window;
  instruction.variant = fromGeneric;
  instruction.execute =
      space == Space::Param ? moveParameterWindow : moveWindow;
  takeOperands(decoder, type, 1);
}

static Flow isInSpace(Warp &warp, const Instruction &i, LaneMask active) {
  const auto *a = warp.lanes<uint64_t>(i.operand[1]);
  uint64_t window = windowOf(i.space);
  LaneMask inside = 0;
  forLanes(active, [&](unsigned lane) {
    bool isIn = (a[lane] & (uint64_t(0xff) << kWindowShift)) == window;
    if (i.space == Space::Shared) // of this CTA
      isIn &= (a[lane] & 0xffffffff) >> kSharedRankShift == 0;
    inside |= LaneMask(isIn) << lane;
  });
  warp.setPredicate(i.operand[0], active, inside);
  return Flow::Next;
}

static void decodeIsSpace(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.space = decoder.takeSpace();
  if (instruction.space != Space::Global &&
      instruction.space != Space::Shared &&
      instruction.space != Space::Cluster && instruction.space != Space::Local)
    decoder.unknownForm();
  instruction.execute = isInSpace;
  decoder.destination(Type::Pred);
  decoder.source(Type::U64);
}

/// mapa: the address of the same variable in another CTA of the cluster.
template <typename T>
static Flow mapToCta(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *rank = warp.lanes<uint32_t>(i.operand[2]);
  T window = i.space == Space::Generic ? static_cast<T>(kSharedWindow) : 0;
  auto count = static_cast<uint32_t>(warp.cta.cluster.ctas.size());
  forLanes(active, [&](unsigned lane) {
    if (rank[lane] >= count)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected one of the {} CTAs of the cluster, got "
                             "{}",
                             count, rank[lane]));
    result[lane] = static_cast<T>((a[lane] & kSharedOffsetMask) | window |
                                  T(rank[lane] + 1) << kSharedRankShift);
  });
  return Flow::Next;
}

static void decodeMapToCta(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.space = decoder.takeSpace();
  Type type = decoder.takeType();
  bool generic = instruction.space == Space::Generic;
  if ((type != Type::U32 && type != Type::U64) ||
      (generic && type != Type::U64) ||
      (!generic && instruction.space != Space::Cluster))
    decoder.unknownForm();
  instruction.execute =
      type == Type::U32 ? mapToCta<uint32_t> : mapToCta<uint64_t>;
  takeOperands(decoder, type, 1);
  decoder.source(Type::U32);
}

void dsrt::simulator::addMoves(OpcodeTable &table) {
  table["mov"] = decodeMove;
  table["cvta"] = decodeAddressConversion;
  table["isspacep"] = decodeIsSpace;
  table["mapa"] = decodeMapToCta;
}
