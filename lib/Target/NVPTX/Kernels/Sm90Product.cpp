//===- Sm90Product.cpp - Products by wgmma: the device function -----------===//
//
// What the emitters Sm90*Linear.cpp have in common:
//
//   launch the next kernel; initialize the ring; find the tile: 128 weight rows
//   r of a group, tokens [first, last)
//   warp 8, one lane:      for b in blocks: wait until stage is empty
//                                           TMA: weights[r, b], x[first.., b]
//   warps 9, 10, 11:       for b in blocks: wait until stage is empty
//                                           scale[t] = x_scale[t, b] *
//                                           w_scale[r, b]
//   warps 0 to 3, 4 to 7:  for range in ranges:
//     64 rows each           sums = 0
//                            for b in range: wait until stage is full
//                              products[r, t] = wgmma(weights[r, b], x[t, b])
//                              sums[r, t] += products[r, t] * scale[t]
//                              release the stage
//                            total += sums
//     total to shared memory; in a cluster, where each CTA has made one range:
//     total = sums of CTA 0 + sums of CTA 1 + ...
//     a warp a token: epilogue of 128 rows, store
//
// The weights of the first stages are requested before waiting for the kernel
// that writes x.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

#include "lib/Target/NVPTX/Hopper.h"

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
/// Bytes from token to token of the sums in shared memory: 128 rows and 4 more,
/// so that the lanes of a warp write different banks.
constexpr int64_t kSumsPitch = (kTileRows + 4) * 4;
/// Token tiles that are computed side by side, so that they share the weights
/// that are in L2.
constexpr int64_t kRaster = 8;
/// Of a CTA that is left without a tile.
constexpr int64_t kNoGroup = -1;
/// Rows that a lane of the epilogue has.
constexpr int64_t kLaneRows = kTileRows / 32;

class ProductKernel {
public:
  ProductKernel(KernelBuilder &k, const LinearProblem &problem,
                const ProductVariant &variant);
  void build();

private:
  void findTile(Val tile);
  void findGroupTile(Val tile);
  void loadTiles();
  void requestWeights(Val round);
  void requestX(Val round);
  SmallVector<Val> readScales(Val block);
  void loadScales();
  void consume();
  SmallVector<Val> multiply(Val block, ArrayRef<Val> sums);
  SmallVector<Val> scaleProducts(ArrayRef<Val> products, Val stage,
                                 ArrayRef<Val> sums);
  void storeSums(ArrayRef<Val> sums);
  void finishTokens();
  SmallVector<SmallVector<Val>> gatherSums(Val token);
  void finishToken(Val row, SmallVector<SmallVector<Val>> values);
  void storeValues(ArrayRef<Val> values, Val row);
  void storeQuantized(ArrayRef<Val> values, Val row);
  Val roundTo(Type type, Val value);
  Val roundOf(Val block) { return block - firstBlock; }

  KernelBuilder &k;
  const LinearProblem &problem;
  const ProductVariant &variant;
  const ProductShape shape;
  const int64_t tokens, parts, blocks, weightTiles;

  Val xMap, xScales, y, yScales, offsets, rows;
  SmallVector<Val> weightMaps, weightScales;
  /// In shared memory: by stage, weights of each part, x, products of scales;
  /// group, first and last token of the tile. Sums take the place of weights.
  Val weights, x, scales, foundTile;
  Ring ring;
  Val warp, lane, rank;
  /// Of this CTA: tile of weight rows, group, tokens [first, last), blocks of K
  /// [firstBlock, lastBlock).
  Val weightTile, group, first, last, firstBlock, lastBlock;
};

