//===- Sm90Product.cpp - Products by wgmma: the device function -----------===//
//
// What the emitters Sm90*Linear.cpp have in common:
//
//   let the next kernel start; initialize the ring
//   find the tile: 128 weight rows r of a group, tokens [first, last)
//   warp 8, one lane: for block b of K:
//     wait until a stage is empty
//     TMA: weights[r, b]; x[first .., b], or this CTA's part for all sharers
//   warps 9, 10, 11: for every third block b of K:
//     wait until its stage is empty
//     scale[t] = x_scale[t, b] * w_scale[r, b]
//   warps 0 to 3 and 4 to 7, of 64 rows each: for range of K:
//     sums = 0
//     for b in range: wait until a stage is full
//                     products[r, t] = wgmma(weights[r, b], x[t, b])
//                     sums[r, t] += products[r, t] * scale[t]
//                     release the stage
//     total += sums
//   warps 0 to 7: total to shared memory; LinearResult.cpp makes y of it, and
//     in a cluster, where each CTA has one range, first adds those of CTA 0, 1,
//     ...
//
// The weights of the first stages are requested before waiting for the kernel
// that writes x.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

#include "lib/Target/NVPTX/Hopper.h"
#include "lib/Target/NVPTX/Kernels/GroupTiles.h"
#include "lib/Target/NVPTX/Kernels/LinearResult.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kTileBytes = kTileRows * kBlockBytes;
/// Of each part, the rows of one consumer warpgroup.
constexpr int64_t kGroupRows = 64;
constexpr int64_t kConsumerWarps = 8, kScaleWarps = 3;
constexpr int64_t kThreads = 32 * (kConsumerWarps + 1 + kScaleWarps);
/// A named barrier of the consumers.
constexpr int64_t kConsumerBarrier = 1;
/// Token tiles that are computed side by side, so that they share the weights
/// that are in L2.
constexpr int64_t kRaster = 8;

class ProductKernel {
public:
  ProductKernel(KernelBuilder &k, const LinearProblem &problem,
                const ProductVariant &variant);
  void build();

private:
  void findTile(Val tile);
  void choosePiece();
  Val findGroupTile(Val tile);
  void loadTiles();
  void requestWeights(Val round);
  void requestX(Val round);
  SmallVector<Val> readScales(Val block);
  void loadScales();
  void consume();
  SmallVector<Val> multiply(Val block, ArrayRef<Val> sums);
  SmallVector<Val> scaleProducts(ArrayRef<Val> products, Val stage,
                                 ArrayRef<Val> sums);
  SumTile sumTile();
  void storeSums(const SumTile &tile, ArrayRef<Val> sums);
  Val roundOf(Val block) { return block - firstBlock; }

  KernelBuilder &k;
  const LinearProblem &problem;
  const ProductVariant &variant;
  const ProductShape shape;
  const int64_t tokens, parts, blocks, weightTiles;

  Val xMap, xScales, y, yScales, offsets, rows;
  /// Of each piece of the weight; then of each part, from choosePiece() on.
  SmallVector<Val> weightMaps, weightScales;
  /// In shared memory: by stage, weights of each part, x, products of scales.
  /// Sums take the place of weights.
  Val weights, x, scales;
  Ring ring;
  Val warp, lane, rank;
  /// Of this CTA: tile of weight rows, group, tokens [first, last), blocks of K
  /// [firstBlock, lastBlock).
  Val weightTile, group, first, last, firstBlock, lastBlock;
  /// The tile's first row in its piece; columns of y: the first, and how many
  /// are left in the piece.
  Val pieceRow, column, columns;
};

