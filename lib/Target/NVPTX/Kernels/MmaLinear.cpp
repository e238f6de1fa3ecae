//===- MmaLinear.cpp - Products by mma.sync -------------------------------===//
//
//   CTA (token tile, output tile, head):
//     group, rows of x: from the offsets if grouped, else its tile and all
//     copy chunks 0 .. stages - 2 of weight, x and scales          cp.async
//     for each chunk of the inner dimension:
//       wait for it; barrier; copy the one that takes the place of the last
//       each warp: sums += (weight chunk * x chunk) * scale of weight * scale
//       of x at the end of a range: totals += sums; sums = 0
//     the tile of sums, through shared memory: epilogue, y (LinearResult.cpp)
//
// The inner dimension is cut into ranges whose sums are added last, in order.
// Few tokens: each range is a warp's own, so that a narrow output tile still
// keeps many copies under way. Many tokens: one range after the other. Either
// way the order of every sum is the same, whatever the tile, so a row's bits do
// not depend on how many rows there are.
//
// Nothing out of bounds is read: what is beyond the rows, the outputs or the
// inner dimension is zero.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/MmaLinear.h"

#include "lib/Target/NVPTX/Kernels/GroupTiles.h"
#include "lib/Target/NVPTX/Kernels/LinearResult.h"
#include "lib/Target/NVPTX/Kernels/MmaFragments.h"
#include "lib/Target/NVPTX/Launcher.h"

using namespace mlir;
using namespace mlir::deepseek;

MmaOperands::MmaOperands(const LinearProblem &problem, const Chip &chip)
    : fp8Input(problem.isScaled()), fp8Weight(problem.hasFp8Weight()),
      transposed(problem.transposed), fp8Mma(fp8Input && chip.fp8Mma),
      chunk(fp8Weight ? 128 : 64),
      chunks(llvm::divideCeil(problem.inner, chunk)), xBytes(fp8Input ? 1 : 2),
      wBytes(fp8Weight ? 1 : 2), xRows(chunk * xBytes / kRowBytes) {}

static int64_t scaleBytes(const MmaOperands &operands, const MmaTile &tile) {
  int64_t count = operands.fp8Weight ? tile.outputs / 16 : 0;
  count += operands.fp8Input ? tile.tokens : 0;
  return llvm::alignTo(tile.warpsK * count * 4, kRowBytes);
}

int64_t deepseek::getStageBytes(const MmaOperands &operands,
                                const MmaTile &tile) {
  int64_t rows = tile.outputs + tile.tokens * operands.xRows;
  return tile.warpsK * rows * kRowBytes + scaleBytes(operands, tile);
}

int64_t deepseek::getSharedBytes(const MmaOperands &operands,
                                 const MmaTile &tile) {
  SumTile sums;
  sums.ranges = tile.warpsK;
  sums.tokens = tile.tokens;
  sums.outputs = tile.outputs;
  return std::max(tile.stages * getStageBytes(operands, tile), sums.bytes());
}

namespace {

/// Parameters of the device function with what the launcher gives for them.
struct Parameters {
  unsigned add(Type type, Value value) {
    types.push_back(type);
    values.push_back(value);
    return types.size() - 1;
  }
  SmallVector<Type> types;
  SmallVector<Value> values;
};

/// A piece of the weight as a CTA sees it, at its group or head.
struct Piece {
  Val weight, scales; // addresses
  Val rowStride;      // bytes, i64
  Val outputs, start; // how many; column of y of the first
  Val rowOffset, scaleRowStride;
};

class MmaLinear {
public:
  MmaLinear(LaunchBuilder &launch, const LinearProblem &problem,
            const MmaTile &tile)
      : launch(launch), problem(problem), tile(tile),
        operands(problem, launch.getDevice().chip),
        chunksPerRange(llvm::divideCeil(operands.chunks, tile.ranges)) {}

  void run();

private:
  void declare();
  Piece pieceOf(unsigned number);
  Piece choosePiece(Val &outputTile);
  void buildTile(RowTile rows, Val outputTile);

