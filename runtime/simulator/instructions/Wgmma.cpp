//===- Wgmma.cpp - Products of warpgroups ---------------------------------===//
//
// D = A * B + D with 64 x depth and depth x N values; a row of A, or a column
// of B, has 32 bytes. Each warp issues and computes its 16 rows by itself. It
// does so when it waits, from what shared memory holds by then; nothing can
// write to it in between without a fault.
//
// The sum over the depth is that of doubles, added to D and rounded once. A GPU
// keeps fewer bits of sums of FP8.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Fragment.h"
#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/instructions/TensorBox.h"
#include "runtime/simulator/machine/Cta.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

// 'immediate' is N, 'type' and 'sourceType' are those of A and B; list: the
// registers of D, then those of A, if it is in any; operands 0 and 1: the
// descriptors of A and B; operand 2: whether D is added.
enum Variant : unsigned {
  kNegatesLeft = 1,
  kNegatesRight = 2,
  kLeftTransposed = 4,
  kRightTransposed = 8,
  kPredicateNegated = 16
};

//===----------------------------------------------------------------------===//
// Matrices in shared memory
//===----------------------------------------------------------------------===//

namespace {
/// Where a matrix lies that a descriptor names. It is made of blocks of 16
/// bytes: a row's, or of one k and 8 rows if the matrix is transposed ("MN
/// major").
class SharedMatrix {
public:
  SharedMatrix(uint64_t descriptor, bool transposed)
      : start((descriptor & 0x3fff) << 4),
        leading((descriptor >> 16 & 0x3fff) << 4),
        stride((descriptor >> 32 & 0x3fff) << 4),
        baseOffset(descriptor >> 49 & 7), transposed(transposed) {
    constexpr unsigned spans[] = {0, 128, 64, 32};
    span = spans[descriptor >> 62];
  }

  /// What is wrong with the descriptor; empty if nothing is.
  std::string check() const {
    if (baseOffset)
      return fmt::format("expected a matrix that begins with a swizzle "
                         "pattern, with a base offset of 0, got {}",
                         baseOffset);
    uint64_t inPattern = start & (8 * span - 1) & ~uint64_t(span - 1);
    if (span && inPattern)
      return fmt::format("expected a matrix that begins with a swizzle "
                         "pattern, at a multiple of {} bytes, got 0x{:x}",
                         8 * span, start);
    return "";
  }

  /// Calls 'body' with the address of each block of some rows, its first row
  /// and its first k in bytes, or if it is transposed its k.
  template <typename F>
  void forBlocks(unsigned firstRow, unsigned rows, F body) const {
    constexpr unsigned depth = 16; // of the types that can be transposed
    unsigned step = transposed ? 8 : 1, columns = transposed ? depth : 2;
    for (unsigned row = firstRow; row < firstRow + rows; row += step)
      for (unsigned column = 0; column < columns; ++column)
        body(swizzle(start + (transposed ? transposedOffset(row, column)
                                         : plainOffset(row, column)),
                     span),
             row, column);
  }

private:
  uint64_t plainOffset(unsigned row, unsigned block) const {
    uint64_t inGroup = row % 8;
    uint64_t offset = row / 8 * stride;
    return span ? offset + inGroup * span + block * 16
                : offset + inGroup * 16 + block * leading;
  }
  uint64_t transposedOffset(unsigned row, unsigned k) const {
    uint64_t block = row / 8, perSpan = span / 16;
    return span ? block % perSpan * 16 + block / perSpan * leading +
                      k % 8 * span + k / 8 * stride
                : block * stride + k % 8 * 16 + k / 8 * leading;
  }

  uint64_t start, leading, stride, baseOffset;
  unsigned span;
  bool transposed;
};
} // namespace

static SharedMatrix leftOf(const Product &product) {
  return {product.left, (product.instruction->variant & kLeftTransposed) != 0};
}
static SharedMatrix rightOf(const Product &product) {
  return {product.right,
          (product.instruction->variant & kRightTransposed) != 0};
}
static bool leftIsShared(const Product &product) {
  return product.instruction->list.size() == product.results;
}
static unsigned firstRowOf(const Warp &warp) { return warp.index % 4 * 16; }

