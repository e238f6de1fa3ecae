//===- KernelTraffic.cpp - The bytes that a launch moves ------------------===//
//
// Follows each argument of a kernel through views to the ops that read it, and
// multiplies the part that they read with the bytes of the operand. See the
// header.
//
//===----------------------------------------------------------------------===//

#include "KernelTraffic.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;

/// Rows of a cache page.
static constexpr int64_t kPageSize = 64;

static llvm::StringMap<int64_t> getLimits(int64_t cachedTokens) {
  llvm::StringMap<int64_t> limits;
  limits["tokens"] = limits["rows"] = limits["sequences"] = 1;
  limits["sequences+1"] = 2;
  limits["pages"] = llvm::divideCeil(cachedTokens, kPageSize);
  limits["kv_tokens"] = cachedTokens;
  return limits;
}

KernelTraffic::KernelTraffic(func::FuncOp entry, int64_t cachedTokens)
    : cachedTokens(cachedTokens), limits(getLimits(cachedTokens)),
      bounds(entry, limits) {}

//===----------------------------------------------------------------------===//
// The part of a value that is read
//===----------------------------------------------------------------------===//

/// What a kernel looks at its arguments through.
static bool isView(Operation *op) {
  return isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::CastOp, tensor::ConcatOp,
             DequantizeOp>(op);
}

/// The part of its source that a slice keeps; dynamic dimensions, which are
/// tokens, are kept whole.
static double getKeptPart(tensor::ExtractSliceOp slice) {
  double part = 1;
  for (auto [size, whole] : llvm::zip_equal(slice.getStaticSizes(),
                                            slice.getSourceType().getShape()))
    if (!ShapedType::isDynamic(size) && !ShapedType::isDynamic(whole) && whole)
      part *= double(size) / double(whole);
  return part;
}

/// The first dimension of a value in the kernel at hand: what ops give has as
/// many rows as their first operand.
int64_t KernelTraffic::rowsOf(Value value) {
  int64_t rows = cast<RankedTensorType>(value.getType()).getDimSize(0);
  if (!ShapedType::isDynamic(rows))
    return rows;
  if (auto argument = dyn_cast<BlockArgument>(value))
    return shapes[argument.getArgNumber()].front();
  Operation *op = value.getDefiningOp();
  if (auto dispatch = dyn_cast<MoEDispatchOp>(op))
    return rowsOf(dispatch.getX()) *
           (cast<RankedTensorType>(dispatch.getIndices().getType())
                .getDimSize(1) +
            dispatch.getSharedGroup());
  return op->getNumOperands() ? rowsOf(op->getOperand(0)) : 1;
}

double KernelTraffic::readBy(OpOperand &use) {
  Operation *op = use.getOwner();
  Value value = use.get();
  int64_t first = cast<RankedTensorType>(value.getType()).getDimSize(0);
  auto partOf = [&](int64_t rows) {
    return double(std::min(rows, first)) / double(first);
  };
  if (isView(op)) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    return (slice ? getKeptPart(slice) : 1) * readOf(op->getResult(0));
  }
  return TypeSwitch<Operation *, double>(op)
      .Case([&](tensor::DimOp) { return 0; })
      // A kernel that copies returns what it views.
      .Case([&](func::ReturnOp) {
        return value.getDefiningOp() && isView(value.getDefiningOp());
      })
      .Case([&](EmbeddingOp embedding) {
        return value == embedding.getTable()
                   ? partOf(rowsOf(embedding.getTokens()))
                   : 1;
      })
      .Case<GroupedLinearOp, ScaledGroupedLinearOp>([&](auto product) {
        bool stack = value != product.getX() && value != product.getOffsets();
        if constexpr (std::is_same_v<decltype(product), ScaledGroupedLinearOp>)
          stack &= value != product.getXScale();
        return stack ? partOf(rowsOf(product.getX())) : 1;
      })
      // Appending reads nothing of the cache; what comes after may.
      .Case([&](CacheAppendOp append) {
        return value == append.getCache() ? readOf(append.getResult()) : 1;
      })
      .Default([](Operation *) { return 1; });
}

/// At most all of it: what one reader has met is at hand for the next.
double KernelTraffic::readOf(Value value) {
  double part = 0;
  for (OpOperand &use : value.getUses())
    part += readBy(use);
  return std::min(part, 1.0);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<int64_t>> KernelTraffic::getShape(Value tensor,
                                                        Operation *user) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (type.hasStaticShape())
    return shape;
  if (auto result = dyn_cast<OpResult>(tensor))
    if (auto dispatch = dyn_cast<dsrt::DispatchOp>(result.getOwner()))
      return getShape(dispatch.getTiedOpOperand(result)->get(), user);
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return bounds.getArgument(argument.getArgNumber());
  auto empty = tensor.getDefiningOp<tensor::EmptyOp>();
  if (!empty)
    return user->emitOpError("has an operand whose size is not known");
  auto dynamic = empty.getDynamicSizes().begin();
  for (int64_t &size : shape) {
    if (!ShapedType::isDynamic(size))
      continue;
    FailureOr<int64_t> bound = bounds.get(*dynamic++, user);
    if (failed(bound))
      return failure();
    size = *bound;
  }
  return shape;
}

/// Adds `part` of `operand`. A cache is as large as its cached rows.
LogicalResult KernelTraffic::add(Traffic &traffic, dsrt::DispatchOp dispatch,
                                 Value operand, double part) {
  auto type = cast<RankedTensorType>(operand.getType());
  FailureOr<SmallVector<int64_t>> shape = getShape(operand, dispatch);
  if (failed(shape))
    return failure();
  bool cache = bool(getLatentCache(type));
  double elements = cache ? double(cachedTokens * shape->back()) : 1;
  if (!cache)
    for (int64_t size : *shape)
      elements *= double(size);
  int64_t bytes = std::llround(elements * part *
                               (double(type.getElementTypeBitWidth()) / 8));
  bool weight = operand.getDefiningOp<dsrt::GetWeightOp>();
  (cache    ? traffic.cache
   : weight ? traffic.weights
            : traffic.activations) += bytes;
  return success();
}

FailureOr<Traffic> KernelTraffic::get(dsrt::DispatchOp dispatch,
                                      func::FuncOp kernel) {
  SmallVector<Value> operands(dispatch.getInputs());
  unsigned inputs = operands.size();
  llvm::append_range(operands, dispatch.getOutputs());
  shapes.clear();
  for (Value operand : operands) {
    shapes.emplace_back();
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    FailureOr<SmallVector<int64_t>> shape = getShape(operand, dispatch);
    if (failed(shape))
      return failure();
    shapes.back() = *shape;
  }
  Traffic traffic;
  for (auto [number, operand] : llvm::enumerate(operands)) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type)
      continue;
    bool cache = bool(getLatentCache(type)), output = number >= inputs;
    double part = 0;
    if (!output || cache)
      part += readOf(kernel.getArgument(number));
    if (output) // of a cache, the row of the new token
      part += cache ? 1.0 / double(cachedTokens) : 1.0;
    if (failed(add(traffic, dispatch, operand, part)))
      return failure();
  }
  return traffic;
}
