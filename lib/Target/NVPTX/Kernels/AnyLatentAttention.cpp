//===- AnyLatentAttention.cpp - Absorbed latent attention, mma.sync -------===//
//
// One CTA has `heads` heads of one query row: they share the cached rows, which
// are keys (whole) and values (without the rope part) at once. Four warps per
// 16 heads. The cached rows a query row sees are cut into chunks of a fixed
// length, counted from position 0; a chunk is walked in chunkTiles:
//
//   for tile of chunk:                          (cp.async, `stages` deep)
//     s = q[heads, C+R] rows[tile, C+R]^T * scale    a quarter of it a warp
//     m' = max(m, rowmax s)
//     p = 2^(s - m')
//     a = 2^(m - m')
//     l = l * a + sum p
//     o = o * a + bf16(p) rows[tile, :C]             some columns a warp
//   total = merge(total, (m, l, o))
//   y = total.o / total.l
//
// With few query rows the chunks of a row go to CTAs of their own, which leave
// (m, l, o) in scratch memory for a second kernel that merges them; with many,
// one CTA walks over all chunks of its row. Both merge in the same order with
// the same operations: a row's bits depend on its sequence alone.
//
// Rows of shared memory are padded to an odd number of 16-byte pieces: the
// eight rows that ldmatrix reads at once lie in different banks.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/LatentAttention.h"

#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr double kLog2E = 1.4426950408889634;
constexpr int64_t kPiece = 16;     // bytes that a thread copies at once
constexpr int64_t kWarpsPer16 = 4; // warps for 16 heads

/// Bytes from a row of queries or of the cache to the next, in shared memory.
int64_t getRowStride(const LatentShape &shape) {
  return shape.rowBytes() + kPiece;
}

struct Plan {
  int64_t heads, tile, stages;

  int64_t warps() const { return heads / 16 * kWarpsPer16; }
  int64_t threads() const { return warps() * 32; }
  int64_t probabilityStride() const { return tile * 2 + kPiece; }
  int64_t sharedBytes(const LatentShape &shape) const {
    return (heads + stages * tile) * getRowStride(shape) +
           heads * (probabilityStride() + (2 * kWarpsPer16 + 2) * 4);
  }
};

//===----------------------------------------------------------------------===//
// The device functions
//===----------------------------------------------------------------------===//

using Vals = SmallVector<Val>;

/// One CTA's heads of one query row.
class RowWriter {
public:
  RowWriter(KernelBuilder &k, const LatentShape &shape, const Plan &plan,
            int64_t chunk);

  /// All chunks of the row, into the result.
  void walk();
  /// The chunk of the CTA's y index, into scratch memory.
  void split();

private:
  // What is carried from tile to tile: the next tile's page, then of the two
  // rows of a score fragment largest and sum, then the values.
  static constexpr int64_t kPage = 0, kLargest = 1, kSum = 3, kValues = 5;

  void copyQueries();
  void copyTile(Val tile, Val page);
  Val loadPageOf(Val tile);
  void startPipeline(Val firstTile);
  Vals walkChunk(Val firstTile, Val end, Val page);
  Vals attendTile(Val tile, ArrayRef<Val> carried);
  SmallVector<Vals> computeScores(Val tile, Val rows);
  void reduceLargest(ArrayRef<Vals> scores);
  Vals weighScores(ArrayRef<Vals> scores, ArrayRef<Val> carried);
  void addValues(Val rows, MutableArrayRef<Val> values);
  SmallVector<SoftmaxSum> gatherSums(ArrayRef<Val> carried);

  Val statistic(Val base, Val group, Val row) {
    return k.at(base, (group * plan.heads + row) * 4);
  }
  Val minusInfinity() {
    return k.f32(-std::numeric_limits<double>::infinity());
  }
  /// Calls body(index of a value, head, column) for the first of two
  /// neighbouring values each, where the head exists.
  void forEachPair(llvm::function_ref<void(int64_t, int64_t, Val, Val)> body);

  KernelBuilder &k;
  const LatentShape &shape;
  const Plan &plan;
  int64_t rowStride, chunkTiles;
  int64_t headTiles, columnTiles, tokenTiles; // of 16, 8 and 8, of one warp
  LatentBlock block;
  Val visible, tileEnd;
  Val lane, warp, headTile, group; // warp = group * headTiles + headTile
  Val rowInFragment, columnInFragment;
  Val queries, pages, probabilities, largestOf, sums, factors, finals;
};