/// Calls 'body' with the address of each block of shared memory that the warp's
/// part of a product reads.
template <typename F>
static void forSharedBlocks(const Warp &warp, const Product &product, F body) {
  auto withAddress = [&](uint64_t address, unsigned, unsigned) {
    body(address);
  };
  if (leftIsShared(product))
    leftOf(product).forBlocks(firstRowOf(warp), 16, withAddress);
  auto columns = static_cast<unsigned>(product.instruction->immediate);
  rightOf(product).forBlocks(0, columns, withAddress);
}

//===----------------------------------------------------------------------===//
// Issue
//===----------------------------------------------------------------------===//

/// A descriptor, which all lanes must have alike.
static uint64_t uniform(Warp &warp, const Instruction &i, Slot slot) {
  const auto *values = warp.lanes<uint64_t>(slot);
  for (unsigned lane = 1; lane < kLanes; ++lane)
    if (values[lane] != values[0])
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected one descriptor in all lanes, got "
                             "0x{:x} and 0x{:x}",
                             values[0], values[lane]));
  return values[0];
}

static void checkWarpgroup(const Warp &warp, const Instruction &i,
                           LaneMask active) {
  if (warp.index / 4 >= warp.cta.warpgroups.size())
    warp.fault(FaultKind::InvalidUse, i, 0,
               "expected a warpgroup of 4 warps, got the last warps of the "
               "CTA");
  if (active != kAllLanes)
    warp.fault(
        FaultKind::InvalidUse, i, static_cast<unsigned>(__builtin_ctz(active)),
        fmt::format("expected all lanes of the warp, got 0x{:08x}", active));
}

static Flow issueProduct(Warp &warp, const Instruction &i, LaneMask active) {
  checkWarpgroup(warp, i, active);
  Product product = {};
  product.instruction = &i;
  product.results = static_cast<size_t>(i.immediate) / 2;
  product.group = warp.products.group;
  if (leftIsShared(product))
    product.left = uniform(warp, i, i.operand[0]);
  product.right = uniform(warp, i, i.operand[1]);
  LaneMask adds = warp.predicate(i.operand[2]);
  if (i.variant & kPredicateNegated)
    adds = ~adds;
  if (adds != 0 && adds != kAllLanes)
    warp.fault(
        FaultKind::InvalidUse, i, 0,
        fmt::format("expected one predicate in all lanes, got 0x{:08x}", adds));
  product.accumulates = adds != 0;
  std::string wrong = rightOf(product).check();
  if (wrong.empty() && leftIsShared(product))
    wrong = leftOf(product).check();
  if (!wrong.empty())
    warp.fault(FaultKind::InvalidUse, i, 0, wrong);
  warp.products.issue(warp, product);
  warp.cta.warpgroups[warp.index / 4].issue(warp, product);
  warp.synchronizeLanes();
  LaneAddresses offsets;
  forSharedBlocks(warp, product, [&](uint64_t address) {
    auto [cta, offset] = warp.checkedPlace(i, address, 16, 0);
    warp.cta.cluster.async.checkRead(warp, i, 0, *cta, offset, 16);
    cta->shared.proxy.addReaders(offset, 16, 1);
    offsets[0] = offset;
    warp.checkRaces(i, warp.agent(), cta->rank, offsets, 16, 1,
                    Races::Kind::Read);
  });
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Result
//===----------------------------------------------------------------------===//

/// The numbers of a block of 16 bytes.
static void unpackBlock(Type type, const uint8_t *block, double *numbers) {
  for (unsigned word = 0; word < 4; ++word) {
    uint32_t bits;
    std::memcpy(&bits, block + 4 * word, sizeof bits);
    unpackFragment(type, bits, word * (4 / sizeOf(type)),
                   [&](unsigned k, double number) { numbers[k] = number; });
  }
}

/// Calls 'body' with each number of some rows of a matrix: row, k, number.
template <typename F>
static void forNumbers(const Warp &warp, const SharedMatrix &matrix,
                       bool transposed, Type type, unsigned firstRow,
                       unsigned rows, F body) {
  const std::vector<uint8_t> &bytes = warp.cta.shared.bytes;
  unsigned count = 16 / sizeOf(type);
  matrix.forBlocks(
      firstRow, rows, [&](uint64_t address, unsigned row, unsigned column) {
        double numbers[16];
        unpackBlock(type, bytes.data() + (address - kSharedBase), numbers);
        for (unsigned n = 0; n < count; ++n) {
          if (transposed)
            body(row + n, column, numbers[n]);
          else
            body(row, column * count + n, numbers[n]);
        }
      });
}

/// sums[n] = sum over k of row[k] * right[k][n], in ascending order. The depth
/// is a multiple of 4.
__attribute__((always_inline)) static inline void
multiplyRow(const double *row, const double *right, unsigned depth,
            unsigned columns, double *sums) {
  std::fill(sums, sums + columns, 0.0);
  for (unsigned k = 0; k < depth; k += 4) {
    const double *b = right + k * columns;
    for (unsigned n = 0; n < columns; ++n) {
      double sum = sums[n] + row[k] * b[n];
      sum += row[k + 1] * b[columns + n];
      sum += row[k + 2] * b[2 * columns + n];
      sums[n] = sum + row[k + 3] * b[3 * columns + n];
    }
  }
}

using RowFunction = void (*)(const double *, const double *, unsigned, unsigned,
                             double *);

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3"))) static void
multiplyRowInVectors(const double *row, const double *right, unsigned depth,
                     unsigned columns, double *sums) {
  multiplyRow(row, right, depth, columns, sums);
}
#endif

static void multiplyRowPlainly(const double *row, const double *right,
                               unsigned depth, unsigned columns, double *sums) {
  multiplyRow(row, right, depth, columns, sums);
}

/// The form that this processor can run.
static RowFunction rowFunction() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3"))
    return multiplyRowInVectors;
#endif
  return multiplyRowPlainly;
}

