//===- OutlineParallel.cpp - Kernels on the thread team -------------------===//
//
// The last pass on kernels before LLVM. A kernel on memrefs becomes a function
// with the lowered ABI; an outermost scf.forall becomes a private function over
// a range of its linear iteration space, handed to dsrt_parallel with a struct
// of what the body captures:
//
//   scf.forall (%i, %j) in (%n, 8) { body }
//   ->
//   %status = llvm.call @dsrt_parallel(%call, @k_range_0, %context, %n*8, 1)
//   func @k_range_0(%context, %begin, %end) {
//     scf.for %linear = %begin to %end { %i = %linear / 8 ... body } }
//
// Stack memory is moved to the start of the function it ends up in.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOSTOUTLINEPARALLEL
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

namespace {

constexpr StringLiteral kParallelFunction = "dsrt_parallel";

/// Outlines the parallel loops of one kernel and gives it its ABI.
class KernelOutliner {
public:
  KernelOutliner(func::FuncOp kernel)
      : kernel(kernel), context(kernel.getContext()), converter(context),
        b(context), pointer(LLVM::LLVMPointerType::get(context)),
        i64(IntegerType::get(context, 64)), i32(IntegerType::get(context, 32)) {
  }

  LogicalResult run();

private:
  void lowerSignature();
  Value unpackArgument(Block &entry, MemRefType type, Location loc);
  void outline(scf::ForallOp forall);
  func::FuncOp makeRange(scf::ForallOp forall, ArrayRef<Value> captured,
                         LLVM::LLVMStructType type);
  Value pack(scf::ForallOp forall, ArrayRef<Value> captured,
             LLVM::LLVMStructType type);
  void keepStatus(Location loc, Value next);
  void hoistAllocas(func::FuncOp func);
  Type lowered(Type type) {
    return type.isIndex() ? Type(i64) : converter.convertType(type);
  }
  Value toLowered(Location loc, Value value);
  Value fromLowered(Location loc, Value value, Type type);

  func::FuncOp kernel;
  MLIRContext *context;
  LLVMTypeConverter converter;
  OpBuilder b;
  LLVM::LLVMPointerType pointer;
  IntegerType i64, i32;
  Value call;   // the kernel's first argument
  Value status; // address of the first status that was not 0
  unsigned ranges = 0;
};

Value KernelOutliner::toLowered(Location loc, Value value) {
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(b, loc, i64, value);
  if (lowered(value.getType()) == value.getType())
    return value;
  return UnrealizedConversionCastOp::create(b, loc, lowered(value.getType()),
                                            value)
      .getResult(0);
}

Value KernelOutliner::fromLowered(Location loc, Value value, Type type) {
  if (type.isIndex())
    return arith::IndexCastOp::create(b, loc, type, value);
  if (value.getType() == type)
    return value;
  return UnrealizedConversionCastOp::create(b, loc, type, value).getResult(0);
}

/// Adds the pointer and the dynamic sizes of a contiguous memref to the entry
/// block's arguments and returns the memref they describe.
Value KernelOutliner::unpackArgument(Block &entry, MemRefType type,
                                     Location loc) {
  Value data = entry.addArgument(pointer, loc);
  auto descriptor =
      MemRefDescriptor::poison(b, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(b, loc, data);
  descriptor.setAlignedPtr(b, loc, data);
  descriptor.setConstantOffset(b, loc, 0);
  SmallVector<Value> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(
        ShapedType::isDynamic(size)
            ? Value(entry.addArgument(i64, loc))
            : LLVM::ConstantOp::create(b, loc, i64, size).getResult());
  Value stride = LLVM::ConstantOp::create(b, loc, i64, 1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    descriptor.setSize(b, loc, dim, sizes[dim]);
    descriptor.setStride(b, loc, dim, stride);
    stride = LLVM::MulOp::create(b, loc, stride, sizes[dim]);
  }
  return UnrealizedConversionCastOp::create(b, loc, type,
                                            ValueRange{Value(descriptor)})
      .getResult(0);
}

/// (memrefs and scalars) -> ()  becomes  (call, data, sizes..., ...) -> i32.
void KernelOutliner::lowerSignature() {
  Block &entry = kernel.getBody().front();
  Location loc = kernel.getLoc();
  unsigned count = entry.getNumArguments();
  b.setInsertionPointToStart(&entry);
  call = entry.addArgument(pointer, loc);
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument old = entry.getArgument(i);
    Value value;
    if (auto memref = dyn_cast<MemRefType>(old.getType())) {
      value = unpackArgument(entry, memref, loc);
    } else {
      value = entry.addArgument(lowered(old.getType()), loc);
      value = fromLowered(loc, value, old.getType());
    }
    old.replaceAllUsesWith(value);
  }
  entry.eraseArguments(0, count);
  Value one = LLVM::ConstantOp::create(b, loc, i64, 1);
  status = LLVM::AllocaOp::create(b, loc, pointer, i32, one);
  Value zero = LLVM::ConstantOp::create(b, loc, i32, 0);
  LLVM::StoreOp::create(b, loc, zero, status);

  auto returnOp = cast<func::ReturnOp>(entry.getTerminator());
  b.setInsertionPoint(returnOp);
  Value result = LLVM::LoadOp::create(b, loc, i32, status);
  func::ReturnOp::create(b, loc, result);
  returnOp.erase();
  kernel.setType(FunctionType::get(context, entry.getArgumentTypes(), {i32}));
  kernel.removeArgAttrsAttr();
}

/// The function over [begin, end) of the linear iteration space.
func::FuncOp KernelOutliner::makeRange(scf::ForallOp forall,
                                       ArrayRef<Value> captured,
                                       LLVM::LLVMStructType type) {
  Location loc = forall.getLoc();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(kernel);
  std::string name = (kernel.getName() + "_range_" + Twine(ranges++)).str();
  auto range = func::FuncOp::create(
      b, loc, name, FunctionType::get(context, {pointer, i64, i64}, {}));
  range.setPrivate();
  Block *entry = range.addEntryBlock();
  b.setInsertionPointToStart(entry);

  IRMapping map;
  for (auto [index, value] : llvm::enumerate(captured)) {
    Value address = LLVM::GEPOp::create(
        b, loc, pointer, type, entry->getArgument(0),
        ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(index)});
    Value field = LLVM::LoadOp::create(b, loc, type.getBody()[index], address);
    map.map(value, fromLowered(loc, field, value.getType()));
  }
  auto toIndex = [&](Value value) {
    return fromLowered(loc, value, b.getIndexType());
  };
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  auto loop = scf::ForOp::create(b, loc, toIndex(entry->getArgument(1)),
                                 toIndex(entry->getArgument(2)), one);
  func::ReturnOp::create(b, loc);

