//===- KernelBuilder.cpp - Device functions that read like formulas -------===//
//
// Numbers, memory, threads and control. What one family of chips has beyond
// that stands in files of its own.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/KernelBuilder.h"

#include "lib/Target/NVPTX/Launcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;

static constexpr StringLiteral kSharedSymbol = "dynamic_shared";
static constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static bool isFloat(Val value) { return isa<FloatType>(value.getType()); }

template <typename IntegerOp, typename FloatOp>
static Val arithmetic(Val a, Val b) {
  KernelBuilder &k = a.getBuilder();
  return isFloat(a) ? k.val(FloatOp::create(k, a, b))
                    : k.val(IntegerOp::create(k, a, b));
}

template <typename IntegerOp>
static Val bits(Val a, Val b) {
  KernelBuilder &k = a.getBuilder();
  return k.val(IntegerOp::create(k, a, b));
}

static Val compare(Val a, Val b, arith::CmpIPredicate integer,
                   arith::CmpFPredicate real) {
  KernelBuilder &k = a.getBuilder();
  if (isFloat(a))
    return k.val(arith::CmpFOp::create(k, real, a, b));
  return k.val(arith::CmpIOp::create(k, integer, a, b));
}

Val deepseek::operator+(Val a, Val b) {
  return arithmetic<arith::AddIOp, arith::AddFOp>(a, b);
}
Val deepseek::operator-(Val a, Val b) {
  return arithmetic<arith::SubIOp, arith::SubFOp>(a, b);
}
Val deepseek::operator*(Val a, Val b) {
  return arithmetic<arith::MulIOp, arith::MulFOp>(a, b);
}
Val deepseek::operator/(Val a, Val b) {
  return arithmetic<arith::DivUIOp, arith::DivFOp>(a, b);
}
Val deepseek::operator%(Val a, Val b) { return bits<arith::RemUIOp>(a, b); }
Val deepseek::operator&(Val a, Val b) { return bits<arith::AndIOp>(a, b); }
Val deepseek::operator|(Val a, Val b) { return bits<arith::OrIOp>(a, b); }
Val deepseek::operator^(Val a, Val b) { return bits<arith::XOrIOp>(a, b); }
Val deepseek::operator<<(Val a, Val b) { return bits<arith::ShLIOp>(a, b); }
Val deepseek::operator>>(Val a, Val b) { return bits<arith::ShRUIOp>(a, b); }
Val deepseek::operator<(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::ult, arith::CmpFPredicate::OLT);
}
Val deepseek::operator<=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::ule, arith::CmpFPredicate::OLE);
}
Val deepseek::operator>(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::ugt, arith::CmpFPredicate::OGT);
}
Val deepseek::operator>=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::uge, arith::CmpFPredicate::OGE);
}
Val deepseek::operator==(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::eq, arith::CmpFPredicate::OEQ);
}
Val deepseek::operator!=(Val a, Val b) {
  return compare(a, b, arith::CmpIPredicate::ne, arith::CmpFPredicate::UNE);
}

