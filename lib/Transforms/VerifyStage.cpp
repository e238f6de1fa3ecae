//===- VerifyStage.cpp - The contract of each stage -----------------------===//
//
// Says which ops a module may hold after each of the eight stages, in the host
// functions and in the nested module @kernels, and, for the ops that a pass of
// ours removes, which one. It stops at the first op that is out of place. An op
// of `tensor` may not give an FP8 tensor other scaling: that is requantize's.
//
// After `quantize`, where number formats are final, remarks of the category
// `fp8` say what each change of scaling can add to the error.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Passes.h"

#include "dialects/Check/IR/CheckDialect.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_VERIFYSTAGE
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The stages, in order; Unknown is no stage.
enum Stage {
  Graph,
  Shard,
  Fuse,
  Quantize,
  Kernels,
  Buffers,
  Device,
  LLVMStage,
  Unknown
};

} // namespace

static Stage getStage(StringRef name) {
  return llvm::StringSwitch<Stage>(name)
      .Case("graph", Graph)
      .Case("shard", Shard)
      .Case("fuse", Fuse)
      .Case("quantize", Quantize)
      .Case("kernels", Kernels)
      .Case("buffers", Buffers)
      .Case("device", Device)
      .Case("llvm", LLVMStage)
      .Default(Unknown);
}

static StringRef dialectOf(Operation *op) {
  return op->getName().getDialectNamespace();
}

/// Whether a host function, or the module around it, may hold `op`.
static bool isHostOp(Stage stage, Operation *op) {
  StringRef dialect = dialectOf(op), name = op->getName().getStringRef();
  if (stage == LLVMStage)
    return dialect == "llvm";
  if (isa<func::FuncOp, func::ReturnOp, WeightOp>(op))
    return true;
  if (stage <= Quantize) {
    if (isa<MlaOp, ExpertsOp>(op) && stage >= Fuse)
      return false;
    if (dialect == "shard")
      return stage == Graph ||
             (name != "shard.shard" && name != "shard.sharding");
    return dialect == "deepseek" || dialect == "tensor" || dialect == "arith" ||
           dialect == "math" || dialect == "check" || dialect == "func";
  }
  if (dialect == "dsrt" || dialect == "arith")
    return true;
  if (stage == Kernels)
    return name == "tensor.empty" || name == "tensor.dim";
  return llvm::StringSwitch<bool>(name)
      .Cases({"memref.dim", "memref.cast", "memref.copy", "memref.global",
              "memref.get_global"},
             true)
      .Default(false);
}

/// Whether the nested module may hold `op`.
static bool isKernelOp(Stage stage, Operation *op) {
  StringRef dialect = dialectOf(op);
  if (stage >= Device)
    return dialect == "llvm";
  return dialect == "deepseek" || dialect == "tensor" || dialect == "arith" ||
         dialect == "math" || dialect == "func" || dialect == "linalg" ||
         dialect == "scf";
}

/// The pass that takes `op` away before `stage` ends, if it is one of the
/// compile's.
static StringRef getRemover(Stage stage, Operation *op, bool inKernels) {
  StringRef dialect = dialectOf(op), name = op->getName().getStringRef();
  if (stage == LLVMStage)
    return "convert-dsrt-to-llvm";
  if (inKernels)
    return stage == Device ? "ds-stage-device" : "";
  if (isa<MlaOp>(op))
    return "ds-lower-mla";
  if (isa<ExpertsOp>(op))
    return "ds-fuse-experts";
  if (isa<GetWeightOp>(op))
    return "convert-deepseek-to-dsrt";
  if (dialect == "shard")
    return "shard-partition";
  if (dialect == "check")
    return "convert-check-to-dsrt";
  if (name == "memref.alloc")
    return "ds-plan-memory";
  if (name == "tensor.empty" || name == "tensor.dim" ||
      dialect == "bufferization")
    return "one-shot-bufferize";
  if (dialect == "deepseek" || dialect == "tensor" || dialect == "math")
    return "ds-form-kernels";
  return "";
}

