//===- FormKernels.cpp - One kernel function per core op ------------------===//
//
// Outlines the ops on tensors of every function into the nested module
// @kernels:
//
//   %w = deepseek.dequantize %q, %s
//   %y = deepseek.linear %x, %w
//   ->
//   %e = tensor.empty(%t)
//   %y = dsrt.dispatch @kernels::@linear_1536x7168_f8 ins(%x, %q, %s) outs(%e)
//
//   func.func @linear_1536x7168_f8(%x, %q, %s, %out) {
//     %w = deepseek.dequantize %q, %s
//     %y = deepseek.linear %x, %w
//     return %y
//   }
//
// An op is one of three: a *view* (slices, reshapes, dequantize, constants,
// weights one below the other), which every kernel that reads it clones; *host* business (weights, sizes,
// checks, return), which stays; or a *core*, of which a kernel is made.
// Elementwise arithmetic with one user that is such too joins that user's
// kernel. A view that the host itself needs is the core of a kernel that
// copies.
//
//===----------------------------------------------------------------------===//

#include "HostSizes.h"
#include "KernelTable.h"
#include "WeightViews.h"
#include "Views.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/Check/IR/CheckDialect.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_FORMKERNELS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The longest chain of views or elementwise ops in one kernel.
constexpr unsigned kMaxDepth = 64;

class FunctionKernels {
public:
  FunctionKernels(func::FuncOp func, KernelTable &table,
                  const llvm::StringSet<> &stackedWeights)
      : func(func), table(table), stackedWeights(stackedWeights), sizes(func) {}

  LogicalResult run();

private:
  void eraseDeadOps();
  void measureDepth(Operation *op);
  bool isView(Operation *op);
  bool joinsItsUser(Operation *op);
  LogicalResult processHostOp(Operation *op);
  LogicalResult collect(KernelGroup &group, Operation *op);
  LogicalResult addOuts(KernelGroup &group, OpBuilder &builder);
  LogicalResult addIndices(KernelGroup &group, OpBuilder &builder);
  FailureOr<dsrt::DispatchOp> formKernel(Operation *core);

  func::FuncOp func;
  KernelTable &table;
  const llvm::StringSet<> &stackedWeights;
  HostSizes sizes;
  DenseMap<Operation *, unsigned> depths;
};

} // namespace

//===----------------------------------------------------------------------===//
// What an op is
//===----------------------------------------------------------------------===//