Val deepseek::constantLike(Val like, double value) {
  KernelBuilder &k = like.getBuilder();
  Type type = like.getType();
  if (auto real = dyn_cast<FloatType>(type))
    return k.val(
        arith::ConstantOp::create(k, k.getFloatAttr(real, value)).getResult());
  return k.val(
      arith::ConstantOp::create(
          k, k.getIntegerAttr(type, static_cast<int64_t>(std::llrint(value))))
          .getResult());
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

Type KernelBuilder::globalType(MLIRContext *context) {
  return LLVM::LLVMPointerType::get(context, kGlobalSpace);
}

/// Stands for 128 bytes by value; the parameter itself is a pointer to them.
Type KernelBuilder::tensorMapType(MLIRContext *context) {
  return LLVM::LLVMArrayType::get(IntegerType::get(context, 8), 128);
}

/// The symbol of dynamic shared memory, declared once a module.
static void declareShared(gpu::GPUModuleOp module) {
  if (module.lookupSymbol(kSharedSymbol))
    return;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
  LLVM::GlobalOp::create(b, module.getLoc(), type, /*isConstant=*/false,
                         LLVM::Linkage::External, kSharedSymbol, Attribute(),
                         /*alignment=*/1024, kSharedSpace);
}

KernelBuilder::KernelBuilder(LaunchBuilder &launch, StringRef suffix,
                             ArrayRef<Type> parameters, int64_t threads)
    : ImplicitLocOpBuilder(launch.getLoc(), launch.getContext()),
      chip(launch.getDevice().chip), threads(threads) {
  gpu::GPUModuleOp module = launch.getDevice().module;
  declareShared(module);
  setInsertionPointToEnd(module.getBody());
  std::string name = launch.getName().str();
  if (!suffix.empty())
    name += ("_" + suffix).str();
  auto byAddress = LLVM::LLVMPointerType::get(getContext());
  SmallVector<Type> types =
      llvm::map_to_vector(parameters, [&](Type type) -> Type {
        return isa<LLVM::LLVMArrayType>(type) ? byAddress : type;
      });
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), types);
  function = LLVM::LLVMFuncOp::create(*this, name, type);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  for (auto [index, parameter] : llvm::enumerate(parameters)) {
    if (!isa<LLVM::LLVMArrayType>(parameter))
      continue;
    function.setArgAttr(index, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(parameter));
    function.setArgAttr(index, LLVM::LLVMDialect::getAlignAttrName(),
                        getI64IntegerAttr(64));
    function.setArgAttr(index, NVVM::NVVMDialect::getGridConstantAttrName(),
                        getUnitAttr());
  }
  setInsertionPointToStart(function.addEntryBlock(*this));
  sharedBase = LLVM::AddressOfOp::create(
      *this, LLVM::LLVMPointerType::get(getContext(), kSharedSpace),
      kSharedSymbol);
}

Val KernelBuilder::param(unsigned index) {
  return val(function.getArgument(index));
}

void KernelBuilder::finish() {
  if (finished)
    return;
  finished = true;
  LLVM::ReturnOp::create(*this, ValueRange());
  if (cluster > 1)
    function->setAttr(
        NVVM::NVVMDialect::getClusterDimAttrName(),
        getDenseI32ArrayAttr({static_cast<int32_t>(cluster), 1, 1}));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Val KernelBuilder::i32(int64_t value) {
  return val(arith::ConstantIntOp::create(*this, value, 32));
}
Val KernelBuilder::i64(int64_t value) {
  return val(arith::ConstantIntOp::create(*this, value, 64));
}
Val KernelBuilder::i1(bool value) {
  return val(arith::ConstantIntOp::create(*this, value, 1));
}
Val KernelBuilder::f32(double value) {
  return val(
      arith::ConstantOp::create(*this, getF32FloatAttr(value)).getResult());
}

Val KernelBuilder::toI64(Val value) {
  if (value.getType().isInteger(64))
    return value;
  return val(arith::ExtUIOp::create(*this, getI64Type(), value));
}

Val KernelBuilder::toI32(Val value) {
  unsigned width = value.getType().getIntOrFloatBitWidth();
  if (width == 32)
    return value;
  if (width > 32)
    return val(arith::TruncIOp::create(*this, getI32Type(), value));
  return val(arith::ExtUIOp::create(*this, getI32Type(), value));
}

Val KernelBuilder::toF32(Val value) {
  if (value.getType().isF32())
    return value;
  if (isFloat(value))
    return val(LLVM::FPExtOp::create(*this, getF32Type(), value));
  return val(arith::SIToFPOp::create(*this, getF32Type(), value));
}

Val KernelBuilder::truncF(Val value, Type type) {
  if (value.getType() == type)
    return value;
  return val(arith::TruncFOp::create(*this, type, value));
}

Val KernelBuilder::bitcast(Value value, Type type) {
  if (value.getType() == type)
    return val(value);
  return val(LLVM::BitcastOp::create(*this, type, value));
}

Val KernelBuilder::fma(Val a, Val b, Val c) {
  return val(LLVM::FMAOp::create(*this, a, b, c));
}

Val KernelBuilder::min(Val a, Val b) {
  return isFloat(a) ? val(arith::MinNumFOp::create(*this, a, b))
                    : val(arith::MinUIOp::create(*this, a, b));
}

Val KernelBuilder::max(Val a, Val b) {
  return isFloat(a) ? val(arith::MaxNumFOp::create(*this, a, b))
                    : val(arith::MaxUIOp::create(*this, a, b));
}

Val KernelBuilder::abs(Val a) { return val(LLVM::FAbsOp::create(*this, a)); }

Val KernelBuilder::neg(Val a) { return val(arith::NegFOp::create(*this, a)); }

Val KernelBuilder::select(Val condition, Val a, Val b) {
  return val(arith::SelectOp::create(*this, condition, a, b));
}

Val KernelBuilder::ceilDiv(Val a, int64_t b) { return (a + (b - 1)) / b; }

Val KernelBuilder::signedLess(Val a, Val b) {
  return val(arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b));
}