RowWriter::RowWriter(KernelBuilder &k, const LatentShape &shape,
                     const Plan &plan, int64_t chunk)
    : k(k), shape(shape), plan(plan), rowStride(getRowStride(shape)),
      chunkTiles(chunk / plan.tile), headTiles(plan.heads / 16),
      columnTiles(shape.latent / plan.warps() / 8),
      tokenTiles(plan.tile / kWarpsPer16 / 8) {
  block = findLatentBlock(k, shape, plan.heads);
  visible = block.row.visible;
  tileEnd = k.ceilDiv(visible, plan.tile);
  lane = k.lane();
  warp = k.warp();
  headTile = warp % headTiles;
  group = warp / headTiles;
  rowInFragment = lane >> 2;
  columnInFragment = (lane & 3) * 2;
  queries = k.shared(plan.heads * rowStride);
  pages = k.shared(plan.stages * plan.tile * rowStride);
  probabilities = k.shared(plan.heads * plan.probabilityStride());
  largestOf = k.shared(kWarpsPer16 * plan.heads * 4);
  sums = k.shared(kWarpsPer16 * plan.heads * 4);
  factors = k.shared(plan.heads * 4);
  finals = k.shared(plan.heads * 4);
}

//===----------------------------------------------------------------------===//
// Copies into shared memory
//===----------------------------------------------------------------------===//

/// q[head] = latent ++ rope; zeros for heads that do not exist.
void RowWriter::copyQueries() {
  Val first = k.toI64(block.token) * shape.heads + k.toI64(block.firstHead);
  int64_t latentBytes = shape.latent * 2;
  int64_t ropeBytes = shape.rowBytes() - latentBytes;
  auto exists = [&](Val head) {
    return block.firstHead + head < k.i32(shape.heads);
  };
  copyRows(k, plan.heads, latentBytes, queries, rowStride,
           k.at(k.param(kQueryLatent), first * latentBytes), latentBytes,
           exists);
  copyRows(k, plan.heads, ropeBytes, k.at(queries, latentBytes), rowStride,
           k.at(k.param(kQueryRope), first * ropeBytes), ropeBytes, exists);
}

/// The page of a tile, or of the last one.
Val RowWriter::loadPageOf(Val tile) {
  return loadPage(k, shape, block, k.min(tile, tileEnd - 1) * plan.tile);
}

/// Rows of the tile; zeros for rows that the query row does not see.
void RowWriter::copyTile(Val tile, Val page) {
  Val inPage = tile % (shape.page / plan.tile) * plan.tile;
  Val first = k.toI64(page) * shape.page + k.toI64(inPage);
  Val stage = tile % plan.stages * (plan.tile * rowStride);
  copyRows(k, plan.tile, shape.rowBytes(), k.at(pages, stage), rowStride,
           k.at(k.param(kCache), first * shape.rowBytes()), shape.rowBytes(),
           [&](Val row) { return tile * plan.tile + row < visible; });
}

/// Queries and all but one of the first chunkTiles; a group of copies for each
/// tile.
void RowWriter::startPipeline(Val firstTile) {
  copyQueries();
  for (int64_t i = 0; i < plan.stages - 1; ++i) {
    Val tile = firstTile + i;
    k.ifThen(tile < tileEnd, [&] { copyTile(tile, loadPageOf(tile)); });
    k.commitCopies();
  }
}

//===----------------------------------------------------------------------===//
// One tile
//===----------------------------------------------------------------------===//

