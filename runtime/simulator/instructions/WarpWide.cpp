//===- WarpWide.cpp - Instructions across the lanes of a warp -------------===//
//
// All lanes of the mask must be here at once. What a lane would get from one
// that is not here is undefined on a GPU, and a fault.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"

#include <algorithm>
#include <fmt/format.h>

using namespace dsrt::simulator;

//===----------------------------------------------------------------------===//
// shfl
//===----------------------------------------------------------------------===//

namespace {
enum ShuffleMode { Up, Down, Butterfly, Index };

struct ShuffleSource {
  unsigned lane;
  bool inRange;
};
} // namespace

/// The lane that 'lane' reads; 'control' holds the clamp value and, from bit 8
/// on, which bits of a lane's number stay.
static ShuffleSource shuffleSource(unsigned mode, unsigned lane, uint32_t by,
                                   uint32_t control) {
  by &= 31;
  unsigned clamp = control & 31, segment = control >> 8 & 31;
  unsigned least = lane & segment;
  unsigned most = least | (clamp & ~segment);
  int source = 0;
  switch (mode) {
  case Up:
    source = static_cast<int>(lane) - static_cast<int>(by);
    // Of .up the clamp value is the least lane.
    return source >= static_cast<int>(most)
               ? ShuffleSource{static_cast<unsigned>(source), true}
               : ShuffleSource{lane, false};
  case Down:
    source = static_cast<int>(lane + by);
    break;
  case Butterfly:
    source = static_cast<int>(lane ^ by);
    break;
  default:
    source = static_cast<int>(least | (by & ~segment));
  }
  return source <= static_cast<int>(most)
             ? ShuffleSource{static_cast<unsigned>(source), true}
             : ShuffleSource{lane, false};
}

/// Operands: result, predicate, value, lanes, control, members.
static Flow shuffle(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[5], active);
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  const auto *value = warp.lanes<uint32_t>(i.operand[2]);
  const auto *by = warp.lanes<uint32_t>(i.operand[3]);
  const auto *control = warp.lanes<uint32_t>(i.operand[4]);
  std::array<uint32_t, kLanes> before;
  std::copy(value, value + kLanes, before.begin());
  LaneMask inRange = 0;
  forLanes(active, [&](unsigned lane) {
    ShuffleSource source =
        shuffleSource(i.variant, lane, by[lane], control[lane]);
    if (!(active >> source.lane & 1))
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected a lane that takes part, got lane {}",
                             source.lane));
    result[lane] = before[source.lane];
    inRange |= LaneMask(source.inRange) << lane;
  });
  warp.setPredicate(i.operand[1], active, inRange);
  return Flow::Next;
}

static void decodeShuffle(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (!decoder.take("sync"))
    decoder.unknownForm();
  instruction.variant = decoder.takeOneOf({"up", "down", "bfly", "idx"});
  if (decoder.takeType() != Type::B32)
    decoder.unknownForm();
  instruction.execute = shuffle;
  decoder.destinationPair(Type::B32, Type::Pred);
  for (int k = 0; k < 4; ++k)
    decoder.source(Type::B32);
}

//===----------------------------------------------------------------------===//
// vote and match
//===----------------------------------------------------------------------===//

/// vote.all, .any, .uni: a predicate. list: the source if it is negated.
static Flow vote(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[2], active);
  LaneMask yes = warp.predicate(i.operand[1]);
  yes = (i.list.empty() ? yes : ~yes) & active;
  bool all = yes == active, any = yes != 0;
  bool result = i.variant == 0 ? all : i.variant == 1 ? any : all || !any;
  warp.setPredicate(i.operand[0], active, result ? kAllLanes : 0);
  return Flow::Next;
}

static Flow ballot(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[2], active);
  LaneMask yes = warp.predicate(i.operand[1]);
  yes = (i.list.empty() ? yes : ~yes) & active;
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) { result[lane] = yes; });
  return Flow::Next;
}

static void decodeVote(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (!decoder.take("sync"))
    decoder.unknownForm();
  instruction.variant = decoder.takeOneOf({"all", "any", "uni", "ballot"});
  bool ballots = instruction.variant == 3;
  if (decoder.takeType() != (ballots ? Type::B32 : Type::Pred))
    decoder.unknownForm();
  instruction.execute = ballots ? ballot : vote;
  decoder.destination(ballots ? Type::B32 : Type::Pred);
  bool negated = false;
  instruction.operand[1] = decoder.readPredicate(negated);
  if (negated)
    instruction.list = {instruction.operand[1]};
  instruction.operand[2] = decoder.readSource(Type::B32);
}