  // Copies into a stage.
  void forUnits(int64_t count, llvm::function_ref<void(Val)> body);
  std::pair<Val, Val> rangeOf(Val unit, int64_t unitsPerRange);
  Val bytesIf(Val present, int64_t bytes);
  Val isWithin(Val present, Val range, Val chunk, Val byteInChunk,
               int64_t elementBytes);
  Val chunkOf(Val range, Val chunk);
  void copyChunk(Val stage, Val chunk);
  void copyWeight(Val stage, Val chunk);
  void copyTransposedWeight(Val stage, Val chunk);
  void copyInput(Val stage, Val chunk);
  void copyWeightScales(Val scales, Val chunk);
  void copyInputScales(Val scales, Val chunk);
  Piece pieceOfRow(Val row, Val &output);

  // Products.
  void multiplyTokens(Val stage, int64_t n, int64_t count,
                      MutableArrayRef<Val> sums);
  void addProducts(Val stage, int64_t m, int64_t n, ArrayRef<Val> products,
                   MutableArrayRef<Val> sums);
  Val weightScale(Val stage, int64_t m);
  Val inputScales(Val stage, int64_t n);
  SmallVector<Val> multiplyChunk(Val stage, ArrayRef<Val> before);
  SmallVector<Val> advance(Val chunk, ArrayRef<Val> carried);
  SmallVector<Val> sumAll();
  void storeSums(const SumTile &target, ArrayRef<Val> sums);

  int64_t fragmentIndex(int64_t m, int64_t n) const {
    return (m * tile.fragmentsN() + n) * 4;
  }
  /// That a warp meets.
  int64_t chunksToDo() const {
    return chunksPerRange * (tile.ranges / tile.warpsK);
  }
  int64_t weightBytes() const { return tile.outputs * kRowBytes; }
  int64_t inputBytes() const {
    return tile.tokens * operands.xRows * kRowBytes;
  }
  /// Weight, x, scales of x, scales of the weight; in each all ranges.
  int64_t inputStart() const { return tile.warpsK * weightBytes(); }
  int64_t inputScaleStart() const {
    return inputStart() + tile.warpsK * inputBytes();
  }
  int64_t weightScaleStart() const {
    return inputScaleStart() +
           (operands.fp8Input ? tile.warpsK * tile.tokens * 4 : 0);
  }

  LaunchBuilder &launch;
  const LinearProblem &problem;
  const MmaTile &tile;
  MmaOperands operands;
  int64_t chunksPerRange;

  Parameters parameters;
  unsigned xParam, xScaleParam, yParam, yScaleParam, rowsParam, offsetsParam;
  SmallVector<std::pair<unsigned, unsigned>> pieceParams;

