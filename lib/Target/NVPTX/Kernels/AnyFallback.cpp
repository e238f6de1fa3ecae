//===- AnyFallback.cpp - Any kernel, from its loops -----------------------===//
//
// Takes every kernel function for every chip: what has no emitter of its own
// runs, slowly. The function's loops are those of the host (DeepSeekToLinalg,
// bufferized), cut into launches at the top level:
//
//   scf.forall (%i) in (%n)       n CTAs, one an iteration
//   linalg.generic, many points   a thread a point
//   scf.if of sizes               the launcher decides
//   all other code in a row       one CTA
//
// and in a CTA as CtaCode.h says. What computes sizes and views is repeated in
// each launch that needs it. Scalars and temporaries that live from launch to
// launch lie in scratch, and so do temporaries of a CTA that do not fit into
// shared memory.
//
// The order of a sum is that of the loops, element by element, so it depends on
// nothing but the kernel.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/CtaCode.h"
#include "lib/Target/NVPTX/Kernels/Kernels.h"

#include "deepseek/Conversion/Passes.h"
#include "deepseek/Target/Passes.h"
#include "lib/Target/Common/BufferizeKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// Temporaries of CTAs in scratch: with larger ones fewer CTAs run.
constexpr int64_t kMostScratch = 64 << 20;
/// CTAs where only the device knows the number of iterations.
constexpr int64_t kUnknownCtas = 1024;
/// From this many points on a loop is spread over the grid.
constexpr int64_t kManyPoints = 1024;
constexpr int64_t kScratchAlignment = 128;

//===----------------------------------------------------------------------===//
// The loops of a kernel
//===----------------------------------------------------------------------===//

/// A module with a copy of `kernel`, on memrefs.
OwningOpRef<ModuleOp> lowerToLoops(func::FuncOp kernel) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  module->push_back(kernel.clone());
  PassManager toLinalg(kernel.getContext());
  toLinalg.addNestedPass<func::FuncOp>(createConvertDeepSeekToLinalg());
  toLinalg.addPass(createCanonicalizerPass());
  toLinalg.addPass(createCSEPass());
  if (failed(toLinalg.run(*module)) || failed(bufferizeKernels(*module)))
    return {};
  PassManager toScalars(kernel.getContext());
  // First equal views become one, then copies of a view onto itself vanish.
  toScalars.addPass(createCSEPass());
  toScalars.addPass(createCanonicalizerPass());
  if (failed(toScalars.run(*module)))
    return {};
  module->walk([](memref::CopyOp copy) {
    OpBuilder builder(copy);
    linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(),
                           copy.getTarget());
    copy.erase();
  });
  PassManager toGeneric(kernel.getContext());
  toGeneric.addNestedPass<func::FuncOp>(createLinalgGeneralizeNamedOpsPass());
  toGeneric.addNestedPass<func::FuncOp>(createExpandFloats());
  if (failed(toGeneric.run(*module)))
    return {};
  return module;
}

bool isAllocation(Operation *op) {
  return isa<memref::AllocOp, memref::AllocaOp>(op);
}

/// Whether `op` is repeated in each launch that needs it: sizes, views,
/// constants, and where a temporary lies.
bool isRepeated(Operation *op) {
  return isAllocation(op) || isa<memref::DeallocOp, memref::GetGlobalOp>(op) ||
         (op->getNumRegions() == 0 && isMemoryEffectFree(op));
}

/// Whether a value that `op` is made from is the result of a launch.
bool needsLaunch(Operation *op) {
  return llvm::any_of(op->getOperands(), [](Value value) {
    Operation *producer = value.getDefiningOp();
    return producer && (!isRepeated(producer) || needsLaunch(producer));
  });
}

/// Whether the launcher can compute `value` from the sizes of arguments.
bool isHostValue(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0 || !isMemoryEffectFree(op))
    return false;
  if (auto dim = dyn_cast<memref::DimOp>(op))
    return isa<BlockArgument>(dim.getSource()) && dim.getConstantIndex();
  return llvm::all_of(op->getOperands(), isHostValue);
}