ProductKernel::ProductKernel(KernelBuilder &k, const LinearProblem &problem,
                             const ProductVariant &variant)
    : k(k), problem(problem), variant(variant), shape(problem),
      tokens(variant.tokens), parts(shape.parts), blocks(shape.blocks),
      weightTiles(shape.weightTiles),
      weights(k.shared(shape.getTileBytes(tokens, variant.stages), 1024)),
      x(k.at(weights, variant.stages * parts * kTileBytes)),
      scales(k.shared(shape.scaled ? variant.stages * parts * tokens * 4 : 0)),
      ring(k, variant.stages, /*producers=*/shape.scaled ? 2 : 1,
           kConsumerWarps, variant.sharers) {
  unsigned next = 0;
  xMap = k.param(next++);
  for (size_t piece = 0; piece < problem.pieces.size(); ++piece)
    weightMaps.push_back(k.param(next++));
  xScales = k.param(next++);
  for (size_t piece = 0; piece < problem.pieces.size(); ++piece)
    weightScales.push_back(k.param(next++));
  y = k.param(next++);
  yScales = k.param(next++);
  offsets = k.param(next++);
  rows = k.param(next++);
}

//===----------------------------------------------------------------------===//
// Which tile
//===----------------------------------------------------------------------===//

/// Tiles in bands of kRaster token tiles, down the weight rows.
void ProductKernel::findTile(Val tile) {
  Val tokenTiles = k.ceilDiv(rows, tokens);
  int64_t bandTiles = kRaster * (weightTiles / variant.sharers);
  Val band = tile / bandTiles, inBand = tile % bandTiles;
  Val start = band * kRaster;
  Val width = k.min(tokenTiles - start, k.i32(kRaster));
  weightTile = inBand / width * variant.sharers;
  first = (start + inBand % width) * tokens;
  last = rows;
  group = k.i32(0);
}

/// All tiles of weight rows, then the next tile of rows of a group. Returns
/// whether there is one.
Val ProductKernel::findGroupTile(Val tile) {
  int64_t groupTiles = weightTiles / variant.sharers;
  weightTile = tile % groupTiles * variant.sharers;
  RowTile found = deepseek::findGroupTile(k, offsets, problem.groups, tokens,
                                          tile / groupTiles);
  group = found.group;
  first = found.first;
  last = found.first + found.count;
  return found.exists;
}

/// Gate and up are met side by side; other pieces follow each other in y, and
/// each has its own tiles. The scales become those of the tile's rows.
void ProductKernel::choosePiece() {
  Val row = weightTile * kTileRows;
  SmallVector<Val> scaleRows;
  for (auto [base, piece] : llvm::zip_equal(weightScales, problem.pieces))
    scaleRows.push_back(
        k.at(base, (group * piece.scaleBatchStride +
                    piece.rowOffset / kTileRows * piece.scaleRowStride) *
                       4));
  pieceRow = column = row;
  columns = k.i32(problem.pieces.front().outputs);
  Val map = weightMaps.front(), scaleRow = scaleRows.front();
  int64_t startTile = 0, startColumn = 0;
  for (size_t i = 1; parts == 1 && i < problem.pieces.size(); ++i) {
    int64_t outputs = problem.pieces[i - 1].outputs;
    startTile += llvm::divideCeil(outputs, kTileRows);
    startColumn += outputs;
    Val isHere = weightTile >= startTile;
    Val rowHere = row - startTile * kTileRows;
    map = k.select(isHere, weightMaps[i], map);
    scaleRow = k.select(isHere, scaleRows[i], scaleRow);
    pieceRow = k.select(isHere, rowHere, pieceRow);
    column = k.select(isHere, rowHere + startColumn, column);
    columns = k.select(isHere, k.i32(problem.pieces[i].outputs), columns);
  }
  columns = columns - pieceRow;
  if (parts == 1) {
    weightMaps = {map};
    scaleRows = {scaleRow};
  }
  for (auto [scaleRow, piece] : llvm::zip(scaleRows, problem.pieces))
    scaleRow =
        k.at(scaleRow, (pieceRow / kTileRows) * (piece.scaleRowStride * 4));
  weightScales = scaleRows;
}