ProductKernel::ProductKernel(KernelBuilder &k, const LinearProblem &problem,
                             const ProductVariant &variant)
    : k(k), problem(problem), variant(variant), shape(problem),
      tokens(variant.tokens), parts(shape.parts), blocks(shape.blocks),
      weightTiles(shape.weightTiles),
      weights(k.shared(variant.stages * parts * kTileBytes, 1024)),
      x(k.shared(variant.stages * tokens * kBlockBytes, 1024)),
      scales(k.shared(shape.scaled ? variant.stages * parts * tokens * 4 : 0)),
      foundTile(k.shared(16)),
      ring(k, variant.stages, /*producers=*/shape.scaled ? 2 : 1,
           kConsumerWarps) {
  unsigned next = 0;
  xMap = k.param(next++);
  for (int64_t part = 0; part < parts; ++part)
    weightMaps.push_back(k.param(next++));
  xScales = k.param(next++);
  for (int64_t part = 0; part < parts; ++part)
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
  Val band = tile / (kRaster * weightTiles),
      inBand = tile % (kRaster * weightTiles);
  Val start = band * kRaster;
  Val width = k.min(tokenTiles - start, k.i32(kRaster));
  weightTile = inBand / width;
  first = (start + inBand % width) * tokens;
  last = rows;
  group = k.i32(0);
}

/// The tile-th pair of a group and `tokens` rows of it: each lane of warp 0
/// counts the tiles of some groups, the lanes before it say where its own
/// begin.
void ProductKernel::findGroupTile(Val tile) {
  weightTile = tile % weightTiles;
  Val slot = tile / weightTiles;
  int64_t perLane = llvm::divideCeil(problem.groups, 32);
  k.ifThen(warp == 0, [&] {
    Val zero = k.i32(0);
    k.ifThen(lane == 0, [&] {
      k.store(k.makeVector({k.i32(kNoGroup), zero, zero, zero}), foundTile, 16);
    });
    k.warpSync();
    SmallVector<Val> starts, counts;
    Val own = zero;
    for (int64_t i = 0; i <= perLane; ++i) {
      Val index = k.min(lane * perLane + i, k.i32(problem.groups));
      starts.push_back(k.load(k.getI32Type(), k.at(offsets, index * 4)));
    }
    for (int64_t i = 0; i < perLane; ++i) {
      counts.push_back(k.ceilDiv(starts[i + 1] - starts[i], tokens));
      own = own + counts.back();
    }
    Val end = own;
    for (int64_t distance = 1; distance < 32; distance *= 2) {
      Val before = k.shuffleIndex(end, (lane - distance) & 31);
      end = end + k.select(lane >= distance, before, zero);
    }
    Val begin = end - own;
    for (int64_t i = 0; i < perLane; ++i) {
      Val inGroup = slot - begin;
      k.ifThen(inGroup < counts[i], [&] {
        k.store(k.makeVector({lane * perLane + i, starts[i] + inGroup * tokens,
                              starts[i + 1], zero}),
                foundTile, 16);
      });
      begin = begin + counts[i];
    }
  });
}