Val KernelBuilder::sqrt(Val a) { return val(LLVM::SqrtOp::create(*this, a)); }

Val KernelBuilder::exp2(Val a) {
  return intrinsic("llvm.nvvm.ex2.approx.ftz.f", getF32Type(), a);
}
Val KernelBuilder::log2(Val a) {
  return intrinsic("llvm.nvvm.lg2.approx.ftz.f", getF32Type(), a);
}
Val KernelBuilder::rcp(Val a) {
  return intrinsic("llvm.nvvm.rcp.approx.ftz.f", getF32Type(), a);
}
Val KernelBuilder::exp(Val a) { return exp2(a * 1.4426950408889634); }

Val KernelBuilder::sigmoid(Val a) { return f32(1.0) / (exp(neg(a)) + 1.0); }

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Val KernelBuilder::at(Val pointer, Val bytes) {
  unsigned space =
      cast<LLVM::LLVMPointerType>(pointer.getType()).getAddressSpace();
  // An i32 index would be taken as signed.
  Val offset = space == kSharedSpace ? bytes : toI64(bytes);
  return val(LLVM::GEPOp::create(*this, pointer.getType(), getI8Type(), pointer,
                                 ArrayRef<LLVM::GEPArg>{Value(offset)}));
}

Val KernelBuilder::at(Val pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return at(pointer, i64(bytes));
}

Val KernelBuilder::shared(int64_t bytes, int64_t alignment) {
  sharedBytes = llvm::alignTo(sharedBytes, alignment);
  Val result = at(val(sharedBase), sharedBytes);
  sharedBytes += bytes;
  return result;
}

Val KernelBuilder::sharedAddress(Val pointer) {
  return val(LLVM::PtrToIntOp::create(*this, getI32Type(), pointer));
}

Val KernelBuilder::load(Type type, Val pointer, int64_t alignment) {
  return val(LLVM::LoadOp::create(*this, type, pointer, alignment));
}

Val KernelBuilder::loadConstant(Type type, Val pointer, int64_t alignment) {
  return val(LLVM::LoadOp::create(*this, type, pointer, alignment,
                                  /*isVolatile=*/false,
                                  /*isNonTemporal=*/false,
                                  /*isInvariant=*/true));
}

void KernelBuilder::store(Val value, Val pointer, int64_t alignment) {
  LLVM::StoreOp::create(*this, value, pointer, alignment);
}

Val KernelBuilder::loadElement(Type element, Val pointer) {
  if (!isa<Float8E4M3FNType>(element))
    return toF32(load(element, pointer));
  return unpackE4m3(toI32(load(getI8Type(), pointer)))[0];
}

void KernelBuilder::storeElement(Type element, Val value, Val pointer) {
  if (!isa<Float8E4M3FNType>(element))
    return store(truncF(value, element), pointer);
  Val pair = packE4m3(value, f32(0.0));
  store(val(arith::TruncIOp::create(*this, getI8Type(), pair)), pointer);
}

Val KernelBuilder::extract(Val vector, int64_t index) {
  return val(LLVM::ExtractElementOp::create(*this, vector, i32(index)));
}

