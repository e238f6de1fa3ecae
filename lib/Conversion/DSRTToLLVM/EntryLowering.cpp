//===- EntryLowering.cpp - One host function to LLVM ----------------------===//
//
// A host function is straight-line code: it computes a few sizes, takes buffers
// from the workspace and the weight table, and calls kernels. It can have
// thousands of calls (61 layers), so it is translated in one walk, without a
// memref descriptor for each value, and LLVM is told not to optimize it.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DSRTToLLVM/EntryLowering.h"

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dsrt/abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

int64_t deepseek::getDtypeCode(Type element) {
  return TypeSwitch<Type, int64_t>(element)
      .Case<Float32Type>([](Type) { return DSRT_F32; })
      .Case<BFloat16Type>([](Type) { return DSRT_BF16; })
      .Case<Float16Type>([](Type) { return DSRT_F16; })
      .Case<Float8E4M3FNType>([](Type) { return DSRT_F8E4M3; })
      .Case<Float8E5M2Type>([](Type) { return DSRT_F8E5M2; })
      .Case<Float8E8M0FNUType>([](Type) { return DSRT_F8E8M0; })
      .Case<IndexType>([](Type) { return DSRT_INDEX; })
      .Case<IntegerType>([](IntegerType type) -> int64_t {
        switch (type.getWidth()) {
        case 8:
          return DSRT_I8;
        case 32:
          return DSRT_I32;
        case 64:
          return DSRT_I64;
        default:
          return -1;
        }
      })
      .Default([](Type) { return -1; });
}

EntryLowering::EntryLowering(func::FuncOp func, ModuleTables &tables)
    : func(func), tables(tables), context(func.getContext()), b(context),
      loc(func.getLoc()), pointer(LLVM::LLVMPointerType::get(context)),
      i64(b.getI64Type()), i32(b.getI32Type()) {}

//===----------------------------------------------------------------------===//
// Small pieces
//===----------------------------------------------------------------------===//

Value EntryLowering::constant(int64_t value, unsigned width) {
  return LLVM::ConstantOp::create(b, loc, b.getIntegerType(width), value);
}

Value EntryLowering::byteOffset(Value base, int64_t bytes) {
  if (bytes == 0)
    return base;
  return LLVM::GEPOp::create(
      b, loc, pointer, b.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(constant(bytes))});
}

/// The data (field 0) or a size (field 1..) of array[index].
int64_t EntryLowering::fieldOffset(int64_t index, int64_t field) {
  return index * int64_t(sizeof(dsrt_buffer)) + field * 8;
}

Value EntryLowering::make(const Source &source, Type type) {
  if (!source.base)
    return constant(source.offset);
  if (!source.loaded)
    return byteOffset(source.base, source.offset);
  Value &made = loads[{source.base, source.offset}];
  if (!made)
    made = LLVM::LoadOp::create(b, loc, type,
                                byteOffset(source.base, source.offset));
  return made;
}

Value EntryLowering::elementCount(const Buffer &buffer) {
  Value count = constant(1);
  for (const Source &size : buffer.sizes)
    count = LLVM::MulOp::create(b, loc, count, makeSize(size));
  return count;
}

/// Goes on if `status` is 0, else returns it from the entry.
void EntryLowering::testStatus(Value status) {
  Value good = LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::eq, status,
                                    constant(0, 32));
  Block *next = new Block();
  lowered.getBody().push_back(next);
  LLVM::CondBrOp::create(b, loc, good, next, ValueRange(), failure_,
                         ValueRange{status});
  b.setInsertionPointToStart(next);
}

//===----------------------------------------------------------------------===//
// The function and its ends
//===----------------------------------------------------------------------===//

void EntryLowering::createFunction() {
  b.setInsertionPoint(func);
  auto type = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer});
  lowered = LLVM::LLVMFuncOp::create(b, loc, func.getName(), type,
                                     LLVM::Linkage::Internal);
  lowered.setPassthroughAttr(
      b.getStrArrayAttr({"noinline", "optnone", "nounwind"}));
  Block *entry = lowered.addEntryBlock(b);
  failure_ = new Block();
  lowered.getBody().push_back(failure_);
  failure_->addArgument(i32, loc);
  b.setInsertionPointToStart(failure_);
  LLVM::ReturnOp::create(b, loc, failure_->getArgument(0));

  b.setInsertionPointToStart(entry);
  Value call = entry->getArgument(0);
  weights = LLVM::CallOp::create(b, loc, TypeRange{pointer}, kWeightsFunction,
                                 ValueRange{call})
                .getResult();
  workspace = LLVM::CallOp::create(b, loc, TypeRange{pointer},
                                   kWorkspaceFunction, ValueRange{call})
                  .getResult();
}