/// A branch that the launcher takes.
bool isHostBranch(Operation *op) {
  auto branch = dyn_cast<scf::IfOp>(op);
  return branch && branch.getNumResults() == 0 &&
         isHostValue(branch.getCondition());
}

bool isAtHostLevel(Operation *op) {
  Operation *parent = op->getParentOp();
  return isa<func::FuncOp>(parent) ||
         (isHostBranch(parent) && isAtHostLevel(parent));
}

/// Parallel loops inside of other code are loops.
LogicalResult serializeInnerLoops(func::FuncOp func) {
  SmallVector<scf::ForallOp> inner;
  func.walk([&](scf::ForallOp forall) {
    if (!isAtHostLevel(forall))
      inner.push_back(forall);
  });
  IRRewriter rewriter(func.getContext());
  for (scf::ForallOp forall : inner) {
    rewriter.setInsertionPoint(forall);
    if (failed(scf::forallToForLoop(rewriter, forall)))
      return failure();
  }
  return success();
}

bool hasManyPoints(linalg::GenericOp op) {
  int64_t points = 1;
  for (auto [size, iterator] :
       llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::parallel) {
      if (ShapedType::isDynamic(size))
        return true;
      points *= size;
    }
  return points >= kManyPoints;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// What a launch takes from outside.
struct Needs {
  SmallVector<BlockArgument> arguments;  // in order
  llvm::SetVector<Operation *> repeated; // operands first
  llvm::SetVector<Value> slots;
};

class FallbackEmission {
public:
  FallbackEmission(func::FuncOp func, int64_t threads, LaunchBuilder &launch)
      : func(func), threads(threads), launch(launch) {}

  LogicalResult run();

private:
  using Write = llvm::function_ref<LogicalResult(CtaCode &)>;

  LogicalResult planScratch(Block &block);
  LogicalResult emitLevel(Block &block);
  LogicalResult emitBranch(scf::IfOp branch);
  LogicalResult emitForall(scf::ForallOp forall);
  LogicalResult emitGrid(linalg::GenericOp op);
  LogicalResult emitSerial(ArrayRef<Operation *> ops);
  LogicalResult emitLaunch(ArrayRef<Operation *> ops, Value ctas, Write write);
  void addNeeds(Value value, ArrayRef<Operation *> ops, Needs &needs);
  Needs findNeeds(ArrayRef<Operation *> ops);
  LogicalResult enter(CtaCode &code, KernelBuilder &k, const Needs &needs,
                      unsigned &next);
  void leave(CtaCode &code, KernelBuilder &k, ArrayRef<Operation *> ops,
             Val scratch);
  Value hostValue(Value value);
  Value hostValue(OpFoldResult value);

  func::FuncOp func;
  int64_t threads;
  LaunchBuilder &launch;
  /// Where values between launches lie in scratch.
  DenseMap<Value, int64_t> places;
  int64_t placedBytes = 0;
  unsigned parts = 0;
};

/// The code of a launcher for a value that isHostValue.
Value FallbackEmission::hostValue(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    auto argument = cast<BlockArgument>(dim.getSource());
    Value size = launch.size(argument.getArgNumber(), *dim.getConstantIndex());
    return arith::IndexCastOp::create(launch, launch.getIndexType(), size);
  }
  IRMapping map;
  for (Value operand : op->getOperands())
    map.map(operand, hostValue(operand));
  return launch.clone(*op, map)->getResult(0);
}

Value FallbackEmission::hostValue(OpFoldResult value) {
  if (auto constant = getConstantIntValue(value))
    return launch.i64(*constant);
  return arith::IndexCastOp::create(launch, launch.getI64Type(),
                                    hostValue(cast<Value>(value)));
}

