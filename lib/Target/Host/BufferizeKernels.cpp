//===- BufferizeKernels.cpp - Kernel functions on memrefs -----------------===//
//
// Kernel functions arrive as (inputs..., outs...) -> results on tensors, made
// of linalg, tensor and scf. They leave as functions on contiguous memrefs that
// write into their outs and return nothing (Common/BufferizeKernels.h), with
// temporaries in stack memory, and stacked weights as tables of pointers.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "dialects/DSRT/IR/DSRTDialect.h"
#include "lib/Target/Common/BufferizeKernels.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOSTBUFFERIZEKERNELS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

namespace {

/// Stack memory one kernel may use for its temporaries; a thread has 8 MiB.
constexpr int64_t kMaxStackBytes = 1 << 20;

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
    if (failed(deepseek::bufferizeKernels(module)))
      return signalPassFailure();
    for (func::FuncOp func : module.getOps<func::FuncOp>()) {
      if (failed(useStack(func)) || failed(useTables(func)))
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
