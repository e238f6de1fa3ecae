//===- AnyEmbedding.cpp - Rows of a table ---------------------------------===//
//
//   CTA t: row = tokens[t]
//          y[t, :] = table[row, :], 16 bytes a thread and step
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kVectorBytes = 16;

class EmbeddingEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_embedding"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    auto op = getOnlyOp<EmbeddingOp>(kernel);
    return op && getRowBytes(kernel) % kVectorBytes == 0 &&
           getElementTypeOrSelf(op.getTable().getType()) ==
               getElementTypeOrSelf(op->getResult(0).getType());
  }

  Configuration configure(func::FuncOp kernel, const Chip &) const override {
    Builder b(kernel.getContext());
    int64_t vectors = getRowBytes(kernel) / kVectorBytes;
    int64_t threads = std::clamp<int64_t>(llvm::alignTo(vectors, 32), 32, 256);
    return {{b.getNamedAttr("threads", b.getI64IntegerAttr(threads))},
            "memory bound; a CTA copies a row of " +
                std::to_string(vectors * kVectorBytes) + " bytes"};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads = getThreads(kernel, parameters, "threads");
    if (failed(threads))
      return failure();
    int64_t rowBytes = getRowBytes(kernel);
    auto op = getOnlyOp<EmbeddingOp>(kernel);
    unsigned tokens = getArgument(op.getTokens());
    KernelBuilder k(launch, "", getDataTypes(kernel), *threads);
    Val token =
        k.loadConstant(k.getI32Type(), k.at(k.param(tokens), k.blockId(0) * 4));
    // Tables may have 2^32 bytes and more.
    Val source =
        k.at(k.param(getArgument(op.getTable())), k.toI64(token) * rowBytes);
    Val target =
        k.at(k.param(getOut(kernel, 0)), k.toI64(k.blockId(0)) * rowBytes);
    auto vector = VectorType::get(4, k.getI32Type());
    k.forLoop(k.threadId() * kVectorBytes, k.i32(rowBytes),
              k.i32(*threads * kVectorBytes), [&](Val offset) {
                Val piece =
                    k.loadConstant(vector, k.at(source, offset), kVectorBytes);
                k.store(piece, k.at(target, offset), kVectorBytes);
              });
    Value one = launch.i64(1);
    launch.launch(k, {launch.size(tokens, 0), one, one}, getData(launch));
    return success();
  }

private:
  static int64_t getRowBytes(func::FuncOp kernel) {
    auto table = cast<RankedTensorType>(
        getOnlyOp<EmbeddingOp>(kernel).getTable().getType());
    return table.getDimSize(1) * table.getElementTypeBitWidth() / 8;
  }
};

} // namespace

const KernelEmitter *deepseek::getEmbeddingEmitter() {
  static const EmbeddingEmitter emitter;
  return &emitter;
}