/// Gives each temporary and each scalar between launches its place.
LogicalResult FallbackEmission::planScratch(Block &block) {
  auto place = [&](Value value, int64_t bytes) {
    places[value] = placedBytes;
    placedBytes += llvm::alignTo(bytes, kScratchAlignment);
  };
  for (Operation &op : block.without_terminator()) {
    if (isAllocation(&op)) {
      auto type = cast<MemRefType>(op.getResult(0).getType());
      if (!type.hasStaticShape())
        return op.emitOpError()
               << "in kernel '" << func.getName() << "' has the dynamic type "
               << type << "; a kernel may only have temporaries of static size";
      place(op.getResult(0), getBufferBytes(type));
    } else if (!isRepeated(&op)) {
      for (Value result : op.getResults())
        place(result, sizeof(int64_t));
    }
    if (isHostBranch(&op))
      for (Region &region : op.getRegions())
        if (!region.empty() && failed(planScratch(region.front())))
          return failure();
  }
  return success();
}

void FallbackEmission::addNeeds(Value value, ArrayRef<Operation *> ops,
                                Needs &needs) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == &func.getBody().front() &&
        !llvm::is_contained(needs.arguments, argument))
      needs.arguments.push_back(argument);
    return;
  }
  Operation *producer = value.getDefiningOp();
  if (llvm::any_of(ops,
                   [&](Operation *op) { return op->isAncestor(producer); }))
    return;
  if (!isRepeated(producer)) {
    needs.slots.insert(value);
    return;
  }
  for (Value operand : producer->getOperands())
    addNeeds(operand, ops, needs);
  needs.repeated.insert(producer);
}

Needs FallbackEmission::findNeeds(ArrayRef<Operation *> ops) {
  Needs needs;
  for (Operation *op : ops)
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        addNeeds(operand, ops, needs);
    });
  llvm::sort(needs.arguments, [](BlockArgument a, BlockArgument b) {
    return a.getArgNumber() < b.getArgNumber();
  });
  return needs;
}

/// Maps what a launch needs: arguments are the parameters from `next` on, the
/// last parameter is scratch.
LogicalResult FallbackEmission::enter(CtaCode &code, KernelBuilder &k,
                                      const Needs &needs, unsigned &next) {
  for (BlockArgument argument : needs.arguments) {
    auto type = cast<MemRefType>(argument.getType());
    Val data = k.param(next++);
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getNumDynamicDims(); ++i)
      sizes.push_back(k.param(next++));
    code.map.map(argument, code.memrefAt(data, type, sizes));
  }
  auto placed = [&](Value value, MemRefType type) {
    return code.memrefAt(k.at(k.param(next), places.lookup(value)), type);
  };
  for (Value slot : needs.slots) {
    Value address = placed(slot, MemRefType::get({}, slot.getType()));
    code.map.map(slot, memref::LoadOp::create(k, address, ValueRange()));
  }
  for (Operation *op : needs.repeated) {
    if (isAllocation(op)) {
      Value buffer = op->getResult(0);
      code.map.map(buffer, placed(buffer, cast<MemRefType>(buffer.getType())));
    } else if (failed(code.emit(*op))) {
      return failure();
    }
  }
  return success();
}

/// Whether a launch other than that of `ops` reads `value`: its readers are
/// elsewhere, or are repeated there for others.
static bool isReadElsewhere(Value value, ArrayRef<Operation *> ops) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    bool isHere =
        llvm::any_of(ops, [&](Operation *op) { return op->isAncestor(user); });
    return !isHere ||
           (isRepeated(user) && llvm::any_of(user->getResults(), [&](Value v) {
              return isReadElsewhere(v, ops);
            }));
  });
}

/// Stores the results that other launches need.
void FallbackEmission::leave(CtaCode &code, KernelBuilder &k,
                             ArrayRef<Operation *> ops, Val scratch) {
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      if (isRepeated(op) || !isReadElsewhere(result, ops))
        continue;
      code.onThread0([&] {
        Value address = code.memrefAt(k.at(scratch, places.lookup(result)),
                                      MemRefType::get({}, result.getType()));
        memref::StoreOp::create(k, code.map.lookup(result), address,
                                ValueRange());
      });
    }
}