void EntryLowering::unpackArguments() {
  Value args = lowered.getBody().front().getArgument(1);
  for (BlockArgument argument : func.getArguments()) {
    int64_t index = argument.getArgNumber();
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) { // an index: its value stands where the first size would
      scalars[argument] = {args, fieldOffset(index, 1), /*loaded=*/true};
      continue;
    }
    Buffer buffer;
    buffer.data = {args, fieldOffset(index, 0), /*loaded=*/true};
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      buffer.sizes.push_back(
          type.isDynamicDim(dim)
              ? Source{args, fieldOffset(index, 1 + dim), /*loaded=*/true}
              : Source{{}, type.getDimSize(dim)});
    buffers[argument] = buffer;
  }
}

LogicalResult EntryLowering::lowerReturn(func::ReturnOp op) {
  Value results = lowered.getBody().front().getArgument(2);
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    auto found = buffers.find(value);
    if (found == buffers.end())
      return op.emitOpError("expected buffers as results of an entry, got ")
             << value.getType();
    Value record = byteOffset(results, fieldOffset(index, 0));
    LLVM::StoreOp::create(b, loc, makeAddress(found->second), record);
    for (auto [dim, size] : llvm::enumerate(found->second.sizes))
      LLVM::StoreOp::create(b, loc, makeSize(size),
                            byteOffset(record, fieldOffset(0, 1 + dim)));
  }
  LLVM::ReturnOp::create(b, loc, constant(0, 32));
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// Arithmetic on sizes.
LogicalResult EntryLowering::lowerArith(Operation *op) {
  auto binary = [&](auto create) {
    auto operand = [&](unsigned i) {
      return makeSize(scalars.lookup(op->getOperand(i)));
    };
    Value left = operand(0), right = operand(1);
    scalars[op->getResult(0)] = {create(left, right)};
    return success();
  };
  if (auto constantOp = dyn_cast<arith::ConstantOp>(op)) {
    auto value = dyn_cast<IntegerAttr>(constantOp.getValue());
    if (!value)
      return op->emitOpError("expected an integer in a host function, got ")
             << constantOp.getValue();
    scalars[op->getResult(0)] = {{}, value.getInt()};
    return success();
  }
  for (Value operand : op->getOperands())
    if (!scalars.count(operand))
      return op->emitOpError("expected arithmetic on sizes in a host function");
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<arith::IndexCastOp>([&](arith::IndexCastOp cast) {
        Source source = scalars.lookup(cast.getIn());
        scalars[cast.getResult()] = source;
        return success();
      })
      .Case<arith::AddIOp>([&](auto) {
        return binary([&](Value x, Value y) -> Value {
          return LLVM::AddOp::create(b, loc, x, y);
        });
      })
      .Case<arith::SubIOp>([&](auto) {
        return binary([&](Value x, Value y) -> Value {
          return LLVM::SubOp::create(b, loc, x, y);
        });
      })
      .Case<arith::MulIOp>([&](auto) {
        return binary([&](Value x, Value y) -> Value {
          return LLVM::MulOp::create(b, loc, x, y);
        });
      })
      .Case<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>([&](auto) {
        return binary([&](Value x, Value y) -> Value {
          return LLVM::UDivOp::create(b, loc, x, y);
        });
      })
      .Case<arith::CeilDivUIOp, arith::CeilDivSIOp>([&](auto) {
        return binary([&](Value x, Value y) -> Value {
          Value rounded = LLVM::AddOp::create(
              b, loc, x, LLVM::SubOp::create(b, loc, y, constant(1)));
          return LLVM::UDivOp::create(b, loc, rounded, y);
        });
      })
      .Default([](Operation *op) {
        return op->emitOpError("is not legal in a host function after stage "
                               "'buffers'");
      });
}