void ProductKernel::build() {
  launchDependents(k);
  warp = k.warp();
  lane = k.lane();
  rank = variant.clustered ? clusterRank(k) : k.i32(0);
  k.ifThen(k.threadId() == 0, [&] { ring.initialize(); });
  Val number = k.blockId(0) / variant.ctasPerTile();
  if (problem.isGrouped()) {
    waitForEarlierKernels(k);
    findGroupTile(number);
  } else {
    findTile(number);
  }
  if (variant.clustered)
    clusterBarrier(k);
  else
    k.barrier();
  Val found = k.i1(true);
  if (problem.isGrouped()) {
    Val tile = k.load(VectorType::get(4, k.getI32Type()), foundTile, 16);
    group = k.extract(tile, 0);
    first = k.extract(tile, 1);
    last = k.extract(tile, 2);
    found = group != k.i32(kNoGroup);
  }
  firstBlock = rank * variant.blocksPerRange;
  lastBlock = k.i32(blocks);
  if (variant.clustered)
    lastBlock = k.min(firstBlock + variant.blocksPerRange, lastBlock);
  k.ifThen(found, [&] {
    k.ifElse(
        warp >= kConsumerWarps,
        [&]() -> SmallVector<Val> {
          if (variant.movesRegisters)
            setMaxRegisters(k, 40, /*increase=*/false);
          k.ifThen(warp == kConsumerWarps, [&] { loadTiles(); });
          if (shape.scaled)
            k.ifThen(warp > kConsumerWarps, [&] { loadScales(); });
          // The consumers' two.
          if (variant.clustered) {
            clusterBarrier(k);
            clusterBarrier(k);
          }
          return {};
        },
        [&]() -> SmallVector<Val> {
          if (variant.movesRegisters)
            setMaxRegisters(k, 232, /*increase=*/true);
          consume();
          return {};
        });
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
    tmaLoad(k, weightMaps[part], {column, weightTile * kTileRows, group},
            k.at(weights, stage * (parts * kTileBytes) + part * kTileBytes),
            ring.full(round));
}

void ProductKernel::requestX(Val round) {
  Val column = (firstBlock + round) * shape.blockElements;
  tmaLoad(k, xMap, {column, first},
          k.at(x, ring.stage(round) * (tokens * kBlockBytes)),
          ring.full(round));
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
  for (auto [base, piece] : llvm::zip_equal(weightScales, problem.pieces)) {
    Val index =
        group * piece.scaleBatchStride +
        (weightTile + piece.rowOffset / kTileRows) * piece.scaleRowStride +
        block;
    values.push_back(k.loadConstant(f32, k.at(base, index * 4)));
  }
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
  k.warpSync();
  k.ifThen(lane == 0, [&] { ring.release(round); });
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
  storeSums(total);
  if (variant.clustered)
    clusterBarrier(k);
  else
    k.barrier(barrier, 32 * kConsumerWarps);
  finishTokens();
  if (variant.clustered)
    clusterBarrier(k); // nobody reads this CTA's sums any more
}

/// By part, token and row.
void ProductKernel::storeSums(ArrayRef<Val> sums) {
  Val row = warp * 16 + (lane >> 2);
  Val base = k.at(weights, (lane & 3) * (2 * kSumsPitch) + row * 4);
  for (int64_t part = 0; part < parts; ++part)
    for (int64_t i = 0; i < tokens / 2; ++i) {
      int64_t token = 8 * (i / 4) + i % 2, rowOffset = i % 4 / 2 * 8;
      k.store(sums[part * tokens / 2 + i],
              k.at(base, (part * tokens + token) * kSumsPitch + rowOffset * 4));
    }
}

/// A warp a token; of a cluster, each CTA takes its share of the tokens.
void ProductKernel::finishTokens() {
  int64_t ctas = variant.ctasPerTile();
  k.forLoop(warp * ctas + rank, k.i32(tokens), k.i32(kConsumerWarps * ctas),
            [&](Val token) {
              k.ifThen(first + token < last,
                       [&] { finishToken(first + token, gatherSums(token)); });
            });
}

/// For each part, the sums of rows 4 lane .. 4 lane + 3.
SmallVector<SmallVector<Val>> ProductKernel::gatherSums(Val token) {
  auto quad = VectorType::get(kLaneRows, k.getF32Type());
  SmallVector<SmallVector<Val>> values;
  for (int64_t part = 0; part < parts; ++part) {
    Val own = k.at(weights, (token + part * tokens) * kSumsPitch +
                                lane * (kLaneRows * 4));
    SmallVector<Val> total;
    for (int64_t cta = 0; cta < variant.ctasPerTile(); ++cta) {
      Val from = variant.clustered ? clusterAddress(k, own, k.i32(cta)) : own;
      Val sums = k.load(quad, from, 16);
      for (int64_t i = 0; i < kLaneRows; ++i) {
        Val sum = k.extract(sums, i);
        if (cta == 0)
          total.push_back(sum);
        else
          total[i] = total[i] + sum;
      }
    }
    values.push_back(total);
  }
  return values;
}

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

Val ProductKernel::roundTo(Type type, Val value) {
  return k.toF32(k.truncF(value, type));
}

/// `row` of y, columns 128 weightTile + 4 lane and the next three.
void ProductKernel::finishToken(Val row, SmallVector<SmallVector<Val>> values) {
  if (!problem.isGated())
    return storeValues(values.front(), row);
  bool quantized = problem.epilogue == LinearProblem::Epilogue::SwigluQuantize;
  SmallVector<Val> results;
  for (auto [gate, up] : llvm::zip_equal(values[0], values[1])) {
    Val g = roundTo(problem.productType, gate);
    Val u = roundTo(problem.productType, up);
    results.push_back(g / (k.exp(k.neg(g)) + 1.0) * u);
  }
  if (!quantized)
    return storeValues(results, row);
  for (Val &result : results)
    result = roundTo(problem.productType, result);
  storeQuantized(results, row);
}

void ProductKernel::storeValues(ArrayRef<Val> values, Val row) {
  Val column = weightTile * kTileRows + lane * kLaneRows;
  int64_t bytes = problem.yType.getIntOrFloatBitWidth() / 8;
  k.ifThen(column < problem.resultColumns(), [&] {
    Val target = k.at(y, k.toI64(row) * (problem.resultColumns() * bytes) +
                             k.toI64(column * bytes));
    SmallVector<Val> words(values);
    if (bytes == 2)
      words = {k.packBf16(values[0], values[1]),
               k.packBf16(values[2], values[3])};
    k.store(k.makeVector(words), target, kLaneRows * bytes);
  });
}

/// The 128 columns of the warp are one block; columns past the end are zeros.
void ProductKernel::storeQuantized(ArrayRef<Val> values, Val row) {
  Val largest = k.f32(1e-4);
  for (Val value : values)
    largest = k.max(largest, k.abs(value));
  Val scale = k.warpMax(largest) / 448.0;
  if (problem.powerOfTwoScales) {
    // Up to the next power of two: the exponent, plus one if a bit is below.
    Val bits = k.bitcast(scale, k.getI32Type());
    scale = k.bitcast((bits + 0x7fffff) & 0x7f800000, k.getF32Type());
  }
  SmallVector<Val> scaled;
  for (Val value : values)
    scaled.push_back(value / scale);
  Val low = k.toI32(k.packE4m3(scaled[0], scaled[1]));
  Val high = k.toI32(k.packE4m3(scaled[2], scaled[3]));
  Val column = weightTile * kTileRows + lane * kLaneRows;
  k.ifThen(column < problem.resultColumns(), [&] {
    k.store(low | (high << k.i32(16)),
            k.at(y, k.toI64(row) * problem.resultColumns() + k.toI64(column)),
            4);
  });
  k.ifThen(lane == 0, [&] {
    k.store(
        scale,
        k.at(yScales, (k.toI64(row) * weightTiles + k.toI64(weightTile)) * 4));
  });
}

} // namespace

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

ProductShape::ProductShape(const LinearProblem &problem)
    : parts(problem.isGated() ? 2 : 1),
      elementBytes(problem.wType.getIntOrFloatBitWidth() / 8),
      blockElements(kBlockBytes / elementBytes),
      blocks(llvm::divideCeil(problem.inner, blockElements)),
      weightTiles(llvm::divideCeil(problem.resultColumns(), kTileRows)),
      scaled(problem.isScaled()) {}

int64_t ProductShape::getStageBytes(int64_t tokens) const {
  int64_t scaleBytes = scaled ? parts * tokens * 4 : 0, barrierBytes = 16;
  return parts * kTileBytes + tokens * kBlockBytes + scaleBytes + barrierBytes;
}

/// Without a ring, what findGroupTile() leaves.
int64_t ProductShape::getSharedBytes(int64_t tokens, int64_t stages) const {
  return getStageBytes(tokens) * stages + 16;
}

SmallVector<Type>
deepseek::getSm90ProductParameters(MLIRContext *context,
                                   const LinearProblem &problem) {
  int64_t parts = ProductShape(problem).parts;
  SmallVector<Type> types(1 + parts, KernelBuilder::tensorMapType(context));
  types.append(1 + parts + 3, KernelBuilder::globalType(context));
  types.push_back(IntegerType::get(context, 32));
  return types;
}

int64_t deepseek::getSm90ProductThreads() { return kThreads; }

void deepseek::buildSm90Product(KernelBuilder &k, const LinearProblem &problem,
                                const ProductVariant &variant) {
  k.setDependent();
  k.setCluster(variant.ctasPerTile());
  k.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                           k.getI32IntegerAttr(variant.occupancy));
  ProductKernel(k, problem, variant).build();
}