/// Launches `ops`, which `write` writes, on `ctas` (i64) CTAs at most.
LogicalResult FallbackEmission::emitLaunch(ArrayRef<Operation *> ops,
                                           Value ctas, Write write) {
  Needs needs = findNeeds(ops);
  // Temporaries of a CTA: the rest is too large for shared memory.
  int64_t sharedBytes = 0, largeBytes = 0;
  DenseMap<Operation *, int64_t> large;
  for (Operation *op : ops)
    op->walk([&](Operation *inner) {
      if (!isAllocation(inner))
        return;
      int64_t bytes = llvm::alignTo(
          getBufferBytes(cast<MemRefType>(inner->getResult(0).getType())),
          kScratchAlignment);
      if (sharedBytes + bytes <= launch.getDevice().chip.sharedBytes) {
        sharedBytes += bytes;
        return;
      }
      large[inner] = largeBytes;
      largeBytes += bytes;
    });

  Type pointer = KernelBuilder::globalType(launch.getContext());
  SmallVector<Type> types;
  SmallVector<Value> parameters;
  for (BlockArgument argument : needs.arguments) {
    auto type = cast<MemRefType>(argument.getType());
    types.push_back(pointer);
    parameters.push_back(launch.data(argument.getArgNumber()));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim)) {
        types.push_back(launch.getI64Type());
        parameters.push_back(launch.size(argument.getArgNumber(), dim));
      }
  }
  int64_t most =
      largeBytes ? std::max<int64_t>(1, kMostScratch / largeBytes) : 0;
  if (most)
    ctas = launch.min(ctas, launch.i64(most));
  if (placedBytes + largeBytes) {
    types.push_back(pointer);
    parameters.push_back(launch.scratch(placedBytes + most * largeBytes));
  }
  KernelBuilder k(launch, "part" + std::to_string(parts++), types, threads);
  CtaCode code(k);
  unsigned scratch = 0;
  if (failed(enter(code, k, needs, scratch)))
    return failure();
  if (largeBytes)
    code.setLargeTemporaries(
        k.at(k.param(scratch),
             k.toI64(k.blockId(0)) * largeBytes + k.i64(placedBytes)),
        large);
  if (failed(write(code)))
    return failure();
  if (placedBytes)
    leave(code, k, ops, k.param(scratch));
  Value one = launch.i64(1);
  launch.launch(k, {ctas, one, one}, parameters);
  return success();
}

//===----------------------------------------------------------------------===//
// What becomes a launch
//===----------------------------------------------------------------------===//

LogicalResult FallbackEmission::emitForall(scf::ForallOp forall) {
  SmallVector<OpFoldResult> bounds;
  for (const auto &list : {forall.getMixedLowerBound(),
                           forall.getMixedUpperBound(), forall.getMixedStep()})
    bounds.append(list);
  bool known = llvm::all_of(bounds, [](OpFoldResult bound) {
    return getConstantIntValue(bound) || isHostValue(cast<Value>(bound));
  });
  Value ctas = launch.i64(known ? 1 : kUnknownCtas);
  for (int64_t dim = 0; known && dim < forall.getRank(); ++dim) {
    Value extent = arith::SubIOp::create(
        launch, hostValue(forall.getMixedUpperBound()[dim]),
        hostValue(forall.getMixedLowerBound()[dim]));
    Value step = hostValue(forall.getMixedStep()[dim]);
    Value rounded = arith::AddIOp::create(
        launch, extent, arith::SubIOp::create(launch, step, launch.i64(1)));
    ctas = launch.mul(ctas, arith::DivUIOp::create(launch, rounded, step));
  }
  Operation *op = forall;
  return emitLaunch(op, ctas,
                    [&](CtaCode &code) { return code.emitForGrid(forall); });
}

