//===- Attention.cpp - What attention kernels share -----------------------===//

#include "lib/Target/NVPTX/Kernels/Attention.h"

#include "lib/Target/NVPTX/Launcher.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlir::deepseek;

std::optional<ArgumentView> deepseek::viewContiguous(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return ArgumentView{argument.getArgNumber(),
                        cast<RankedTensorType>(argument.getType()),
                        Value(),
                        0,
                        {},
                        {}};
  std::optional<ArgumentView> view = viewOf(value);
  if (!view || view->scales)
    return std::nullopt;
  int64_t stride = 1;
  for (auto [size, actual] :
       llvm::reverse(llvm::zip_equal(view->sizes, view->strides))) {
    if (ShapedType::isDynamic(stride) || actual != stride)
      return std::nullopt;
    stride = ShapedType::isDynamic(size) ? size : stride * size;
  }
  return view;
}

Value deepseek::dataOf(LaunchBuilder &launch, const ArgumentView &view) {
  int64_t bytes = view.argumentType.getElementTypeBitWidth() / 8;
  return launch.at(launch.data(view.argument), launch.i64(view.offset * bytes));
}

Val deepseek::countSequences(KernelBuilder &k, Val count,
                             llvm::function_ref<Val(Val)> isBefore) {
  Val before = k.forLoop(k.lane(), count, k.i32(32), {k.i32(0)},
                         [&](Val b, ArrayRef<Val> sum) -> SmallVector<Val> {
                           return {sum[0] + k.toI32(isBefore(b))};
                         })[0];
  return k.warpSum(before);
}

void deepseek::copyRows(KernelBuilder &k, int64_t rows, int64_t bytes,
                        Val target, int64_t stride, Val source,
                        int64_t sourceStride,
                        llvm::function_ref<Val(Val)> exists) {
  constexpr int64_t kPiece = 16;
  int64_t lanes = std::gcd(bytes / kPiece, int64_t(8));
  int64_t rowsAtOnce = k.getThreads() / lanes;
  Val row = k.threadId() / lanes, column = k.threadId() % lanes * kPiece;
  Val from = k.at(source, k.toI64(row) * sourceStride + k.toI64(column));
  Val to = k.at(target, row * stride + column);
  auto copyRow = [&](int64_t next) {
    Val size = k.select(exists(row + next), k.i32(kPiece), k.i32(0));
    for (int64_t offset = 0; offset < bytes; offset += lanes * kPiece)
      k.copyAsync(k.at(to, next * stride + offset),
                  k.at(from, next * sourceStride + offset), size);
  };
  int64_t next = 0;
  for (; next + rowsAtOnce <= rows; next += rowsAtOnce)
    copyRow(next);
  if (next < rows)
    k.ifThen(row < k.i32(rows - next), [&] { copyRow(next); });
}

void deepseek::setSingleCta(KernelBuilder &k) {
  k.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                           k.getI32IntegerAttr(1));
}

QueryRow deepseek::findQueryRow(KernelBuilder &k, Val token, Val cuQueries,
                                Val cuCachedRows, Val sequences) {
  auto read = [&](Val sums, Val index) {
    return k.loadConstant(k.getI32Type(), k.at(sums, index * 4));
  };
  // Sequences that end at or before the row.
  Val sequence = countSequences(
      k, sequences, [&](Val b) { return read(cuQueries, b + 1) <= token; });
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

/// Merges a chunk's values of four columns (f32 x 4) and sums (f32 x 2) into
/// `total`: largest score, sum, four values.
static SmallVector<Val> mergeColumns(KernelBuilder &k, ArrayRef<Val> total,
                                     Val values, Val sums) {
  SoftmaxSum sum = {total[0], total[1]};
  MergeFactors factors =
      mergeSums(k, sum, {k.extract(sums, 0), k.extract(sums, 1)});
  SmallVector<Val> merged = {sum.largest, sum.sum};
  for (int64_t i = 0; i < 4; ++i)
    merged.push_back(
        mergeValues(k, total[2 + i], k.extract(values, i), factors));
  return merged;
}

/// Four columns of a head: the merged values of `count` chunks that lie
/// `stride` bytes from each other, as two pairs of bf16. A few chunks are
/// loaded at once.
static Val combineColumns(KernelBuilder &k, Val part, Val column, Val count,
                          int64_t columns, int64_t stride) {
  constexpr int64_t kAtOnce = 4;
  auto four = VectorType::get(4, k.getF32Type());
  auto two = VectorType::get(2, k.getF32Type());
  SoftmaxSum none = emptySum(k);
  SmallVector<Val> initial = {none.largest, none.sum};
  initial.append(4, k.f32(0.0));
  SmallVector<Val> total = k.forLoop(
      k.i32(0), count, k.i32(kAtOnce), initial,
      [&](Val first, ArrayRef<Val> before) {
        SmallVector<Val> values, sums, total(before);
        for (int64_t i = 0; i < kAtOnce; ++i) {
          Val chunk = k.min(first + i, count - 1);
          Val next = k.at(part, k.toI64(chunk) * stride);
          values.push_back(k.loadConstant(four, k.at(next, column * 16), 16));
          sums.push_back(k.loadConstant(two, k.at(next, columns * 4), 8));
        }
        for (int64_t i = 0; i < kAtOnce; ++i) {
          Val exists = first + i < count;
          SmallVector<Val> merged = mergeColumns(k, total, values[i], sums[i]);
          for (auto [value, next] : llvm::zip(total, merged))
            value = k.select(exists, next, value);
        }
        return total;
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
