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
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/MmaLinear.h"

#include "lib/Target/NVPTX/Kernels/LinearCta.h"
#include "lib/Target/NVPTX/Kernels/MmaFragments.h"
#include "lib/Target/NVPTX/Kernels/MmaStage.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

MmaOperands::MmaOperands(const LinearProblem &problem, const Chip &chip)
    : fp8Input(problem.isScaled()), fp8Weight(problem.hasFp8Weight()),
      transposed(problem.transposed), fp8Mma(fp8Input && chip.fp8Mma),
      chunk(fp8Weight ? 128 : 64),
      chunks(llvm::divideCeil(problem.inner, chunk)), xBytes(fp8Input ? 1 : 2),
      wBytes(fp8Weight ? 1 : 2), xRows(chunk * xBytes / kRowBytes) {}

int64_t deepseek::getSharedBytes(const MmaOperands &operands,
                                 const MmaTile &tile) {
  SumTile sums;
  sums.ranges = tile.warpsK;
  sums.tokens = tile.tokens;
  sums.outputs = tile.outputs;
  return std::max(tile.stages * getStageBytes(operands, tile), sums.bytes());
}

namespace {

class MmaLinear {
public:
  MmaLinear(LaunchBuilder &launch, const LinearProblem &problem,
            const MmaTile &tile)
      : tile(tile), operands(problem, launch.getDevice().chip),
        problem(problem), cta(launch, problem, tile.outputs, tile.tokens),
        k(launch, "t" + std::to_string(tile.tokens), cta.parameterTypes(),
          tile.threads()) {}

  void run();

private:
  SmallVector<Val> sumAll();
  SmallVector<Val> sumRange(Val place, Val first);
  SmallVector<Val> advance(Val chunk, ArrayRef<Val> carried);
  SmallVector<Val> multiplyChunk(Val buffer, ArrayRef<Val> before);
  void multiplyTokens(Val buffer, int64_t n, int64_t count,
                      MutableArrayRef<Val> sums);
  void addProducts(Val buffer, int64_t m, int64_t n, ArrayRef<Val> products,
                   MutableArrayRef<Val> sums);
  void storeSums(const SumTile &target, ArrayRef<Val> sums);

  /// Where the four sums of a fragment are among a warp's.
  int64_t fragmentIndex(int64_t m, int64_t n) const {
    return (m * tile.fragmentsN() + n) * 4;
  }
  int64_t sumCount() const { return fragmentIndex(tile.fragmentsM(), 0); }
  /// Chunks that a warp meets.
  int64_t chunksToDo() const {
    return stage->chunksPerRange() * (tile.ranges / tile.warpsK);
  }

  const MmaTile &tile;
  MmaOperands operands;
  const LinearProblem &problem;
  LinearCta cta;
  KernelBuilder k;
  std::optional<MmaFragments> fragments;
  std::optional<MmaStage> stage;
  Val buffers, warpM, warpN, warpK;
};

void MmaLinear::run() {
  // ptxas would otherwise save registers for more CTAs than fit, and spill.
  k.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                           k.getI32IntegerAttr(1));
  buffers = k.shared(getSharedBytes(operands, tile), 1024);
  cta.build(k, [&] {
    Val warp = k.warp();
    warpM = warp % tile.warpsM;
    warpN = warp / tile.warpsM % tile.warpsN;
    warpK = warp / (tile.warpsM * tile.warpsN);
    fragments.emplace(k, operands, tile, warpM, warpN);
    stage.emplace(k, problem, tile, cta, *fragments);
    SumTile sums = cta.sumTile(buffers, tile.warpsK);
    storeSums(sums, sumAll());
    cta.storeResult(sums);
  });
  cta.launchAll(k);
}