LogicalResult FallbackEmission::emitGrid(linalg::GenericOp generic) {
  // A bound of the points: of those of the first out.
  Value points = launch.i64(1);
  OpFoldResult size;
  Value out = generic.getDpsInits().front();
  auto type = cast<MemRefType>(out.getType());
  bool known = type.hasStaticShape() || isa<BlockArgument>(out);
  for (int64_t dim = 0; known && dim < type.getRank(); ++dim)
    points = launch.mul(
        points, type.isDynamicDim(dim)
                    ? launch.size(cast<BlockArgument>(out).getArgNumber(), dim)
                    : launch.i64(type.getDimSize(dim)));
  Value ctas =
      known ? launch.ceilDiv(points, threads) : launch.i64(kUnknownCtas);
  Operation *op = generic;
  return emitLaunch(op, ctas,
                    [&](CtaCode &code) { return code.emitForGrid(generic); });
}

LogicalResult FallbackEmission::emitSerial(ArrayRef<Operation *> ops) {
  // What is repeated is not missed.
  if (llvm::all_of(ops, isRepeated))
    return success();
  return emitLaunch(ops, launch.i64(1), [&](CtaCode &code) {
    for (Operation *op : ops)
      if (failed(code.emit(*op)))
        return failure();
    return success();
  });
}

LogicalResult FallbackEmission::emitBranch(scf::IfOp branch) {
  bool good = true;
  auto emitRegion = [&](Region &region) {
    if (!region.empty())
      good &= succeeded(emitLevel(region.front()));
  };
  launch.ifElse(
      hostValue(branch.getCondition()),
      [&] { emitRegion(branch.getThenRegion()); },
      [&] { emitRegion(branch.getElseRegion()); });
  return success(good);
}

LogicalResult FallbackEmission::emitLevel(Block &block) {
  SmallVector<Operation *> serial;
  for (Operation &op : block.without_terminator()) {
    if (isRepeated(&op)) {
      if (needsLaunch(&op))
        serial.push_back(&op);
      continue;
    }
    auto generic = dyn_cast<linalg::GenericOp>(op);
    bool launched = isa<scf::ForallOp>(op) || isHostBranch(&op) ||
                    (generic && hasManyPoints(generic));
    if (!launched) {
      serial.push_back(&op);
      continue;
    }
    if (failed(emitSerial(serial)))
      return failure();
    serial.clear();
    LogicalResult emitted = generic ? emitGrid(generic)
                            : isHostBranch(&op)
                                ? emitBranch(cast<scf::IfOp>(op))
                                : emitForall(cast<scf::ForallOp>(op));
    if (failed(emitted))
      return failure();
  }
  return emitSerial(serial);
}

LogicalResult FallbackEmission::run() {
  Block &body = func.getBody().front();
  return success(succeeded(serializeInnerLoops(func)) &&
                 succeeded(planScratch(body)) && succeeded(emitLevel(body)));
}

//===----------------------------------------------------------------------===//
// The emitter
//===----------------------------------------------------------------------===//

class FallbackEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_fallback"; }

  bool match(func::FuncOp, const Chip &) const override { return true; }

  Configuration configure(func::FuncOp kernel, const Chip &) const override {
    Builder b(kernel.getContext());
    return {{b.getNamedAttr("threads", b.getI64IntegerAttr(128))},
            "no other emitter takes it; from its loops, slow"};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads =
        getParameter(kernel, parameters, "threads", 32, 1024);
    if (failed(threads))
      return failure();
    OwningOpRef<ModuleOp> module = lowerToLoops(kernel);
    if (!module)
      return failure();
    func::FuncOp func = *module->getOps<func::FuncOp>().begin();
    return FallbackEmission(func, *threads, launch).run();
  }
};

} // namespace

const KernelEmitter *deepseek::getFallbackEmitter() {
  static const FallbackEmitter emitter;
  return &emitter;
}
