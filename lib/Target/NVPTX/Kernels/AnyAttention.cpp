//===- AnyAttention.cpp - Expanded attention, mma.sync --------------------===//
//
// One CTA has one head of `rows` consecutive query rows of a sequence, a warp
// 16 of them, and walks the sequence's cached rows in tiles, counted from
// position 0:
//
//   for tile up to the last row's own:               (cp.async, `stages` deep)
//     s = q[rows, D+R] k[tile, D+R]^T * scale        minus infinity if not seen
//     m' = max(m, rowmax s)
//     p = 2^(s - m')
//     a = 2^(m - m')
//     l = l * a + sum p
//     o = o * a + bf16(p) v[tile, Dv]
//   y = o / l
//
// Queries, scores and probabilities stay in registers. A tile that a row does
// not see changes none of its bits (p = 0, a = 1), and a warp leaves out those
// that none of its rows sees: a row's bits do not depend on the rows beside it.
//
// Blocks of queries are found from the prefix sums: those of sequence b begin
// at block cu_q[b] / rows + b, which leaves room for all of them.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/ArgumentView.h"
#include "lib/Target/NVPTX/Kernels/Attention.h"
#include "lib/Target/NVPTX/Kernels/Kernels.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr double kLog2E = 1.4426950408889634;
constexpr int64_t kPiece = 16;

using Vals = SmallVector<Val>;

/// An operand [rows, heads, columns] or [rows, columns] of bf16, in elements of
/// an argument.
struct Operand3D {
  unsigned argument;
  int64_t offset, rowStride, headStride;
};

/// attention of bf16: heads, D, R and Dv.
struct Problem {
  int64_t heads, nope, rope, value;
  double scale;
  Operand3D queryNope, queryRope, keyValue, keyRope;
  unsigned cuQueries, cuRows;

  int64_t keyWidth() const { return nope + rope; }
  int64_t keyStride() const { return keyWidth() * 2 + kPiece; }
  int64_t valueStride() const { return value * 2 + kPiece; }
};

std::optional<Operand3D> readOperand(Value value) {
  std::optional<ArgumentView> view = viewOf(value);
  if (!view || !getElementTypeOrSelf(value).isBF16() ||
      view->strides.back() != 1)
    return std::nullopt;
  bool hasHeads = view->strides.size() == 3;
  Operand3D operand = {view->argument, view->offset, view->strides.front(),
                       hasHeads ? view->strides[1] : 0};
  // Rows are copied 16 bytes at once.
  for (int64_t number : {operand.offset, operand.rowStride, operand.headStride})
    if (number % 8)
      return std::nullopt;
  return operand;
}

/// The problem, if attention is all that the kernel does.
std::optional<Problem> readProblem(func::FuncOp kernel) {
  Operation *end = kernel.getBody().front().getTerminator();
  if (end->getNumOperands() != 1)
    return std::nullopt;
  auto op = end->getOperand(0).getDefiningOp<AttentionOp>();
  if (!op || !getElementTypeOrSelf(op.getResult()).isBF16())
    return std::nullopt;
  auto cuQueries = dyn_cast<BlockArgument>(op.getCuQLens());
  auto cuRows = dyn_cast<BlockArgument>(op.getCuKvLens());
  std::optional<Operand3D> queryNope = readOperand(op.getQNope()),
                           queryRope = readOperand(op.getQRope()),
                           keyValue = readOperand(op.getKv()),
                           keyRope = readOperand(op.getKRope());
  if (!cuQueries || !cuRows || !queryNope || !queryRope || !keyValue ||
      !keyRope)
    return std::nullopt;
  auto nope = cast<RankedTensorType>(op.getQNope().getType());
  auto rope = cast<RankedTensorType>(op.getQRope().getType());
  auto result = cast<RankedTensorType>(op.getResult().getType());
  Problem problem = {nope.getDimSize(1),
                     nope.getDimSize(2),
                     rope.getDimSize(2),
                     result.getDimSize(2),
                     op.getScale().convertToDouble(),
                     *queryNope,
                     *queryRope,
                     *keyValue,
                     *keyRope,
                     cuQueries.getArgNumber(),
                     cuRows.getArgNumber()};
  if (ShapedType::isDynamicShape(
          {problem.heads, problem.nope, problem.rope, problem.value}))
    return std::nullopt;
  return problem;
}