  std::optional<KernelBuilder> builder;
  std::optional<MmaFragments> fragments;
  Val buffers, batch, warpM, warpN, warpK;
  // Of the CTA's tile.
  SmallVector<Piece, 2> pieces; // gate and up, or one
  Val firstOutput, x, xScale;
  RowTile rows;
};

//===----------------------------------------------------------------------===//
// The function and its launch
//===----------------------------------------------------------------------===//

void MmaLinear::declare() {
  Type global = KernelBuilder::globalType(launch.getContext());
  auto addData = [&](unsigned argument) {
    return parameters.add(global, launch.data(argument));
  };
  xParam = addData(problem.x);
  yParam = addData(problem.y);
  if (problem.xScale)
    xScaleParam = addData(*problem.xScale);
  if (problem.yScale)
    yScaleParam = addData(*problem.yScale);
  for (const WeightPiece &piece : problem.pieces) {
    unsigned weight = addData(piece.argument);
    pieceParams.emplace_back(weight, piece.scales ? addData(*piece.scales) : 0);
  }
  if (problem.offsets)
    offsetsParam = addData(*problem.offsets);
  Value count = launch.size(problem.y, 0);
  rowsParam = parameters.add(launch.getI32Type(), launch.toI32(count));
}

void MmaLinear::run() {
  declare();
  builder.emplace(launch, "t" + std::to_string(tile.tokens), parameters.types,
                  tile.threads());
  KernelBuilder &k = *builder;
  buffers = k.shared(getSharedBytes(operands, tile), 1024);
  Val outputTile = k.blockId(1);
  if (problem.isGrouped()) {
    RowTile found = findGroupTile(k, k.param(offsetsParam), problem.groups,
                                  tile.tokens, k.blockId(0));
    k.ifThen(found.exists, [&] { buildTile(found, outputTile); });
  } else {
    Val first = k.blockId(0) * tile.tokens;
    Val count = k.min(k.param(rowsParam) - first, k.i32(tile.tokens));
    buildTile({k.i1(true), k.blockId(2), first, count}, outputTile);
  }

  Value rowCount = launch.size(problem.y, 0);
  Value rowTiles =
      problem.isGrouped()
          ? mostGroupTiles(launch, rowCount, problem.groups, tile.tokens)
          : launch.ceilDiv(rowCount, tile.tokens);
  int64_t results = problem.isGated() ? tile.outputs / 2 : tile.outputs;
  int64_t outputTiles = 0;
  for (const WeightPiece &piece : problem.pieces)
    outputTiles += llvm::divideCeil(piece.outputs, results);
  if (problem.isGated())
    outputTiles /= 2;
  launch.launch(k,
                {rowTiles, launch.i64(outputTiles), launch.i64(problem.heads)},
                parameters.values);
}

Piece MmaLinear::pieceOf(unsigned number) {
  KernelBuilder &k = *builder;
  const WeightPiece &piece = problem.pieces[number];
  Val index = k.toI64(batch);
  Piece result;
  result.weight = k.at(k.param(pieceParams[number].first),
                       index * (piece.batchStride * operands.wBytes) +
                           piece.offset * operands.wBytes);
  if (piece.scales)
    result.scales = k.at(k.param(pieceParams[number].second),
                         index * (piece.scaleBatchStride * 4));
  result.rowStride = k.i64(piece.rowStride * operands.wBytes);
  result.outputs = k.i32(piece.outputs);
  result.rowOffset = k.i32(piece.rowOffset);
  result.scaleRowStride = k.i32(piece.scaleRowStride);
  int64_t start = 0;
  for (unsigned before = 0; before < number && !problem.isGated(); ++before)
    start += problem.pieces[before].outputs;
  result.start = k.i32(start);
  return result;
}

/// The piece of an output tile, whose number becomes that within the piece.
Piece MmaLinear::choosePiece(Val &outputTile) {
  KernelBuilder &k = *builder;
  Piece chosen = pieceOf(0);
  int64_t start = 0;
  Val tileInPiece = outputTile;
  for (unsigned i = 1; i < problem.pieces.size(); ++i) {
    start += llvm::divideCeil(problem.pieces[i - 1].outputs, tile.outputs);
    Piece next = pieceOf(i);
    Val isNext = outputTile >= start;
    for (Val Piece::*member :
         {&Piece::weight, &Piece::scales, &Piece::rowStride, &Piece::outputs,
          &Piece::start, &Piece::rowOffset, &Piece::scaleRowStride})
      if (Value(chosen.*member))
        chosen.*member = k.select(isNext, next.*member, chosen.*member);
    tileInPiece = k.select(isNext, outputTile - start, tileInPiece);
  }
  outputTile = tileInPiece;
  return chosen;
}

void MmaLinear::buildTile(RowTile found, Val outputTile) {
  KernelBuilder &k = *builder;
  rows = found;
  batch = rows.group;
  int64_t results = tile.outputs;
  if (problem.isGated()) {
    pieces = {pieceOf(0), pieceOf(1)};
    results /= 2;
  } else {
    pieces = {choosePiece(outputTile)};
  }
  firstOutput = outputTile * results;
  Val firstRow = k.toI64(rows.first);
  Val element = firstRow * problem.xRowStride + problem.xOffset;
  if (problem.heads > 1)
    element = element + k.toI64(batch) * problem.xHeadStride;
  x = k.at(k.param(xParam), element * operands.xBytes);
  if (problem.xScale) {
    int64_t blocks = llvm::divideCeil(problem.inner, problem.blockColumns);
    xScale = k.at(k.param(xScaleParam), firstRow * (blocks * 4));
  }
  Val warp = k.warp();
  warpM = warp % tile.warpsM;
  warpN = warp / tile.warpsM % tile.warpsN;
  warpK = warp / (tile.warpsM * tile.warpsN);
  fragments.emplace(k, operands, tile, warpM, warpN);

  SumTile sums{buffers,
               tile.warpsK,
               tile.tokens,
               tile.outputs,
               rows.first,
               rows.count,
               pieces[0].start + firstOutput,
               pieces[0].outputs - firstOutput};
  if (problem.heads > 1)
    sums.column = sums.column + batch * problem.resultColumns();
  storeSums(sums, sumAll());
  storeLinearResult(k, problem, sums, k.param(yParam),
                    problem.yScale ? k.param(yScaleParam) : Val());
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// One unit a thread at a time.
void MmaLinear::forUnits(int64_t count, llvm::function_ref<void(Val)> body) {
  KernelBuilder &k = *builder;
  int64_t threads = tile.threads();
  for (int64_t first = 0; first < count; first += threads) {
    Val unit = k.threadId() + first;
    if (first + threads <= count)
      body(unit);
    else
      k.ifThen(unit < count, [&] { body(unit); });
  }
}

std::pair<Val, Val> MmaLinear::rangeOf(Val unit, int64_t unitsPerRange) {
  KernelBuilder &k = *builder;
  if (tile.warpsK == 1)
    return {k.i32(0), unit};
  return {unit / unitsPerRange, unit % unitsPerRange};
}

/// Number of the chunk that is `chunk` chunks into a range.
Val MmaLinear::chunkOf(Val range, Val chunk) {
  return range * chunksPerRange + chunk;
}

Val MmaLinear::bytesIf(Val present, int64_t bytes) {
  KernelBuilder &k = *builder;
  return k.select(present, k.i32(bytes), k.i32(0));
}

/// `present`, and that byte of the chunk is in the inner dimension.
Val MmaLinear::isWithin(Val present, Val range, Val chunk, Val byteInChunk,
                        int64_t elementBytes) {
  KernelBuilder &k = *builder;
  bool isWhole =
      problem.inner % operands.chunk == 0 && operands.chunks % tile.ranges == 0;
  if (isWhole)
    return present;
  Val byte =
      chunkOf(range, chunk) * (operands.chunk * elementBytes) + byteInChunk;
  return k.select(present, byte < problem.inner * elementBytes, k.i1(false));
}

/// The piece that row `row` of the tile belongs to, and which of its outputs it
/// is.
Piece MmaLinear::pieceOfRow(Val row, Val &output) {
  KernelBuilder &k = *builder;
  Piece piece = pieces[0];
  output = firstOutput + row;
  if (!problem.isGated())
    return piece;
  int64_t half = tile.outputs / 2;
  Val isUp = row >= half;
  output = firstOutput + row % half;
  for (Val Piece::*member :
       {&Piece::weight, &Piece::scales, &Piece::rowStride, &Piece::rowOffset})
    if (Value(piece.*member))
      piece.*member = k.select(isUp, pieces[1].*member, pieces[0].*member);
  return piece;
}

void MmaLinear::copyWeight(Val stage, Val chunk) {
  KernelBuilder &k = *builder;
  int64_t units = tile.outputs * kRowVectors;
  forUnits(tile.warpsK * units, [&](Val unit) {
    auto [range, rest] = rangeOf(unit, units);
    Val row = rest / kRowVectors, vector = rest % kRowVectors;
    Val output;
    Piece piece = pieceOfRow(row, output);
    Val byte = vector * kVectorBytes;
    Val first = k.toI64(byte + range * (chunksPerRange * kRowBytes));
    Val source = k.at(piece.weight, k.toI64(output) * piece.rowStride + first);
    Val present =
        isWithin(output < piece.outputs, range, chunk, byte, operands.wBytes);
    Val target = range * weightBytes() + fragments->placeWeight(row, vector);
    k.copyAsync(k.at(stage, target), k.at(source, chunk * kRowBytes),
                bytesIf(present, kVectorBytes));
  });
}

void MmaLinear::copyTransposedWeight(Val stage, Val chunk) {
  KernelBuilder &k = *builder;
  int64_t vectors = tile.outputs * operands.wBytes / kVectorBytes;
  const Piece &piece = pieces[0];
  forUnits(operands.chunk * vectors, [&](Val unit) {
    Val row = unit / vectors, vector = unit % vectors;
    Val inner = chunk * operands.chunk + row;
    Val byte = firstOutput * operands.wBytes + vector * kVectorBytes;
    Val present = k.select(byte < piece.outputs * operands.wBytes,
                           inner < problem.inner, k.i1(false));
    Val source =
        k.at(piece.weight, k.toI64(inner) * piece.rowStride + k.toI64(byte));
    k.copyAsync(k.at(stage, fragments->placeWeight(row, vector)), source,
                bytesIf(present, kVectorBytes));
  });
}

void MmaLinear::copyInput(Val stage, Val chunk) {
  KernelBuilder &k = *builder;
  int64_t vectors = operands.xRows * kRowVectors;
  int64_t units = tile.tokens * vectors;
  int64_t chunkBytes = operands.xRows * kRowBytes;
  forUnits(tile.warpsK * units, [&](Val unit) {
    auto [range, rest] = rangeOf(unit, units);
    Val token = rest / vectors, vector = rest % vectors;
    Val byte = vector * kVectorBytes;
    Val first = k.toI64(byte + range * (chunksPerRange * chunkBytes));
    Val source = k.at(
        x, k.toI64(token) * (problem.xRowStride * operands.xBytes) + first);
    Val present =
        isWithin(token < rows.count, range, chunk, byte, operands.xBytes);
    Val target = range * inputBytes() + fragments->placeInput(token, vector);
    k.copyAsync(k.at(stage, target + inputStart()),
                k.at(source, chunk * chunkBytes),
                bytesIf(present, kVectorBytes));
  });
}

void MmaLinear::copyInputScales(Val stage, Val chunk) {
  KernelBuilder &k = *builder;
  int64_t blocks = llvm::divideCeil(problem.inner, problem.blockColumns);
  forUnits(tile.warpsK * tile.tokens, [&](Val unit) {
    auto [range, token] = rangeOf(unit, tile.tokens);
    Val block = chunkOf(range, chunk) * operands.chunk / problem.blockColumns;
    Val present =
        isWithin(token < rows.count, range, chunk, k.i32(0), operands.xBytes);
    k.copyAsync(k.at(stage, unit * 4 + inputScaleStart()),
                k.at(xScale, (token * blocks + block) * 4), bytesIf(present, 4),
                4);
  });
}

/// One for each 16 outputs, which all have it.
void MmaLinear::copyWeightScales(Val stage, Val chunk) {
  KernelBuilder &k = *builder;
  int64_t count = tile.outputs / 16;
  forUnits(tile.warpsK * count, [&](Val unit) {
    auto [range, number] = rangeOf(unit, count);
    Val output;
    Piece piece = pieceOfRow(number * 16, output);
    Val inner = chunkOf(range, chunk) * operands.chunk;
    Val row = piece.rowOffset + (problem.transposed ? inner : output);
    Val column = problem.transposed ? output : inner;
    Val element = row / problem.blockRows * piece.scaleRowStride +
                  column / problem.blockColumns;
    Val present = isWithin(output < piece.outputs, range, chunk, k.i32(0),
                           operands.wBytes);
    k.copyAsync(k.at(stage, unit * 4 + weightScaleStart()),
                k.at(piece.scales, element * 4), bytesIf(present, 4), 4);
  });
}

/// `chunk` of every range.
void MmaLinear::copyChunk(Val stage, Val chunk) {
  if (problem.transposed)
    copyTransposedWeight(stage, chunk);
  else
    copyWeight(stage, chunk);
  copyInput(stage, chunk);
  if (operands.fp8Input)
    copyInputScales(stage, chunk);
  if (operands.fp8Weight)
    copyWeightScales(stage, chunk);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Val MmaLinear::weightScale(Val stage, int64_t m) {
  KernelBuilder &k = *builder;
  Val number = warpK * (tile.outputs / 16) + warpM * tile.fragmentsM() + m;
  Val scale =
      k.load(k.getF32Type(), k.at(stage, number * 4 + weightScaleStart()));
  // What the widening of two e4m3 left out.
  return operands.isWidened() && operands.fp8Input ? scale * 0x1p16 : scale;
}

/// Those of a lane's two tokens of 8, as a vector.
Val MmaLinear::inputScales(Val stage, int64_t n) {
  KernelBuilder &k = *builder;
  Val token = warpK * tile.tokens + warpN * (tile.fragmentsN() * 8) + n * 8 +
              (k.lane() & 3) * 2;
  return k.load(VectorType::get(2, k.getF32Type()),
                k.at(stage, token * 4 + inputScaleStart()), 8);
}

/// Adds the products of a chunk to the sums of tokens [8 n, 8 (n + count)) of
/// this warp.
void MmaLinear::multiplyTokens(Val stage, int64_t n, int64_t count,
                               MutableArrayRef<Val> sums) {
  KernelBuilder &k = *builder;
  Val weight = k.at(stage, warpK * weightBytes());
  Val input = k.at(stage, warpK * inputBytes() + inputStart());
  int64_t rowsM = tile.fragmentsM();
  // Without scales the sums go on in the products.
  SmallVector<SmallVector<Val>> products(rowsM * count);
  for (int64_t m = 0; m < rowsM; ++m)
    for (int64_t i = 0; i < count; ++i)
      if (operands.fp8Weight)
        products[m * count + i].assign(4, k.f32(0.0));
      else
        llvm::append_range(products[m * count + i],
                           sums.slice(fragmentIndex(m, n + i), 4));
  for (int64_t step = 0; step < MmaFragments::kSteps; ++step) {
    SmallVector<SmallVector<Fragment>> inputs;
    for (int64_t i = 0; i < count; i += 2)
      llvm::append_range(
          inputs, fragments->loadInput(input, n + i,
                                       std::min<int64_t>(2, count - i), step));
    for (int64_t m = 0; m < rowsM; ++m) {
      SmallVector<Fragment> loaded = fragments->loadWeight(weight, m, step);
      for (int64_t i = 0; i < count; ++i)
        for (size_t part = 0; part < loaded.size(); ++part)
          products[m * count + i] = fragments->multiply(
              loaded[part], inputs[i][part], products[m * count + i]);
    }
  }
  for (int64_t i = 0; i < count; ++i)
    for (int64_t m = 0; m < rowsM; ++m)
      addProducts(stage, m, n + i, products[m * count + i], sums);
}

/// Scales the products of a fragment and adds them to its sums.
void MmaLinear::addProducts(Val stage, int64_t m, int64_t n,
                            ArrayRef<Val> products, MutableArrayRef<Val> sums) {
  KernelBuilder &k = *builder;
  MutableArrayRef<Val> own = sums.slice(fragmentIndex(m, n), 4);
  if (!operands.fp8Weight) {
    llvm::copy(products, own.begin());
    return;
  }
  Val scale = weightScale(stage, m);
  SmallVector<Val> scales(2, scale);
  if (operands.fp8Input) {
    Val both = inputScales(stage, n);
    for (int64_t i = 0; i < 2; ++i)
      scales[i] = k.extract(both, i) * scale;
  }
  for (int64_t i = 0; i < 4; ++i)
    own[i] = k.fma(products[i], scales[i % 2], own[i]);
}

SmallVector<Val> MmaLinear::multiplyChunk(Val stage, ArrayRef<Val> before) {
  SmallVector<Val> sums(before);
  // Scaled products are registers of their own, so not of all tokens at a time.
  int64_t all = tile.fragmentsN();
  int64_t count = operands.fp8Weight ? std::min<int64_t>(4, all) : all;
  for (int64_t n = 0; n < all; n += count)
    multiplyTokens(stage, n, count, sums);
  return sums;
}

/// One chunk, whose stage is number `place`: `carried` is that and the sums.
SmallVector<Val> MmaLinear::advance(Val chunk, ArrayRef<Val> carried) {
  KernelBuilder &k = *builder;
  int64_t stageBytes = getStageBytes(operands, tile);
  int64_t copies = tile.stages - 1; // under way at a time
  Val place = carried.front();
  k.waitForCopies(copies - 1);
  // All have this chunk, and none reads the one before any more.
  k.barrier();
  Val free = k.select(place == 0, k.i32(copies), place - 1);
  k.ifThen(chunk + copies < chunksToDo(), [&] {
    copyChunk(k.at(buffers, free * stageBytes), chunk + copies);
  });
  k.commitCopies();
  SmallVector<Val> next =
      multiplyChunk(k.at(buffers, place * stageBytes), carried.drop_front());
  next.insert(next.begin(), k.select(place == copies, k.i32(0), place + 1));
  return next;
}

/// This warp's sums over the inner dimension, or over its range of it.
SmallVector<Val> MmaLinear::sumAll() {
  KernelBuilder &k = *builder;
  for (int64_t chunk = 0; chunk < tile.stages - 1; ++chunk) {
    if (chunk < chunksToDo())
      copyChunk(k.at(buffers, chunk * getStageBytes(operands, tile)),
                k.i32(chunk));
    k.commitCopies();
  }
  int64_t count = fragmentIndex(tile.fragmentsM(), 0);
  auto sumRange = [&](Val place, Val first) {
    SmallVector<Val> carried(count + 1, k.f32(0.0));
    carried.front() = place;
    return k.forLoop(first, first + chunksPerRange, k.i32(1), carried,
                     [&](Val chunk, ArrayRef<Val> values) {
                       return advance(chunk, values);
                     });
  };
  SmallVector<Val> sums;
  if (tile.warpsK == tile.ranges) {
    sums = sumRange(k.i32(0), k.i32(0));
  } else {
    // -0 plus the first sum is that sum.
    SmallVector<Val> totals(count + 1, k.f32(-0.0));
    totals.front() = k.i32(0);
    sums = k.forLoop(k.i32(0), k.i32(tile.ranges), k.i32(1), totals,
                     [&](Val range, ArrayRef<Val> before) {
                       SmallVector<Val> after =
                           sumRange(before.front(), range * chunksPerRange);
                       for (int64_t i = 1; i <= count; ++i)
                         after[i] = before[i] + after[i];
                       return after;
                     });
  }
  sums.erase(sums.begin());
  return sums;
}

/// Into the tile of sums, which takes the place of the stages.
void MmaLinear::storeSums(const SumTile &target, ArrayRef<Val> sums) {
  KernelBuilder &k = *builder;
  k.waitForCopies(0);
  k.barrier();
  for (int64_t m = 0; m < tile.fragmentsM(); ++m)
    for (int64_t n = 0; n < tile.fragmentsN(); ++n)
      for (int64_t i = 0; i < 4; ++i) {
        Val output =
            (warpM * tile.fragmentsM() + m) * 16 + fragments->outputOf(i / 2);
        Val token =
            (warpN * tile.fragmentsN() + n) * 8 + (k.lane() & 3) * 2 + (i % 2);
        k.store(sums[fragmentIndex(m, n) + i], target.at(warpK, token, output));
      }
  k.barrier();
}

} // namespace

void deepseek::emitMmaLinear(LaunchBuilder &launch,
                             const LinearProblem &problem,
                             const MmaTile &tile) {
  MmaLinear(launch, problem, tile).run();
}