void ProductKernel::build() {
  launchDependents(k);
  warp = k.warp();
  lane = k.lane();
  rank = variant.clusterSize() > 1 ? clusterRank(k) : k.i32(0);
  k.ifThen(k.threadId() == 0, [&] { ring.initialize(); });
  Val number = k.blockId(0) / variant.clusterSize(), exists = k.i1(true);
  if (problem.isGrouped()) {
    waitForEarlierKernels(k);
    exists = findGroupTile(number);
  } else {
    findTile(number);
  }
  if (variant.sharers > 1)
    weightTile = weightTile + rank;
  choosePiece();
  if (variant.clusterSize() > 1)
    clusterBarrier(k);
  else
    k.barrier();
  firstBlock = k.i32(0);
  lastBlock = k.i32(blocks);
  if (variant.clustered) {
    firstBlock = rank * variant.blocksPerRange;
    lastBlock = k.min(firstBlock + variant.blocksPerRange, lastBlock);
  }
  k.ifThen(exists, [&] {
    k.ifElse(
        warp >= kConsumerWarps,
        [&]() -> SmallVector<Val> {
          if (variant.movesRegisters)
            setMaxRegisters(k, 40, /*increase=*/false);
          k.ifThen(warp == kConsumerWarps, [&] { loadTiles(); });
          if (shape.scaled)
            k.ifThen(warp > kConsumerWarps, [&] { loadScales(); });
          if (variant.clustered) {
            k.warpSync();
            clusterBarrier(k); // that of the sums
          }
          return {};
        },
        [&]() -> SmallVector<Val> {
          if (variant.movesRegisters)
            setMaxRegisters(k, 232, /*increase=*/true);
          consume();
          return {};
        });
    // Until then others read this CTA's sums, or arrive on its barriers.
    if (variant.clusterSize() > 1) {
      k.warpSync();
      clusterBarrier(k);
    }
  });
}

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

void ProductKernel::requestWeights(Val round) {
  ring.expect(round, parts * kTileBytes + tokens * kBlockBytes);
  Val stage = ring.stage(round);
  Val column = (firstBlock + round) * shape.blockElements;
  for (int64_t part = 0; part < parts; ++part)
    tmaLoad(k, weightMaps[part], {column, pieceRow, group},
            k.at(weights, stage * (parts * kTileBytes) + part * kTileBytes),
            ring.full(round));
}

void ProductKernel::requestX(Val round) {
  Val column = (firstBlock + round) * shape.blockElements;
  Val target = k.at(x, ring.stage(round) * (tokens * kBlockBytes));
  if (variant.sharers == 1)
    return tmaLoad(k, xMap, {column, first}, target, ring.full(round));
  int64_t own = tokens / variant.sharers;
  tmaLoadToCluster(k, xMap, {column, first + rank * own},
                   k.at(target, rank * (own * kBlockBytes)), ring.full(round),
                   variant.sharers);
}

void ProductKernel::loadTiles() {
  k.ifThen(electLane(k), [&] {
    Val zero = k.i32(0), one = k.i32(1);
    Val rounds = lastBlock - firstBlock;
    Val ahead = k.min(rounds, k.i32(variant.stages));
    k.forLoop(zero, ahead, one, [&](Val round) { requestWeights(round); });
    waitForEarlierKernels(k);
    k.forLoop(zero, ahead, one, [&](Val round) { requestX(round); });
    k.forLoop(ahead, rounds, one, [&](Val round) {
      ring.waitEmpty(round);
      requestWeights(round);
      requestX(round);
    });
  });
}

/// This lane's scales of x, of tokens lane, lane + 32, .., then those of the
/// weights.
SmallVector<Val> ProductKernel::readScales(Val block) {
  Type f32 = k.getF32Type();
  SmallVector<Val> values;
  // Not constant memory: the kernel before may still write it when this one
  // starts. Tokens past the end are computed with some scale, never stored.
  for (int64_t token = 0; token < tokens; token += 32) {
    Val row = k.min(first + lane + token, rows - 1);
    values.push_back(k.load(
        f32, k.at(xScales, k.toI64(row) * (blocks * 4) + k.toI64(block * 4))));
  }
  for (Val scaleRow : weightScales)
    values.push_back(k.loadConstant(f32, k.at(scaleRow, block * 4)));
  return values;
}