struct Plan {
  int64_t rows, tile, stages;

  int64_t warps() const { return rows / 16; }
  int64_t sharedBytes(const Problem &problem) const {
    return rows * problem.keyStride() +
           stages * tile * (problem.keyStride() + problem.valueStride());
  }
};

//===----------------------------------------------------------------------===//
// The device function
//===----------------------------------------------------------------------===//

enum Parameter {
  kQueryNope,
  kQueryRope,
  kKeyValue,
  kKeyRope,
  kCuQueries,
  kCuRows,
  kResult,
  kSequences
};

/// One CTA's head and query rows.
class BlockWriter {
public:
  BlockWriter(KernelBuilder &k, const Problem &problem, const Plan &plan);
  void write();

private:
  // What is carried from tile to tile, of two rows each: the largest score and
  // the sum; then the values.
  static constexpr int64_t kLargest = 0, kSum = 2, kValues = 4;

  void findBlock();
  void copyQueries();
  void copyTile(Val tile);
  void walk();
  SmallVector<Vals> loadQueries();
  Vals attendTile(Val tile, ArrayRef<Vals> queries, ArrayRef<Val> carried);
  SmallVector<Vals> computeScores(Val tile, ArrayRef<Vals> queries);
  void weighScores(MutableArrayRef<Vals> scores, MutableArrayRef<Val> carried);
  void addValues(Val tile, ArrayRef<Vals> weights, MutableArrayRef<Val> values);
  void storeRows(ArrayRef<Val> carried);

  Val minusInfinity() {
    return k.f32(-std::numeric_limits<double>::infinity());
  }
  /// Of row `row` and head `head`.
  Val address(Parameter base, const Operand3D &operand, Val row) {
    Val element = k.toI64(row) * operand.rowStride +
                  k.toI64(head) * operand.headStride + operand.offset;
    return k.at(k.param(base), element * 2);
  }
  Val stageOf(Val base, Val tile, int64_t stride) {
    return k.at(base, tile % plan.stages * (plan.tile * stride));
  }

  KernelBuilder &k;
  const Problem &problem;
  const Plan &plan;
  Val head, lane, warp;
  // The block's first query row, the sequence's end; the cached row that the
  // first query row is; the sequence's first cached row.
  Val firstRow, rowEnd, firstPosition, firstCached;
  Val tileEnd, warpTileEnd; // of the CTA, of the warp
  Val position;             // of the first row of the lane's fragments
  Val queries, keys, values;
};

BlockWriter::BlockWriter(KernelBuilder &k, const Problem &problem,
                         const Plan &plan)
    : k(k), problem(problem), plan(plan), head(k.blockId(1)), lane(k.lane()),
      warp(k.warp()) {
  queries = k.shared(plan.rows * problem.keyStride());
  keys = k.shared(plan.stages * plan.tile * problem.keyStride());
  values = k.shared(plan.stages * plan.tile * problem.valueStride());
}

void BlockWriter::findBlock() {
  auto read = [&](Parameter sums, Val index) {
    return k.loadConstant(k.getI32Type(), k.at(k.param(sums), index * 4));
  };
  auto firstBlock = [&](Val sequence) {
    return read(kCuQueries, sequence) / plan.rows + sequence;
  };
  // Late blocks have most to do and start first.
  Val block = k.gridSize(0) - 1 - k.blockId(0);
  Val sequence = countSequences(k, k.param(kSequences) - 1, [&](Val b) {
    return firstBlock(b + 1) <= block;
  });
  Val queryBegin = read(kCuQueries, sequence);
  firstRow = queryBegin + (block - firstBlock(sequence)) * plan.rows;
  rowEnd = read(kCuQueries, sequence + 1);
  firstCached = read(kCuRows, sequence);
  Val cached = read(kCuRows, sequence + 1) - firstCached;
  firstPosition = cached - (rowEnd - firstRow);
  auto tilesOf = [&](Val end) {
    Val last = k.min(end, rowEnd) - firstRow + firstPosition;
    return k.ceilDiv(last, plan.tile);
  };
  tileEnd = tilesOf(firstRow + plan.rows);
  Val warpRow = firstRow + warp * 16;
  warpTileEnd = k.select(warpRow < rowEnd, tilesOf(warpRow + 16), k.i32(0));
  position = firstPosition + warp * 16 + (lane >> 2);
}