LogicalResult EntryLowering::lowerDispatch(Operation *op) {
  auto dispatch = cast<dsrt::DispatchOp>(op);
  StringAttr name = dispatch.getKernel().getLeafReference();
  tables.callSites[name] += 1;
  SmallVector<Value> operands = {lowered.getBody().front().getArgument(0)};
  for (Value operand : dispatch->getOperands()) {
    if (auto scalar = scalars.find(operand); scalar != scalars.end()) {
      operands.push_back(makeSize(scalar->second));
      continue;
    }
    auto found = buffers.find(operand);
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (found == buffers.end() || !type)
      return op->emitOpError("expected memrefs, got ") << operand.getType();
    operands.push_back(makeAddress(found->second));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        operands.push_back(makeSize(found->second.sizes[dim]));
  }
  auto call =
      LLVM::CallOp::create(b, loc, TypeRange{i32}, name.getValue(), operands);
  testStatus(call.getResult());
  return success();
}

/// Fills a dsrt_expectation on the stack.
LogicalResult EntryLowering::lowerExpect(Operation *op) {
  auto expect = cast<dsrt::ExpectOp>(op);
  auto actual = buffers.find(expect.getActual());
  auto expected = buffers.find(expect.getExpected());
  if (actual == buffers.end() || expected == buffers.end())
    return op->emitOpError("expected memrefs");
  Type element = getElementTypeOrSelf(expect.getActual().getType());
  // Indices have a code, as arguments, but no size: comparing them would
  // compare nothing.
  if (getDtypeCode(element) < 0 || element.isIndex())
    return op->emitOpError("expected elements of a type that the runtime "
                           "knows, got ")
           << element;
  Value size = constant(sizeof(dsrt_expectation));
  Value record =
      LLVM::AllocaOp::create(b, loc, pointer, b.getI8Type(), size, 8);
  auto store = [&](size_t offset, Value value) {
    LLVM::StoreOp::create(b, loc, value, byteOffset(record, offset));
  };
  auto f64 = [&](APFloat value) {
    return LLVM::ConstantOp::create(b, loc, b.getF64Type(),
                                    b.getF64FloatAttr(value.convertToDouble()));
  };
  Value location = LLVM::AddressOfOp::create(
      b, loc, pointer, tables.locations.lookup(op).getValue());
  store(offsetof(dsrt_expectation, location), location);
  store(offsetof(dsrt_expectation, actual), makeAddress(actual->second));
  store(offsetof(dsrt_expectation, expected), makeAddress(expected->second));
  store(offsetof(dsrt_expectation, dtype), constant(getDtypeCode(element)));
  store(offsetof(dsrt_expectation, count), elementCount(actual->second));
  store(offsetof(dsrt_expectation, atol), f64(expect.getAtol()));
  store(offsetof(dsrt_expectation, rtol), f64(expect.getRtol()));
  store(offsetof(dsrt_expectation, exact), constant(expect.getExact()));
  auto call = LLVM::CallOp::create(
      b, loc, TypeRange{i32}, kExpectFunction,
      ValueRange{lowered.getBody().front().getArgument(0), record});
  testStatus(call.getResult());
  return success();
}

static int64_t getElementBytes(Type element) {
  return element.isIndex()
             ? 8
             : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8u);
}

LogicalResult EntryLowering::lowerCopy(memref::CopyOp op) {
  auto source = buffers.find(op.getSource());
  auto target = buffers.find(op.getTarget());
  if (source == buffers.end() || target == buffers.end())
    return op.emitOpError("expected contiguous buffers");
  Type element = getElementTypeOrSelf(op.getSource().getType());
  if (!element.isIntOrIndexOrFloat())
    return op.emitOpError("expected elements that are numbers, got ")
           << element;
  Value bytes = LLVM::MulOp::create(b, loc, elementCount(source->second),
                                    constant(getElementBytes(element)));
  Value to = makeAddress(target->second), from = makeAddress(source->second);
  if (tables.device) {
    Value call = lowered.getBody().front().getArgument(0);
    testStatus(LLVM::CallOp::create(b, loc, TypeRange{i32}, kCopyFunction,
                                    ValueRange{call, to, from, bytes})
                   .getResult());
    return success();
  }
  LLVM::MemmoveOp::create(b, loc, to, from, bytes, /*isVolatile=*/false);
  return success();
}

void EntryLowering::lowerWorkspace(Operation *op) {
  auto piece = cast<dsrt::WorkspaceOp>(op);
  auto type = cast<MemRefType>(piece.getType());
  Buffer buffer;
  buffer.data = {workspace, int64_t(piece.getOffset())};
  auto dynamic = piece.getDynamicSizes().begin();
  for (int64_t size : type.getShape())
    buffer.sizes.push_back(ShapedType::isDynamic(size)
                               ? scalars.lookup(*dynamic++)
                               : Source{{}, size});
  buffers[piece.getResult()] = buffer;
}