static void compute(Warp &warp, const Product &product) {
  const Instruction &i = *product.instruction;
  auto columns = static_cast<unsigned>(i.immediate);
  unsigned depth = 32 / sizeOf(i.type);
  std::array<std::array<double, 32>, 16> left;
  if (leftIsShared(product))
    forNumbers(warp, leftOf(product), i.variant & kLeftTransposed, i.type,
               firstRowOf(warp), 16,
               [&](unsigned row, unsigned k, double number) {
                 left[row - firstRowOf(warp)][k] = number;
               });
  else
    gather(warp, i.list.data() + product.results, 2, 4, i.type,
           [&](unsigned row, unsigned k, double number) {
             left[row][k] = number;
           });
  static thread_local std::array<double, 32 * 256> right;
  forNumbers(warp, rightOf(product), i.variant & kRightTransposed, i.sourceType,
             0, columns, [&](unsigned row, unsigned k, double number) {
               right[k * columns + row] = number;
             });
  bool negates =
      ((i.variant & kNegatesLeft) != 0) != ((i.variant & kNegatesRight) != 0);
  static const RowFunction multiply = rowFunction();
  for (unsigned row = 0; row < 16; ++row) {
    std::array<double, 256> sums;
    multiply(left[row].data(), right.data(), depth, columns, sums.data());
    for (unsigned n = 0; n < columns; ++n) {
      Slot slot = i.list[n / 8 * 4 + row / 8 * 2 + n % 2];
      float &result = warp.lanes<float>(slot)[row % 8 * 4 + n % 8 / 2];
      double sum = negates ? -sums[n] : sums[n];
      auto rounded =
          static_cast<float>(product.accumulates ? sum + result : sum);
      result = rounded != rounded ? singleOfBits(kSingleNaN) : rounded;
    }
  }
  warp.cta.cluster.counts[Count::TensorOperations] +=
      uint64_t(2) * 16 * columns * depth;
}

//===----------------------------------------------------------------------===//
// Fences and groups
//===----------------------------------------------------------------------===//

static Flow fence(Warp &warp, const Instruction &i, LaneMask active) {
  checkWarpgroup(warp, i, active);
  warp.products.fence(warp.cta.kernel().registers.size() / 64 + 1);
  return Flow::Next;
}

static Flow commit(Warp &warp, const Instruction &i, LaneMask active) {
  checkWarpgroup(warp, i, active);
  ++warp.products.group;
  return Flow::Next;
}