/// Each warp takes every third block, and reads its next one's scales while it
/// waits for room.
void ProductKernel::loadScales() {
  waitForEarlierKernels(k);
  int64_t own = llvm::divideCeil(tokens, 32);
  Val start = firstBlock + (warp - (kConsumerWarps + 1));
  Val end = k.i32(blocks - 1);
  k.forLoop(start, lastBlock, k.i32(kScaleWarps), readScales(k.min(start, end)),
            [&](Val block, ArrayRef<Val> read) {
              SmallVector<Val> next =
                  readScales(k.min(block + kScaleWarps, end));
              Val round = roundOf(block);
              ring.waitEmpty(round);
              for (int64_t part = 0; part < parts; ++part)
                for (int64_t i = 0; i < own; ++i) {
                  Val slot = (ring.stage(round) * parts + part) * tokens +
                             lane + 32 * i;
                  auto store = [&] {
                    k.store(read[i] * read[own + part], k.at(scales, slot * 4));
                  };
                  if (tokens >= 32)
                    store();
                  else
                    k.ifThen(lane < tokens, store);
                }
              k.warpSync();
              k.ifThen(lane == 0, [&] { ring.arrive(round); });
              return next;
            });
}

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

/// One block of K: `sums` plus its products, scaled in FP8.
SmallVector<Val> ProductKernel::multiply(Val block, ArrayRef<Val> sums) {
  Val round = roundOf(block), stage = ring.stage(round);
  ring.waitFull(round);
  SmallVector<Val> a;
  for (int64_t part = 0; part < parts; ++part)
    a.push_back(matrixDescriptor(
        k, k.at(weights, stage * (parts * kTileBytes) + part * kTileBytes +
                             (warp / 4) * (kGroupRows * kBlockBytes))));
  Val b = matrixDescriptor(k, k.at(x, stage * (tokens * kBlockBytes)));
  SmallVector<Val> next = wgmma(k, problem.wType, tokens, a, b);
  if (shape.scaled)
    next = scaleProducts(next, stage, sums);
  else
    for (auto [product, sum] : llvm::zip_equal(next, sums))
      product = sum + product;
  ring.release(round);
  return next;
}

SmallVector<Val> ProductKernel::scaleProducts(ArrayRef<Val> products, Val stage,
                                              ArrayRef<Val> sums) {
  // Tokens 8 j + 2 (lane % 4) and the next share a load.
  auto pair = VectorType::get(2, k.getF32Type());
  SmallVector<Val> next;
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t j = 0; j < tokens / 8; ++j) {
      Val slot = (stage * parts + part) * tokens + (lane & 3) * 2 + 8 * j;
      Val scale = k.load(pair, k.at(scales, slot * 4), 8);
      for (int64_t i = 0; i < 4; ++i) {
        int64_t number = part * tokens / 2 + 4 * j + i;
        next.push_back(
            k.fma(products[number], k.extract(scale, i % 2), sums[number]));
      }
    }
  return next;
}