/// Scores of the warp's 16 heads and its quarter of the tile, one fragment for
/// eight cached rows, in units of log2; minus infinity for rows not seen.
SmallVector<Vals> RowWriter::computeScores(Val tile, Val rows) {
  Val query = k.at(queries, (headTile * 16 + (lane & 15)) * rowStride +
                                (lane >> 4) * kPiece);
  Val firstRow = group * (tokenTiles * 8);
  SmallVector<Vals> scores(tokenTiles, Vals(4, k.f32(0.0)));
  if (tokenTiles == 1) {
    // Eight rows, 32 columns at once.
    Val key =
        k.at(rows, (firstRow + (lane & 7)) * rowStride + (lane >> 3) * kPiece);
    for (int64_t column = 0; column < shape.width; column += 32) {
      Vals b = k.loadMatrices(k.at(key, column * 2));
      for (int64_t half : {0, 1}) {
        Vals a = k.loadMatrices(k.at(query, (column + 16 * half) * 2));
        scores[0] = k.mmaBf16(a, ArrayRef(b).slice(2 * half, 2), scores[0]);
      }
    }
  } else {
    // 16 rows, 16 columns at once.
    Val key = k.at(rows, (firstRow + (lane & 7) + (lane >> 4) * 8) * rowStride +
                             ((lane >> 3) & 1) * kPiece);
    for (int64_t column = 0; column < shape.width; column += 16) {
      Vals a = k.loadMatrices(k.at(query, column * 2));
      Vals b = k.loadMatrices(k.at(key, column * 2));
      for (int64_t half : {0, 1})
        scores[half] =
            k.mmaBf16(a, ArrayRef(b).slice(2 * half, 2), scores[half]);
    }
  }
  Val first = tile * plan.tile + firstRow + columnInFragment;
  for (int64_t i = 0; i < tokenTiles; ++i)
    for (int64_t j = 0; j < 4; ++j)
      scores[i][j] =
          k.select(first + (8 * i + j % 2) < visible,
                   scores[i][j] * (shape.scale * kLog2E), minusInfinity());
  return scores;
}

/// The largest score of each head in the warp's quarter, for all warps to see.
void RowWriter::reduceLargest(ArrayRef<Vals> scores) {
  for (int64_t half : {0, 1}) {
    Val largest = minusInfinity();
    for (const Vals &fragment : scores)
      largest =
          k.max(largest, k.max(fragment[2 * half], fragment[2 * half + 1]));
    for (int64_t mask : {1, 2})
      largest = k.max(largest, k.shuffleXor(largest, mask));
    Val row = headTile * 16 + rowInFragment + 8 * half;
    k.ifThen((lane & 3) == 0,
             [&] { k.store(largest, statistic(largestOf, group, row)); });
  }
}

/// Leaves bf16(2^(s - m')) and 2^(m - m') in shared memory; the new largest
/// scores and this thread's part of the sums.
Vals RowWriter::weighScores(ArrayRef<Vals> scores, ArrayRef<Val> carried) {
  Vals largest, sum;
  for (int64_t half : {0, 1}) {
    Val row = headTile * 16 + rowInFragment + 8 * half;
    Val next = carried[kLargest + half];
    for (int64_t other = 0; other < kWarpsPer16; ++other)
      next = k.max(next, k.load(k.getF32Type(),
                                statistic(largestOf, k.i32(other), row)));
    Val factor = k.exp2(carried[kLargest + half] - next);
    Val added = k.f32(0.0);
    Val target = k.at(probabilities,
                      row * plan.probabilityStride() +
                          (group * (tokenTiles * 8) + columnInFragment) * 2);
    for (auto [i, fragment] : llvm::enumerate(scores)) {
      Val p0 = k.exp2(fragment[2 * half] - next);
      Val p1 = k.exp2(fragment[2 * half + 1] - next);
      added = added + (p0 + p1);
      k.store(k.packBf16(p0, p1), k.at(target, i * 16));
    }
    k.ifThen(((lane & 3) == 0) & (group == 0),
             [&] { k.store(factor, statistic(factors, k.i32(0), row)); });
    largest.push_back(next);
    sum.push_back(k.fma(carried[kSum + half], factor, added));
  }
  largest.append(sum);
  return largest;
}

/// values = values * a + p rows, of all heads and the warp's columns.
void RowWriter::addValues(Val rows, MutableArrayRef<Val> values) {
  for (int64_t i = 0; i < headTiles; ++i) {
    for (int64_t half : {0, 1}) {
      Val row = rowInFragment + (i * 16 + half * 8);
      Val factor = k.load(k.getF32Type(), statistic(factors, k.i32(0), row));
      for (int64_t j = 0; j < columnTiles; ++j)
        for (int64_t n : {2 * half, 2 * half + 1}) {
          Val &value = values[(i * columnTiles + j) * 4 + n];
          value = value * factor;
        }
    }
  }
  Val weights = k.at(probabilities, (lane & 15) * plan.probabilityStride() +
                                        (lane >> 4) * kPiece);
  Val value = k.at(rows, (lane & 15) * rowStride + (lane >> 4) * kPiece +
                             warp * (columnTiles * 16));
  for (int64_t step = 0; step < plan.tile; step += 16) {
    SmallVector<Vals> a;
    for (int64_t i = 0; i < headTiles; ++i)
      a.push_back(k.loadMatrices(
          k.at(weights, i * 16 * plan.probabilityStride() + step * 2)));
    for (int64_t j = 0; j < columnTiles; j += 2) {
      Vals b = k.loadMatrices(k.at(value, step * rowStride + j * 16),
                              /*transposed=*/true);
      for (int64_t i = 0; i < headTiles; ++i)
        for (int64_t half : {0, 1}) {
          auto c = values.slice((i * columnTiles + j + half) * 4, 4);
          llvm::copy(
              k.mmaBf16(a[i], ArrayRef(b).slice(2 * half, 2), ArrayRef<Val>(c)),
              c.begin());
        }
    }
  }
}

