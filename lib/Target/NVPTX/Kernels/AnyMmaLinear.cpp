//===- AnyMmaLinear.cpp - Products of every kind, on every chip -----------===//
//
// Which products there are: LinearProblem.h. How a tile is computed:
// MmaLinear.cpp. Here: how large tiles are, and which of them meets how many
// rows.
//
//   launcher: rows <= matvec_rows: Matvec.cpp
//             rows <= 8: tile of 8 tokens; <= 16: of 16; ...; else the largest
//             grouped: rows / groups instead of rows
//
// The weight has the side of 16 rows of mma.sync, so that one token costs no
// more than eight. All tiles add in the same order: see MmaLinear.cpp.
// matvec_rows is 0, unless a person edits it: a fast mode, as the last bits of
// these rows are then others than among many.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/Matvec.h"
#include "lib/Target/NVPTX/Kernels/MmaLinear.h"
#include "lib/Target/NVPTX/Launcher.h"

#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr StringLiteral kOutputs = "outputs", kRanges = "ranges",
                        kStages = "stages", kTokens = "tokens",
                        kMatvecRows = "matvec_rows";
/// A token chooses about so many experts, and the shared one.
constexpr int64_t kActiveGroups = 9;
constexpr int64_t kFewTokens = 32, kMostStages = 8, kMostWarps = 8;

/// The tile of `tokens` tokens; few have the outputs and ranges configured.
MmaTile tileOf(const LinearProblem &problem, const Chip &chip, int64_t outputs,
               int64_t ranges, int64_t tokens) {
  MmaOperands operands(problem, chip);
  MmaTile tile{outputs, tokens, outputs / 16, 1, ranges, ranges, 2};
  if (tokens > kFewTokens) {
    // Two fragments of outputs a warp, and as many of tokens as its registers
    // hold: those of ranges and of products to be scaled are their own.
    bool isFree = outputs < 128;
    if (isFree)
      tile.outputs =
          std::clamp<int64_t>(llvm::PowerOf2Ceil(problem.outputs), 32, 128);
    tile.warpsM = tile.outputs / 32;
    tile.warpsN = tokens / (operands.fp8Weight ? 32 : 64);
    tile.warpsK = 1;
  } else if (tile.warpsM > kMostWarps) {
    tile.warpsM /= 2;
  }
  return tile;
}

/// With as many stages as fit, up to `most`; fewer than 2: it does not fit.
int64_t fitStages(const LinearProblem &problem, const Chip &chip,
                  const MmaTile &tile, int64_t most) {
  MmaOperands operands(problem, chip);
  return std::min(most, chip.sharedBytes / getStageBytes(operands, tile));
}

bool fits(const LinearProblem &problem, const Chip &chip, MmaTile tile,
          int64_t stages) {
  tile.stages = fitStages(problem, chip, tile, stages);
  MmaOperands operands(problem, chip);
  return tile.stages >= 2 && tile.threads() <= 32 * kMostWarps &&
         getSharedBytes(operands, tile) <= chip.sharedBytes;
}