//===----------------------------------------------------------------------===//
// Copies into shared memory
//===----------------------------------------------------------------------===//

void BlockWriter::copyQueries() {
  auto copy = [&](Parameter base, const Operand3D &operand, int64_t width,
                  int64_t column) {
    copyRows(k, plan.rows, width * 2, k.at(queries, column * 2),
             problem.keyStride(), address(base, operand, firstRow),
             operand.rowStride * 2,
             [&](Val row) { return firstRow + row < rowEnd; });
  };
  copy(kQueryNope, problem.queryNope, problem.nope, 0);
  copy(kQueryRope, problem.queryRope, problem.rope, problem.nope);
}

/// Keys and values of the tile; zeros after the last row that the block sees.
void BlockWriter::copyTile(Val tile) {
  Val first = firstCached + tile * plan.tile;
  Val seen = firstPosition + (k.min(firstRow + plan.rows, rowEnd) - firstRow);
  auto copy = [&](Val target, int64_t stride, Parameter base,
                  const Operand3D &operand, int64_t width) {
    copyRows(k, plan.tile, width * 2, target, stride,
             address(base, operand, first), operand.rowStride * 2,
             [&](Val row) { return tile * plan.tile + row < seen; });
  };
  Val key = stageOf(keys, tile, problem.keyStride());
  Operand3D value = problem.keyValue;
  value.offset += problem.nope;
  copy(key, problem.keyStride(), kKeyValue, problem.keyValue, problem.nope);
  copy(k.at(key, problem.nope * 2), problem.keyStride(), kKeyRope,
       problem.keyRope, problem.rope);
  copy(stageOf(values, tile, problem.valueStride()), problem.valueStride(),
       kKeyValue, value, problem.value);
}

//===----------------------------------------------------------------------===//
// One tile
//===----------------------------------------------------------------------===//

/// The warp's 16 query rows, a fragment for 16 columns each.
SmallVector<Vals> BlockWriter::loadQueries() {
  Val query = k.at(queries, (warp * 16 + (lane & 15)) * problem.keyStride() +
                                (lane >> 4) * kPiece);
  SmallVector<Vals> fragments;
  for (int64_t column = 0; column < problem.keyWidth(); column += 16)
    fragments.push_back(k.loadMatrices(k.at(query, column * 2)));
  return fragments;
}

/// One fragment for eight cached rows, in units of log2; minus infinity for
/// rows not seen.
SmallVector<Vals> BlockWriter::computeScores(Val tile, ArrayRef<Vals> queries) {
  Val key = k.at(stageOf(keys, tile, problem.keyStride()),
                 ((lane & 7) + (lane >> 4) * 8) * problem.keyStride() +
                     ((lane >> 3) & 1) * kPiece);
  SmallVector<Vals> scores(plan.tile / 8, Vals(4, k.f32(0.0)));
  for (auto [step, query] : llvm::enumerate(queries))
    for (int64_t row = 0; row < plan.tile; row += 16) {
      Vals b = k.loadMatrices(k.at(key, row * problem.keyStride() + step * 32));
      for (int64_t half : {0, 1}) {
        Vals &score = scores[row / 8 + half];
        score = k.mmaBf16(query, ArrayRef(b).slice(2 * half, 2), score);
      }
    }
  Val first = tile * plan.tile + (lane & 3) * 2;
  for (auto [i, score] : llvm::enumerate(scores))
    for (int64_t j = 0; j < 4; ++j)
      score[j] = k.select(first + (8 * i + j % 2) <= position + j / 2 * 8,
                          score[j] * (problem.scale * kLog2E), minusInfinity());
  return scores;
}

/// Scores become 2^(s - m'); largest, sum and values follow.
void BlockWriter::weighScores(MutableArrayRef<Vals> scores,
                              MutableArrayRef<Val> carried) {
  for (int64_t half : {0, 1}) {
    Val before = carried[kLargest + half], largest = before;
    for (const Vals &score : scores)
      largest = k.max(largest, k.max(score[2 * half], score[2 * half + 1]));
    for (int64_t mask : {1, 2})
      largest = k.max(largest, k.shuffleXor(largest, mask));
    Val factor = k.exp2(before - largest), added = k.f32(0.0);
    for (Vals &score : scores) {
      for (int64_t j : {2 * half, 2 * half + 1})
        score[j] = k.exp2(score[j] - largest);
      added = added + (score[2 * half] + score[2 * half + 1]);
    }
    carried[kLargest + half] = largest;
    carried[kSum + half] = k.fma(carried[kSum + half], factor, added);
    for (int64_t i = kValues, e = carried.size(); i < e; i += 4)
      for (int64_t j : {2 * half, 2 * half + 1})
        carried[i + j] = carried[i + j] * factor;
  }
}

