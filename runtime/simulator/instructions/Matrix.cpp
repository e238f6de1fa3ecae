//===- Matrix.cpp - Matrices in the registers of a warp -------------------===//
//
// ldmatrix, stmatrix and mma.sync. In all of them a row of 16 bytes lies in
// four neighbouring lanes, and lane / 4 is a row's number.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Fragment.h"
#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/machine/Cta.h"
#include "runtime/simulator/numeric/FloatFormat.h"

#include <array>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

static void checkWholeWarp(Warp &warp, const Instruction &i, LaneMask active) {
  if (active != kAllLanes)
    warp.fault(
        FaultKind::InvalidUse, i, static_cast<unsigned>(__builtin_ctz(active)),
        fmt::format("expected all lanes of the warp, got 0x{:08x}", active));
  warp.synchronizeLanes();
}

//===----------------------------------------------------------------------===//
// ldmatrix and stmatrix
//===----------------------------------------------------------------------===//

namespace {
/// 8 rows of 8 values of 16 bits.
using Matrix = std::array<std::array<uint16_t, 8>, 8>;

} // namespace

/// The rows of 'count' matrices, at the addresses of as many times 8 lanes.
static void accessRows(Warp &warp, const Instruction &i, Access kind,
                       LanePointers &rows) {
  LaneMask lanes = kAllLanes >> (kLanes - 8 * i.list.size());
  warp.accessLanes(i, i.address[0], 16, kind, lanes, rows);
}

/// The value that half 'half' of a lane's register holds.
static uint16_t &elementOf(Matrix &matrix, unsigned lane, unsigned half,
                           bool transposed) {
  unsigned row = lane / 4, column = 2 * (lane % 4) + half;
  return transposed ? matrix[column][row] : matrix[row][column];
}

/// list: a register for each matrix; variant 1: transposed.
static Flow loadMatrices(Warp &warp, const Instruction &i, LaneMask active) {
  checkWholeWarp(warp, i, active);
  LanePointers rows;
  accessRows(warp, i, Access::Read, rows);
  std::array<std::array<uint32_t, kLanes>, 4> results;
  for (unsigned number = 0; number < i.list.size(); ++number) {
    Matrix matrix;
    for (unsigned row = 0; row < 8; ++row)
      std::memcpy(matrix[row].data(), rows[8 * number + row], 16);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      results[number][lane] = elementOf(matrix, lane, 0, i.variant) |
                              uint32_t(elementOf(matrix, lane, 1, i.variant))
                                  << 16;
  }
  // A register may hold addresses: none is written before all are read.
  for (unsigned number = 0; number < i.list.size(); ++number)
    std::memcpy(warp.lanes<uint32_t>(i.list[number]), results[number].data(),
                sizeof results[number]);
  warp.synchronizeLanes();
  return Flow::Next;
}

static Flow storeMatrices(Warp &warp, const Instruction &i, LaneMask active) {
  checkWholeWarp(warp, i, active);
  LanePointers rows;
  accessRows(warp, i, Access::Write, rows);
  for (unsigned number = 0; number < i.list.size(); ++number) {
    const auto *values = warp.lanes<uint32_t>(i.list[number]);
    Matrix matrix;
    for (unsigned lane = 0; lane < kLanes; ++lane)
      for (unsigned half = 0; half < 2; ++half)
        elementOf(matrix, lane, half, i.variant) =
            static_cast<uint16_t>(values[lane] >> (16 * half));
    for (unsigned row = 0; row < 8; ++row)
      std::memcpy(rows[8 * number + row], matrix[row].data(), 16);
  }
  warp.synchronizeLanes();
  warp.progressed = true;
  return Flow::Next;
}

static void decodeMatrixAccess(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  bool loads = decoder.base() == "ldmatrix";
  if (!decoder.take("sync") || !decoder.take("aligned") ||
      !decoder.take("m8n8"))
    decoder.unknownForm();
  constexpr size_t counts[] = {1, 2, 4};
  size_t count = counts[decoder.takeOneOf({"x1", "x2", "x4"})];
  instruction.variant = decoder.take("trans");
  instruction.space = decoder.takeSpace();
  bool known =
      instruction.space == Space::Shared || instruction.space == Space::Generic;
  if (!known || decoder.takeType() != Type::B16)
    decoder.unknownForm();
  instruction.execute = loads ? loadMatrices : storeMatrices;
  if (loads)
    instruction.list = decoder.readDestinationList(Type::B32);
  instruction.address[0] = decoder.readAddress();
  if (!loads)
    instruction.list = decoder.readSourceList(Type::B32);
  if (instruction.list.size() != count)
    decoder.fail(fmt::format("expected {} registers, got {}", count,
                             instruction.list.size()));
}

