//===- BufferizeKernels.cpp - Kernel functions on memrefs -----------------===//
//
// Kernel functions arrive as (inputs..., outs...) -> results on tensors, made
// of linalg, tensor and scf. Upstream's one-shot bufferization does the work;
// this states what may be written and puts results into their outs.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/Common/BufferizeKernels.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;

/// The value that `value` was made from by writing into it.
static Value destinationOf(Value value) {
  while (auto result = dyn_cast<OpResult>(value)) {
    Operation *op = result.getOwner();
    if (auto forall = dyn_cast<scf::ForallOp>(op))
      value = forall.getOutputs()[result.getResultNumber()];
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      value = loop.getInitArgs()[result.getResultNumber()];
    else if (auto insert = dyn_cast<tensor::InsertOp>(op))
      value = insert.getDest();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
      value = dps.getDpsInitOperand(result.getResultNumber())->get();
    else
      break;
  }
  return value;
}

LogicalResult deepseek::verifyKernelFunction(func::FuncOp func) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return func.emitError("expected a kernel function with one block");
  ArrayRef<Type> arguments = func.getArgumentTypes();
  ArrayRef<Type> results = func.getResultTypes();
  if (results.size() <= arguments.size() &&
      results == arguments.take_back(results.size()) &&
      llvm::all_of(results, llvm::IsaPred<RankedTensorType>))
    return success();
  return func.emitError("expected a kernel whose last arguments are the outs "
                        "of its results, got ")
         << func.getFunctionType();
}

/// Results that are not made in their out are copied there; inputs may not be
/// written.
static void prepareFunction(func::FuncOp func) {
  unsigned inputs = func.getNumArguments() - func.getNumResults();
  OpBuilder builder(func.getContext());
  for (unsigned i = 0; i < inputs; ++i)
    if (isa<TensorType>(func.getArgument(i).getType()))
      func.setArgAttr(i, bufferization::BufferizationDialect::kWritableAttrName,
                      builder.getBoolAttr(false));
  auto returnOp = cast<func::ReturnOp>(func.getBody().back().getTerminator());
  builder.setInsertionPoint(returnOp);
  for (OpOperand &operand : returnOp->getOpOperands()) {
    Value out = func.getArgument(inputs + operand.getOperandNumber());
    if (destinationOf(operand.get()) == out)
      continue;
    operand.set(
        bufferization::MaterializeInDestinationOp::create(
            builder, returnOp.getLoc(), out.getType(), operand.get(), out)
            .getResult());
  }
}

static LogicalResult bufferize(ModuleOp module) {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.allowReturnAllocsFromLoops = true;
  options.setFunctionBoundaryTypeConversion(
      bufferization::LayoutMapOption::IdentityLayoutMap);
  options.unknownTypeConverterFn =
      [](TensorType type, Attribute memorySpace,
         const bufferization::BufferizationOptions &) {
        return bufferization::getMemRefTypeWithStaticIdentityLayout(
            type, memorySpace);
      };
  options.memCpyFn = [](OpBuilder &b, Location loc, Value from, Value to) {
    memref::CopyOp::create(b, loc, from, to);
    return success();
  };
  bufferization::BufferizationState state;
  return bufferization::runOneShotModuleBufferize(module, options, state);
}

/// Results are in the outs by now.
static LogicalResult dropResults(func::FuncOp func) {
  auto returnOp = cast<func::ReturnOp>(func.getBody().back().getTerminator());
  unsigned inputs = func.getNumArguments() - returnOp.getNumOperands();
  OpBuilder builder(returnOp);
  for (auto [index, value] : llvm::enumerate(returnOp.getOperands())) {
    Value out = func.getArgument(inputs + index);
    if (auto cast = value.getDefiningOp<memref::CastOp>())
      value = cast.getSource();
    if (value != out)
      memref::CopyOp::create(builder, returnOp.getLoc(), value, out);
  }
  returnOp->setOperands(ValueRange());
  func.setType(builder.getFunctionType(func.getArgumentTypes(), {}));
  func.removeResAttrsAttr();
  return success();
}

LogicalResult deepseek::bufferizeKernels(ModuleOp module) {
  for (func::FuncOp func : module.getOps<func::FuncOp>()) {
    if (failed(verifyKernelFunction(func)))
      return failure();
    prepareFunction(func);
  }
  if (failed(bufferize(module)))
    return failure();
  for (func::FuncOp func : module.getOps<func::FuncOp>())
    if (failed(dropResults(func)))
      return failure();
  return success();
}
