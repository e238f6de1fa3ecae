//===- BufferizeKernels.cpp - Kernel functions on memrefs -----------------===//
//
// Kernel functions arrive as (inputs..., outs...) -> results on tensors, made
// of linalg, tensor and scf. They leave as functions on contiguous memrefs that
// write into their outs and return nothing. Upstream's one-shot bufferization
// does the work; this pass states what may be written, turns temporaries into
// stack memory, and stacked weights into tables of pointers.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOSTBUFFERIZEKERNELS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

namespace {

/// Stack memory one kernel may use for its temporaries; a thread has 8 MiB.
constexpr int64_t kMaxStackBytes = 1 << 20;

/// The value that `value` was made from by writing into it.
Value destinationOf(Value value) {
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

/// A kernel has an out of the type of each result, after its inputs.
LogicalResult verifyOuts(func::FuncOp func) {
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
void prepareFunction(func::FuncOp func) {
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

LogicalResult bufferize(ModuleOp module) {
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
LogicalResult dropResults(func::FuncOp func) {
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

/// memref.alloc of static size -> memref.alloca; anything else is an error.
LogicalResult useStack(func::FuncOp func) {
  int64_t bytes = 0;
  SmallVector<memref::AllocOp> allocs;
  func.walk([&](memref::AllocOp alloc) { allocs.push_back(alloc); });
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    if (!type.hasStaticShape())
      return alloc.emitOpError()
             << "in kernel '" << func.getName() << "' has the dynamic type "
             << type << "; a kernel may only have temporaries of static size";
    int64_t bits =
        type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
    bytes += type.getNumElements() * std::max<int64_t>(1, bits / 8);
    if (bytes > kMaxStackBytes)
      return alloc.emitOpError()
             << "in kernel '" << func.getName() << "' exceeds the "
             << kMaxStackBytes << " bytes a kernel may use for temporaries";
    OpBuilder builder(alloc);
    auto alloca = memref::AllocaOp::create(builder, alloc.getLoc(), type,
                                           builder.getI64IntegerAttr(64));
    alloc.replaceAllUsesWith(alloca.getResult());
    alloc.erase();
  }
  func.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
  return success();
}

/// The memref of `type` at the address in `pointer`.
Value memrefAt(OpBuilder &b, Location loc, Value pointer, MemRefType type) {
  LLVMTypeConverter converter(b.getContext());
  auto descriptor =
      MemRefDescriptor::poison(b, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(b, loc, pointer);
  descriptor.setAlignedPtr(b, loc, pointer);
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return {};
  descriptor.setConstantOffset(b, loc, offset);
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    descriptor.setConstantSize(b, loc, dim, size);
    descriptor.setConstantStride(b, loc, dim, strides[dim]);
  }
  return UnrealizedConversionCastOp::create(b, loc, type,
                                            ValueRange{Value(descriptor)})
      .getResult(0);
}

/// A stacked weight's argument becomes a table of addresses; a slice of one
/// leading index, the only use it may have, reads its address there.
LogicalResult useTable(func::FuncOp func, BlockArgument argument) {
  auto type = dyn_cast<MemRefType>(argument.getType());
  if (!type || type.getRank() == 0)
    return func.emitError("expected a stacked weight with a leading dimension, "
                          "got an argument of type ")
           << argument.getType();
  OpBuilder builder(func.getContext());
  auto table = MemRefType::get({type.getDimSize(0)}, builder.getIndexType());
  SmallVector<Operation *> users(argument.getUsers());
  for (Operation *user : users) {
    auto slice = dyn_cast<memref::SubViewOp>(user);
    if (!slice || slice.getStaticSizes().front() != 1 ||
        slice.getType().getRank() != type.getRank() - 1 ||
        slice.getType().getShape() != type.getShape().drop_front())
      return user->emitOpError()
             << "in kernel '" << func.getName()
             << "' uses a stacked weight; only a slice of one leading index of "
                "it can be used, its tensors lie apart";
    builder.setInsertionPoint(slice);
    Location loc = slice.getLoc();
    Value index = getValueOrCreateConstantIndexOp(
        builder, loc, slice.getMixedOffsets().front());
    argument.setType(table);
    Value address =
        memref::LoadOp::create(builder, loc, argument, ValueRange{index});
    address =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
    // The slice's type says "at offset n of something": of what lies n elements
    // before, or, if it leaves n open, of itself.
    MemRefType place = slice.getType();
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    if (succeeded(place.getStridesAndOffset(strides, offset)) &&
        !ShapedType::isDynamic(offset))
      address = arith::SubIOp::create(
          builder, loc, address,
          arith::ConstantIntOp::create(
              builder, loc, offset * place.getElementTypeBitWidth() / 8, 64));
    else
      place = MemRefType::get(place.getShape(), place.getElementType());
    Value pointer = LLVM::IntToPtrOp::create(
        builder, loc, LLVM::LLVMPointerType::get(func.getContext()), address);
    Value memref = memrefAt(builder, loc, pointer, place);
    if (place != slice.getType())
      memref = memref::CastOp::create(builder, loc, slice.getType(), memref);
    slice.replaceAllUsesWith(memref);
    slice.erase();
  }
  argument.setType(table);
  return success();
}

struct BufferizeKernels
    : deepseek::impl::HostBufferizeKernelsBase<BufferizeKernels> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<bufferization::BufferizationDialect, LLVM::LLVMDialect,
                    memref::MemRefDialect, linalg::LinalgDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (func::FuncOp func : module.getOps<func::FuncOp>()) {
      if (func.isExternal() || !func.getBody().hasOneBlock()) {
        func.emitError("expected a kernel function with one block");
        return signalPassFailure();
      }
      if (failed(verifyOuts(func)))
        return signalPassFailure();
      prepareFunction(func);
    }
    if (failed(bufferize(module)))
      return signalPassFailure();
    for (func::FuncOp func : module.getOps<func::FuncOp>()) {
      if (failed(dropResults(func)) || failed(useStack(func)) ||
          failed(useTables(func)))
        return signalPassFailure();
    }
  }

  LogicalResult useTables(func::FuncOp func) {
    for (BlockArgument argument : func.getArguments())
      if (func.getArgAttr(argument.getArgNumber(), dsrt::kStackedAttr) &&
          failed(useTable(func, argument)))
        return failure();
    func.setType(FunctionType::get(
        func.getContext(), func.getBody().front().getArgumentTypes(), {}));
    return success();
  }
};

} // namespace
