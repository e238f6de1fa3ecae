//===- Atomics.cpp - Read, change and write at once -----------------------===//
//
// Lanes take turns; against other threads of this process each change is an
// atomic exchange. All are as strong as the strongest order of PTX.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <algorithm>
#include <cstring>

using namespace dsrt::simulator;

namespace {
// What becomes of memory that holds 'a': of one operand b, and of two for cas.
struct Add {
  template <typename T>
  T operator()(T a, T b, T) {
    return a + b;
  }
};
struct Min {
  template <typename T>
  T operator()(T a, T b, T) {
    return std::min(a, b);
  }
};
struct Max {
  template <typename T>
  T operator()(T a, T b, T) {
    return std::max(a, b);
  }
};
struct And {
  template <typename T>
  T operator()(T a, T b, T) {
    return a & b;
  }
};
struct Or {
  template <typename T>
  T operator()(T a, T b, T) {
    return a | b;
  }
};
struct Xor {
  template <typename T>
  T operator()(T a, T b, T) {
    return a ^ b;
  }
};
struct Exchange {
  template <typename T>
  T operator()(T, T b, T) {
    return b;
  }
};
struct CompareAndSwap {
  template <typename T>
  T operator()(T a, T b, T c) {
    return a == b ? c : a;
  }
};
/// Counts up to b, then again from 0.
struct Increment {
  template <typename T>
  T operator()(T a, T b, T) {
    return a >= b ? 0 : a + 1;
  }
};
/// Counts down to 0, then again from b.
struct Decrement {
  template <typename T>
  T operator()(T a, T b, T) {
    return a == 0 || a > b ? b : a - 1;
  }
};
/// Sums of floats, on their bits.
struct AddSingle {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t) {
    float x, y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    float sum = x + y;
    if (sum != sum)
      return kSingleNaN;
    uint32_t bits;
    std::memcpy(&bits, &sum, sizeof bits);
    return bits;
  }
};
struct AddDouble {
  uint64_t operator()(uint64_t a, uint64_t b, uint64_t) {
    double x, y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    double sum = x + y;
    if (sum != sum)
      return kDoubleNaN;
    uint64_t bits;
    std::memcpy(&bits, &sum, sizeof bits);
    return bits;
  }
};
/// One value of 16 bits or two; the sum in double is exact enough to round it
/// once: see Half.cpp.
template <Type Format>
struct AddHalves {
  template <typename T>
  T operator()(T a, T b, T) {
    T result = 0;
    for (unsigned shift = 0; shift < 8 * sizeof(T); shift += 16) {
      auto x = static_cast<uint16_t>(a >> shift);
      auto y = static_cast<uint16_t>(b >> shift);
      result = static_cast<T>(result | T(addRounded(Format, x, y)) << shift);
    }
    return result;
  }
};
} // namespace

/// Operands: the result (none of red), b, c of cas. address[0].
template <typename F, typename T>
static Flow atomic(Warp &warp, const Instruction &i, LaneMask active) {
  auto *result =
      i.operand[0] == kNoSlot ? nullptr : warp.lanes<T>(i.operand[0]);
  const auto *b = warp.lanes<T>(i.operand[1]);
  const auto *c = i.operand[2] == kNoSlot ? b : warp.lanes<T>(i.operand[2]);
  LanePointers pointers;
  warp.accessLanes(i, i.address[0], sizeof(T), Access::Update, active,
                   pointers);
  forLanes(active, [&](unsigned lane) {
    auto *memory = reinterpret_cast<T *>(pointers[lane]);
    T old = __atomic_load_n(memory, __ATOMIC_SEQ_CST), changed;
    do
      changed = F()(old, b[lane], c[lane]);
    while (!__atomic_compare_exchange_n(memory, &old, changed, /*weak=*/false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    warp.progressed |= changed != old;
    if (result)
      result[lane] = old;
  });
  return Flow::Next;
}

static Handler additionHandler(const Decoder &decoder, Type type) {
  switch (type) {
  case Type::U32:
  case Type::S32:
    return atomic<Add, uint32_t>;
  case Type::U64:
    return atomic<Add, uint64_t>;
  case Type::F32:
    return atomic<AddSingle, uint32_t>;
  case Type::F64:
    return atomic<AddDouble, uint64_t>;
  case Type::F16:
    return atomic<AddHalves<Type::F16>, uint16_t>;
  case Type::BF16:
    return atomic<AddHalves<Type::BF16>, uint16_t>;
  case Type::F16x2:
    return atomic<AddHalves<Type::F16>, uint32_t>;
  case Type::BF16x2:
    return atomic<AddHalves<Type::BF16>, uint32_t>;
  default:
    decoder.unknownForm();
  }
}

template <typename F>
static Handler orderedHandler(const Decoder &decoder, Type type) {
  if (sizeOf(type) < 4)
    decoder.unknownForm();
  return forInteger(decoder, type, [](auto value) -> Handler {
    return atomic<F, decltype(value)>;
  });
}

template <typename F>
static Handler bitsHandler(const Decoder &decoder, Type type, bool allows16) {
  if (isFloat(type) || isSigned(type) || (sizeOf(type) == 2 && !allows16))
    decoder.unknownForm();
  return forBits(decoder, type, [](auto value) -> Handler {
    return atomic<F, decltype(value)>;
  });
}

static Handler atomicHandler(Decoder &decoder, Type type) {
  switch (decoder.takeOneOf(
      {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"})) {
  case 0:
    decoder.take("noftz");
    return additionHandler(decoder, type);
  case 1:
    return orderedHandler<Min>(decoder, type);
  case 2:
    return orderedHandler<Max>(decoder, type);
  case 3:
    return bitsHandler<And>(decoder, type, false);
  case 4:
    return bitsHandler<Or>(decoder, type, false);
  case 5:
    return bitsHandler<Xor>(decoder, type, false);
  case 6:
    return bitsHandler<Exchange>(decoder, type, false);
  case 7:
    decoder.instruction.immediate = 1; // one more operand
    return bitsHandler<CompareAndSwap>(decoder, type, true);
  case 8:
    if (type == Type::U32)
      return atomic<Increment, uint32_t>;
    break;
  default:
    if (type == Type::U32)
      return atomic<Decrement, uint32_t>;
  }
  decoder.unknownForm();
}

static void decodeAtomic(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  bool returns = decoder.base() == "atom";
  unsigned order =
      decoder.takeOneOf({"relaxed", "acquire", "release", "acq_rel"}, 0);
  instruction.orders = order != 0;
  decoder.takeOneOf({"cta", "cluster", "gpu", "sys"}, 4);
  instruction.space = decoder.takeSpace();
  Type type = decoder.takeType();
  instruction.strong = true;
  decoder.noteAccess(sizeOf(type));
  instruction.execute = atomicHandler(decoder, type);
  bool compares = instruction.immediate == 1;
  if (compares && !returns)
    decoder.unknownForm();
  if (returns)
    instruction.operand[0] = decoder.readDestination(type);
  instruction.address[0] = decoder.readAddress();
  instruction.operand[1] = decoder.readSource(type);
  if (compares)
    instruction.operand[2] = decoder.readSource(type);
}

void dsrt::simulator::addAtomics(OpcodeTable &table) {
  table["atom"] = decodeAtomic;
  table["red"] = decodeAtomic;
}