/// The address of a constant; on a device, that of its copy there, which the
/// runtime writes into a slot on the stack.
EntryLowering::Source EntryLowering::makeConstant(StringAttr global,
                                                  MemRefType type) {
  Value host = LLVM::AddressOfOp::create(b, loc, pointer, global.getValue());
  if (!tables.device)
    return {host};
  Value slot = LLVM::AllocaOp::create(b, loc, pointer, pointer, constant(1), 8);
  Value bytes =
      constant(type.getNumElements() * getElementBytes(type.getElementType()));
  Value call = lowered.getBody().front().getArgument(0);
  testStatus(LLVM::CallOp::create(b, loc, TypeRange{i32}, kConstantFunction,
                                  ValueRange{call, host, bytes, slot})
                 .getResult());
  return {slot, 0, /*loaded=*/true};
}

LogicalResult EntryLowering::lowerGetWeight(Operation *op) {
  auto weight = cast<dsrt::GetWeightOp>(op);
  auto type = dyn_cast<MemRefType>(weight.getType());
  if (!type || !type.hasStaticShape())
    return op->emitOpError("expected a memref of static shape, got ")
           << weight.getType();
  Buffer buffer;
  auto index = tables.weights.find(weight.getWeight());
  auto global = tables.globals.find(weight.getWeight());
  if (global != tables.globals.end())
    buffer.data = makeConstant(global->second, type);
  else if (index != tables.weights.end())
    buffer.data = {weights, index->second * 8, /*loaded=*/true};
  else
    return op->emitOpError()
           << "names no weight: '" << weight.getWeight() << "'";
  for (int64_t size : type.getShape())
    buffer.sizes.push_back({{}, size});
  buffers[weight.getResult()] = buffer;
  return success();
}

LogicalResult EntryLowering::lower(Operation *op) {
  loc = op->getLoc();
  loads.clear();
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<dsrt::DispatchOp>([&](auto) { return lowerDispatch(op); })
      .Case<dsrt::ExpectOp>([&](auto) { return lowerExpect(op); })
      .Case<dsrt::GetWeightOp>([&](auto) { return lowerGetWeight(op); })
      .Case<dsrt::WorkspaceOp>([&](auto) {
        lowerWorkspace(op);
        return success();
      })
      .Case<memref::CopyOp>([&](auto copy) { return lowerCopy(copy); })
      .Case<memref::CastOp>([&](memref::CastOp cast) -> LogicalResult {
        auto found = buffers.find(cast.getSource());
        if (found == buffers.end())
          return cast.emitOpError("expected a cast of a buffer");
        Buffer buffer = found->second;
        buffers[cast.getResult()] = buffer;
        return success();
      })
      .Case<memref::GetGlobalOp>([&](memref::GetGlobalOp get) -> LogicalResult {
        StringAttr global = tables.globals.lookup(get.getName());
        if (!global)
          return get.emitOpError("expected a global that has a value");
        Buffer buffer;
        buffer.data = makeConstant(global, get.getType());
        for (int64_t size : get.getType().getShape())
          buffer.sizes.push_back({{}, size});
        buffers[get.getResult()] = buffer;
        return success();
      })
      .Case<memref::DimOp>([&](memref::DimOp dim) -> LogicalResult {
        std::optional<int64_t> index = dim.getConstantIndex();
        auto found = buffers.find(dim.getSource());
        if (!index || found == buffers.end() || *index < 0 ||
            *index >= int64_t(found->second.sizes.size()))
          return op->emitOpError("expected a constant dimension of a buffer");
        scalars[dim.getResult()] = found->second.sizes[*index];
        return success();
      })
      .Case<func::ReturnOp>([&](auto ret) { return lowerReturn(ret); })
      .Default([&](Operation *) { return lowerArith(op); });
}

FailureOr<LLVM::LLVMFuncOp> EntryLowering::run() {
  if (!func.getBody().hasOneBlock())
    return func.emitError("expected a host function of one block");
  createFunction();
  unpackArguments();
  for (Operation &op : func.getBody().front())
    if (failed(lower(&op)))
      return failure();
  return lowered;
}
