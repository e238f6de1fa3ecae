//===- LatentAttention.cpp - Kernels of latent_attention ------------------===//

#include "lib/Target/NVPTX/Kernels/LatentAttention.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// The problem
//===----------------------------------------------------------------------===//

/// The op whose result is the kernel's only one.
static LatentAttentionOp getOp(func::FuncOp kernel) {
  Operation *end = kernel.getBody().front().getTerminator();
  return end->getNumOperands() == 1
             ? end->getOperand(0).getDefiningOp<LatentAttentionOp>()
             : LatentAttentionOp();
}

/// Whether the operands are pieces of arguments that can be copied 16 bytes at
/// once, and the sizes of the block table are known to the launcher.
static bool readsArguments(LatentAttentionOp op) {
  for (Value operand : op->getOperands()) {
    std::optional<ArgumentView> view = viewContiguous(operand);
    bool isBf16 = getElementTypeOrSelf(operand).isBF16();
    if (!view || (isBf16 && view->offset % 8))
      return false;
  }
  Value table = op.getBlockTable();
  return isa<BlockArgument>(table) ||
         cast<RankedTensorType>(table.getType()).hasStaticShape();
}

std::optional<LatentShape> deepseek::getLatentShape(func::FuncOp kernel) {
  LatentAttentionOp op = getOp(kernel);
  if (!op || !readsArguments(op))
    return std::nullopt;
  for (Value value :
       {op.getQLatent(), op.getQRope(), op.getCache(), op.getResult()})
    if (!getElementTypeOrSelf(value).isBF16())
      return std::nullopt;
  auto query = cast<RankedTensorType>(op.getQLatent().getType());
  auto cache = cast<RankedTensorType>(op.getCache().getType());
  LatentShape shape = {query.getDimSize(1), query.getDimSize(2),
                       cache.getDimSize(2), cache.getDimSize(1),
                       op.getScale().convertToDouble()};
  if (ShapedType::isDynamicShape(
          {shape.heads, shape.latent, shape.width, shape.page}))
    return std::nullopt;
  return shape;
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

Splitting deepseek::chooseSplitting(const LatentShape &shape, const Chip &chip,
                                    int64_t blockHeads) {
  constexpr int64_t kScratchBytes = 128ll << 20;
  // Partial values of a chunk should be fewer bytes than its cached rows.
  int64_t chunk =
      std::clamp<int64_t>(llvm::PowerOf2Ceil(shape.heads * 4), 256, 1024);
  int64_t blocks = llvm::divideCeil(shape.heads, blockHeads);
  int64_t rowBytes = shape.heads * (shape.latent + kStatisticFloats) * 4;
  return {chunk, std::max<int64_t>(1, chip.multiprocessors / blocks),
          std::clamp<int64_t>(kScratchBytes / rowBytes, 1, 4096)};
}

void deepseek::addParameters(const Splitting &splitting, Builder &b,
                             SmallVectorImpl<NamedAttribute> &parameters) {
  auto add = [&](StringRef name, int64_t value) {
    parameters.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(value)));
  };
  add("chunk", splitting.chunk);
  add("split_rows", splitting.splitRows);
  add("partials", splitting.partials);
}

FailureOr<Splitting> deepseek::readSplitting(func::FuncOp kernel,
                                             DictionaryAttr parameters,
                                             int64_t tile) {
  auto chunk = getParameter(kernel, parameters, "chunk", tile, 1 << 20);
  auto splitRows = getParameter(kernel, parameters, "split_rows", 0, 1 << 20);
  auto partials = getParameter(kernel, parameters, "partials", 1, 1 << 20);
  if (failed(chunk) || failed(splitRows) || failed(partials))
    return failure();
  if (*chunk % tile)
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName()
           << "': expected 'chunk' to be a multiple of a tile of " << tile
           << " cached rows, got " << *chunk;
  return Splitting{*chunk, *splitRows, *partials};
}

//===----------------------------------------------------------------------===//
// Device
//===----------------------------------------------------------------------===//

LatentBlock deepseek::findLatentBlock(KernelBuilder &k,
                                      const LatentShape &shape,
                                      int64_t blockHeads) {
  int64_t blocks = llvm::divideCeil(shape.heads, blockHeads);
  Val block = k.gridSize(0) - 1 - k.blockId(0);
  Val token = block / blocks;
  return {token, block % blocks * blockHeads,
          findQueryRow(k, token, k.param(kCuQueries), k.param(kCuRows),
                       k.param(kSequences))};
}

Val deepseek::loadPage(KernelBuilder &k, const LatentShape &shape,
                       const LatentBlock &block, Val position) {
  Val entry = k.toI64(block.row.sequence) * k.toI64(k.param(kPages)) +
              k.toI64(position / shape.page);
  return k.loadConstant(k.getI32Type(), k.at(k.param(kTable), entry * 4));
}

