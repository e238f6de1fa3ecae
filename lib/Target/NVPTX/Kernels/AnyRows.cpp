//===- AnyRows.cpp - Kernels that work row by row -------------------------===//
//
//   team (CTA, or warp of a CTA) of row t:
//     load row t of every operand, `vector` elements a thread and piece
//     for each op, in order: compute its row in registers (Rows/*.cpp)
//       norms and scales: sums and maxima over the team or part of a warp
//       if the kernel returns it: store its row
//
// One launch writes what a chain of residual add, norm, quantization, rope and
// cache append writes: each value is read once and written once. What a row
// becomes depends on that row alone, and the order of its sums on its width.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kWarp = 32, kMaxThreads = 1024;
/// Pieces that a thread holds of each value: enough loads under way to hide
/// memory, few enough registers for many warps.
constexpr int64_t kPieces = 4;
/// Rows so short that a warp holds them in two pieces a lane.
constexpr int64_t kShortPieces = 2 * kWarp;
constexpr int64_t kWarpsOfShortRows = 4;

void emitOp(RowBuilder &b, Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<EmbeddingOp, RMSNormOp, QuantizeOp, SwigluOp, RopeOp, MoECombineOp,
            CacheAppendOp>([&](auto op) { emitRow(b, op); })
      .Default([&](Operation *op) { emitElementwiseRow(b, op); });
}

class RowsEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_rows"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    return RowKernel::analyze(kernel).has_value();
  }

  Configuration configure(func::FuncOp kernel, const Chip &chip) const override;

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;
};

/// All of a row's bytes pass once, so time is bytes over bandwidth; what is
/// chosen is the number of threads that have them under way.
Configuration RowsEmitter::configure(func::FuncOp kernel,
                                     const Chip &chip) const {
  RowKernel rows = *RowKernel::analyze(kernel);
  int64_t pieces = rows.getWidest() / rows.getVector();
  int64_t threads = kWarp, rowsPerCta = kWarpsOfShortRows;
  if (pieces > kShortPieces) {
    threads = std::min<int64_t>(
        llvm::alignTo(llvm::divideCeil(pieces, kPieces), kWarp), kMaxThreads);
    rowsPerCta = 1;
  }
  Builder b(kernel.getContext());
  return {{b.getNamedAttr("rows_per_cta", b.getI64IntegerAttr(rowsPerCta)),
           b.getNamedAttr("threads_per_row", b.getI64IntegerAttr(threads))},
          llvm::formatv("memory bound: {0} bytes a row, {1:F1} ns at {2:F2} "
                        "TB/s; {3} pieces of {4} elements by {5} threads, {6} "
                        "rows a CTA",
                        rows.getBytes(), rows.getBytes() / chip.bandwidth * 1e9,
                        chip.bandwidth / 1e12, pieces, rows.getVector(),
                        threads, rowsPerCta)
              .str()};
}

/// Both parameters, or failure with an error.
FailureOr<std::pair<int64_t, int64_t>> getShape(func::FuncOp kernel,
                                                DictionaryAttr parameters,
                                                const RowKernel &rows) {
  FailureOr<int64_t> threads =
      getThreads(kernel, parameters, "threads_per_row");
  if (failed(threads))
    return failure();
  auto refuse = [&](const Twine &expected, int64_t value) {
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName()
           << "': expected " << expected << ", got " << value;
  };
  int64_t pieces = rows.getWidest() / rows.getVector();
  constexpr int64_t most = 4 * kPieces;
  if (pieces > most * *threads)
    return refuse("'threads_per_row' of at least " +
                      Twine(llvm::divideCeil(pieces, most)) + " for " +
                      Twine(rows.getWidest()) +
                      " elements, which stay in registers",
                  *threads);
  FailureOr<int64_t> rowsPerCta = getParameter(
      kernel, parameters, "rows_per_cta", 1, kMaxThreads / *threads);
  if (failed(rowsPerCta))
    return failure();
  if (*rowsPerCta > 1 && *threads != kWarp)
    return refuse("'rows_per_cta' of 1 unless a row has 32 threads",
                  *rowsPerCta);
  return std::make_pair(*threads, *rowsPerCta);
}

LogicalResult RowsEmitter::emit(func::FuncOp kernel, DictionaryAttr parameters,
                                LaunchBuilder &launch) const {
  RowKernel rows = *RowKernel::analyze(kernel);
  auto shape = getShape(kernel, parameters, rows);
  if (failed(shape))
    return failure();
  int64_t threads = shape->first, rowsPerCta = shape->second;

  unsigned arguments = kernel.getNumArguments();
  SmallVector<Type> types = getDataTypes(kernel);
  types.push_back(launch.getI32Type());
  KernelBuilder k(launch, "", types, threads * rowsPerCta);
  startDependent(k);
  Val count = k.param(arguments);
  auto body = [&](Val row) {
    RowBuilder b(k, rows, rowsPerCta, count, row);
    b.loadOperands();
    for (Operation *op : rows.getOps())
      emitOp(b, op);
    b.copyViews();
  };
  if (rowsPerCta == 1) {
    body(k.blockId(0));
  } else {
    Val row = k.blockId(0) * rowsPerCta + k.warp();
    k.ifThen(row < count, [&] { body(row); });
  }

  Value size = launch.size(rows.getRowsArgument(), 0), one = launch.i64(1);
  SmallVector<Value> values = getData(launch);
  values.push_back(launch.toI32(size));
  launch.launch(k, {launch.ceilDiv(size, rowsPerCta), one, one}, values);
  return success();
}

} // namespace

const KernelEmitter *deepseek::getRowsEmitter() {
  static const RowsEmitter emitter;
  return &emitter;
}
