//===- CtaCode.cpp - Loops on memrefs, run by the threads of a CTA --------===//
//
// A write is preceded by a barrier if anything was read or written since the
// last one, and followed by one; so all threads see the same memory wherever
// they compute a scalar, and take the same branches.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/CtaCode.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mlir::deepseek;

/// Of shared memory, and of temporaries in scratch.
static constexpr int64_t kAlignment = 64;
static constexpr unsigned kGlobalSpace = 1;

int64_t deepseek::getBufferBytes(MemRefType type, int64_t alignment) {
  Type element = type.getElementType();
  int64_t bits = element.isIndex() ? 64 : type.getElementTypeBitWidth();
  return llvm::alignTo(type.getNumElements() * llvm::divideCeil(bits, 8),
                       alignment);
}

Value CtaCode::index(int64_t value) {
  return arith::ConstantIndexOp::create(k, value);
}

Value CtaCode::toIndex(Value value) {
  return arith::IndexCastOp::create(k, k.getIndexType(), value);
}

void CtaCode::setLargeTemporaries(Value address,
                                  DenseMap<Operation *, int64_t> offsets) {
  largeBase = address;
  largeOffsets = std::move(offsets);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value CtaCode::memrefAt(Value address, MemRefType type, ArrayRef<Value> sizes) {
  Location loc = k.getLoc();
  auto generic = LLVM::LLVMPointerType::get(k.getContext());
  if (address.getType() != generic)
    address = LLVM::AddrSpaceCastOp::create(k, generic, address);
  LLVMTypeConverter converter(k.getContext());
  auto descriptor =
      MemRefDescriptor::poison(k, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(k, loc, address);
  descriptor.setAlignedPtr(k, loc, address);
  descriptor.setConstantOffset(k, loc, 0);
  Value stride = k.i64(1);
  for (int64_t dim = type.getRank() - 1, dynamic = sizes.size(); dim >= 0;
       --dim) {
    Value size = type.isDynamicDim(dim) ? sizes[--dynamic]
                                        : Value(k.i64(type.getDimSize(dim)));
    descriptor.setSize(k, loc, dim, size);
    descriptor.setStride(k, loc, dim, stride);
    stride = arith::MulIOp::create(k, stride, size);
  }
  return UnrealizedConversionCastOp::create(k, type,
                                            ValueRange{Value(descriptor)})
      .getResult(0);
}

LogicalResult CtaCode::emitTemporary(Operation &op, MemRefType type) {
  auto large = largeOffsets.find(&op);
  Val address = large == largeOffsets.end()
                    ? k.shared(getBufferBytes(type), kAlignment)
                    : k.at(k.val(largeBase), large->second);
  map.map(op.getResult(0), memrefAt(address, type));
  return success();
}

/// The bytes of a constant.
static FailureOr<std::string> getBytes(memref::GlobalOp global) {
  MemRefType type = global.getType();
  Attribute value = global.getInitialValue().value_or(Attribute());
  std::string bytes;
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(value)) {
    ArrayRef<char> raw = dense.getRawData();
    int64_t copies = dense.isSplat() ? type.getNumElements() : 1;
    for (int64_t i = 0; i < copies; ++i)
      bytes.append(raw.data(), raw.size());
  } else if (auto resource =
                 dyn_cast_or_null<DenseResourceElementsAttr>(value)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes.assign(blob->getData().data(), blob->getData().size());
  }
  if (static_cast<int64_t>(bytes.size()) != getBufferBytes(type, 1))
    return global.emitOpError("expected a constant of whole bytes");
  return bytes;
}

LogicalResult CtaCode::emitGlobal(memref::GetGlobalOp op) {
  auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
      op, op.getNameAttr());
  if (!global)
    return op.emitOpError("refers to no constant");
  FailureOr<std::string> bytes = getBytes(global);
  if (failed(bytes))
    return failure();
  std::string name = (k.getFunction().getName() + global.getName()).str();
  auto pointer = LLVM::LLVMPointerType::get(k.getContext(), kGlobalSpace);
  Operation *module = k.getFunction()->getParentOp();
  if (!SymbolTable::lookupSymbolIn(module, name)) {
    OpBuilder::InsertionGuard guard(k);
    k.setInsertionPoint(k.getFunction());
    auto array = LLVM::LLVMArrayType::get(k.getI8Type(), bytes->size());
    LLVM::GlobalOp::create(k, array, /*isConstant=*/true,
                           LLVM::Linkage::Internal, name,
                           k.getStringAttr(*bytes), kAlignment, kGlobalSpace);
  }
  Value address = LLVM::AddressOfOp::create(k, pointer, name);
  map.map(op.getResult(), memrefAt(address, op.getType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

void CtaCode::synchronize() {
  if (accessed)
    k.barrier();
  accessed = false;
}

void CtaCode::onThread0(llvm::function_ref<void()> body) {
  synchronize();
  k.ifThen(k.threadId() == 0, body);
  k.barrier();
}

LogicalResult CtaCode::emitBody(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(emit(op)))
      return failure();
  return success();
}

LogicalResult CtaCode::emit(Operation &op) {
  k.setLoc(op.getLoc());
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    synchronize();
    if (failed(
            emitGeneric(generic, toIndex(k.threadId()), index(k.getThreads()))))
      return failure();
    k.barrier();
    return success();
  }
  if (isa<memref::StoreOp>(op)) {
    onThread0([&] { k.clone(op, map); });
    return success();
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitLoop(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return emitBranch(branch);
  if (isa<memref::AllocOp, memref::AllocaOp>(op))
    return emitTemporary(op, cast<MemRefType>(op.getResult(0).getType()));
  if (auto global = dyn_cast<memref::GetGlobalOp>(op))
    return emitGlobal(global);
  if (isa<memref::DeallocOp>(op))
    return success();
  if (isa<memref::LoadOp>(op))
    accessed = true;
  else if (!isMemoryEffectFree(&op))
    return op.emitOpError("has no form on the device");
  k.clone(op, map);
  return success();
}

LogicalResult CtaCode::emitLoop(scf::ForOp loop) {
  auto mapped = [&](Value value) { return map.lookup(value); };
  auto copy = scf::ForOp::create(
      k, mapped(loop.getLowerBound()), mapped(loop.getUpperBound()),
      mapped(loop.getStep()), llvm::map_to_vector(loop.getInitArgs(), mapped),
      nullptr, loop.getUnsignedCmp());
  copy.getBody()->clear();
  for (auto [from, to] : llvm::zip_equal(loop.getBody()->getArguments(),
                                         copy.getBody()->getArguments()))
    map.map(from, to);
  for (auto [from, to] : llvm::zip_equal(loop.getResults(), copy.getResults()))
    map.map(from, to);
  accessed = true; // by the iteration before
  OpBuilder::InsertionGuard guard(k);
  k.setInsertionPointToStart(copy.getBody());
  if (failed(emitBody(*loop.getBody())))
    return failure();
  k.clone(*loop.getBody()->getTerminator(), map);
  accessed = true;
  return success();
}

LogicalResult CtaCode::emitBranch(scf::IfOp branch) {
  auto copy = scf::IfOp::create(k, branch.getResultTypes(),
                                map.lookup(branch.getCondition()),
                                !branch.getElseRegion().empty());
  for (auto [from, to] :
       llvm::zip_equal(branch.getResults(), copy.getResults()))
    map.map(from, to);
  for (auto [from, to] : llvm::zip(branch->getRegions(), copy->getRegions())) {
    if (from.empty())
      continue;
    OpBuilder::InsertionGuard guard(k);
    to.front().clear();
    k.setInsertionPointToStart(&to.front());
    accessed = true;
    if (failed(emitBody(from.front())))
      return failure();
    k.clone(*from.front().getTerminator(), map);
  }
  accessed = true;
  return success();
}

//===----------------------------------------------------------------------===//
// linalg.generic
//===----------------------------------------------------------------------===//

Value CtaCode::sizeOf(linalg::GenericOp op, unsigned dim) {
  int64_t size = op.getStaticLoopRanges()[dim];
  if (!ShapedType::isDynamic(size))
    return index(size);
  Value operand;
  unsigned position;
  if (failed(op.mapIterationSpaceDimToOperandDim(dim, operand, position)))
    return {};
  return memref::DimOp::create(k, map.lookup(operand), position);
}

SmallVector<Value> CtaCode::indicesOf(linalg::GenericOp op, OpOperand &operand,
                                      ArrayRef<Value> indices) {
  SmallVector<Value> result;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      result.push_back(indices[dim.getPosition()]);
    else
      result.push_back(affine::AffineApplyOp::create(
          k, AffineMap::get(indices.size(), 0, expr), indices));
  }
  return result;
}

/// The body at `indices`, from the `carried` values of the outs.
SmallVector<Value> CtaCode::emitElement(linalg::GenericOp op,
                                        ArrayRef<Value> indices,
                                        ValueRange carried) {
  IRMapping inner = map;
  Block &body = op.getRegion().front();
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    Value value = map.lookup(input->get());
    if (argument.use_empty())
      continue;
    if (isa<MemRefType>(value.getType()))
      value = memref::LoadOp::create(k, value, indicesOf(op, *input, indices));
    inner.map(argument, value);
  }
  for (auto [output, value] : llvm::zip_equal(op.getDpsInitsMutable(), carried))
    if (value)
      inner.map(op.getMatchingBlockArgument(&output), value);
  for (Operation &bodyOp : body.without_terminator()) {
    if (auto number = dyn_cast<linalg::IndexOp>(bodyOp))
      inner.map(number.getResult(), indices[number.getDim()]);
    else
      k.clone(bodyOp, inner);
  }
  return llvm::map_to_vector(
      body.getTerminator()->getOperands(),
      [&](Value value) { return inner.lookupOrDefault(value); });
}

/// Loops over the reductions `dims`, in their order, that carry the outs.
SmallVector<Value> CtaCode::emitReductions(linalg::GenericOp op,
                                           ArrayRef<Value> sizes,
                                           ArrayRef<unsigned> dims,
                                           SmallVector<Value> &indices,
                                           ValueRange carried) {
  if (dims.empty())
    return emitElement(op, indices, carried);
  auto loop =
      scf::ForOp::create(k, index(0), sizes[dims.front()], index(1), carried);
  loop.getBody()->clear();
  OpBuilder::InsertionGuard guard(k);
  k.setInsertionPointToStart(loop.getBody());
  indices[dims.front()] = loop.getInductionVar();
  SmallVector<Value> next = emitReductions(op, sizes, dims.drop_front(),
                                           indices, loop.getRegionIterArgs());
  scf::YieldOp::create(k, next);
  return llvm::to_vector(ValueRange(loop.getResults()));
}

/// The outs at one point of the parallel loops.
void CtaCode::emitPoint(linalg::GenericOp op, ArrayRef<Value> sizes,
                        SmallVector<Value> indices) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  SmallVector<Value> carried;
  for (OpOperand &output : op.getDpsInitsMutable()) {
    bool used = !op.getMatchingBlockArgument(&output).use_empty();
    carried.push_back(
        used || !reductions.empty()
            ? memref::LoadOp::create(k, map.lookup(output.get()),
                                     indicesOf(op, output, indices))
                  .getResult()
            : Value());
  }
  SmallVector<Value> results =
      emitReductions(op, sizes, reductions, indices, carried);
  for (auto [output, value] : llvm::zip_equal(op.getDpsInitsMutable(), results))
    memref::StoreOp::create(k, value, map.lookup(output.get()),
                            indicesOf(op, output, indices));
}

