//===- Matvec.cpp - Products of very few rows, without mma.sync -----------===//
//
//   CTA (token tile, output tile, head), each warp, 4 outputs o at a time:
//     lane: sums[o][t] = 0
//       for its 16 bytes of every 512 of the weight's rows, 2 x 4 loads under
//       way:
//         sums[o][t] += (w[o, 16 bytes] . x[t, same]) * scale of w * scale of x
//     sums over the lanes, through shared memory: epilogue, y
//     (LinearResult.cpp)
//
// All bytes of the weight go through registers once, in wide loads past
// nothing: what a step of one token is bound by. It adds in another order than
// mma.sync, so a row's last bits differ from those it has among many rows.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Matvec.h"

#include "lib/Target/NVPTX/Kernels/LinearCta.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kWarps = 8, kRows = 4, kSteps = 2, kLoadBytes = 16;

int64_t tileOutputs(const LinearProblem &problem) {
  int64_t one = kWarps * kRows;
  return problem.quantizeBlock ? 2 * problem.quantizeBlock : one;
}

class Matvec {
public:
  Matvec(LaunchBuilder &launch, const LinearProblem &problem, int64_t tokens)
      : problem(problem), tokens(tokens),
        cta(launch, problem, tileOutputs(problem), tokens),
        k(launch, "matvec" + std::to_string(tokens), cta.parameterTypes(),
          32 * kWarps),
        wBytes(problem.hasFp8Weight() ? 1 : 2),
        xBytes(problem.isScaled() ? 1 : 2), elements(kLoadBytes / wBytes) {}

  void run();

private:
  struct Row {
    Val weight, scales; // addresses
  };
  Row rowOf(Val number);
  void multiplyRows(Val firstRow, const SumTile &target);
  SmallVector<Val> multiply(ArrayRef<Row> rows, Val position, int64_t steps,
                            ArrayRef<Val> sums);
  SmallVector<Val> loadValues(Val address, int64_t bytes);
  SmallVector<Val> unpack(ArrayRef<Val> words, int64_t bytes);
  Val tokenOf(int64_t token);
  Val scaleOf(const Row &row, int64_t token, Val position);

  const LinearProblem &problem;
  int64_t tokens;
  LinearCta cta;
  KernelBuilder k;
  int64_t wBytes, xBytes;
  /// Of a row that a lane has at a time.
  int64_t elements;
};

void Matvec::run() {
  SumTile shape;
  shape.ranges = 1;
  shape.tokens = tokens;
  shape.outputs = tileOutputs(problem);
  Val buffer = k.shared(shape.bytes());
  cta.build(k, [&] {
    SumTile sums = cta.sumTile(buffer, 1);
    for (int64_t first = 0; first < sums.outputs; first += kWarps * kRows)
      multiplyRows(k.warp() * kRows + first, sums);
    k.barrier();
    cta.storeResult(sums);
  });
  cta.launchAll(k);
}

/// One that is not there is as the first: its sums are not stored.
Matvec::Row Matvec::rowOf(Val number) {
  Val output;
  CtaPiece piece = cta.pieceOf(number, output);
  output = k.select(output < piece.outputs, output, k.i32(0));
  Row row{k.at(piece.weight, k.toI64(output) * piece.rowStride), Val()};
  if (problem.hasFp8Weight()) {
    Val block = (piece.rowOffset + output) / problem.blockRows;
    row.scales = k.at(piece.scales, block * piece.scaleRowStride * 4);
  }
  return row;
}

Val Matvec::tokenOf(int64_t token) {
  Val index = k.i32(token);
  return k.select(index < cta.rows.count, index, k.i32(0));
}