void BlockWriter::addValues(Val tile, ArrayRef<Vals> weights,
                            MutableArrayRef<Val> sums) {
  Val value = k.at(stageOf(values, tile, problem.valueStride()),
                   (lane & 15) * problem.valueStride() + (lane >> 4) * kPiece);
  for (int64_t row = 0; row < plan.tile; row += 16) {
    // Fragments of scores side by side are one of probabilities.
    const Vals &left = weights[row / 8], &right = weights[row / 8 + 1];
    Vals a = {k.packBf16(left[0], left[1]), k.packBf16(left[2], left[3]),
              k.packBf16(right[0], right[1]), k.packBf16(right[2], right[3])};
    for (int64_t column = 0; column < problem.value; column += 16) {
      Vals b =
          k.loadMatrices(k.at(value, row * problem.valueStride() + column * 2),
                         /*transposed=*/true);
      for (int64_t half : {0, 1}) {
        auto c = sums.slice((column / 8 + half) * 4, 4);
        llvm::copy(
            k.mmaBf16(a, ArrayRef(b).slice(2 * half, 2), ArrayRef<Val>(c)),
            c.begin());
      }
    }
  }
}

Vals BlockWriter::attendTile(Val tile, ArrayRef<Vals> queries,
                             ArrayRef<Val> carried) {
  return k.ifElse(
      tile < warpTileEnd,
      [&] {
        Vals next(carried);
        SmallVector<Vals> scores = computeScores(tile, queries);
        weighScores(scores, next);
        addValues(tile, scores, MutableArrayRef(next).drop_front(kValues));
        return next;
      },
      [&] { return Vals(carried); });
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

void BlockWriter::walk() {
  copyQueries();
  for (int64_t tile = 0; tile < plan.stages - 1; ++tile) {
    k.ifThen(k.i32(tile) < tileEnd, [&] { copyTile(k.i32(tile)); });
    k.commitCopies();
  }
  k.waitForCopies(plan.stages - 2);
  k.barrier();
  SmallVector<Vals> fragments = loadQueries();
  Vals initial(2, minusInfinity());
  initial.append(2 + problem.value / 8 * 4, k.f32(0.0));
  Vals total = k.forLoop(k.i32(0), tileEnd, k.i32(1), initial,
                         [&](Val tile, ArrayRef<Val> carried) {
                           k.waitForCopies(plan.stages - 2);
                           // The tile has arrived, and nobody reads the one
                           // before any more.
                           k.barrier();
                           Val ahead = tile + (plan.stages - 1);
                           k.ifThen(ahead < tileEnd, [&] { copyTile(ahead); });
                           k.commitCopies();
                           return attendTile(tile, fragments, carried);
                         });
  storeRows(total);
}

void BlockWriter::storeRows(ArrayRef<Val> carried) {
  Operand3D result = {0, 0, problem.heads * problem.value, problem.value};
  for (int64_t half : {0, 1}) {
    Val sum = carried[kSum + half];
    for (int64_t mask : {1, 2})
      sum = sum + k.shuffleXor(sum, mask);
    Val inverse = k.f32(1.0) / sum;
    Val row = firstRow + warp * 16 + (lane >> 2) + half * 8;
    k.ifThen(row < rowEnd, [&] {
      Val target = k.at(address(kResult, result, row), (lane & 3) * 4);
      for (int64_t column = 0; column < problem.value; column += 8) {
        int64_t first = kValues + column / 2 + 2 * half;
        k.store(
            k.packBf16(carried[first] * inverse, carried[first + 1] * inverse),
            k.at(target, column * 2));
      }
    });
  }
}

void BlockWriter::write() {
  findBlock();
  // Sequences leave blocks over.
  k.ifThen(firstRow < rowEnd, [&] { walk(); });
}

//===----------------------------------------------------------------------===//
// The emitter
//===----------------------------------------------------------------------===//

/// Of those that fit, the one that copies fewest bytes for a query row and
/// loads most at once: many rows, then long tiles.
Plan choosePlan(const Problem &problem, const Chip &chip) {
  for (int64_t rows : {128, 64})
    for (int64_t tile : {64, 32}) {
      Plan plan = {rows, tile, 2};
      if (plan.sharedBytes(problem) <= chip.sharedBytes)
        return plan;
    }
  return {0, 0, 0};
}

class AttentionEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_attention"; }

  bool match(func::FuncOp kernel, const Chip &chip) const override {
    std::optional<Problem> problem = readProblem(kernel);
    // Queries and values are kept in registers.
    return problem && problem->nope % 16 == 0 && problem->rope % 16 == 0 &&
           problem->value % 16 == 0 && problem->keyWidth() <= 256 &&
           problem->value <= 128 && choosePlan(*problem, chip).rows;
  }

  Configuration configure(func::FuncOp kernel, const Chip &chip) const override;
  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;
};

