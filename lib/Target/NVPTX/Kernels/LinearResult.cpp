//===- LinearResult.cpp - What follows a product in its kernel ------------===//
//
//   each worker, 4 columns of a token at a time:
//     v = sums[0] + sums[1] + ...                            ascending
//     z = v, or g / (1 + exp(-g)) * u of g, u = round(v)     gated
//     y = round(z), or, a warp having the 128 columns of a block:
//     scale = max(max |round(z)|, 1e-4) / 448                rounded up if
//     ue8m0 y = e4m3(round(z) / scale)
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/LinearResult.h"

#include "lib/Target/NVPTX/Hopper.h"

using namespace mlir;
using namespace mlir::deepseek;

Val SumTile::at(Val range, Val token, Val output) const {
  KernelBuilder &k = sums.getBuilder();
  Val element = (range * tokens + token) * pitch() + output;
  return k.at(sums, element * 4);
}

namespace {

class ResultWriter {
public:
  ResultWriter(KernelBuilder &k, const LinearProblem &problem,
               const SumTile &tile, Val y, Val yScale)
      : k(k), problem(problem), tile(tile), y(y), yScale(yScale),
        columns(problem.isGated() ? tile.outputs / 2 : tile.outputs),
        rowElements(problem.heads * problem.resultColumns()) {}

  void write();
  void writeQuantized();

private:
  SmallVector<Val> loadSums(Val token, Val output, int64_t count);
  SmallVector<Val> results(Val token, Val column, int64_t count);
  SmallVector<Val> round(ArrayRef<Val> values);
  void store(ArrayRef<Val> values, Val address);
  Val rowOf(Val token) { return k.toI64(tile.row + token); }

  KernelBuilder &k;
  const LinearProblem &problem;
  const SumTile &tile;
  Val y, yScale;
  int64_t columns, rowElements;
};

SmallVector<Val> ResultWriter::loadSums(Val token, Val output, int64_t count) {
  SmallVector<Val> sums;
  for (int64_t range = 0; range < tile.ranges; ++range) {
    Val address =
        tile.at(tile.clustered ? k.i32(0) : k.i32(range), token, output);
    if (tile.clustered)
      address = clusterAddress(k, address, k.i32(range));
    SmallVector<Val> next;
    if (count == 1) {
      next.push_back(k.load(k.getF32Type(), address));
    } else {
      Val vector =
          k.load(VectorType::get(count, k.getF32Type()), address, 4 * count);
      for (int64_t i = 0; i < count; ++i)
        next.push_back(k.extract(vector, i));
    }
    if (sums.empty())
      sums = next;
    else
      for (int64_t i = 0; i < count; ++i)
        sums[i] = sums[i] + next[i];
  }
  return sums;
}

/// To the type of the product, and back.
SmallVector<Val> ResultWriter::round(ArrayRef<Val> values) {
  SmallVector<Val> rounded(values);
  if (problem.productType.isF32())
    return rounded;
  for (Val &value : rounded)
    value = k.toF32(k.truncF(value, problem.productType));
  return rounded;
}

SmallVector<Val> ResultWriter::results(Val token, Val column, int64_t count) {
  SmallVector<Val> gate = loadSums(token, column, count);
  if (!problem.isGated())
    return gate;
  SmallVector<Val> up = loadSums(token, column + columns, count);
  gate = round(gate);
  up = round(up);
  for (int64_t i = 0; i < count; ++i)
    gate[i] = gate[i] / (k.exp(k.neg(gate[i])) + 1.0) * up[i];
  return gate;
}

void ResultWriter::store(ArrayRef<Val> values, Val address) {
  if (values.size() == 1)
    return k.storeElement(problem.yType, values.front(), address);
  if (problem.yType.isF32())
    return k.store(k.makeVector(values), address, 4 * values.size());
  SmallVector<Val> pairs;
  for (size_t i = 0; i < values.size(); i += 2)
    pairs.push_back(k.packBf16(values[i], values[i + 1]));
  k.store(k.makeVector(pairs), address, 4 * pairs.size());
}

void ResultWriter::write() {
  // Four columns at once if no piece ends within them.
  bool isWide = rowElements % 4 == 0 && problem.resultColumns() % 4 == 0;
  for (const WeightPiece &piece : problem.pieces)
    isWide &= piece.outputs % 4 == 0;
  int64_t count = isWide ? 4 : 1;
  int64_t bytes = problem.yType.getIntOrFloatBitWidth() / 8;
  int64_t units = columns / count;
  k.forLoop(tile.worker, k.i32(tile.tokens * units), k.i32(tile.workers),
            [&](Val unit) {
              Val token = unit / units, column = unit % units * count;
              Val isInside = k.select(token < tile.rows, column < tile.columns,
                                      k.i1(false));
              k.ifThen(isInside, [&] {
                Val element =
                    rowOf(token) * rowElements + k.toI64(tile.column + column);
                store(results(token, column, count), k.at(y, element * bytes));
              });
            });
}

/// A warp has a block of a token: 32 lanes of 4 columns.
void ResultWriter::writeQuantized() {
  int64_t blocks = columns / problem.quantizeBlock;
  int64_t scaleColumns = problem.resultColumns() / problem.quantizeBlock;
  Val lane = k.lane();
  k.forLoop(tile.worker / 32, k.i32(tile.tokens * blocks),
            k.i32(tile.workers / 32), [&](Val unit) {
              Val token = unit / blocks, block = unit % blocks;
              Val column = block * problem.quantizeBlock + lane * 4;
              SmallVector<Val> z = round(results(token, column, 4));
              Val largest = k.f32(1e-4);
              for (Val value : z)
                largest = k.max(largest, k.abs(value));
              Val scale = k.warpMax(largest) / 448.0;
              if (problem.powerOfTwoScales)
                scale = k.bitcast(
                    (k.bitcast(scale, k.getI32Type()) + 0x7fffff) & 0x7f800000,
                    k.getF32Type());
              SmallVector<Val> codes;
              for (Val value : z)
                codes.push_back(value / scale);
              Val quad = k.toI32(k.packE4m3(codes[0], codes[1])) |
                         (k.toI32(k.packE4m3(codes[2], codes[3])) << k.i32(16));
              k.ifThen(token < tile.rows, [&] {
                Val first = tile.column + column;
                k.store(quad,
                        k.at(y, rowOf(token) * rowElements + k.toI64(first)),
                        4);
                k.ifThen(lane == 0, [&] {
                  Val element = rowOf(token) * scaleColumns +
                                k.toI64(first / problem.quantizeBlock);
                  k.store(scale, k.at(yScale, element * 4));
                });
              });
            });
}

} // namespace

void deepseek::storeLinearResult(KernelBuilder &k, const LinearProblem &problem,
                                 const SumTile &tile, Val y, Val yScale) {
  ResultWriter writer(k, problem, tile, y, yScale);
  if (problem.epilogue == LinearProblem::Epilogue::SwigluQuantize)
    writer.writeQuantized();
  else
    writer.write();
}