Vals RowWriter::attendTile(Val tile, ArrayRef<Val> carried) {
  k.waitForCopies(plan.stages - 2);
  // The tile has arrived, and nobody reads the one before any more.
  k.barrier();
  Val ahead = tile + (plan.stages - 1);
  k.ifThen(ahead < tileEnd, [&] { copyTile(ahead, carried[kPage]); });
  k.commitCopies();
  Vals next = {loadPageOf(ahead + 1)};
  Val rows = k.at(pages, tile % plan.stages * (plan.tile * rowStride));
  SmallVector<Vals> scores = computeScores(tile, rows);
  reduceLargest(scores);
  k.barrier();
  next.append(weighScores(scores, carried));
  k.barrier();
  next.append(carried.begin() + kValues, carried.end());
  addValues(rows, MutableArrayRef(next).drop_front(kValues));
  return next;
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

/// Walks the tiles from `firstTile` to `end`, which belong to one chunk.
Vals RowWriter::walkChunk(Val firstTile, Val end, Val page) {
  Vals initial = {page};
  initial.append(2, minusInfinity());
  initial.append(2 + headTiles * columnTiles * 4, k.f32(0.0));
  return k.forLoop(firstTile, end, k.i32(1), initial,
                   [&](Val tile, ArrayRef<Val> carried) {
                     return attendTile(tile, carried);
                   });
}

/// The chunk's largest score and sum of the rows that this thread has values
/// of: two for each 16 heads.
SmallVector<SoftmaxSum> RowWriter::gatherSums(ArrayRef<Val> carried) {
  for (int64_t half : {0, 1}) {
    Val sum = carried[kSum + half];
    for (int64_t mask : {1, 2})
      sum = sum + k.shuffleXor(sum, mask);
    Val row = headTile * 16 + rowInFragment + 8 * half;
    k.ifThen((lane & 3) == 0, [&] {
      k.store(sum, statistic(sums, group, row));
      k.ifThen(group == 0, [&] {
        k.store(carried[kLargest + half], statistic(finals, k.i32(0), row));
      });
    });
  }
  k.barrier();
  SmallVector<SoftmaxSum> result;
  for (int64_t first = 0; first < plan.heads; first += 8) {
    Val row = rowInFragment + first;
    SoftmaxSum one = {k.load(k.getF32Type(), statistic(finals, k.i32(0), row)),
                      k.load(k.getF32Type(), statistic(sums, k.i32(0), row))};
    for (int64_t other = 1; other < kWarpsPer16; ++other)
      one.sum =
          one.sum + k.load(k.getF32Type(), statistic(sums, k.i32(other), row));
    result.push_back(one);
  }
  return result;
}

void RowWriter::forEachPair(
    llvm::function_ref<void(int64_t, int64_t, Val, Val)> body) {
  for (int64_t row = 0; row < plan.heads / 8; ++row) {
    Val head = block.firstHead + rowInFragment + row * 8;
    k.ifThen(head < k.i32(shape.heads), [&] {
      for (int64_t j = 0; j < columnTiles; ++j)
        body((row / 2 * columnTiles + j) * 4 + row % 2 * 2, row, head,
             warp * (columnTiles * 8) + columnInFragment + j * 8);
    });
  }
}

void RowWriter::walk() {
  startPipeline(k.i32(0));
  int64_t rows = plan.heads / 8, values = headTiles * columnTiles * 4;
  Vals initial = {loadPageOf(k.i32(plan.stages - 1))};
  initial.append(rows, minusInfinity());
  initial.append(rows + values, k.f32(0.0));
  Vals total = k.forLoop(
      k.i32(0), tileEnd, k.i32(chunkTiles), initial,
      [&](Val firstTile, ArrayRef<Val> before) {
        Val end = k.min(firstTile + chunkTiles, tileEnd);
        Vals chunk = walkChunk(firstTile, end, before[0]);
        Vals next(before);
        next[0] = chunk[kPage];
        for (auto [row, sum] : llvm::enumerate(gatherSums(chunk))) {
          SoftmaxSum merged = {before[1 + row], before[1 + rows + row]};
          MergeFactors factors = mergeSums(k, merged, sum);
          next[1 + row] = merged.largest;
          next[1 + rows + row] = merged.sum;
          for (int64_t j = 0; j < columnTiles; ++j)
            for (int64_t n : {0, 1}) {
              int64_t i = (row / 2 * columnTiles + j) * 4 + row % 2 * 2 + n;
              Val &value = next[1 + 2 * rows + i];
              value = mergeValues(k, value, chunk[kValues + i], factors);
            }
        }
        return next;
      });
  Vals inverse;
  for (int64_t row = 0; row < rows; ++row)
    inverse.push_back(k.f32(1.0) / total[1 + rows + row]);
  Val firstRow = k.toI64(block.token) * shape.heads;
  forEachPair([&](int64_t index, int64_t row, Val head, Val column) {
    ArrayRef<Val> pair = ArrayRef(total).slice(1 + 2 * rows + index, 2);
    Val offset = (firstRow + k.toI64(head)) * (shape.latent * 2);
    k.store(k.packBf16(pair[0] * inverse[row], pair[1] * inverse[row]),
            k.at(k.at(k.param(kTarget), offset), column * 2));
  });
}

void RowWriter::split() {
  Val firstTile = k.blockId(1) * chunkTiles;
  k.ifThen(firstTile < tileEnd, [&] {
    tileEnd = k.min(firstTile + chunkTiles, tileEnd);
    startPipeline(firstTile);
    Vals chunk = walkChunk(firstTile, tileEnd,
                           loadPageOf(firstTile + (plan.stages - 1)));
    SmallVector<SoftmaxSum> sums = gatherSums(chunk);
    forEachPair([&](int64_t index, int64_t, Val head, Val column) {
      ArrayRef<Val> pair = ArrayRef(chunk).slice(kValues + index, 2);
      k.store(k.makeVector(pair),
              k.at(partialAddress(k, shape, block, head), column * 4), 8);
    });
    k.ifThen((warp == 0) & ((lane & 3) == 0), [&] {
      for (int64_t row = 0; row < plan.heads / 8; ++row) {
        Val head = block.firstHead + rowInFragment + row * 8;
        k.ifThen(head < k.i32(shape.heads), [&] {
          k.store(k.makeVector({sums[row].largest, sums[row].sum}),
                  k.at(partialAddress(k, shape, block, head), shape.latent * 4),
                  8);
        });
      }
    });
  });
}

//===----------------------------------------------------------------------===//
// The emitter
//===----------------------------------------------------------------------===//

/// Seconds that a multiprocessor takes for one head and cached row: tensor
/// cores, shared memory (128 bytes a clock) and copies (64) work side by side.
double estimateTime(const LatentShape &shape, const Plan &plan,
                    const Chip &chip) {
  constexpr double kClock = 1.5e9;
  double heads = plan.heads, row = shape.rowBytes();
  double matrixRate = chip.fp8Mma ? chip.flops / 2 : chip.flops;
  double flops = 2.0 * heads * (shape.width + shape.latent);
  double arithmetic = flops / (matrixRate / chip.multiprocessors);
  // Keys once for 16 heads, values once, the queries once for a quarter of a
  // tile; and the copy itself.
  double sharedBytes = row * heads / 16 + shape.latent * 2 + row +
                       row * heads * kWarpsPer16 / plan.tile;
  double copy = row / (64 * kClock);
  return std::max({arithmetic, sharedBytes / (128 * kClock), copy}) / heads;
}

/// The fastest plan that fits, with as many stages as fit, up to three.
Plan choosePlan(const LatentShape &shape, const Chip &chip) {
  Plan best = {0, 0, 0};
  for (int64_t heads : {16, 32})
    for (int64_t tile : {32, 64})
      for (int64_t stages : {2, 3}) {
        Plan plan = {heads, tile, stages};
        bool fits = plan.sharedBytes(shape) <= chip.sharedBytes &&
                    shape.page % tile == 0 &&
                    shape.latent % (16 * plan.warps()) == 0 &&
                    (heads == 16 || shape.heads > 16);
        if (fits && (!best.heads || estimateTime(shape, plan, chip) <=
                                        estimateTime(shape, best, chip)))
          best = plan;
      }
  return best;
}

class LatentAttentionEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_latent_attention"; }
  bool match(func::FuncOp kernel, const Chip &chip) const override;
  Configuration configure(func::FuncOp kernel, const Chip &chip) const override;
  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;
};

