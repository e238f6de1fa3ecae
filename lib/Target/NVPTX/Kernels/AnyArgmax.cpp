//===- AnyArgmax.cpp - The best token of each row of logits ---------------===//
//
//   CTA t, all threads over the columns, 16 bytes a load, four loads under way:
//     key   = the f32 as an integer of the same order (-0 as 0)
//             NaN is below all numbers, but above all in column 0, as the
//             comparison "greater than the best so far" has it
//     best  = max of (key, not column) as one 64-bit integer
//   y[t] = column of the CTA's best: of equal logits the lowest
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/OrderedKey.h"
#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

using Vals = SmallVector<Val>;

constexpr int64_t kVectorBytes = 16, kUnroll = 4;

RankedTensorType getLogits(ArgmaxOp op) {
  return cast<RankedTensorType>(op.getLogits().getType());
}

/// Neighbouring columns of one load.
int64_t getVector(RankedTensorType logits) {
  int64_t vector = kVectorBytes * 8 / logits.getElementTypeBitWidth();
  while (logits.getDimSize(1) % vector != 0)
    vector /= 2;
  return vector;
}

class Scan {
public:
  Scan(KernelBuilder &k, RankedTensorType logits, Val row)
      : k(k), element(logits.getElementType()), vector(getVector(logits)),
        columns(logits.getDimSize(1)),
        row(k.at(k.param(0), k.toI64(row) * (columns * bytes()))) {}

  /// The CTA's best (key, not column).
  Val run();

private:
  int64_t bytes() const { return element.getIntOrFloatBitWidth() / 8; }
  Val load(Val number);
  Val visit(Val loaded, Val number, Val best);

  KernelBuilder &k;
  Type element;
  int64_t vector, columns;
  Val row;
};

/// Vector `number` of the row.
Val Scan::load(Val number) {
  Type type = vector == 1 ? element : Type(VectorType::get(vector, element));
  return k.load(type, k.at(row, number * (vector * bytes())), vector * bytes());
}

Val Scan::visit(Val loaded, Val number, Val best) {
  for (int64_t i = 0; i < vector; ++i) {
    Val x = k.toF32(vector == 1 ? loaded : k.extract(loaded, i));
    Val column = number * vector + i;
    Val ofNaN = k.select(column == 0, k.i32(-1), k.i32(0));
    Val key = k.select(x != x, ofNaN, orderedKey(k, x));
    Val candidate = (k.toI64(key) << 32) | k.toI64(column ^ k.i32(-1));
    best = k.max(best, candidate);
  }
  return best;
}

Val Scan::run() {
  int64_t vectors = columns / vector, threads = k.getThreads();
  int64_t whole = vectors / (threads * kUnroll) * (threads * kUnroll);
  Val best = k.i64(0);
  best = k.forLoop(k.threadId(), k.i32(whole), k.i32(threads * kUnroll), {best},
                   [&](Val first, ArrayRef<Val> carried) -> Vals {
                     Vals numbers, loaded;
                     for (int64_t i = 0; i < kUnroll; ++i) {
                       numbers.push_back(first + i * threads);
                       loaded.push_back(load(numbers.back()));
                     }
                     Val best = carried[0];
                     for (auto [vector, number] : llvm::zip(loaded, numbers))
                       best = visit(vector, number, best);
                     return {best};
                   })[0];
  best = k.forLoop(k.threadId() + whole, k.i32(vectors), k.i32(threads), {best},
                   [&](Val number, ArrayRef<Val> carried) -> Vals {
                     return {visit(load(number), number, carried[0])};
                   })[0];
  return k.blockMax(best);
}

class ArgmaxEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_argmax"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    auto op = getOnlyOp<ArgmaxOp>(kernel);
    return op && !getLogits(op).isDynamicDim(1) &&
           (getLogits(op).getElementType().isF32() ||
            getLogits(op).getElementType().isBF16());
  }

  Configuration configure(func::FuncOp kernel,
                          const Chip &chip) const override {
    RankedTensorType logits = getLogits(getOnlyOp<ArgmaxOp>(kernel));
    int64_t vectors = logits.getDimSize(1) / getVector(logits);
    int64_t threads = std::clamp<int64_t>(
        llvm::alignTo(llvm::divideCeil(vectors, kUnroll), 32), 32, 1024);
    Builder b(kernel.getContext());
    return {
        {b.getNamedAttr("threads", b.getI64IntegerAttr(threads))},
        llvm::formatv("a CTA a row of {0} vectors by {1} threads, {2} loads "
                      "each under way",
                      vectors, threads, kUnroll)
            .str()};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads = getThreads(kernel, parameters, "threads");
    if (failed(threads))
      return failure();
    KernelBuilder k(launch, "", getDataTypes(kernel), *threads);
    startDependent(k);
    Val row = k.blockId(0);
    Val best = Scan(k, getLogits(getOnlyOp<ArgmaxOp>(kernel)), row).run();
    k.ifThen(k.threadId() == 0, [&] {
      k.store(k.toI32(best) ^ k.i32(-1), k.at(k.param(1), k.toI64(row) * 4));
    });
    Value one = launch.i64(1);
    launch.launch(k, {launch.size(0, 0), one, one}, getData(launch));
    return success();
  }
};

} // namespace

const KernelEmitter *deepseek::getArgmaxEmitter() {
  static const ArgmaxEmitter emitter;
  return &emitter;
}