//===----------------------------------------------------------------------===//
// mma
//===----------------------------------------------------------------------===//

namespace {
/// 16 rows of A: left[row][k]. 8 columns of B: right[k][column].
using Left = std::array<std::array<double, 32>, 16>;
using Right = std::array<std::array<double, 8>, 32>;
} // namespace

/// list: 4 registers of D, those of A, those of B, 4 of C. Products are exact;
/// the sum over k and C is that of doubles, rounded once.
static Flow multiplyMatrices(Warp &warp, const Instruction &i,
                             LaneMask active) {
  checkWholeWarp(warp, i, active);
  auto depth = static_cast<unsigned>(i.immediate);
  unsigned bRegisters = depth * sizeOf(i.sourceType) / 16;
  unsigned aRegisters = 2 * bRegisters;
  const Slot *d = i.list.data(), *a = d + 4, *b = a + aRegisters,
             *c = b + bRegisters;
  Left left;
  Right right;
  gather(warp, a, 2, aRegisters, i.type,
         [&](unsigned row, unsigned k, double value) { left[row][k] = value; });
  gather(warp, b, 1, bRegisters, i.sourceType,
         [&](unsigned column, unsigned k, double value) {
           right[k][column] = value;
         });
  std::array<std::array<double, 8>, 16> sums = {};
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < 8; ++column)
        sums[row][column] += left[row][k] * right[k][column];
  std::array<std::array<float, kLanes>, 4> results;
  for (unsigned q = 0; q < 4; ++q) {
    const auto *start = warp.lanes<float>(c[q]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      unsigned row = lane / 4 + 8 * (q / 2), column = 2 * (lane % 4) + q % 2;
      auto rounded = static_cast<float>(sums[row][column] + start[lane]);
      results[q][lane] =
          rounded != rounded ? singleOfBits(kSingleNaN) : rounded;
    }
  }
  for (unsigned q = 0; q < 4; ++q)
    std::memcpy(warp.lanes<float>(d[q]), results[q].data(), sizeof results[q]);
  warp.cta.cluster.counts[Count::TensorOperations] += 2 * 16 * 8 * depth;
  return Flow::Next;
}

static void decodeMultiply(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  constexpr unsigned depths[] = {4, 8, 16, 32};
  if (!decoder.take("sync") || !decoder.take("aligned"))
    decoder.unknownForm();
  unsigned depth =
      depths[decoder.takeOneOf({"m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32"})];
  bool layouts = decoder.take("row") && decoder.take("col");
  decoder.take("kind::f8f6f4"); // the same products under another name
  Type d = decoder.takeType(), a = decoder.takeType(), b = decoder.takeType(),
       c = decoder.takeType();
  bool narrow = sizeOf(a) == 1 && sizeOf(b) == 1;
  bool known = a == Type::F16 || a == Type::BF16 || a == Type::TF32 ||
               a == Type::E4M3 || a == Type::E5M2;
  unsigned rowBytes = depth * sizeOf(a);
  if (!layouts || d != Type::F32 || c != Type::F32 || !known ||
      (a != b && !narrow) || (rowBytes != 16 && rowBytes != 32))
    decoder.unknownForm();
  instruction.type = a;
  instruction.sourceType = b;
  instruction.immediate = depth;
  instruction.execute = fastest<multiplyMatrices>();
  instruction.list = decoder.readDestinationList(Type::F32);
  const size_t sizes[] = {4, rowBytes / 8, rowBytes / 16, 4};
  size_t expected = sizes[0];
  for (unsigned k = 1; k < 4; ++k) {
    std::vector<Slot> part =
        decoder.readSourceList(k == 3 ? Type::F32 : Type::B32);
    instruction.list.insert(instruction.list.end(), part.begin(), part.end());
    expected += sizes[k];
    if (instruction.list.size() != expected)
      decoder.fail(fmt::format("expected {}, {}, {} and {} registers", sizes[0],
                               sizes[1], sizes[2], sizes[3]));
  }
}

void dsrt::simulator::addMatrices(OpcodeTable &table) {
  table["ldmatrix"] = decodeMatrixAccess;
  table["stmatrix"] = decodeMatrixAccess;
  table["mma"] = decodeMultiply;
}