bool LatentAttentionEmitter::match(func::FuncOp kernel,
                                   const Chip &chip) const {
  std::optional<LatentShape> shape = getLatentShape(kernel);
  return shape && shape->latent <= 512 && shape->width % 32 == 0 &&
         shape->latent % 8 == 0 && choosePlan(*shape, chip).heads;
}

Configuration LatentAttentionEmitter::configure(func::FuncOp kernel,
                                                const Chip &chip) const {
  Builder b(kernel.getContext());
  LatentShape shape = *getLatentShape(kernel);
  Plan plan = choosePlan(shape, chip);
  Splitting splitting = chooseSplitting(shape, chip, plan.heads);
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  Configuration result = {{number("heads", plan.heads),
                           number("tile", plan.tile),
                           number("stages", plan.stages)},
                          ""};
  addParameters(splitting, b, result.parameters);
  double intensity =
      double(shape.heads) * (shape.width + shape.latent) / shape.width;
  result.reason = llvm::formatv(
      "{0:f0} FLOP a byte of cache; {1} of {2} heads a CTA; {3} stages of {4} "
      "rows in {5} of {6} KB; split up to {7} query rows, chunks of {8}",
      intensity, std::min(plan.heads, shape.heads), shape.heads, plan.stages,
      plan.tile, llvm::divideCeil(plan.sharedBytes(shape), 1024),
      chip.sharedBytes / 1024, splitting.splitRows, splitting.chunk);
  return result;
}