  b.setInsertionPointToStart(loop.getBody());
  // The first dimension is the slowest.
  Value rest = loop.getInductionVar();
  SmallVector<Value> indices(forall.getRank());
  auto bound = [&](OpFoldResult value) {
    if (std::optional<int64_t> known = getConstantIntValue(value))
      return Value(arith::ConstantIndexOp::create(b, loc, *known));
    return map.lookup(cast<Value>(value));
  };
  for (int64_t dim = forall.getRank() - 1; dim >= 0; --dim) {
    Value low = bound(forall.getMixedLowerBound()[dim]);
    Value step = bound(forall.getMixedStep()[dim]);
    Value high = bound(forall.getMixedUpperBound()[dim]);
    Value extent = arith::SubIOp::create(b, loc, high, low);
    Value trips = arith::CeilDivUIOp::create(b, loc, extent, step);
    Value position = rest;
    if (dim != 0) {
      position = arith::RemUIOp::create(b, loc, rest, trips);
      rest = arith::DivUIOp::create(b, loc, rest, trips);
    }
    Value scaled = arith::MulIOp::create(b, loc, position, step);
    indices[dim] = arith::AddIOp::create(b, loc, low, scaled);
  }
  for (auto [iv, index] : llvm::zip(forall.getInductionVars(), indices))
    map.map(iv, index);
  for (Operation &op : forall.getBody()->without_terminator())
    b.clone(op, map);
  return range;
}

/// The struct of captured values, on the kernel's stack.
Value KernelOutliner::pack(scf::ForallOp forall, ArrayRef<Value> captured,
                           LLVM::LLVMStructType type) {
  Location loc = forall.getLoc();
  Value address;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&kernel.getBody().front());
    Value one = LLVM::ConstantOp::create(b, loc, i64, 1);
    address = LLVM::AllocaOp::create(b, loc, pointer, type, one);
  }
  for (auto [index, value] : llvm::enumerate(captured)) {
    Value field = LLVM::GEPOp::create(
        b, loc, pointer, type, address,
        ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(index)});
    LLVM::StoreOp::create(b, loc, toLowered(loc, value), field);
  }
  return address;
}