/// Outputs of a tile if there is no choice: a row of transposed weights is 128
/// bytes, a block of what is quantized 128 results, gate and up.
std::optional<int64_t> fixedOutputs(const LinearProblem &problem) {
  if (problem.transposed)
    return 128;
  if (problem.quantizeBlock)
    return 2 * problem.quantizeBlock;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

struct Cost {
  double seconds = 0;
  int64_t ctas, waves, stages;
  int64_t weightBytes;
};

/// Of a step of eight tokens: all CTAs of a multiprocessor one after the other,
/// each as fast as its share of the memory's bandwidth or the copies that it
/// has under way permit.
Cost costOf(const LinearProblem &problem, const Chip &chip, int64_t outputs,
            int64_t ranges, int64_t stages) {
  // Until a copy arrives, and how much more than its share of the bandwidth one
  // multiprocessor can use.
  constexpr double kLatency = 1e-6, kMostShares = 2;
  MmaOperands operands(problem, chip);
  MmaTile tile = tileOf(problem, chip, outputs, ranges, 8);
  Cost cost;
  int64_t tiles = 0;
  for (const WeightPiece &piece : problem.pieces)
    tiles += llvm::divideCeil(piece.outputs, outputs);
  int64_t batches = problem.heads * std::min(problem.groups, kActiveGroups);
  cost.ctas = tiles * batches;
  cost.waves = llvm::divideCeil(cost.ctas, chip.multiprocessors);
  cost.stages = fitStages(problem, chip, tile, stages);
  int64_t chunkBytes = tile.outputs + tile.tokens * operands.xRows;
  double ctaBytes =
      static_cast<double>(chunkBytes) * kRowBytes * operands.chunks;
  double underWay =
      static_cast<double>(cost.stages - 1) * getStageBytes(operands, tile);
  int64_t busy = std::min(cost.ctas, chip.multiprocessors);
  double share = std::min(1.0 / busy, kMostShares / chip.multiprocessors);
  double rate = std::min(chip.bandwidth * share, underWay / kLatency);
  cost.seconds = cost.waves * ctaBytes / rate;
  cost.weightBytes =
      batches * problem.outputs * problem.inner * operands.wBytes;
  return cost;
}

struct Choice {
  int64_t outputs, ranges;
  Cost cost;
};

/// The cheapest; of about equals the widest tile with the fewest ranges.
Choice choose(const LinearProblem &problem, const Chip &chip, int64_t stages) {
  MmaOperands operands(problem, chip);
  std::optional<Choice> best;
  std::optional<int64_t> fixed = fixedOutputs(problem);
  int64_t narrowest = problem.isGated() ? 32 : 16;
  for (int64_t outputs = fixed.value_or(128);
       outputs >= fixed.value_or(narrowest); outputs /= 2)
    for (int64_t ranges = 1; ranges * outputs <= 16 * kMostWarps || ranges == 1;
         ranges *= 2) {
      // Ranges of whole chunks, the last not much shorter.
      int64_t padded = llvm::alignTo(operands.chunks, ranges);
      bool isEven = padded - operands.chunks <= operands.chunks / 8 &&
                    operands.chunks >= 2 * ranges;
      MmaTile tile = tileOf(problem, chip, outputs, ranges, 8);
      if (ranges > 1 && (!isEven || problem.transposed || fixed ||
                         !fits(problem, chip, tile, stages)))
        continue;
      Cost cost = costOf(problem, chip, outputs, ranges, stages);
      if (!best || cost.seconds < 0.97 * best->cost.seconds)
        best = Choice{outputs, ranges, cost};
    }
  return *best;
}

std::string describe(const LinearProblem &problem, const Chip &chip,
                     const Choice &choice) {
  const Cost &cost = choice.cost;
  std::string text;
  llvm::raw_string_ostream stream(text);
  double tokens = chip.flops / chip.bandwidth / 2;
  stream << llvm::format(
                "%.1f MB of weights, %.1f us at %.2f TB/s for 8 rows; ",
                cost.weightBytes / 1e6, cost.seconds * 1e6,
                chip.bandwidth / 1e12)
         << cost.ctas << " CTAs of " << choice.outputs << " outputs in "
         << cost.waves << (cost.waves == 1 ? " wave" : " waves") << ", "
         << choice.ranges << (choice.ranges == 1 ? " range, " : " ranges, ")
         << cost.stages << " stages; memory bound below "
         << static_cast<int64_t>(tokens) << " rows a weight";
  return text;
}

//===----------------------------------------------------------------------===//
// The emitter
//===----------------------------------------------------------------------===//

/// Whether cp.async can copy all rows: multiples of 16 bytes.
bool isAligned(const LinearProblem &problem, const MmaOperands &operands) {
  auto isWhole = [](int64_t elements, int64_t bytes) {
    return elements * bytes % kVectorBytes == 0;
  };
  bool aligned = isWhole(problem.xOffset, operands.xBytes) &&
                 isWhole(problem.xRowStride, operands.xBytes) &&
                 isWhole(problem.xHeadStride, operands.xBytes) &&
                 isWhole(problem.inner, operands.xBytes);
  for (const WeightPiece &piece : problem.pieces)
    aligned &= isWhole(piece.offset, operands.wBytes) &&
               isWhole(piece.batchStride, operands.wBytes) &&
               isWhole(piece.rowStride, operands.wBytes) &&
               (problem.transposed ? isWhole(piece.outputs, operands.wBytes)
                                   : isWhole(problem.inner, operands.wBytes));
  return aligned;
}

/// Whether a chunk of 16 outputs always has one scale.
bool hasUniformScales(const LinearProblem &problem,
                      const MmaOperands &operands) {
  if (!operands.fp8Weight)
    return true;
  for (const WeightPiece &piece : problem.pieces) {
    if (!problem.transposed) {
      if (problem.blockColumns % operands.chunk != 0 ||
          problem.blockRows % 16 != 0 || piece.rowOffset % 16 != 0)
        return false;
      continue;
    }
    if (problem.blockColumns % 16 != 0)
      return false;
    for (int64_t first = 0; first < problem.inner; first += operands.chunk) {
      int64_t last = std::min(first + operands.chunk, problem.inner) - 1;
      if ((piece.rowOffset + first) / problem.blockRows !=
          (piece.rowOffset + last) / problem.blockRows)
        return false;
    }
  }
  return true;
}

class MmaLinearEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_mma_linear"; }

  bool match(func::FuncOp kernel, const Chip &chip) const override {
    std::optional<LinearProblem> problem = LinearProblem::parse(kernel);
    if (!problem || (problem->quantizeBlock && problem->quantizeBlock != 128))
      return false;
    MmaOperands operands(*problem, chip);
    return isAligned(*problem, operands) &&
           hasUniformScales(*problem, operands) &&
           (problem->heads == 1 || problem->pieces.size() == 1);
  }

  Configuration configure(func::FuncOp kernel,
                          const Chip &chip) const override {
    LinearProblem problem = *LinearProblem::parse(kernel);
    constexpr int64_t kStagesWanted = 4;
    Choice choice = choose(problem, chip, kStagesWanted);
    SmallVector<int64_t> tokens;
    for (int64_t count = 8; count <= 128; count *= 2)
      if (fits(problem, chip,
               tileOf(problem, chip, choice.outputs, choice.ranges, count),
               kStagesWanted))
        tokens.push_back(count);
    Builder b(kernel.getContext());
    auto number = [&](StringRef name, int64_t value) {
      return b.getNamedAttr(name, b.getI64IntegerAttr(value));
    };
    return {{number(kOutputs, choice.outputs), number(kRanges, choice.ranges),
             number(kStages, kStagesWanted), number(kMatvecRows, 0),
             b.getNamedAttr(kTokens, b.getDenseI64ArrayAttr(tokens))},
            describe(problem, chip, choice)};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;

private:
  FailureOr<SmallVector<MmaTile>> readTiles(func::FuncOp kernel,
                                            DictionaryAttr parameters,
                                            const LinearProblem &problem,
                                            const Chip &chip) const;
};

/// Reads what a person may have edited.
FailureOr<SmallVector<MmaTile>>
MmaLinearEmitter::readTiles(func::FuncOp kernel, DictionaryAttr parameters,
                            const LinearProblem &problem,
                            const Chip &chip) const {
  auto error = [&]() {
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName() << "' for "
           << chip.name << ": ";
  };
  FailureOr<int64_t> outputs =
      getParameter(kernel, parameters, kOutputs, 16, 256);
  FailureOr<int64_t> ranges =
      getParameter(kernel, parameters, kRanges, 1, kMostWarps);
  FailureOr<int64_t> stages =
      getParameter(kernel, parameters, kStages, 2, kMostStages);
  if (failed(outputs) || failed(ranges) || failed(stages))
    return failure();
  if (!llvm::isPowerOf2_64(*outputs) || !llvm::isPowerOf2_64(*ranges))
    return error() << "expected powers of two for 'outputs' and 'ranges', got "
                   << *outputs << " and " << *ranges;
  std::optional<int64_t> fixed = fixedOutputs(problem);
  if (fixed ? *outputs != *fixed || *ranges != 1
            : problem.isGated() && *outputs < 32)
    return error() << "expected 'outputs' "
                   << (fixed ? "equal to " : "of at least ")
                   << fixed.value_or(32) << (fixed ? " and 'ranges' of 1" : "")
                   << ", got " << *outputs << " and " << *ranges;
  auto tokens = parameters.getAs<DenseI64ArrayAttr>(kTokens);
  if (!tokens || tokens.empty() || !llvm::is_sorted(tokens.asArrayRef()))
    return error() << "expected 'tokens' to be an ascending array<i64: ...>";
  SmallVector<MmaTile> tiles;
  for (int64_t count : tokens.asArrayRef()) {
    if (count < 8 || count > 128 || !llvm::isPowerOf2_64(count))
      return error() << "expected powers of two from 8 to 128 in 'tokens', got "
                     << count;
    MmaTile tile = tileOf(problem, chip, *outputs, *ranges, count);
    if (!fits(problem, chip, tile, *stages))
      return error() << "a tile of " << tile.outputs << " outputs, " << count
                     << " tokens and " << tile.warpsK << " ranges needs "
                     << tile.threads() << " threads and two stages of "
                     << getStageBytes(MmaOperands(problem, chip), tile)
                     << " bytes, of at most " << 32 * kMostWarps << " and "
                     << chip.sharedBytes << " bytes";
    tile.stages = fitStages(problem, chip, tile, *stages);
    tiles.push_back(tile);
  }
  return tiles;
}

LogicalResult MmaLinearEmitter::emit(func::FuncOp kernel,
                                     DictionaryAttr parameters,
                                     LaunchBuilder &launch) const {
  LinearProblem problem = *LinearProblem::parse(kernel);
  FailureOr<SmallVector<MmaTile>> tiles =
      readTiles(kernel, parameters, problem, launch.getDevice().chip);
  if (failed(tiles))
    return failure();
  Value rows = launch.size(problem.y, 0);
  std::function<void(ArrayRef<MmaTile>)> launchOne =
      [&](ArrayRef<MmaTile> rest) {
        const MmaTile &tile = rest.front();
        if (rest.size() == 1)
          return emitMmaLinear(launch, problem, tile);
        launch.ifElse(
            launch.lessOrEqual(rows, tile.tokens * problem.groups),
            [&] { emitMmaLinear(launch, problem, tile); },
            [&] { launchOne(rest.drop_front()); });
      };
  FailureOr<int64_t> matvecRows =
      getParameter(kernel, parameters, kMatvecRows, 0,
                   isMatvec(problem) ? kMostMatvecTokens : 0);
  if (failed(matvecRows))
    return failure();
  if (*matvecRows == 0) {
    launchOne(*tiles);
    return success();
  }
  int64_t active = std::min(problem.groups, kActiveGroups);
  launch.ifElse(
      launch.lessOrEqual(rows, *matvecRows * active),
      [&] { emitMatvec(launch, problem, *matvecRows); },
      [&] { launchOne(*tiles); });
  return success();
}

} // namespace

const KernelEmitter *deepseek::getMmaLinearEmitter() {
  static const MmaLinearEmitter emitter;
  return &emitter;
}