/// match.any: the lanes with the same value; match.all: the lanes if all have
/// the same. Operands: result, predicate, value, members.
template <typename T>
static Flow match(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[3], active);
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  const auto *value = warp.lanes<T>(i.operand[2]);
  bool allSame = true;
  forLanes(active, [&](unsigned lane) {
    LaneMask same = 0;
    forLanes(active, [&](unsigned other) {
      same |= LaneMask(value[other] == value[lane]) << other;
    });
    allSame &= same == active;
    result[lane] = same;
  });
  if (i.variant == 1) {
    forLanes(active,
             [&](unsigned lane) { result[lane] = allSame ? active : 0; });
    warp.setPredicate(i.operand[1], active, allSame ? kAllLanes : 0);
  }
  return Flow::Next;
}

static void decodeMatch(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  instruction.variant = decoder.takeOneOf({"any", "all"});
  Type type = decoder.takeType();
  if (!decoder.take("sync") || (type != Type::B32 && type != Type::B64))
    decoder.unknownForm();
  instruction.execute = type == Type::B32 ? match<uint32_t> : match<uint64_t>;
  decoder.destinationPair(Type::B32, Type::Pred);
  decoder.source(type);
  decoder.source(Type::B32);
}

//===----------------------------------------------------------------------===//
// redux, elect, activemask
//===----------------------------------------------------------------------===//

template <typename T>
static T reduce(unsigned variant, T a, T b) {
  switch (variant) {
  case 0:
    return a + b;
  case 1:
    return std::min(a, b);
  case 2:
    return std::max(a, b);
  case 3:
    return a & b;
  case 4:
    return a | b;
  default:
    return a ^ b;
  }
}

template <typename T>
static Flow reduceLanes(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[2], active);
  auto *result = warp.lanes<T>(i.operand[0]);
  const auto *value = warp.lanes<T>(i.operand[1]);
  auto first = static_cast<unsigned>(__builtin_ctz(active));
  T total = value[first];
  forLanes(active & (active - 1), [&](unsigned lane) {
    total = reduce<T>(i.variant, total, value[lane]);
  });
  forLanes(active, [&](unsigned lane) { result[lane] = total; });
  return Flow::Next;
}

static void decodeReduce(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (!decoder.take("sync"))
    decoder.unknownForm();
  instruction.variant =
      decoder.takeOneOf({"add", "min", "max", "and", "or", "xor"});
  Type type = decoder.takeType();
  if (sizeOf(type) != 4 || isFloat(type))
    decoder.unknownForm();
  // Sums wrap alike with and without a sign.
  bool ordered = type == Type::S32 && instruction.variant != 0;
  instruction.execute = ordered ? reduceLanes<int32_t> : reduceLanes<uint32_t>;
  takeOperands(decoder, type, 1);
  decoder.source(Type::B32);
}

/// Elects the first lane of the mask.
static Flow elect(Warp &warp, const Instruction &i, LaneMask active) {
  checkMembers(warp, i, i.operand[2], active);
  auto first = static_cast<unsigned>(__builtin_ctz(active));
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) { result[lane] = first; });
  warp.setPredicate(i.operand[1], active, LaneMask(1) << first);
  return Flow::Next;
}

static void decodeElect(Decoder &decoder) {
  if (!decoder.take("sync"))
    decoder.unknownForm();
  decoder.instruction.execute = elect;
  decoder.destinationPair(Type::B32, Type::Pred);
  decoder.source(Type::B32);
}

static Flow activeMask(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<uint32_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) { result[lane] = active; });
  return Flow::Next;
}

static void decodeActiveMask(Decoder &decoder) {
  if (decoder.takeType() != Type::B32)
    decoder.unknownForm();
  decoder.instruction.execute = activeMask;
  decoder.destination(Type::B32);
}

void dsrt::simulator::addWarpWide(OpcodeTable &table) {
  table["shfl"] = decodeShuffle;
  table["vote"] = decodeVote;
  table["match"] = decodeMatch;
  table["redux"] = decodeReduce;
  table["elect"] = decodeElect;
  table["activemask"] = decodeActiveMask;
}