static bool isElementwise(Operation *op) {
  return isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
         op->hasTrait<OpTrait::Elementwise>() && op->getNumResults() == 1 &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

bool deepseek::isViewKind(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<ElementsAttr>(constant.getValue());
    return !elements || elements.isSplat();
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return areWeightsOfOneForm(concat.getInputs());
  return isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::CastOp, DequantizeOp>(op);
}

static bool isCore(Operation *op) {
  if (isa<GetWeightOp>(op) || isViewKind(op))
    return false;
  if (isa<DeepSeekDialect>(op->getDialect()) || isElementwise(op))
    return true;
  return isa<tensor::ConcatOp, tensor::InsertSliceOp>(op);
}

/// The length of the longest chain of ops that may be cloned together with
/// `op`.
void FunctionKernels::measureDepth(Operation *op) {
  if (!isViewKind(op) && !isElementwise(op))
    return;
  unsigned depth = 0;
  for (Value operand : op->getOperands())
    if (Operation *producer = operand.getDefiningOp())
      depth = std::max(depth, depths.lookup(producer) % kMaxDepth);
  depths[op] = depth + 1;
}

bool FunctionKernels::isView(Operation *op) {
  return isViewKind(op) && depths.lookup(op) < kMaxDepth;
}

bool FunctionKernels::joinsItsUser(Operation *op) {
  return isElementwise(op) && op->hasOneUse() &&
         isElementwise(*op->user_begin()) && depths.lookup(op) < kMaxDepth;
}

//===----------------------------------------------------------------------===//
// Making a kernel
//===----------------------------------------------------------------------===//

/// Adds `op`, what it clones, and the tensors it needs from outside.
LogicalResult FunctionKernels::collect(KernelGroup &group, Operation *op) {
  for (Value operand : op->getOperands()) {
    if (group.arguments.count(operand))
      continue;
    Operation *producer = operand.getDefiningOp();
    if (producer && (isView(producer) || joinsItsUser(producer))) {
      if (!llvm::is_contained(group.ops, producer) &&
          failed(collect(group, producer)))
        return failure();
      continue;
    }
    if (operand.getType().isIndex())
      continue; // addIndices
    if (!isa<RankedTensorType>(operand.getType()))
      return op->emitOpError("has an operand of type ")
             << operand.getType()
             << "; a kernel can only be formed of ops on ranked tensors and "
                "indices";
    bool stacked = false;
    if (auto weight = operand.getDefiningOp<GetWeightOp>())
      stacked = stackedWeights.contains(weight.getWeight());
    else if (auto weight = operand.getDefiningOp<dsrt::GetWeightOp>())
      stacked = stackedWeights.contains(weight.getWeight());
    group.arguments[operand] = group.inputs.size();
    group.inputs.push_back(operand);
    group.stacked.push_back(stacked);
  }
  group.ops.push_back(op);
  return success();
}

/// An out for every result of the core: the cache that it updates, or a new
/// tensor.
LogicalResult FunctionKernels::addOuts(KernelGroup &group, OpBuilder &builder) {
  Operation *core = group.core();
  for (OpResult result : core->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      return core->emitOpError("has a result of type ")
             << result.getType()
             << "; a kernel can only be formed of ops on ranked tensors";
    group.results.push_back(result);
    if (auto append = dyn_cast<CacheAppendOp>(core)) {
      group.outs.push_back(append.getCache());
      continue;
    }
    FailureOr<SmallVector<OpFoldResult>> shape = sizes.get(builder, result);
    if (failed(shape))
      return failure();
    SmallVector<Value> dynamic;
    for (auto [dim, size] : llvm::enumerate(*shape))
      if (type.isDynamicDim(dim))
        dynamic.push_back(
            getValueOrCreateConstantIndexOp(builder, core->getLoc(), size));
    group.outs.push_back(
        tensor::EmptyOp::create(builder, core->getLoc(), type, dynamic));
    sizes.set(group.outs.back(), *shape);
  }
  return success();
}

/// Finds out where the group's index operands are known inside of the kernel.
LogicalResult FunctionKernels::addIndices(KernelGroup &group,
                                          OpBuilder &builder) {
  // The dynamic sizes of the arguments, the first of equal ones.
  SmallVector<std::pair<Value, IndexSource>> dims;
  SmallVector<Value> tensors(group.inputs);
  llvm::append_range(tensors, group.outs);
  SmallVector<unsigned> outDims;
  for (auto [number, tensor] : llvm::enumerate(tensors)) {
    FailureOr<SmallVector<OpFoldResult>> shape = sizes.get(builder, tensor);
    if (failed(shape))
      return failure();
    for (auto [dim, size] : llvm::enumerate(*shape))
      if (auto value = dyn_cast<Value>(size))
        dims.push_back({value, {unsigned(number), int64_t(dim)}});
  }
  unsigned tensorInputs = group.inputs.size();
  for (Operation *op : group.ops) {
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get();
      if (!value.getType().isIndex() || group.indices.count(value) ||
          value.getDefiningOp<arith::ConstantOp>())
        continue;
      FailureOr<OpFoldResult> size = sizes.resolve(builder, value);
      if (failed(size))
        return failure();
      Value known =
          getValueOrCreateConstantIndexOp(builder, op->getLoc(), *size);
      auto *found = llvm::find_if(
          dims, [&](const auto &entry) { return entry.first == known; });
      if (found != dims.end()) {
        group.indices[value] = found->second;
        continue;
      }
      auto place = llvm::find(group.inputs, known);
      group.indices[value] = {unsigned(place - group.inputs.begin()), -1};
      if (place == group.inputs.end()) {
        group.inputs.push_back(known);
        group.stacked.push_back(false);
      }
    }
  }
  // The outs come after the index arguments.
  unsigned added = group.inputs.size() - tensorInputs;
  for (auto &[value, source] : group.indices)
    if (source.dim >= 0 && source.argument >= tensorInputs)
      source.argument += added;
  return success();
}