Val KernelBuilder::makeVector(ArrayRef<Val> values) {
  auto type = VectorType::get(values.size(), values.front().getType());
  Value vector = LLVM::PoisonOp::create(*this, type);
  for (auto [index, value] : llvm::enumerate(values))
    vector = LLVM::InsertElementOp::create(*this, vector, value, i32(index));
  return val(vector);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Val KernelBuilder::threadId() {
  return val(NVVM::ThreadIdXOp::create(*this, getI32Type()));
}

Val KernelBuilder::blockId(int dim) {
  Type i32 = getI32Type();
  if (dim == 0)
    return val(NVVM::BlockIdXOp::create(*this, i32));
  if (dim == 1)
    return val(NVVM::BlockIdYOp::create(*this, i32));
  return val(NVVM::BlockIdZOp::create(*this, i32));
}

Val KernelBuilder::gridSize(int dim) {
  Type i32 = getI32Type();
  if (dim == 0)
    return val(NVVM::GridDimXOp::create(*this, i32));
  if (dim == 1)
    return val(NVVM::GridDimYOp::create(*this, i32));
  return val(NVVM::GridDimZOp::create(*this, i32));
}

Val KernelBuilder::lane() { return threadId() & 31; }

Val KernelBuilder::warp() { return shuffleIndex(threadId() >> 5, i32(0)); }

void KernelBuilder::barrier() { NVVM::Barrier0Op::create(*this); }

void KernelBuilder::barrier(Val id, int64_t count) {
  NVVM::BarrierOp::create(*this, Type(), id, i32(count), {}, {});
}

void KernelBuilder::warpSync() { NVVM::SyncWarpOp::create(*this, i32(-1)); }

static Val shuffle(KernelBuilder &k, Val value, Val lane, NVVM::ShflKind kind) {
  Type type = value.getType();
  // 32 bits at a time.
  bool narrow = type.getIntOrFloatBitWidth() == 32;
  if (!narrow) {
    Val bits = k.bitcast(value, k.getI64Type());
    Val low = shuffle(k, k.toI32(bits), lane, kind);
    Val high = shuffle(k, k.toI32(bits >> k.i64(32)), lane, kind);
    return k.bitcast((k.toI64(high) << k.i64(32)) | k.toI64(low), type);
  }
  return k.val(NVVM::ShflOp::create(k, type, k.i32(-1), value, lane, k.i32(31),
                                    kind, UnitAttr()));
}

Val KernelBuilder::shuffleXor(Val value, int64_t mask) {
  return shuffle(*this, value, i32(mask), NVVM::ShflKind::bfly);
}

Val KernelBuilder::shuffleIndex(Val value, Val lane) {
  return shuffle(*this, value, lane, NVVM::ShflKind::idx);
}

Val KernelBuilder::warpSum(Val value) {
  for (int64_t mask = 16; mask; mask /= 2)
    value = value + shuffleXor(value, mask);
  return value;
}

Val KernelBuilder::warpMax(Val value) {
  for (int64_t mask = 16; mask; mask /= 2)
    value = max(value, shuffleXor(value, mask));
  return value;
}

/// Each warp's value through shared memory; every warp then reduces them alike.
Val KernelBuilder::blockReduce(Val value, bool isMax) {
  auto overWarp = [&](Val value) {
    return isMax ? warpMax(value) : warpSum(value);
  };
  value = overWarp(value);
  int64_t warps = threads / 32;
  if (warps == 1)
    return value;
  int64_t bytes = value.getType().getIntOrFloatBitWidth() / 8;
  Val slots = shared(warps * bytes, 16);
  barrier(); // an earlier use of the same slots, in a loop, has ended
  Val slot = at(slots, warp() * bytes); // warp() needs all lanes
  ifThen(lane() == 0, [&] { store(value, slot); });
  barrier();
  // A lane for each warp; the others have the first's, or 0 in a sum.
  Val isWarp = lane() < i32(warps);
  Val total =
      load(value.getType(), at(slots, select(isWarp, lane(), i32(0)) * bytes));
  return overWarp(isMax ? total
                        : select(isWarp, total, constantLike(total, 0)));
}

Val KernelBuilder::blockSum(Val value) { return blockReduce(value, false); }
Val KernelBuilder::blockMax(Val value) { return blockReduce(value, true); }

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

static SmallVector<Val> wrap(KernelBuilder &k, ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) { return k.val(value); });
}