/// Remembers the first status that is not 0.
void KernelOutliner::keepStatus(Location loc, Value next) {
  Value zero = LLVM::ConstantOp::create(b, loc, i32, 0);
  Value old = LLVM::LoadOp::create(b, loc, i32, status);
  Value good = LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::eq, old, zero);
  Value first = LLVM::SelectOp::create(b, loc, good, next, old);
  LLVM::StoreOp::create(b, loc, first, status);
}

void KernelOutliner::outline(scf::ForallOp forall) {
  Location loc = forall.getLoc();
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(forall.getRegion(), used);
  for (Value operand : forall->getOperands())
    used.insert(operand);
  // Constants are cheaper to make than to load.
  SmallVector<Value> captured;
  for (Value value : used) {
    Operation *def = value.getDefiningOp();
    if (!def || !def->hasTrait<OpTrait::ConstantLike>()) {
      captured.push_back(value);
      continue;
    }
    b.setInsertionPointToStart(forall.getBody());
    Value copy = b.clone(*def)->getResult(0);
    replaceAllUsesInRegionWith(value, copy, forall.getRegion());
  }
  SmallVector<Type> fields = llvm::map_to_vector(
      captured, [&](Value value) { return lowered(value.getType()); });
  auto type = LLVM::LLVMStructType::getLiteral(context, fields);

  func::FuncOp range = makeRange(forall, captured, type);
  b.setInsertionPoint(forall);
  Value address = pack(forall, captured, type);
  Value count = arith::ConstantIndexOp::create(b, loc, 1);
  for (int64_t dim = 0; dim < forall.getRank(); ++dim) {
    auto value = [&](OpFoldResult bound) {
      return getValueOrCreateConstantIndexOp(b, loc, bound);
    };
    Value extent =
        arith::SubIOp::create(b, loc, value(forall.getMixedUpperBound()[dim]),
                              value(forall.getMixedLowerBound()[dim]));
    Value trips = arith::CeilDivUIOp::create(b, loc, extent,
                                             value(forall.getMixedStep()[dim]));
    count = arith::MulIOp::create(b, loc, count, trips);
  }
  Value function =
      func::ConstantOp::create(b, loc, range.getFunctionType(),
                               FlatSymbolRefAttr::get(range.getNameAttr()));
  function = UnrealizedConversionCastOp::create(b, loc, pointer, function)
                 .getResult(0);
  Value grain = LLVM::ConstantOp::create(b, loc, i64, 1);
  auto parallel = LLVM::CallOp::create(
      b, loc, TypeRange{i32}, kParallelFunction,
      ValueRange{call, function, address, toLowered(loc, count), grain});
  keepStatus(loc, parallel.getResult());
  forall.erase();
  hoistAllocas(range);
}

/// Stack memory inside of a loop would grow with each iteration.
void KernelOutliner::hoistAllocas(func::FuncOp func) {
  SmallVector<memref::AllocaOp> allocas;
  func.walk([&](memref::AllocaOp alloca) { allocas.push_back(alloca); });
  Block &entry = func.getBody().front();
  for (memref::AllocaOp alloca : allocas)
    alloca->moveBefore(&entry, entry.begin());
}

LogicalResult KernelOutliner::run() {
  lowerSignature();
  // Inner parallel loops are loops: the team is taken.
  SmallVector<scf::ForallOp> outer, inner;
  kernel.walk([&](scf::ForallOp forall) {
    (forall->getParentOfType<scf::ForallOp>() ? inner : outer)
        .push_back(forall);
  });
  IRRewriter rewriter(context);
  for (scf::ForallOp forall : inner) {
    rewriter.setInsertionPoint(forall);
    if (failed(scf::forallToForLoop(rewriter, forall)))
      return failure();
  }
  for (scf::ForallOp forall : outer)
    outline(forall);
  hoistAllocas(kernel);
  return success();
}

struct OutlineParallel
    : deepseek::impl::HostOutlineParallelBase<OutlineParallel> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    auto pointer = LLVM::LLVMPointerType::get(context);
    auto i64 = IntegerType::get(context, 64);
    auto i32 = IntegerType::get(context, 32);
    OpBuilder b(context);
    b.setInsertionPointToStart(module.getBody());
    LLVM::LLVMFuncOp::create(b, module.getLoc(), kParallelFunction,
                             LLVM::LLVMFunctionType::get(
                                 i32, {pointer, pointer, pointer, i64, i64}));
    SmallVector<func::FuncOp> kernels(module.getOps<func::FuncOp>());
    for (func::FuncOp kernel : kernels)
      if (failed(KernelOutliner(kernel).run()))
        return signalPassFailure();
  }
};

} // namespace