/// The plan of a configuration; errors where it makes no kernel.
FailureOr<Plan> readPlan(func::FuncOp kernel, DictionaryAttr parameters,
                         const LatentShape &shape, const Chip &chip) {
  auto heads = getParameter(kernel, parameters, "heads", 16, 32);
  auto tile = getParameter(kernel, parameters, "tile", 32, 64);
  auto stages = getParameter(kernel, parameters, "stages", 2, 8);
  if (failed(heads) || failed(tile) || failed(stages))
    return failure();
  Plan plan = {*heads, *tile, *stages};
  auto error = [&] {
    return kernel.emitError() << "the configuration of kernel '"
                              << kernel.getName() << "': expected ";
  };
  if (plan.heads % 16 || shape.latent % (16 * plan.warps()))
    return error() << "'heads' to be 16, or 32 for a latent size that is a "
                      "multiple of 128, got "
                   << plan.heads << " for " << shape.latent;
  if (plan.tile % 32 || shape.page % plan.tile)
    return error() << "'tile' to be 32 or 64 and to divide a page of "
                   << shape.page << " rows, got " << plan.tile;
  if (plan.sharedBytes(shape) > chip.sharedBytes)
    return error() << "at most " << chip.sharedBytes
                   << " bytes of shared memory, got " << plan.sharedBytes(shape)
                   << "; take fewer 'heads' or 'stages', or a smaller 'tile'";
  return plan;
}

LogicalResult LatentAttentionEmitter::emit(func::FuncOp kernel,
                                           DictionaryAttr parameters,
                                           LaunchBuilder &launch) const {
  LatentShape shape = *getLatentShape(kernel);
  FailureOr<Plan> plan =
      readPlan(kernel, parameters, shape, launch.getDevice().chip);
  if (failed(plan))
    return failure();
  FailureOr<Splitting> splitting =
      readSplitting(kernel, parameters, plan->tile);
  if (failed(splitting))
    return failure();
  launchLatentAttention(launch, shape, *splitting, plan->heads, plan->threads(),
                        [&](KernelBuilder &k, bool isSplit) {
                          RowWriter rows(k, shape, *plan, splitting->chunk);
                          isSplit ? rows.split() : rows.walk();
                        });
  return success();
}

} // namespace

const KernelEmitter *deepseek::getLatentAttentionEmitter() {
  static const LatentAttentionEmitter emitter;
  return &emitter;
}