/// Points `first`, `first + step`, ... of the parallel loops; the last loop is
/// the fastest, so that neighbours in memory are neighbouring threads.
LogicalResult CtaCode::emitGeneric(linalg::GenericOp op, Value first,
                                   Value step) {
  SmallVector<unsigned> parallel, reductions;
  op.getParallelDims(parallel);
  op.getReductionDims(reductions);
  for (OpOperand &output : op.getDpsInitsMutable())
    for (unsigned dim : reductions)
      if (op.getMatchingIndexingMap(&output).isFunctionOfDim(dim))
        return op.emitOpError("writes along a reduction; that has no form on "
                              "the device");
  SmallVector<Value> sizes;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    sizes.push_back(sizeOf(op, dim));
    if (!sizes.back())
      return op.emitOpError("has a loop whose size no operand gives");
  }
  Value total = index(1);
  for (unsigned dim : parallel)
    total = arith::MulIOp::create(k, total, sizes[dim]);
  auto loop = scf::ForOp::create(k, first, total, step);
  OpBuilder::InsertionGuard guard(k);
  k.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> indices(op.getNumLoops());
  Value rest = loop.getInductionVar();
  for (unsigned dim : llvm::reverse(parallel)) {
    indices[dim] = rest;
    if (dim == parallel.front())
      break;
    indices[dim] = arith::RemUIOp::create(k, rest, sizes[dim]);
    rest = arith::DivUIOp::create(k, rest, sizes[dim]);
  }
  emitPoint(op, sizes, indices);
  return success();
}