void ProductKernel::consume() {
  SmallVector<Val> zeros(parts * tokens / 2, k.f32(0.0));
  auto sumBlocks = [&](Val begin, Val end) {
    return k.forLoop(
        begin, end, k.i32(1), zeros,
        [&](Val block, ArrayRef<Val> sums) { return multiply(block, sums); });
  };
  SmallVector<Val> total;
  if (variant.clustered || variant.ranges == 1) {
    total = sumBlocks(firstBlock, lastBlock);
  } else {
    // -0 + x is x for every x, so that the first partial sum stays what it is.
    SmallVector<Val> none(zeros.size(), k.f32(-0.0));
    total = k.forLoop(k.i32(0), lastBlock, k.i32(variant.blocksPerRange), none,
                      [&](Val begin, ArrayRef<Val> before) {
                        Val end =
                            k.min(begin + variant.blocksPerRange, lastBlock);
                        SmallVector<Val> sums = sumBlocks(begin, end);
                        for (auto [sum, old] : llvm::zip_equal(sums, before))
                          sum = old + sum;
                        return sums;
                      });
  }
  Val barrier = k.i32(kConsumerBarrier);
  k.barrier(barrier, 32 * kConsumerWarps); // nobody reads the ring any more
  SumTile tile = sumTile();
  storeSums(tile, total);
  if (variant.clustered)
    clusterBarrier(k);
  else
    k.barrier(barrier, 32 * kConsumerWarps);
  storeLinearResult(k, problem, tile, y, yScales);
}

/// What the consumers leave in the place of the weights; of a cluster, each CTA
/// stores its share of the results.
SumTile ProductKernel::sumTile() {
  int64_t ctas = variant.ctasPerTile(), threads = 32 * kConsumerWarps;
  Val worker = k.threadId();
  if (variant.clustered)
    worker = rank * threads + worker;
  SumTile tile{weights, ctas,           tokens,           parts * kTileRows,
               first,   last - first,   column,           columns,
               worker,  threads * ctas, variant.clustered};
  return tile;
}

/// A thread's sums, as wgmma leaves them.
void ProductKernel::storeSums(const SumTile &tile, ArrayRef<Val> sums) {
  Val base = tile.at(k.i32(0), (lane & 3) * 2, warp * 16 + (lane >> 2));
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t i = 0; i < tokens / 2; ++i) {
      int64_t token = 8 * (i / 4) + i % 2;
      int64_t output = part * kTileRows + i % 4 / 2 * 8;
      k.store(sums[part * tokens / 2 + i],
              k.at(base, (token * tile.pitch() + output) * 4));
    }
}

} // namespace

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

ProductShape::ProductShape(const LinearProblem &problem)
    : parts(problem.isGated() ? 2 : 1),
      elementBytes(problem.wType.getIntOrFloatBitWidth() / 8),
      blockElements(kBlockBytes / elementBytes),
      blocks(llvm::divideCeil(problem.inner, blockElements)), weightTiles(0),
      scaled(problem.isScaled()) {
  for (const WeightPiece &piece : problem.pieces)
    weightTiles += llvm::divideCeil(piece.outputs, kTileRows);
  weightTiles /= parts;
}

int64_t ProductShape::getTileBytes(int64_t tokens, int64_t stages) const {
  SumTile sums;
  sums.ranges = 1;
  sums.tokens = tokens;
  sums.outputs = parts * kTileRows;
  return std::max(stages * (parts * kTileBytes + tokens * kBlockBytes),
                  sums.bytes());
}

int64_t ProductShape::getSharedBytes(int64_t tokens, int64_t stages) const {
  int64_t scaleBytes = scaled ? parts * tokens * 4 : 0, barrierBytes = 16;
  return getTileBytes(tokens, stages) + stages * (scaleBytes + barrierBytes);
}

SmallVector<Type>
deepseek::getSm90ProductParameters(MLIRContext *context,
                                   const LinearProblem &problem) {
  int64_t pieces = problem.pieces.size();
  SmallVector<Type> types(1 + pieces, KernelBuilder::tensorMapType(context));
  types.append(1 + pieces + 3, KernelBuilder::globalType(context));
  types.push_back(IntegerType::get(context, 32));
  return types;
}

int64_t deepseek::getSm90ProductThreads() { return kThreads; }

void deepseek::buildSm90Product(KernelBuilder &k, const LinearProblem &problem,
                                const ProductVariant &variant) {
  k.setDependent();
  k.setCluster(variant.clusterSize());
  k.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                           k.getI32IntegerAttr(variant.occupancy));
  ProductKernel(k, problem, variant).build();
}