/// kRows outputs from `firstRow` on.
void Matvec::multiplyRows(Val firstRow, const SumTile &target) {
  SmallVector<Row> rows;
  for (int64_t i = 0; i < kRows; ++i)
    rows.push_back(rowOf(firstRow + i));
  int64_t step = 32 * elements;
  int64_t whole = problem.inner / (step * kSteps) * (step * kSteps);
  Val start = k.lane() * elements;
  SmallVector<Val> sums(kRows * tokens, k.f32(0.0));
  sums = k.forLoop(start, k.i32(whole), k.i32(step * kSteps), sums,
                   [&](Val position, ArrayRef<Val> before) {
                     return multiply(rows, position, kSteps, before);
                   });
  sums = k.forLoop(start + whole, k.i32(problem.inner), k.i32(step), sums,
                   [&](Val position, ArrayRef<Val> before) {
                     return multiply(rows, position, 1, before);
                   });
  for (Val &sum : sums)
    sum = k.warpSum(sum);
  k.ifThen(k.lane() == 0, [&] {
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t token = 0; token < tokens; ++token)
        k.store(sums[row * tokens + token],
                target.at(k.i32(0), k.i32(token), firstRow + row));
  });
}

/// The four-byte words at an address.
SmallVector<Val> Matvec::loadValues(Val address, int64_t bytes) {
  SmallVector<Val> words;
  auto type = VectorType::get(4, k.getI32Type());
  for (int64_t first = 0; first < bytes; first += kLoadBytes) {
    Val vector = k.loadConstant(type, k.at(address, first), kLoadBytes);
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(k.extract(vector, i));
  }
  return words;
}

SmallVector<Val> Matvec::unpack(ArrayRef<Val> words, int64_t bytes) {
  SmallVector<Val> values;
  for (Val word : words) {
    if (bytes == 1) {
      llvm::append_range(values, k.unpackE4m3(word));
    } else {
      auto [low, high] = k.unpackBf16(word);
      values.push_back(low);
      values.push_back(high);
    }
  }
  return values;
}

Val Matvec::scaleOf(const Row &row, int64_t token, Val position) {
  Val block = position / problem.blockColumns;
  Val scale = k.loadConstant(k.getF32Type(), k.at(row.scales, block * 4));
  if (!problem.isScaled())
    return scale;
  int64_t blocks = llvm::divideCeil(problem.inner, problem.blockColumns);
  Val element = tokenOf(token) * blocks + block;
  return k.loadConstant(k.getF32Type(), k.at(cta.xScale, element * 4)) * scale;
}

/// sums[row][token] with what `steps` steps from `position` on add.
SmallVector<Val> Matvec::multiply(ArrayRef<Row> rows, Val position,
                                  int64_t steps, ArrayRef<Val> before) {
  SmallVector<Val> sums(before);
  SmallVector<Val> positions;
  SmallVector<SmallVector<Val>> weights; // all under way at once
  for (int64_t step = 0; step < steps; ++step) {
    positions.push_back(position + step * 32 * elements);
    for (const Row &row : rows)
      weights.push_back(
          loadValues(k.at(row.weight, positions.back() * wBytes), kLoadBytes));
  }
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<SmallVector<Val>> values;
    for (int64_t row = 0; row < kRows; ++row)
      values.push_back(unpack(weights[step * kRows + row], wBytes));
    for (int64_t token = 0; token < tokens; ++token) {
      Val first = k.toI64(tokenOf(token)) * problem.xRowStride +
                  k.toI64(positions[step]);
      SmallVector<Val> x = unpack(
          loadValues(k.at(cta.x, first * xBytes), elements * xBytes), xBytes);
      for (int64_t row = 0; row < kRows; ++row) {
        Val &sum = sums[row * tokens + token];
        Val product = problem.hasFp8Weight() ? k.f32(0.0) : sum;
        for (int64_t i = 0; i < elements; ++i)
          product = k.fma(values[row][i], x[i], product);
        sum = problem.hasFp8Weight()
                  ? k.fma(product, scaleOf(rows[row], token, positions[step]),
                          sum)
                  : product;
      }
    }
  }
  return sums;
}

} // namespace

bool deepseek::isMatvec(const LinearProblem &problem) {
  return !problem.transposed;
}

void deepseek::emitMatvec(LaunchBuilder &launch, const LinearProblem &problem,
                          int64_t tokens) {
  Matvec(launch, problem, tokens).run();
}