static LogicalResult emitWrongOp(Stage stage, StringRef stageName,
                                 Operation *op, bool inKernels) {
  InFlightDiagnostic diagnostic = op->emitError() << "stage '" << stageName
                                                  << "' must not contain '"
                                                  << op->getName() << "'";
  if (inKernels)
    diagnostic << " in @" << kKernelsModule;
  StringRef remover = getRemover(stage, op, inKernels);
  if (!remover.empty())
    diagnostic << "; did '" << remover << "' run?";
  return diagnostic;
}

/// Entries take and give tensors (later buffers) and sizes.
static LogicalResult verifySignature(Stage stage, StringRef stageName,
                                     func::FuncOp func) {
  FunctionType type = func.getFunctionType();
  for (Type value :
       llvm::concat<const Type>(type.getInputs(), type.getResults())) {
    bool legal = stage >= Buffers ? isa<MemRefType>(value)
                                  : isa<RankedTensorType>(value);
    if (!legal && !value.isIndex())
      return func.emitError()
             << "stage '" << stageName << "' expects arguments and results of '"
             << func.getSymName() << "' to be "
             << (stage >= Buffers ? "memrefs" : "ranked tensors")
             << " or of type index, got " << value;
  }
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return func.emitError()
           << "stage '" << stageName << "' expects '" << func.getSymName()
           << "' to have a body of one block";
  return success();
}

static bool isFp8(Type type) {
  return isa<Float8E4M3FNType, Float8E5M2Type>(getElementTypeOrSelf(type));
}

/// What the scales of codes are. The canonical form of tensor.concat casts
/// encodings away around it.
static BlockScaledAttr getScaling(Value codes) {
  if (BlockScaledAttr scaled = getBlockScaled(codes.getType()))
    return scaled;
  if (auto concat = codes.getDefiningOp<tensor::ConcatOp>())
    return getScaling(concat.getInputs().front());
  auto cast = codes.getDefiningOp<tensor::CastOp>();
  bool concatenated =
      cast && llvm::all_of(cast->getUsers(), llvm::IsaPred<tensor::ConcatOp>);
  return concatenated ? getBlockScaled(cast.getSource().getType())
                      : BlockScaledAttr();
}

/// An op that moves codes cannot change what their scales are; upstream's ops
/// leave encodings unchecked. Codes that had no scales yet may get some.
static LogicalResult verifyScalingKept(Operation *op) {
  if (dialectOf(op) != "tensor")
    return success();
  auto scaled = llvm::find_if(op->getOperands(), [](Value value) {
    return isFp8(value.getType()) && getScaling(value);
  });
  if (scaled == op->getOperands().end())
    return success();
  BlockScaledAttr scaling = getScaling(*scaled);
  SmallVector<Value> values(op->getOperands());
  llvm::append_range(values, op->getResults());
  for (Value value : values)
    if (isFp8(value.getType()) && getScaling(value) != scaling)
      return op->emitError()
             << "'" << op->getName()
             << "' must not change the scaling of FP8 codes, from "
             << (*scaled).getType() << " to " << value.getType()
             << "; use deepseek.requantize";
  return success();
}

/// Half a unit in the last place: relative to a normal code, and in units of
/// the new scale below the normal codes.
static void remarkOnRequantize(RequantizeOp op) {
  using namespace mlir::remark;
  auto func = op->getParentOfType<func::FuncOp>();
  auto opts = RemarkOpts::name("requantize").category("fp8");
  if (func)
    opts = opts.function(func.getSymName());
  auto remark = passed(op.getLoc(), opts);
  if (op.isExact()) {
    remark << metric("error", "none, codes are copied");
    return;
  }
  bool e4m3 = isa<Float8E4M3FNType>(op.getQ().getType().getElementType());
  remark << metric("relative_error", e4m3 ? "2^-4" : "2^-3")
         << metric("error_below_normal_codes",
                   e4m3 ? "2^-10 * new_scale" : "2^-17 * new_scale");
}

