//===- AnyBlocks.cpp - Blocks of FP8 weights ------------------------------===//
//
//   CTA (i, j, e): block i, j of matrix e, `vector` neighbouring elements a
//   thread and step
//     quantize:            amax  = max over the CTA of |x|
//                          scale = max(amax, 1e-4) / 448 (a power of two)
//                          q     = e4m3(x / scale), x read once more
//     requantize, exact:   codes and scale as they are, the scale in its new
//                          place and type
//     requantize else:     quantize of q * scale in f32
//
// For what is made of weights when a program starts; activations in rows of
// blocks are any_rows'.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/BlockScales.h"
#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"
#include "lib/Target/NVPTX/Kernels/Words.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

using Vals = SmallVector<Val>;

/// What the kernel makes of what.
struct BlockProblem {
  /// x of quantize or q of requantize, and the new q: arguments and types.
  unsigned source, target;
  RankedTensorType sourceType, targetType;
  /// Old scales, of requantize only, and new ones.
  std::optional<ScaledBlocks> oldScales;
  ScaledBlocks newScales;
  unsigned oldScale = 0, newScale;
  bool isExact = false;
  int64_t vector;

  static std::optional<BlockProblem> analyze(func::FuncOp kernel);
  int64_t getColumns() const { return targetType.getShape().back(); }
  int64_t getPiecesPerRow() const { return newScales.block[1] / vector; }
};

std::optional<BlockProblem> BlockProblem::analyze(func::FuncOp kernel) {
  BlockProblem p;
  if (auto op = getOnlyOp<QuantizeOp>(kernel)) {
    p.source = getArgument(op.getX());
    p.newScales = ScaledBlocks(op.getQ().getType(), op.getScale().getType());
  } else if (auto op = getOnlyOp<RequantizeOp>(kernel)) {
    p.source = getArgument(op.getQ());
    p.oldScale = getArgument(op.getScale());
    p.oldScales = ScaledBlocks(op.getQ().getType(), op.getScale().getType());
    p.newScales =
        ScaledBlocks(op.getRequantized().getType(), op.getNewScale().getType());
    p.isExact = op.isExact();
  } else {
    return std::nullopt;
  }
  p.target = getOut(kernel, 0);
  p.newScale = getOut(kernel, 1);
  p.sourceType = cast<RankedTensorType>(kernel.getArgumentTypes()[p.source]);
  p.targetType = cast<RankedTensorType>(kernel.getArgumentTypes()[p.target]);
  Type from = p.sourceType.getElementType();
  if (!p.targetType.hasStaticShape() || p.targetType.getNumElements() == 0 ||
      !isa<Float8E4M3FNType>(p.targetType.getElementType()) ||
      !(from.isF32() || from.isBF16() || isa<Float8E4M3FNType>(from)))
    return std::nullopt;
  p.vector = 8;
  while (p.getColumns() % p.vector != 0 ||
         p.newScales.block[1] % p.vector != 0 ||
         (p.oldScales && p.oldScales->block[1] % p.vector != 0))
    p.vector /= 2;
  return p;
}

class BlockWriter {
public:
  BlockWriter(KernelBuilder &k, const BlockProblem &problem)
      : k(k), problem(problem), blockRow(k.blockId(0)),
        blockColumn(k.blockId(1)), matrix(k.blockId(2)) {}

  void run();

private:
  struct Piece {
    Val row, column, element; // the number of the first element, i64
  };
  void forPieces(llvm::function_ref<void(Piece)> body);
  Vals load(Piece piece);
  Val blockMaximum();
  Val address(unsigned argument, RankedTensorType type, Piece piece) {
    return k.at(k.param(argument),
                piece.element * (type.getElementTypeBitWidth() / 8));
  }

  KernelBuilder &k;
  const BlockProblem &problem;
  Val blockRow, blockColumn, matrix;
};