Val deepseek::partialAddress(KernelBuilder &k, const LatentShape &shape,
                             const LatentBlock &block, Val head) {
  Val part = block.token * k.gridSize(1) + k.blockId(1);
  Val row = k.toI64(part) * shape.heads + k.toI64(head);
  return k.at(k.param(kTarget), row * ((shape.latent + kStatisticFloats) * 4));
}

//===----------------------------------------------------------------------===//
// Launcher
//===----------------------------------------------------------------------===//

namespace {

/// The launches of one kernel.
class Launches {
public:
  Launches(LaunchBuilder &launch, const LatentShape &shape,
           const Splitting &splitting, int64_t blockHeads);

  void launchRows(int64_t threads, bool isSplit,
                  llvm::function_ref<void(KernelBuilder &, bool)> write);
  void launchCombine();
  /// Whether this step is to be split.
  Value isSplit();

private:
  LaunchBuilder &launch;
  const LatentShape &shape;
  const Splitting &splitting;
  SmallVector<Value> operands;
  Value rows, blocks, sequences, pages, chunks, result, partials;
};

Launches::Launches(LaunchBuilder &launch, const LatentShape &shape,
                   const Splitting &splitting, int64_t blockHeads)
    : launch(launch), shape(shape), splitting(splitting) {
  func::FuncOp kernel = launch.getKernel();
  LatentAttentionOp op = getOp(kernel);
  for (Value operand : op->getOperands())
    operands.push_back(dataOf(launch, *viewContiguous(operand)));
  result = launch.data(kernel.getNumArguments() - 1);
  rows = launch.size(kernel.getNumArguments() - 1, 0);
  blocks =
      launch.mul(rows, launch.i64(llvm::divideCeil(shape.heads, blockHeads)));
  auto table = cast<RankedTensorType>(op.getBlockTable().getType());
  auto tableSize = [&](int64_t dim) {
    return table.isDynamicDim(dim)
               ? launch.size(viewContiguous(op.getBlockTable())->argument, dim)
               : launch.i64(table.getDimSize(dim));
  };
  sequences = tableSize(0);
  pages = tableSize(1);
  chunks = launch.ceilDiv(launch.mul(pages, launch.i64(shape.page)),
                          splitting.chunk);
}

void Launches::launchRows(
    int64_t threads, bool isSplit,
    llvm::function_ref<void(KernelBuilder &, bool)> write) {
  MLIRContext *context = launch.getContext();
  SmallVector<Type> types(kSequences, KernelBuilder::globalType(context));
  types.append(2, launch.getI32Type());
  if (isSplit)
    partials = launch.scratch(splitting.partials * shape.heads *
                              (shape.latent + kStatisticFloats) * 4);
  KernelBuilder k(launch, isSplit ? "split" : "", types, threads);
  setSingleCta(k);
  write(k, isSplit);
  SmallVector<Value> arguments(operands);
  arguments.push_back(isSplit ? partials : result);
  arguments.push_back(launch.toI32(sequences));
  arguments.push_back(launch.toI32(pages));
  Value one = launch.i64(1);
  launch.launch(k, {blocks, isSplit ? chunks : one, one}, arguments);
}

void Launches::launchCombine() {
  KernelBuilder k(launch, "combine", combineParameters(launch.getContext()),
                  llvm::alignTo(shape.latent / 4, 32));
  writeCombine(k, shape.heads, shape.latent, splitting.chunk);
  Value one = launch.i64(1);
  launch.launch(k, {launch.mul(rows, launch.i64(shape.heads)), one, one},
                {partials, result, operands[kCuQueries], operands[kCuRows],
                 launch.toI32(sequences), launch.toI32(chunks)});
}

Value Launches::isSplit() {
  Value few = launch.lessOrEqual(rows, splitting.splitRows);
  Value fit = launch.lessOrEqual(launch.mul(rows, chunks), splitting.partials);
  Value several = arith::CmpIOp::create(launch, arith::CmpIPredicate::ugt,
                                        chunks, launch.i64(1));
  Value fewAndFit = arith::AndIOp::create(launch, few, fit);
  return arith::AndIOp::create(launch, several, fewAndFit);
}

} // namespace

void deepseek::launchLatentAttention(
    LaunchBuilder &launch, const LatentShape &shape, const Splitting &splitting,
    int64_t blockHeads, int64_t threads,
    llvm::function_ref<void(KernelBuilder &, bool)> write) {
  Launches launches(launch, shape, splitting, blockHeads);
  launch.ifElse(
      launches.isSplit(),
      [&] {
        launches.launchRows(threads, /*isSplit=*/true, write);
        launches.launchCombine();
      },
      [&] { launches.launchRows(threads, /*isSplit=*/false, write); });
}