//===----------------------------------------------------------------------===//
// The grid
//===----------------------------------------------------------------------===//

LogicalResult CtaCode::emitForGrid(linalg::GenericOp op) {
  k.setLoc(op.getLoc());
  Val threads = k.i64(k.getThreads());
  Val first = k.toI64(k.blockId(0)) * threads + k.toI64(k.threadId());
  Val step = k.toI64(k.gridSize(0)) * threads;
  return emitGeneric(op, toIndex(first), toIndex(step));
}

LogicalResult CtaCode::emitForGrid(scf::ForallOp forall) {
  k.setLoc(forall.getLoc());
  auto value = [&](OpFoldResult bound) -> Value {
    if (auto constant = getConstantIntValue(bound))
      return index(*constant);
    return map.lookup(cast<Value>(bound));
  };
  SmallVector<Value> lows, steps, trips;
  Value total = index(1);
  for (int64_t dim = 0; dim < forall.getRank(); ++dim) {
    lows.push_back(value(forall.getMixedLowerBound()[dim]));
    steps.push_back(value(forall.getMixedStep()[dim]));
    Value extent = arith::SubIOp::create(
        k, value(forall.getMixedUpperBound()[dim]), lows.back());
    Value rounded = arith::AddIOp::create(
        k, extent, arith::SubIOp::create(k, steps.back(), index(1)));
    trips.push_back(arith::DivUIOp::create(k, rounded, steps.back()));
    total = arith::MulIOp::create(k, total, trips.back());
  }
  auto loop = scf::ForOp::create(k, toIndex(k.toI64(k.blockId(0))), total,
                                 toIndex(k.toI64(k.gridSize(0))));
  OpBuilder::InsertionGuard guard(k);
  k.setInsertionPointToStart(loop.getBody());
  Value rest = loop.getInductionVar();
  for (int64_t dim = forall.getRank() - 1; dim >= 0; --dim) {
    Value position = rest;
    if (dim != 0) {
      position = arith::RemUIOp::create(k, rest, trips[dim]);
      rest = arith::DivUIOp::create(k, rest, trips[dim]);
    }
    position = arith::MulIOp::create(k, position, steps[dim]);
    map.map(forall.getInductionVar(dim),
            arith::AddIOp::create(k, position, lows[dim]));
  }
  accessed = true;
  return emitBody(*forall.getBody());
}
