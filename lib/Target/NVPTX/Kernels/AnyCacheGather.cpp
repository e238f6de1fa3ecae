//===- AnyCacheGather.cpp - Cached rows in the order of the sequences -----===//
//
//   warp s: b = the sequence of row s;  i = s - cu_kv[b]
//           y[s, :] = cache[table[b, i / page], i % page, :], 16 bytes a lane
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Attention.h"
#include "lib/Target/NVPTX/Kernels/Kernels.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kVectorBytes = 16;

/// The op, if the kernel does nothing else, with the same type on both sides.
CacheGatherOp getOnlyOp(func::FuncOp kernel) {
  Operation *end = kernel.getBody().front().getTerminator();
  if (end->getNumOperands() != 1)
    return {};
  auto op = end->getOperand(0).getDefiningOp<CacheGatherOp>();
  if (!op || getElementTypeOrSelf(op.getCache()) !=
                 getElementTypeOrSelf(op.getResult()))
    return {};
  if (!viewContiguous(op.getCache()) ||
      !isa<BlockArgument>(op.getBlockTable()) ||
      !isa<BlockArgument>(op.getCuKvLens()))
    return {};
  return op;
}

RankedTensorType getCacheType(CacheGatherOp op) {
  return cast<RankedTensorType>(op.getCache().getType());
}

int64_t getRowBytes(CacheGatherOp op) {
  RankedTensorType cache = getCacheType(op);
  return cache.getDimSize(2) * cache.getElementTypeBitWidth() / 8;
}

class CacheGatherEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_cache_gather"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    CacheGatherOp op = getOnlyOp(kernel);
    return op && !getCacheType(op).isDynamicDim(1) &&
           !getCacheType(op).isDynamicDim(2) &&
           getRowBytes(op) % kVectorBytes == 0;
  }

  Configuration configure(func::FuncOp kernel, const Chip &) const override {
    Builder b(kernel.getContext());
    return {{b.getNamedAttr("warps", b.getI64IntegerAttr(4))},
            "memory bound; a warp copies a row of " +
                std::to_string(getRowBytes(getOnlyOp(kernel))) + " bytes"};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;
};

LogicalResult CacheGatherEmitter::emit(func::FuncOp kernel,
                                       DictionaryAttr parameters,
                                       LaunchBuilder &launch) const {
  FailureOr<int64_t> warps = getParameter(kernel, parameters, "warps", 1, 32);
  if (failed(warps))
    return failure();
  CacheGatherOp op = getOnlyOp(kernel);
  int64_t page = getCacheType(op).getDimSize(1), rowBytes = getRowBytes(op);
  Type global = KernelBuilder::globalType(kernel.getContext());
  Type i32 = launch.getI32Type();
  // Cache, block table, prefix sums, result; sequences, pages of one, rows.
  KernelBuilder k(launch, "", {global, global, global, global, i32, i32, i32},
                  *warps * 32);
  auto sum = [&](Val b) {
    return k.loadConstant(i32, k.at(k.param(2), b * 4));
  };
  Val row = k.blockId(0) * *warps + k.warp();
  k.ifThen(row < k.param(6), [&] {
    Val sequence =
        countSequences(k, k.param(4), [&](Val b) { return sum(b + 1) <= row; });
    Val inSequence = row - sum(sequence);
    Val entry =
        k.toI64(sequence) * k.toI64(k.param(5)) + k.toI64(inSequence / page);
    Val pageIndex = k.loadConstant(i32, k.at(k.param(1), entry * 4));
    Val cached = k.toI64(pageIndex) * page + k.toI64(inSequence % page);
    Val source = k.at(k.param(0), cached * rowBytes);
    Val target = k.at(k.param(3), k.toI64(row) * rowBytes);
    auto vector = VectorType::get(4, i32);
    k.forLoop(k.lane() * kVectorBytes, k.i32(rowBytes),
              k.i32(32 * kVectorBytes), [&](Val offset) {
                k.store(
                    k.loadConstant(vector, k.at(source, offset), kVectorBytes),
                    k.at(target, offset), kVectorBytes);
              });
  });

  auto argument = [](Value value) {
    return cast<BlockArgument>(value).getArgNumber();
  };
  unsigned table = argument(op.getBlockTable());
  unsigned result = kernel.getNumArguments() - 1;
  Value rows = launch.size(result, 0), one = launch.i64(1);
  launch.launch(k, {launch.ceilDiv(rows, *warps), one, one},
                {dataOf(launch, *viewContiguous(op.getCache())),
                 launch.data(table), launch.data(argument(op.getCuKvLens())),
                 launch.data(result), launch.toI32(launch.size(table, 0)),
                 launch.toI32(launch.size(table, 1)), launch.toI32(rows)});
  return success();
}

} // namespace

const KernelEmitter *deepseek::getCacheGatherEmitter() {
  static const CacheGatherEmitter emitter;
  return &emitter;
}
