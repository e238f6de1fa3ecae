//===- AnyDequantize.cpp - FP8 weights, or a part of them, in f32 or bf16 -===//
//
//   thread i: `vector` neighbouring elements of the result
//     where they lie in q (the kernel may return a slice of the weight, or see
//     it in another shape); their scale
//     y = q * scale, rounded once
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/BlockScales.h"
#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"
#include "lib/Target/NVPTX/Kernels/ViewElements.h"
#include "lib/Target/NVPTX/Kernels/Words.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

using Vals = SmallVector<Val>;

struct DequantizeProblem {
  unsigned codes, scale, out;
  ViewElements elements;
  ScaledBlocks blocks;
  Type element;
  int64_t vector = 8;

  static std::optional<DequantizeProblem> analyze(func::FuncOp kernel);
  int64_t countVectors() const { return elements.count() / vector; }
};

std::optional<DequantizeProblem>
DequantizeProblem::analyze(func::FuncOp kernel) {
  Operation *end = kernel.getBody().front().getTerminator();
  if (end->getNumOperands() != 1)
    return std::nullopt;
  Value result = end->getOperand(0);
  auto type = dyn_cast<RankedTensorType>(result.getType());
  std::optional<ArgumentView> view = viewOf(result);
  if (!type || !type.hasStaticShape() || type.getNumElements() == 0 || !view ||
      !view->scales || !isa<BlockArgument>(view->scales) ||
      !view->argumentType.hasStaticShape() ||
      !isa<Float8E4M3FNType>(view->argumentType.getElementType()) ||
      !(type.getElementType().isF32() || type.getElementType().isBF16()))
    return std::nullopt;
  DequantizeProblem p{view->argument,
                      cast<BlockArgument>(view->scales).getArgNumber(),
                      kernel.getNumArguments() - 1,
                      ViewElements(*view),
                      ScaledBlocks(view->argumentType, view->scales.getType()),
                      type.getElementType()};
  while (!p.elements.hasRunsOf(p.vector) ||
         p.elements.count() % p.vector != 0 ||
         p.blocks.block[1] % p.vector != 0 || p.blocks.columns % p.vector != 0)
    p.vector /= 2;
  return p;
}

void emitVector(KernelBuilder &k, const DequantizeProblem &p, Val number) {
  Val first = number * p.vector; // i64: stacks have 2^32 elements and more
  Val code = p.elements.emitOffset(k, first);
  Val line = code / p.blocks.columns;
  Val scale = p.blocks.load(k, k.param(p.scale), line / p.blocks.rows,
                            line % p.blocks.rows, code % p.blocks.columns);
  Type e4m3 = k.getType<Float8E4M3FNType>();
  Vals values = unpackWords(
      k, e4m3, loadWords(k, p.vector, k.at(k.param(p.codes), code)), p.vector);
  for (Val &value : values)
    value = value * scale;
  int64_t size = p.element.getIntOrFloatBitWidth() / 8;
  storeWords(k, p.vector * size, packWords(k, p.element, values),
             k.at(k.param(p.out), first * size));
}

class DequantizeEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_dequantize"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    return DequantizeProblem::analyze(kernel).has_value();
  }

  Configuration configure(func::FuncOp kernel,
                          const Chip &chip) const override {
    DequantizeProblem p = *DequantizeProblem::analyze(kernel);
    int64_t bytes =
        p.elements.count() * (1 + p.element.getIntOrFloatBitWidth() / 8);
    Builder b(kernel.getContext());
    return {{b.getNamedAttr("threads", b.getI64IntegerAttr(256))},
            llvm::formatv("memory bound: {0} bytes, {1:F1} us at {2:F2} TB/s; "
                          "{3} elements a thread",
                          bytes, bytes / chip.bandwidth * 1e6,
                          chip.bandwidth / 1e12, p.vector)
                .str()};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads = getThreads(kernel, parameters, "threads");
    if (failed(threads))
      return failure();
    DequantizeProblem problem = *DequantizeProblem::analyze(kernel);
    KernelBuilder k(launch, "", getDataTypes(kernel), *threads);
    startDependent(k);
    Val number = k.toI64(k.blockId(0)) * *threads + k.toI64(k.threadId());
    k.ifThen(number < k.i64(problem.countVectors()),
             [&] { emitVector(k, problem, number); });
    Value one = launch.i64(1);
    launch.launch(
        k,
        {launch.i64(llvm::divideCeil(problem.countVectors(), *threads)), one,
         one},
        getData(launch));
    return success();
  }
};

} // namespace

const KernelEmitter *deepseek::getDequantizeEmitter() {
  static const DequantizeEmitter emitter;
  return &emitter;
}
