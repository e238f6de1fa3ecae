//===- Attention.cpp - What attention kernels share -----------------------===//

#include "lib/Target/NVPTX/Kernels/Attention.h"

#include <limits>

using namespace mlir;
using namespace mlir::deepseek;

QueryRow deepseek::findQueryRow(KernelBuilder &k, Val token, Val cuQueries,
                                Val cuCachedRows, Val sequences) {
  auto read = [&](Val sums, Val index) {
    return k.loadConstant(k.getI32Type(), k.at(sums, index * 4));
  };
  // The number of sequences that end at or before the row.
  Val before = k.forLoop(k.lane(), sequences, k.i32(32), {k.i32(0)},
                         [&](Val b, ArrayRef<Val> count) -> SmallVector<Val> {
                           Val ended = read(cuQueries, b + 1) <= token;
                           return {count[0] + k.toI32(ended)};
                         })[0];
  Val sequence = k.warpSum(before);
  Val cached = read(cuCachedRows, sequence + 1) - read(cuCachedRows, sequence);
  Val rowsAfter = read(cuQueries, sequence + 1) - token; // and the row itself
  return {sequence, cached - rowsAfter + 1};
}

SoftmaxSum deepseek::emptySum(KernelBuilder &k) {
  return {k.f32(-std::numeric_limits<double>::infinity()), k.f32(0.0)};
}

MergeFactors deepseek::mergeSums(KernelBuilder &k, SoftmaxSum &total,
                                 SoftmaxSum next) {
  Val largest = k.max(total.largest, next.largest);
  MergeFactors factors = {k.exp2(total.largest - largest),
                          k.exp2(next.largest - largest)};
  total = {largest, mergeValues(k, total.sum, next.sum, factors)};
  return factors;
}

Val deepseek::mergeValues(KernelBuilder &k, Val total, Val next,
                          MergeFactors factors) {
  return k.fma(next, factors.next, total * factors.before);
}

SmallVector<Type> deepseek::combineParameters(MLIRContext *context) {
  SmallVector<Type> types(4, KernelBuilder::globalType(context));
  types.append(2, IntegerType::get(context, 32));
  return types;
}

/// Four columns of a head: sum of `count` partial values that lie `stride`
/// bytes from each other, as two pairs of bf16.
static Val combineColumns(KernelBuilder &k, Val part, Val column, Val count,
                          int64_t columns, int64_t stride) {
  auto four = VectorType::get(4, k.getF32Type());
  auto two = VectorType::get(2, k.getF32Type());
  SoftmaxSum none = emptySum(k);
  SmallVector<Val> initial = {none.largest, none.sum};
  initial.append(4, k.f32(0.0));
  SmallVector<Val> total = k.forLoop(
      k.i32(0), count, k.i32(1), initial, [&](Val chunk, ArrayRef<Val> before) {
        Val next = k.at(part, k.toI64(chunk) * stride);
        Val values = k.loadConstant(four, k.at(next, column * 16), 16);
        Val sums = k.loadConstant(two, k.at(next, columns * 4), 8);
        SoftmaxSum sum = {before[0], before[1]};
        MergeFactors factors =
            mergeSums(k, sum, {k.extract(sums, 0), k.extract(sums, 1)});
        SmallVector<Val> merged = {sum.largest, sum.sum};
        for (int64_t i = 0; i < 4; ++i)
          merged.push_back(
              mergeValues(k, before[2 + i], k.extract(values, i), factors));
        return merged;
      });
  Val inverse = k.f32(1.0) / total[1];
  return k.makeVector({k.packBf16(total[2] * inverse, total[3] * inverse),
                       k.packBf16(total[4] * inverse, total[5] * inverse)});
}

void deepseek::writeCombine(KernelBuilder &k, int64_t heads, int64_t columns,
                            int64_t chunk) {
  Val token = k.blockId(0) / heads, head = k.blockId(0) % heads;
  QueryRow row = findQueryRow(k, token, k.param(2), k.param(3), k.param(4));
  Val count = k.ceilDiv(row.visible, chunk);
  int64_t rowBytes = (columns + kStatisticFloats) * 4;
  Val first = token * k.param(5) * heads + head;
  Val part = k.at(k.param(0), k.toI64(first) * rowBytes);
  Val result = k.at(k.param(1), k.toI64(k.blockId(0)) * (columns * 2));
  Val column = k.threadId();
  k.ifThen(column < k.i32(columns / 4), [&] {
    Val four =
        combineColumns(k, part, column, count, columns, rowBytes * heads);
    k.store(four, k.at(result, column * 8), 8);
  });
}
