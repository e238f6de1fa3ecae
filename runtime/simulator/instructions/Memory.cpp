//===- Memory.cpp - Loads and stores --------------------------------------===//
//
// A vector is one access: it is aligned and checked as a whole. Cache hints
// change nothing; orderings neither, since lanes access memory in the order of
// the text.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"

using namespace dsrt::simulator;

/// list: the registers; address[0]: the first byte. T is the type in memory,
/// Register that of the registers, which extends it.
template <typename T, typename Register>
static Flow load(Warp &warp, const Instruction &i, LaneMask active) {
  auto count = static_cast<unsigned>(i.list.size());
  auto bytes = static_cast<unsigned>(count * sizeof(T));
  LanePointers memory;
  warp.accessLanes(i, i.address[0], bytes, Access::Read, active, memory);
  for (unsigned k = 0; k < count; ++k) {
    auto *result = warp.lanes<Register>(i.list[k]);
    forLanes(active, [&](unsigned lane) {
      result[lane] =
          static_cast<Register>(loadShared<T>(memory[lane] + k * sizeof(T)));
    });
  }
  return Flow::Next;
}

template <typename T, typename Register>
static Flow store(Warp &warp, const Instruction &i, LaneMask active) {
  auto count = static_cast<unsigned>(i.list.size());
  auto bytes = static_cast<unsigned>(count * sizeof(T));
  LanePointers memory;
  warp.accessLanes(i, i.address[0], bytes, Access::Write, active, memory);
  for (unsigned k = 0; k < count; ++k) {
    const auto *value = warp.lanes<Register>(i.list[k]);
    forLanes(active, [&](unsigned lane) {
      storeShared<T>(memory[lane] + k * sizeof(T), static_cast<T>(value[lane]));
    });
  }
  warp.progressed = true;
  return Flow::Next;
}

template <typename T>
static Handler loadHandler(unsigned registerBytes) {
  using Extended = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  using Half = std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>;
  using Quarter = std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>;
  switch (registerBytes) {
  case 2:
    return load<T, Quarter>;
  case 4:
    return load<T, Half>;
  default:
    return load<T, Extended>;
  }
}

template <typename T>
static Handler storeHandler(unsigned registerBytes) {
  switch (registerBytes) {
  case 2:
    return store<T, uint16_t>;
  case 4:
    return store<T, uint32_t>;
  default:
    return store<T, uint64_t>;
  }
}

static Handler accessHandler(Type type, unsigned registerBytes, bool loads) {
  bool extends = isSigned(type);
  switch (sizeOf(type)) {
  case 1:
    return !loads    ? storeHandler<uint8_t>(registerBytes)
           : extends ? loadHandler<int8_t>(registerBytes)
                     : loadHandler<uint8_t>(registerBytes);
  case 2:
    return !loads    ? storeHandler<uint16_t>(registerBytes)
           : extends ? loadHandler<int16_t>(registerBytes)
                     : loadHandler<uint16_t>(registerBytes);
  case 4:
    return !loads    ? storeHandler<uint32_t>(registerBytes)
           : extends ? loadHandler<int32_t>(registerBytes)
                     : loadHandler<uint32_t>(registerBytes);
  default:
    return loads ? loadHandler<uint64_t>(registerBytes)
                 : storeHandler<uint64_t>(registerBytes);
  }
}

/// Hints and orderings, in any combination that PTX allows.
static void takeHints(Decoder &decoder) {
  decoder.take("weak");
  unsigned strength =
      decoder.takeOneOf({"volatile", "relaxed", "acquire", "release"}, 4);
  decoder.instruction.strong = strength < 4;
  decoder.instruction.orders = strength == 2 || strength == 3;
  decoder.takeOneOf({"cta", "cluster", "gpu", "sys"}, 4);
  decoder.takeOneOf({"ca", "cg", "cs", "lu", "cv", "wb", "wt"}, 7);
  decoder.takeOneOf({"L1::evict_normal", "L1::evict_unchanged",
                     "L1::evict_first", "L1::evict_last", "L1::no_allocate"},
                    5);
  decoder.takeOneOf({"L2::64B", "L2::128B", "L2::256B"}, 3);
  decoder.take("nc");
}

/// The registers of a load or store: one, or a list of as many as the vector
/// has. All have one width, that of the type at least.
static unsigned readRegisters(Decoder &decoder, Type type, unsigned count) {
  Instruction &instruction = decoder.instruction;
  if (decoder.peekOperand().kind != OperandSyntax::Kind::List) {
    if (count != 1)
      decoder.fail("expected a list of registers in braces");
    RegisterInfo reg = decoder.readWide(type);
    instruction.list = {reg.slot};
    return sizeOf(reg.type) > 1 ? sizeOf(reg.type) : 2;
  }
  std::vector<RegisterInfo> registers = decoder.readWideList(type);
  unsigned bytes = sizeOf(registers.front().type);
  for (const RegisterInfo &reg : registers) {
    if (sizeOf(reg.type) != bytes)
      decoder.fail("expected registers of one width");
    instruction.list.push_back(reg.slot);
  }
  if (registers.size() != count)
    decoder.unknownForm();
  return bytes;
}

static void decodeAccess(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  bool loads = decoder.base() != "st";
  instruction.space = decoder.takeSpace();
  takeHints(decoder);
  bool policy = decoder.take("L2::cache_hint");
  unsigned count = decoder.takeVector();
  instruction.type = decoder.takeType();
  if (sizeOf(instruction.type) == 0)
    decoder.unknownForm();
  decoder.noteAccess(count * sizeOf(instruction.type));
  unsigned registerBytes = 0;
  if (loads) {
    registerBytes = readRegisters(decoder, instruction.type, count);
    instruction.address[0] = decoder.readAddress();
  } else {
    instruction.address[0] = decoder.readAddress();
    registerBytes = readRegisters(decoder, instruction.type, count);
  }
  if (policy)
    decoder.readSource(Type::B64);
  instruction.execute = accessHandler(instruction.type, registerBytes, loads);
}

//===----------------------------------------------------------------------===//
// Hints
//===----------------------------------------------------------------------===//

static Flow nothing(Warp &, const Instruction &, LaneMask) {
  return Flow::Next;
}

/// Prefetches may name any address.
static void decodePrefetch(Decoder &decoder) {
  decoder.takeSpace();
  decoder.takeOneOf({"L1", "L2", "L2::evict_last", "L2::evict_normal"}, 4);
  decoder.take("tensormap");
  decoder.instruction.execute = nothing;
  decoder.readAddress();
}

/// A policy is a number without a meaning here.
static Flow makePolicy(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result = warp.lanes<uint64_t>(i.operand[0]);
  forLanes(active, [&](unsigned lane) { result[lane] = 0; });
  return Flow::Next;
}

static void decodePolicy(Decoder &decoder) {
  if (!decoder.take("fractional"))
    decoder.unknownForm();
  decoder.takePrefixed("L2::");
  if (decoder.takeType() != Type::B64)
    decoder.unknownForm();
  decoder.instruction.execute = makePolicy;
  decoder.destination(Type::B64);
  if (decoder.hasOperand())
    decoder.readSource(Type::F32);
}

void dsrt::simulator::addMemory(OpcodeTable &table) {
  table["ld"] = decodeAccess;
  table["ldu"] = decodeAccess;
  table["st"] = decodeAccess;
  table["prefetch"] = decodePrefetch;
  table["createpolicy"] = decodePolicy;
}