/// The block's pieces that are within the matrix, over all threads.
void BlockWriter::forPieces(llvm::function_ref<void(Piece)> body) {
  ArrayRef<int64_t> block = problem.newScales.block;
  int64_t rows = problem.newScales.rows, columns = problem.getColumns(),
          perRow = problem.getPiecesPerRow();
  Val firstRow = blockRow * block[0];
  Val height = k.min(k.i32(rows) - firstRow, k.i32(block[0]));
  k.forLoop(k.threadId(), height * perRow, k.i32(k.getThreads()), [&](Val i) {
    Piece piece;
    piece.row = firstRow + i / perRow;
    piece.column = blockColumn * block[1] + i % perRow * problem.vector;
    auto run = [&] {
      piece.element = (k.toI64(matrix) * rows + k.toI64(piece.row)) * columns +
                      k.toI64(piece.column);
      body(piece);
    };
    if (columns % block[1] == 0)
      run();
    else
      k.ifThen(piece.column < k.i32(columns), run);
  });
}

/// The values to quantize.
Vals BlockWriter::load(Piece piece) {
  Type element = problem.sourceType.getElementType();
  int64_t bytes = problem.vector * element.getIntOrFloatBitWidth() / 8;
  Val from = address(problem.source, problem.sourceType, piece);
  Vals values =
      unpackWords(k, element, loadWords(k, bytes, from), problem.vector);
  if (!problem.oldScales)
    return values;
  Val scale = problem.oldScales->load(k, k.param(problem.oldScale), matrix,
                                      piece.row, piece.column);
  for (Val &value : values)
    value = value * scale;
  return values;
}

Val BlockWriter::blockMaximum() {
  // A maximum that is carried from piece to piece would have to pass through
  // the condition of a ragged block; a thread's own slot does not.
  Val slot = k.at(k.shared(4 * k.getThreads()), k.threadId() * 4);
  k.store(k.f32(0), slot);
  forPieces([&](Piece piece) {
    Val largest = k.load(k.getF32Type(), slot);
    for (Val value : load(piece))
      largest = k.max(largest, k.abs(value));
    k.store(largest, slot);
  });
  return k.blockMax(k.load(k.getF32Type(), slot));
}

void BlockWriter::run() {
  ArrayRef<int64_t> block = problem.newScales.block;
  Val row = blockRow * block[0], column = blockColumn * block[1];
  Val scale = problem.isExact
                  ? problem.oldScales->load(k, k.param(problem.oldScale),
                                            matrix, row, column)
                  : blockScale(k, blockMaximum(), problem.newScales.powerOfTwo);
  Type code = problem.targetType.getElementType();
  forPieces([&](Piece piece) {
    Val to = address(problem.target, problem.targetType, piece);
    if (problem.isExact) {
      Val from = address(problem.source, problem.sourceType, piece);
      return storeWords(k, problem.vector, loadWords(k, problem.vector, from),
                        to);
    }
    Vals values = load(piece);
    for (Val &value : values)
      value = value / scale;
    storeWords(k, problem.vector, packWords(k, code, values), to);
  });
  k.ifThen(k.threadId() == 0, [&] {
    problem.newScales.store(k, scale, k.param(problem.newScale), matrix, row,
                            column);
  });
}

class BlocksEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_blocks"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    return BlockProblem::analyze(kernel).has_value();
  }

  Configuration configure(func::FuncOp kernel, const Chip &) const override {
    BlockProblem p = *BlockProblem::analyze(kernel);
    int64_t pieces = p.getPiecesPerRow() * p.newScales.block[0];
    int64_t threads = std::clamp<int64_t>(llvm::alignTo(pieces, 32), 32, 256);
    Builder b(kernel.getContext());
    return {{b.getNamedAttr("threads", b.getI64IntegerAttr(threads))},
            llvm::formatv("memory bound, when the program starts; a CTA a "
                          "block of {0} pieces of {1} elements",
                          pieces, p.vector)
                .str()};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads = getThreads(kernel, parameters, "threads");
    if (failed(threads))
      return failure();
    BlockProblem problem = *BlockProblem::analyze(kernel);
    KernelBuilder k(launch, "", getDataTypes(kernel), *threads);
    startDependent(k);
    BlockWriter(k, problem).run();
    const ScaledBlocks &blocks = problem.newScales;
    launch.launch(k,
                  {launch.i64(blocks.blockRows()),
                   launch.i64(blocks.blockColumns()),
                   launch.i64(blocks.matrices)},
                  getData(launch));
    return success();
  }
};

} // namespace

const KernelEmitter *deepseek::getBlocksEmitter() {
  static const BlocksEmitter emitter;
  return &emitter;
}
