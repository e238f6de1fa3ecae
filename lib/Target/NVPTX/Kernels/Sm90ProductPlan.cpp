//===- Sm90ProductPlan.cpp - Products by wgmma: tiles and launches --------===//
//
// Which products the kernels of Sm90Product.cpp can write, how they are cut,
// and which of the device functions of a product is launched.
//
// Few tokens are a matter of reading the weight: its tiles must be on all
// multiprocessors. Where there are too few tiles, K is cut into ranges whose
// partial sums are made by a cluster of CTAs. The cut is the product's, not the
// batch's: with many tokens one CTA makes the same partial sums one by one.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

#include "lib/Target/NVPTX/Kernels/GroupTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

/// A CTA's share of shared memory when several are on a multiprocessor; each
/// takes 1 KB more than it asks for.
static constexpr int64_t kReservedBytes = 1024;
static constexpr int64_t kMostStages = 12, kMostRanges = 8, kMostSharers = 2;

/// Operands of one type, FP8 in blocks of 128; no heads; rows that TMA can
/// address.
static bool isWritable(const LinearProblem &problem, const Chip &chip) {
  if (!chip.wgmma || problem.wType != problem.xType || problem.heads != 1 ||
      problem.transposed)
    return false;
  ProductShape shape(problem);
  if (shape.scaled && (problem.blockRows != kTileRows ||
                       problem.blockColumns != shape.blockElements))
    return false;
  bool quantized = problem.epilogue == LinearProblem::Epilogue::SwigluQuantize;
  if (quantized && problem.quantizeBlock != kTileRows)
    return false;
  constexpr int64_t kTmaBytes = 16;
  auto isAddressable = [&](int64_t elements) {
    return elements * shape.elementBytes % kTmaBytes == 0;
  };
  for (const WeightPiece &piece : problem.pieces)
    if (!isAddressable(piece.offset) || !isAddressable(piece.rowStride) ||
        !isAddressable(piece.batchStride) ||
        (shape.scaled && piece.rowOffset % kTileRows))
      return false;
  return isAddressable(problem.xOffset) && isAddressable(problem.xRowStride) &&
         isAddressable(problem.inner);
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// CTAs on a multiprocessor. Two, so that one reads while the other starts or
/// ends, as long as the sums of a thread fit into half of the registers.
static int64_t getOccupancy(const ProductShape &shape, int64_t tokens) {
  return shape.parts * tokens <= 64 ? 2 : 1;
}

static int64_t chooseStages(const ProductShape &shape, int64_t tokens,
                            const Chip &chip) {
  int64_t room =
      (chip.sharedBytes + kReservedBytes) / getOccupancy(shape, tokens) -
      kReservedBytes;
  int64_t stages = 1, most = std::min(kMostStages, shape.blocks);
  while (stages < most && shape.getSharedBytes(tokens, stages + 1) <= room)
    ++stages;
  return stages;
}

/// Seconds of one token with K in `ranges`: the weight at the bandwidth of the
/// memory, or what a CTA reads at twice its multiprocessor's share of that, and
/// what a cluster costs to start and to add up.
static double estimateSeconds(const ProductShape &shape, int64_t ranges,
                              const Chip &chip) {
  constexpr double kClusterSeconds = 1e-6;
  double tileBytes =
      static_cast<double>(shape.parts) * kTileRows * kBlockBytes * shape.blocks;
  int64_t ctas = shape.weightTiles * ranges;
  int64_t resident = chip.multiprocessors * getOccupancy(shape, 8);
  double multiprocessor = 2 * chip.bandwidth / chip.multiprocessors;
  double each = multiprocessor / llvm::divideCeil(std::min(ctas, resident),
                                                  chip.multiprocessors);
  double waves = llvm::divideCeil(ctas, resident);
  double seconds = std::max(tileBytes * shape.weightTiles / chip.bandwidth,
                            waves * tileBytes / ranges / each);
  return seconds + (ranges > 1 ? kClusterSeconds : 0);
}

static int64_t chooseRange(const ProductShape &shape, const Chip &chip) {
  int64_t blocks = shape.blocks, best = blocks;
  double bestSeconds = estimateSeconds(shape, 1, chip);
  for (int64_t ranges = 2; ranges <= kMostRanges; ranges *= 2) {
    int64_t range = llvm::divideCeil(blocks, ranges);
    double seconds = estimateSeconds(shape, ranges, chip);
    if (llvm::divideCeil(blocks, range) == static_cast<uint64_t>(ranges) &&
        seconds < bestSeconds) {
      best = range;
      bestSeconds = seconds;
    }
  }
  return best;
}

/// A tile of 128 tokens is as large as that of the weight, and worth reading
/// once for two tiles of weight rows.
static bool canShare(const ProductShape &shape, int64_t tokens) {
  return tokens == kTileRows && shape.weightTiles % kMostSharers == 0;
}

static Configuration choosePlan(const LinearProblem &problem, const Chip &chip,
                                MLIRContext *context) {
  ProductShape shape(problem);
  ProductPlan plan;
  // The chosen experts already are on many multiprocessors.
  plan.range = problem.isGrouped() ? shape.blocks : chooseRange(shape, chip);
  // Sums of two parts and 128 tokens do not fit into a thread's registers.
  for (int64_t tokens : {8, 32, 64, 128})
    if (shape.parts * tokens <= 128) {
      plan.tiles.push_back(tokens);
      plan.stages.push_back(chooseStages(shape, tokens, chip));
    }
  plan.sharers = canShare(shape, plan.tiles.back()) ? kMostSharers : 1;
  int64_t ranges = llvm::divideCeil(shape.blocks, plan.range);
  int64_t tiles = shape.weightTiles;
  std::string reason;
  llvm::raw_string_ostream s(reason);
  s << llvm::formatv(
      "memory bound up to {0} tokens{1}; {2} tiles of {3} weight rows{4}",
      static_cast<int64_t>(chip.flops / 2 / chip.bandwidth),
      problem.isGrouped() ? " an expert" : "", tiles, shape.parts * kTileRows,
      problem.isGrouped() ? " an expert" : "");
  if (ranges > 1)
    s << llvm::formatv(", K in {0} ranges by clusters", ranges);
  if (!problem.isGrouped())
    s << llvm::formatv(
        ": {0} CTAs a tile of tokens, {1:f1} us at {2:f2} TB/s", tiles * ranges,
        estimateSeconds(shape, ranges, chip) * 1e6, chip.bandwidth * 1e-12);
  Builder b(context);
  return {{b.getNamedAttr("range", b.getI64IntegerAttr(plan.range)),
           b.getNamedAttr("token_tiles", b.getDenseI64ArrayAttr(plan.tiles)),
           b.getNamedAttr("stages", b.getDenseI64ArrayAttr(plan.stages)),
           b.getNamedAttr("sharers", b.getI64IntegerAttr(plan.sharers))},
          reason};
}

static LogicalResult checkTile(func::FuncOp kernel, const ProductShape &shape,
                               int64_t tokens, int64_t stages,
                               const Chip &chip) {
  auto error = [&] {
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName() << "': ";
  };
  constexpr int64_t kSizes[] = {8, 16, 32, 64, 128};
  if (!llvm::is_contained(kSizes, tokens))
    return error() << "expected 'token_tiles' of 8, 16, 32, 64 and 128, got "
                   << tokens;
  if (shape.parts * tokens > 128)
    return error() << "expected 'token_tiles' up to 64 for gate and up, got "
                   << tokens;
  if (stages < 1 || stages > kMostStages)
    return error() << "expected 'stages' from 1 to " << kMostStages << ", got "
                   << stages;
  int64_t bytes = shape.getSharedBytes(tokens, stages);
  if (bytes > chip.sharedBytes)
    return error() << stages << " stages of " << tokens << " tokens take "
                   << bytes << " bytes of shared memory, " << chip.name
                   << " has " << chip.sharedBytes;
  return success();
}

static FailureOr<ProductPlan> readPlan(func::FuncOp kernel,
                                       const LinearProblem &problem,
                                       DictionaryAttr parameters,
                                       const Chip &chip) {
  ProductShape shape(problem);
  int64_t blocks = shape.blocks;
  FailureOr<int64_t> range =
      getParameter(kernel, parameters, "range",
                   llvm::divideCeil(blocks, kMostRanges), blocks);
  if (failed(range))
    return failure();
  auto tiles = parameters.getAs<DenseI64ArrayAttr>("token_tiles");
  auto stages = parameters.getAs<DenseI64ArrayAttr>("stages");
  if (!tiles || !stages || tiles.empty() || tiles.size() != stages.size() ||
      !llvm::is_sorted(tiles.asArrayRef(), std::less_equal<>()))
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName()
           << "': expected 'token_tiles', ascending, and as many 'stages'";
  bool shared = canShare(shape, tiles.asArrayRef().back());
  FailureOr<int64_t> sharers =
      getParameter(kernel, parameters, "sharers", 1, shared ? kMostSharers : 1);
  if (failed(sharers))
    return failure();
  for (auto [tokens, count] :
       llvm::zip_equal(tiles.asArrayRef(), stages.asArrayRef()))
    if (failed(checkTile(kernel, shape, tokens, count, chip)))
      return failure();
  return ProductPlan{*range, llvm::to_vector(tiles.asArrayRef()),
                     llvm::to_vector(stages.asArrayRef()), *sharers};
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

namespace {

class ProductLauncher {
public:
  ProductLauncher(LaunchBuilder &launch, const LinearProblem &problem,
                  const ProductPlan &plan)
      : launch(launch), problem(problem), shape(problem), plan(plan),
        rows(launch.size(problem.y, 0)) {}

  void run();

private:
  int64_t getRowLimit(size_t index);
  void launchFrom(size_t index);
  void launchVariant(size_t index);
  Value countTokenTiles(int64_t tokens);
  TensorMap mapOf(unsigned argument, int64_t offset);
  Value xMap(const ProductVariant &variant);
  Value weightMap(const WeightPiece &piece);

  LaunchBuilder &launch;
  const LinearProblem &problem;
  const ProductShape shape;
  const ProductPlan &plan;
  Value rows;
};

/// The most rows for which the device function of tile `index` is launched. A
/// group should seldom need a second tile; where the ranges of K are made by
/// clusters, until tiles alone fill the chip.
int64_t ProductLauncher::getRowLimit(size_t index) {
  int64_t limit = plan.tiles[index];
  if (problem.isGrouped())
    return std::max<int64_t>(limit * problem.groups / 2, 1);
  bool nextIsLast = index + 2 == plan.tiles.size();
  if (!nextIsLast || plan.range == shape.blocks)
    return limit;
  int64_t half = launch.getDevice().chip.multiprocessors / 2;
  return std::max<int64_t>(
      limit, plan.tiles.back() * llvm::divideCeil(half, shape.weightTiles));
}

/// Only what is needed, if the number of rows is known.
void ProductLauncher::run() {
  auto y =
      cast<RankedTensorType>(launch.getKernel().getArgumentTypes()[problem.y]);
  if (y.isDynamicDim(0))
    return launchFrom(0);
  size_t index = 0;
  while (index + 1 < plan.tiles.size() && y.getDimSize(0) > getRowLimit(index))
    ++index;
  launchVariant(index);
}

void ProductLauncher::launchFrom(size_t index) {
  if (index + 1 == plan.tiles.size())
    return launchVariant(index);
  launch.ifElse(
      launch.lessOrEqual(rows, getRowLimit(index)),
      [&] { launchVariant(index); }, [&] { launchFrom(index + 1); });
}

Value ProductLauncher::countTokenTiles(int64_t tokens) {
  if (!problem.isGrouped())
    return launch.ceilDiv(rows, tokens);
  return mostGroupTiles(launch, rows, problem.groups, tokens);
}

/// Of an operand whose rows of K begin `offset` elements into the argument.
TensorMap ProductLauncher::mapOf(unsigned argument, int64_t offset) {
  TensorMap map;
  map.address =
      launch.at(launch.data(argument), launch.i64(offset * shape.elementBytes));
  map.element = problem.wType;
  map.sizes = {launch.i64(problem.inner)};
  map.box = {shape.blockElements};
  map.swizzleBytes = kBlockBytes;
  return map;
}

Value ProductLauncher::xMap(const ProductVariant &variant) {
  TensorMap map = mapOf(problem.x, problem.xOffset);
  // A map of no rows is none.
  map.sizes.push_back(arith::MaxUIOp::create(launch, rows, launch.i64(1)));
  map.strides = {launch.i64(problem.xRowStride * shape.elementBytes)};
  map.box.push_back(variant.tokens / variant.sharers);
  return launch.tensorMap(map);
}

Value ProductLauncher::weightMap(const WeightPiece &piece) {
  int64_t batchStride =
      problem.isGrouped() ? piece.batchStride : piece.outputs * piece.rowStride;
  TensorMap map = mapOf(piece.argument, piece.offset);
  map.sizes.append({launch.i64(piece.outputs), launch.i64(problem.groups)});
  map.strides = {launch.i64(piece.rowStride * shape.elementBytes),
                 launch.i64(batchStride * shape.elementBytes)};
  map.box.append({kTileRows, 1});
  return launch.tensorMap(map);
}

void ProductLauncher::launchVariant(size_t index) {
  ProductVariant variant;
  variant.tokens = plan.tiles[index];
  variant.stages = plan.stages[index];
  variant.blocksPerRange = plan.range;
  variant.ranges = llvm::divideCeil(shape.blocks, plan.range);
  bool isLast = index + 1 == plan.tiles.size();
  // The sums of gate, up and all ranges are too many for one thread.
  variant.clustered = variant.ranges > 1 && (!isLast || problem.isGated());
  variant.sharers = isLast ? plan.sharers : 1;
  variant.occupancy = getOccupancy(shape, variant.tokens);
  // ptxas refuses to move them in kernels that divide, as those of gates do.
  variant.movesRegisters = variant.tokens == 128;
  KernelBuilder k(launch, "n" + std::to_string(variant.tokens),
                  getSm90ProductParameters(launch.getContext(), problem),
                  getSm90ProductThreads());
  buildSm90Product(k, problem, variant);

  SmallVector<Value> arguments = {xMap(variant)};
  for (const WeightPiece &piece : problem.pieces)
    arguments.push_back(weightMap(piece));
  Value y = launch.data(problem.y);
  auto dataOr = [&](std::optional<unsigned> argument) {
    return argument ? launch.data(*argument) : y;
  };
  arguments.push_back(dataOr(problem.xScale));
  for (const WeightPiece &piece : problem.pieces)
    arguments.push_back(dataOr(piece.scales));
  arguments.append({y, dataOr(problem.yScale), dataOr(problem.offsets)});
  arguments.push_back(launch.toI32(rows));
  Value ctas =
      launch.mul(countTokenTiles(variant.tokens),
                 launch.i64(shape.weightTiles * variant.ctasPerTile()));
  launch.launch(k, {ctas, launch.i64(1), launch.i64(1)}, arguments);
}

} // namespace

//===----------------------------------------------------------------------===//
// Emitter
//===----------------------------------------------------------------------===//

bool Sm90ProductEmitter::match(func::FuncOp kernel, const Chip &chip) const {
  std::optional<LinearProblem> problem = LinearProblem::parse(kernel);
  return problem && isWritable(*problem, chip) && writes(*problem);
}

Configuration Sm90ProductEmitter::configure(func::FuncOp kernel,
                                            const Chip &chip) const {
  return choosePlan(*LinearProblem::parse(kernel), chip, kernel.getContext());
}

LogicalResult Sm90ProductEmitter::emit(func::FuncOp kernel,
                                       DictionaryAttr parameters,
                                       LaunchBuilder &launch) const {
  LinearProblem problem = *LinearProblem::parse(kernel);
  FailureOr<ProductPlan> plan =
      readPlan(kernel, problem, parameters, launch.getDevice().chip);
  if (failed(plan))
    return failure();
  ProductLauncher(launch, problem, *plan).run();
  return success();
}