FailureOr<dsrt::DispatchOp> FunctionKernels::formKernel(Operation *core) {
  OpBuilder builder(core);
  KernelGroup group;
  auto append = dyn_cast<CacheAppendOp>(core);
  if (append) {
    Operation *producer = append.getCache().getDefiningOp();
    if (producer && isView(producer)) {
      FailureOr<dsrt::DispatchOp> copy = formKernel(producer);
      if (failed(copy))
        return failure();
      append.getCacheMutable().assign(copy->getResult(0));
      builder.setInsertionPoint(core);
    }
    // Known from the start, so that collect() does not make it an input.
    group.arguments[append.getCache()] = 0;
  }
  if (failed(collect(group, core)) || failed(addOuts(group, builder)) ||
      failed(addIndices(group, builder)))
    return failure();
  if (append)
    group.arguments[append.getCache()] = group.inputs.size();

  SymbolRefAttr kernel = table.getKernel(group);
  auto dispatch =
      dsrt::DispatchOp::create(builder, core->getLoc(), core->getResultTypes(),
                               kernel, group.inputs, group.outs);
  for (auto [result, out] :
       llvm::zip_equal(dispatch.getResults(), group.outs)) {
    FailureOr<SmallVector<OpFoldResult>> shape = sizes.get(builder, out);
    if (failed(shape))
      return failure();
    sizes.set(result, *shape);
  }
  return dispatch;
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// What the host itself reads has to be in memory.
LogicalResult FunctionKernels::processHostOp(Operation *op) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    OpBuilder builder(op);
    FailureOr<OpFoldResult> size = sizes.resolve(builder, dim.getResult());
    if (failed(size))
      return failure();
    Value value = getValueOrCreateConstantIndexOp(builder, op->getLoc(), *size);
    if (value != dim.getResult())
      dim.getResult().replaceAllUsesWith(value);
    return success();
  }
  if (isa<func::CallOp>(op))
    return op->emitOpError("expected no calls here; inline the callee first");
  if (!isa<func::ReturnOp, check::ExpectCloseOp, check::ExpectEqOp,
           dsrt::ExpectOp>(op))
    return success();
  for (OpOperand &operand : op->getOpOperands()) {
    Operation *producer = operand.get().getDefiningOp();
    if (!producer || !isView(producer) ||
        !isa<RankedTensorType>(operand.get().getType()))
      continue;
    FailureOr<dsrt::DispatchOp> dispatch = formKernel(producer);
    if (failed(dispatch))
      return failure();
    unsigned number = cast<OpResult>(operand.get()).getResultNumber();
    operand.set(dispatch->getResult(number));
  }
  return success();
}

void FunctionKernels::eraseDeadOps() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(func.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

LogicalResult FunctionKernels::run() {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError("expected a function of one block; a host program "
                            "has no control flow");
  eraseDeadOps();
  SmallVector<Operation *> ops;
  for (Operation &op : func.getBody().front())
    ops.push_back(&op);
  for (Operation *op : ops) {
    measureDepth(op);
    bool tooDeep = isViewKind(op) && !isView(op);
    if (!isCore(op) && !tooDeep) {
      if (failed(processHostOp(op)))
        return failure();
      continue;
    }
    if (joinsItsUser(op))
      continue;
    FailureOr<dsrt::DispatchOp> dispatch = formKernel(op);
    if (failed(dispatch))
      return failure();
    op->replaceAllUsesWith(dispatch->getResults());
  }
  eraseDeadOps();
  return success();
}

namespace {

struct FormKernels : deepseek::impl::FormKernelsBase<FormKernels> {
  void runOnOperation() override {
    llvm::StringSet<> stacked;
    for (auto weight : getOperation().getOps<WeightOp>())
      if (weight.getKey() && weight.getKey()->contains('*'))
        stacked.insert(weight.getSymName());
    KernelTable table(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() &&
          failed(FunctionKernels(func, table, stacked).run()))
        return signalPassFailure();
  }
};

} // namespace