/// Derived weights exist once the number formats are chosen; each is a result
/// of the entry @prepare, which reads none of them.
static LogicalResult verifyDerived(Stage stage, StringRef stageName,
                                   ModuleOp module) {
  if (stage == LLVMStage)
    return success();
  auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareEntry);
  llvm::StringMap<Type> results;
  for (unsigned i = 0; prepare && i < prepare.getNumResults(); ++i)
    if (auto name = prepare.getResultAttrOfType<StringAttr>(i, kNameAttr))
      results[name] = prepare.getResultTypes()[i];
  llvm::StringSet<> derived;
  for (auto weight : module.getOps<WeightOp>()) {
    if (!weight.getDerived())
      continue;
    derived.insert(weight.getSymName());
    if (stage < Quantize)
      return weight.emitError() << "stage '" << stageName
                                << "' must not contain derived weights, which "
                                   "'ds-hoist-weights' makes";
    auto type =
        dyn_cast_or_null<ShapedType>(results.lookup(weight.getSymName()));
    auto own = cast<ShapedType>(weight.getType());
    if (!type || type.getShape() != own.getShape() ||
        type.getElementType() != own.getElementType())
      return weight.emitError()
             << "expected a result of '" << kPrepareEntry << "' of the name '"
             << weight.getSymName() << "' and type " << own;
  }
  if (!prepare)
    return success();
  if (stage < Quantize)
    return prepare.emitError()
           << "stage '" << stageName << "' must not contain the entry '"
           << kPrepareEntry << "'";
  if (prepare.getNumArguments() != 0)
    return prepare.emitError()
           << "expected the entry '" << kPrepareEntry
           << "' without arguments, got " << prepare.getFunctionType();
  WalkResult walk = prepare.walk([&](Operation *op) {
    StringRef name;
    if (auto get = dyn_cast<GetWeightOp>(op))
      name = get.getWeight();
    else if (auto get = dyn_cast<dsrt::GetWeightOp>(op))
      name = get.getWeight();
    if (!derived.contains(name))
      return WalkResult::advance();
    op->emitError() << "'" << kPrepareEntry << "' must not read the derived "
                    << "weight '" << name << "'";
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

namespace {

struct VerifyStage : deepseek::impl::VerifyStageBase<VerifyStage> {
  using VerifyStageBase::VerifyStageBase;

  void runOnOperation() override {
    Stage which = getStage(stage);
    if (which == Unknown) {
      emitError(UnknownLoc::get(&getContext()))
          << "ds-verify-stage: unknown stage '" << stage
          << "', expected graph, shard, fuse, quantize, kernels, buffers, "
             "device or llvm";
      return signalPassFailure();
    }
    for (Operation &op : *getOperation().getBody())
      if (failed(verifyTopLevel(which, &op)))
        return signalPassFailure();
    if (failed(verifyDerived(which, stage, getOperation())))
      return signalPassFailure();
    if (which == Quantize)
      getOperation().walk(remarkOnRequantize);
    markAllAnalysesPreserved();
  }

  LogicalResult verifyTopLevel(Stage which, Operation *top) {
    auto module = dyn_cast<ModuleOp>(top);
    bool inKernels = module && module.getSymName() == kKernelsModule &&
                     which >= Kernels && which < LLVMStage;
    WalkResult result = top->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op == top && inKernels)
        return WalkResult::advance();
      if (inKernels ? isKernelOp(which, op) : isHostOp(which, op))
        return WalkResult(verifyScalingKept(op));
      (void)emitWrongOp(which, stage, op, inKernels);
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return failure();
    if (auto func = dyn_cast<func::FuncOp>(top))
      return verifySignature(which, stage, func);
    return success();
  }
};

} // namespace