/// This warp's sums over the inner dimension, or over its range of it.
SmallVector<Val> MmaLinear::sumAll() {
  for (int64_t chunk = 0; chunk < tile.stages - 1; ++chunk) {
    if (chunk < chunksToDo())
      stage->copyChunk(k.at(buffers, chunk * getStageBytes(operands, tile)),
                       k.i32(chunk));
    k.commitCopies();
  }
  SmallVector<Val> sums;
  if (tile.warpsK == tile.ranges) {
    sums = sumRange(k.i32(0), k.i32(0));
  } else {
    // -0 plus the first sum is that sum.
    SmallVector<Val> totals(sumCount() + 1, k.f32(-0.0));
    totals.front() = k.i32(0);
    sums = k.forLoop(k.i32(0), k.i32(tile.ranges), k.i32(1), totals,
                     [&](Val range, ArrayRef<Val> before) {
                       SmallVector<Val> after = sumRange(
                           before.front(), range * stage->chunksPerRange());
                       for (size_t i = 1; i < after.size(); ++i)
                         after[i] = before[i] + after[i];
                       return after;
                     });
  }
  sums.erase(sums.begin());
  return sums;
}

/// The range whose first chunk is `first` and is, or will be, in stage number
/// `place`: where the next one is, and the sums.
SmallVector<Val> MmaLinear::sumRange(Val place, Val first) {
  SmallVector<Val> carried(sumCount() + 1, k.f32(0.0));
  carried.front() = place;
  return k.forLoop(
      first, first + stage->chunksPerRange(), k.i32(1), carried,
      [&](Val chunk, ArrayRef<Val> values) { return advance(chunk, values); });
}

/// One chunk, in the stage whose number is the first carried value.
SmallVector<Val> MmaLinear::advance(Val chunk, ArrayRef<Val> carried) {
  int64_t stageBytes = getStageBytes(operands, tile);
  int64_t copies = tile.stages - 1; // under way at a time
  Val place = carried.front();
  k.waitForCopies(copies - 1);
  // All have this chunk, and none reads the one before any more.
  k.barrier();
  Val free = k.select(place == 0, k.i32(copies), place - 1);
  k.ifThen(chunk + copies < chunksToDo(), [&] {
    stage->copyChunk(k.at(buffers, free * stageBytes), chunk + copies);
  });
  k.commitCopies();
  SmallVector<Val> next =
      multiplyChunk(k.at(buffers, place * stageBytes), carried.drop_front());
  next.insert(next.begin(), k.select(place == copies, k.i32(0), place + 1));
  return next;
}

SmallVector<Val> MmaLinear::multiplyChunk(Val buffer, ArrayRef<Val> before) {
  SmallVector<Val> sums(before);
  // Scaled products are registers of their own, so not of all tokens at a time.
  int64_t all = tile.fragmentsN();
  int64_t count = operands.fp8Weight ? std::min<int64_t>(4, all) : all;
  for (int64_t n = 0; n < all; n += count)
    multiplyTokens(buffer, n, count, sums);
  return sums;
}

/// Adds the products of a chunk to the sums of tokens [8 n, 8 (n + count)) of
/// this warp.
void MmaLinear::multiplyTokens(Val buffer, int64_t n, int64_t count,
                               MutableArrayRef<Val> sums) {
  Val weight = stage->weight(buffer, warpK);
  Val input = stage->input(buffer, warpK);
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
      addProducts(buffer, m, n + i, products[m * count + i], sums);
}

/// Scales the products of a fragment and adds them to its sums.
void MmaLinear::addProducts(Val buffer, int64_t m, int64_t n,
                            ArrayRef<Val> products, MutableArrayRef<Val> sums) {
  MutableArrayRef<Val> own = sums.slice(fragmentIndex(m, n), 4);
  if (!operands.fp8Weight) {
    llvm::copy(products, own.begin());
    return;
  }
  Val scale =
      stage->loadWeightScale(buffer, warpK, warpM * tile.fragmentsM() + m);
  // What the widening of two e4m3 left out.
  if (operands.isWidened() && operands.fp8Input)
    scale = scale * 0x1p16;
  SmallVector<Val> scales(2, scale);
  if (operands.fp8Input) {
    Val token = (warpN * tile.fragmentsN() + n) * 8 + (k.lane() & 3) * 2;
    Val both = stage->loadInputScales(buffer, warpK, token);
    for (int64_t i = 0; i < 2; ++i)
      scales[i] = k.extract(both, i) * scale;
  }
  for (int64_t i = 0; i < 4; ++i)
    own[i] = k.fma(products[i], scales[i % 2], own[i]);
}

/// Into the tile of sums, which takes the place of the stages.
void MmaLinear::storeSums(const SumTile &target, ArrayRef<Val> sums) {
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