static SmallVector<Value> unwrap(ArrayRef<Val> values) {
  return llvm::map_to_vector(values, [](Val value) -> Value { return value; });
}

void KernelBuilder::forLoop(Val low, Val high, Val step, Body body) {
  forLoop(low, high, step, {}, [&](Val index, ArrayRef<Val>) {
    body(index);
    return SmallVector<Val>();
  });
}

SmallVector<Val> KernelBuilder::forLoop(Val low, Val high, Val step,
                                        ArrayRef<Val> initial,
                                        CarriedBody body) {
  auto loop =
      scf::ForOp::create(*this, low, high, step, unwrap(initial), nullptr,
                         /*unsignedCmp=*/true);
  // Without carried values the loop already has its terminator.
  loop.getBody()->clear();
  {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(loop.getBody());
    SmallVector<Val> next = body(val(loop.getInductionVar()),
                                 wrap(*this, loop.getRegionIterArgs()));
    scf::YieldOp::create(*this, unwrap(next));
  }
  return wrap(*this, loop.getResults());
}

void KernelBuilder::ifThen(Val condition, llvm::function_ref<void()> body) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  body();
}

SmallVector<Val>
KernelBuilder::ifElse(Val condition,
                      llvm::function_ref<SmallVector<Val>()> then,
                      llvm::function_ref<SmallVector<Val>()> otherwise) {
  // The types of the results are known when the first branch is built.
  auto build = [&](llvm::function_ref<SmallVector<Val>()> branch) {
    return [this, branch](OpBuilder &b, Location) {
      OpBuilder::InsertionGuard guard(*this);
      restoreInsertionPoint(b.saveInsertionPoint());
      SmallVector<Val> results = branch();
      scf::YieldOp::create(*this, unwrap(results));
    };
  };
  auto op = scf::IfOp::create(*this, condition, build(then), build(otherwise));
  return wrap(*this, op.getResults());
}

void KernelBuilder::repeatUntil(llvm::function_ref<Val()> body) {
  auto loop = scf::WhileOp::create(*this, TypeRange(), ValueRange());
  OpBuilder::InsertionGuard guard(*this);
  createBlock(&loop.getBefore());
  Val done = body();
  Val again = done ^ i1(true);
  scf::ConditionOp::create(*this, again, ValueRange());
  createBlock(&loop.getAfter());
  scf::YieldOp::create(*this, ValueRange());
}

SmallVector<Val> KernelBuilder::ptx(StringRef text, StringRef constraints,
                                    ArrayRef<Type> outputs,
                                    ArrayRef<Val> inputs) {
  Type type = LLVM::LLVMVoidType::get(getContext());
  if (outputs.size() == 1)
    type = outputs.front();
  else if (!outputs.empty())
    type = LLVM::LLVMStructType::getLiteral(getContext(), outputs);
  SmallVector<Type> results;
  if (!outputs.empty())
    results.push_back(type);
  auto op = LLVM::InlineAsmOp::create(
      *this, results, unwrap(inputs), text, constraints,
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::tailcallkind::TailCallKind::None,
      LLVM::AsmDialectAttr::get(getContext(), LLVM::AsmDialect::AD_ATT),
      ArrayAttr());
  if (outputs.empty())
    return {};
  if (outputs.size() == 1)
    return {val(op.getRes())};
  SmallVector<Val> values;
  for (int64_t i = 0, e = outputs.size(); i < e; ++i)
    values.push_back(val(LLVM::ExtractValueOp::create(*this, op.getRes(),
                                                      ArrayRef<int64_t>{i})));
  return values;
}

Val KernelBuilder::intrinsic(StringRef name, Type result,
                             ArrayRef<Val> operands) {
  return val(LLVM::CallIntrinsicOp::create(*this, result, getStringAttr(name),
                                           unwrap(operands))
                 .getResult(0));
}