Configuration AttentionEmitter::configure(func::FuncOp kernel,
                                          const Chip &chip) const {
  Builder b(kernel.getContext());
  Problem problem = *readProblem(kernel);
  Plan plan = choosePlan(problem, chip);
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  double intensity = plan.rows;
  return {{number("rows", plan.rows), number("tile", plan.tile),
           number("stages", plan.stages)},
          llvm::formatv("{0:f0} FLOP a byte of keys and values; {1} query rows "
                        "a CTA; {2} stages of {3} cached rows in {4} of {5} KB",
                        intensity, plan.rows, plan.stages, plan.tile,
                        llvm::divideCeil(plan.sharedBytes(problem), 1024),
                        chip.sharedBytes / 1024)};
}

FailureOr<Plan> readPlan(func::FuncOp kernel, DictionaryAttr parameters,
                         const Problem &problem, const Chip &chip) {
  auto rows = getParameter(kernel, parameters, "rows", 16, 256);
  auto tile = getParameter(kernel, parameters, "tile", 16, 64);
  auto stages = getParameter(kernel, parameters, "stages", 2, 8);
  if (failed(rows) || failed(tile) || failed(stages))
    return failure();
  Plan plan = {*rows, *tile, *stages};
  auto error = [&] {
    return kernel.emitError() << "the configuration of kernel '"
                              << kernel.getName() << "': expected ";
  };
  if (plan.rows % 16 || plan.tile % 16)
    return error() << "'rows' and 'tile' to be multiples of 16, got "
                   << plan.rows << " and " << plan.tile;
  if (plan.sharedBytes(problem) > chip.sharedBytes)
    return error() << "at most " << chip.sharedBytes
                   << " bytes of shared memory, got "
                   << plan.sharedBytes(problem)
                   << "; take fewer 'rows' or 'stages', or a smaller 'tile'";
  return plan;
}

LogicalResult AttentionEmitter::emit(func::FuncOp kernel,
                                     DictionaryAttr parameters,
                                     LaunchBuilder &launch) const {
  Problem problem = *readProblem(kernel);
  FailureOr<Plan> plan =
      readPlan(kernel, parameters, problem, launch.getDevice().chip);
  if (failed(plan))
    return failure();
  SmallVector<Type> types(kSequences,
                          KernelBuilder::globalType(kernel.getContext()));
  types.push_back(launch.getI32Type());
  KernelBuilder k(launch, "", types, plan->warps() * 32);
  setSingleCta(k);
  BlockWriter(k, problem, *plan).write();

  Value sequences = arith::SubIOp::create(
      launch, launch.size(problem.cuQueries, 0), launch.i64(1));
  Value rows = launch.size(problem.queryNope.argument, 0);
  Value blocks = arith::AddIOp::create(
      launch, arith::DivUIOp::create(launch, rows, launch.i64(plan->rows)),
      sequences);
  SmallVector<Value> arguments;
  for (unsigned argument :
       {problem.queryNope.argument, problem.queryRope.argument,
        problem.keyValue.argument, problem.keyRope.argument, problem.cuQueries,
        problem.cuRows, kernel.getNumArguments() - 1})
    arguments.push_back(launch.data(argument));
  arguments.push_back(launch.toI32(sequences));
  launch.launch(k, {blocks, launch.i64(problem.heads), launch.i64(1)},
                arguments);
  return success();
}

} // namespace

const KernelEmitter *deepseek::getAttentionEmitter() {
  static const AttentionEmitter emitter;
  return &emitter;
}