/// immediate: how many of the last groups may stay.
static Flow wait(Warp &warp, const Instruction &i, LaneMask active) {
  checkWarpgroup(warp, i, active);
  warp.synchronizeLanes();
  for (const Product &product :
       warp.products.takeDone(static_cast<uint64_t>(i.immediate))) {
    compute(warp, product);
    forSharedBlocks(warp, product, [&](uint64_t address) {
      warp.cta.shared.proxy.addReaders(address - kSharedBase, 16, -1);
    });
  }
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// A constant that is one of two.
static bool readFlag(Decoder &decoder, int64_t off, int64_t on) {
  int64_t value = decoder.readImmediate();
  if (value != off && value != on)
    decoder.fail(fmt::format("expected {} or {}, got {}", off, on, value));
  return value == on;
}

/// m64n8k16 to m64n256k32, as N and the depth.
static std::pair<unsigned, unsigned> takeShape(Decoder &decoder) {
  std::string_view text = decoder.takePrefixed("m64n");
  unsigned numbers[2] = {};
  unsigned index = 0;
  for (char c : text) {
    bool digit = c >= '0' && c <= '9';
    if ((c != 'k' && !digit) || (c == 'k' && index == 1) ||
        numbers[index] > 1000)
      decoder.unknownForm();
    if (digit)
      numbers[index] = numbers[index] * 10 + static_cast<unsigned>(c - '0');
    else
      ++index;
  }
  if (numbers[0] == 0 || numbers[0] % 8 || numbers[0] > 256)
    decoder.unknownForm();
  return {numbers[0], numbers[1]};
}

static void decodeProduct(Decoder &decoder) {
  Instruction &i = decoder.instruction;
  auto [columns, depth] = takeShape(decoder);
  Type d = decoder.takeType(), a = decoder.takeType(), b = decoder.takeType();
  bool narrow = (a == Type::E4M3 || a == Type::E5M2) &&
                (b == Type::E4M3 || b == Type::E5M2);
  bool half = a == b && (a == Type::F16 || a == Type::BF16);
  bool tf32 = a == b && a == Type::TF32;
  if (d != Type::F32 || !(narrow || half || tf32) || depth != 32 / sizeOf(a))
    decoder.unknownForm();
  i.usesAsyncProxy = true;
  i.execute = issueProduct;
  i.type = a;
  i.sourceType = b;
  i.immediate = columns;
  i.list = decoder.readDestinationList(Type::F32);
  if (i.list.size() != columns / 2)
    decoder.fail(fmt::format("expected {} registers of the result, got {}",
                             columns / 2, i.list.size()));
  bool inRegisters = decoder.peekOperand().kind == OperandSyntax::Kind::List;
  if (inRegisters) {
    std::vector<Slot> left = decoder.readSourceList(Type::B32);
    if (left.size() != 4)
      decoder.fail(fmt::format("expected 4 registers of the left matrix, got "
                               "{}",
                               left.size()));
    i.list.insert(i.list.end(), left.begin(), left.end());
  } else {
    i.operand[0] = decoder.readSource(Type::B64);
  }
  i.operand[1] = decoder.readSource(Type::B64);
  bool negated = false;
  i.operand[2] = decoder.readPredicate(negated);
  i.variant = negated ? kPredicateNegated : 0;
  i.variant |= readFlag(decoder, 1, -1) ? kNegatesLeft : 0;
  i.variant |= readFlag(decoder, 1, -1) ? kNegatesRight : 0;
  if (!half)
    return;
  if (!inRegisters)
    i.variant |= readFlag(decoder, 0, 1) ? kLeftTransposed : 0;
  i.variant |= readFlag(decoder, 0, 1) ? kRightTransposed : 0;
}

static void decodeWgmma(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  unsigned kind =
      decoder.takeOneOf({"mma_async", "fence", "commit_group", "wait_group"});
  if (!decoder.take("sync") || !decoder.take("aligned"))
    decoder.unknownForm();
  if (kind == 0)
    return decodeProduct(decoder);
  constexpr Handler handlers[] = {fence, commit, wait};
  instruction.execute = handlers[kind - 1];
  if (kind != 3)
    return;
  instruction.immediate = decoder.readImmediate();
  if (instruction.immediate < 0)
    decoder.fail("expected a number of groups");
}

void dsrt::simulator::addWarpgroupMatrices(OpcodeTable &table) {
  table["wgmma"] = decodeWgmma;
}
