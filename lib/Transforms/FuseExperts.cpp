//===- FuseExperts.cpp - Mixture of experts as grouped products -----------===//
//
// Rewrites `experts` into sorting by expert and one product for gate and up, in
// which the shared expert is the last group:
//
//   s = linear(swiglu(linear(x, sg), linear(x, su)), sd)
//   y = experts(x, scores, indices, gate, up, down, s)
//   ->
//   rows, offsets, source = moe_dispatch(x, indices) {shared_group}
//   p = grouped_linear(rows, concat(gate', up'), offsets)
//   d = grouped_linear(swiglu(p[:, 0 : I], p[:, I : 2 I]), down', offsets)
//   y = moe_combine(d, source, scores) {shared_group}
//
// where gate' is the stack gate with sg behind it: a weight of the checkpoint's
// same tensors, declared once for all entries. A shared expert of another size
// or form stays as it is, and is added by moe_combine.
//
//===----------------------------------------------------------------------===//

#include "WeightViews.h"

#include "deepseek/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_FUSEEXPERTS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

static remark::RemarkOpts remarkAt(Operation *op, StringRef name) {
  return remark::RemarkOpts::name(name).category("moe").function(
      op->getParentOfType<func::FuncOp>().getSymName());
}

//===----------------------------------------------------------------------===//
// The shared expert
//===----------------------------------------------------------------------===//

namespace {

/// `linear`, `swiglu`, `linear` with the weights of one SwiGLU MLP.
struct SharedMlp {
  LinearOp gate, up, down;
};

/// The weights of the experts, of which a shared one may be the last.
struct ExpertWeights {
  Value gate, up, down;
  bool withShared = false;
};

} // namespace

/// The MLP that computes `value` of `x` for no one else; all null if it is
/// computed in another way.
static SharedMlp findMlp(Value value, Value x) {
  auto soleProducer = [](Value value, auto type) {
    return value.hasOneUse() ? value.getDefiningOp<decltype(type)>()
                             : decltype(type)();
  };
  SharedMlp mlp;
  mlp.down = soleProducer(value, LinearOp());
  SwigluOp swiglu =
      mlp.down ? soleProducer(mlp.down.getX(), SwigluOp()) : SwigluOp();
  if (!swiglu)
    return {};
  mlp.gate = soleProducer(swiglu.getGate(), LinearOp());
  mlp.up = soleProducer(swiglu.getUp(), LinearOp());
  bool ofX = mlp.gate && mlp.up && mlp.gate.getX() == x && mlp.up.getX() == x;
  Type type = typeOf(x).getElementType();
  bool rounded =
      ofX && llvm::all_of(ArrayRef<Value>{mlp.gate, mlp.up, swiglu, mlp.down},
                          [&](Value value) {
                            return typeOf(value).getElementType() == type;
                          });
  return rounded ? mlp : SharedMlp();
}

namespace {

class WeightStacks {
public:
  explicit WeightStacks(ModuleOp module) : symbols(module) {}

  /// Why `last` cannot be stacked behind the tensors of `stack`, empty if it
  /// can.
  std::string obstacle(Value stack, Value last);
  /// The stack with `last` behind it, before the insertion point.
  Value append(OpBuilder &builder, Value stack, Value last);
  /// Erases the weights that appending has left without a use.
  void eraseUnused(ModuleOp module);

private:
  WeightOp lookup(GetWeightOp get) {
    return symbols.lookup<WeightOp>(get.getWeight());
  }
  Value append(OpBuilder &builder, GetWeightOp stack, GetWeightOp last);

  SymbolTable symbols;
  llvm::DenseMap<std::pair<Operation *, Operation *>, WeightOp> appended;
  llvm::SetVector<WeightOp> replaced;
};

} // namespace

std::string WeightStacks::obstacle(Value stack, Value last) {
  std::optional<WeightView> all = WeightView::of(stack),
                            one = WeightView::of(last);
  if (!all || !one)
    return "its weights are not those of the checkpoint";
  if (typeOf(stack).getShape().drop_front() != typeOf(last).getShape()) {
    std::string text;
    llvm::raw_string_ostream(text)
        << "a weight of it is " << typeOf(last) << ", that of an expert is "
        << RankedTensorType::get(typeOf(stack).getShape().drop_front(),
                                 typeOf(stack).getElementType());
    return text;
  }
  if (all->form() != one->form())
    return "its weights are stored in another way than those of the experts";
  for (auto [many, single] :
       {std::pair(all->data, one->data), std::pair(all->scale, one->scale)}) {
    if (!many)
      continue;
    WeightOp stacked = lookup(many), alone = lookup(single);
    if (!stacked || !alone || !stacked.getKey() || !alone.getKey() ||
        !stacked.getKey()->contains('*') || stacked.getLastKey() ||
        alone.getKey()->contains('*'))
      return "its weights are not those of the checkpoint";
  }
  return "";
}

Value WeightStacks::append(OpBuilder &builder, GetWeightOp stack,
                           GetWeightOp last) {
  WeightOp many = lookup(stack), single = lookup(last);
  WeightOp &both = appended[{many, single}];
  if (!both) {
    auto type = cast<RankedTensorType>(many.getType());
    SmallVector<int64_t> shape(type.getShape());
    ++shape.front();
    both = many.clone();
    both.setSymName((many.getSymName() + "_and_shared").str());
    both.setType(RankedTensorType::get(shape, type.getElementType(),
                                       type.getEncoding()));
    both.setLastKeyAttr(single.getKeyAttr());
    symbols.insert(both, std::next(Block::iterator(many)));
    replaced.insert(many);
    replaced.insert(single);
  }
  return GetWeightOp::create(builder, stack.getLoc(), both.getType(),
                             both.getSymName());
}

Value WeightStacks::append(OpBuilder &builder, Value stack, Value last) {
  WeightView all = *WeightView::of(stack), one = *WeightView::of(last);
  Value data = append(builder, all.data, one.data);
  if (!all.dequantize)
    return data;
  Value scale = append(builder, all.scale, one.scale);
  SmallVector<int64_t> shape(typeOf(data).getShape());
  return DequantizeOp::create(
      builder, all.dequantize.getLoc(),
      RankedTensorType::get(shape, typeOf(stack).getElementType()), data,
      scale);
}

void WeightStacks::eraseUnused(ModuleOp module) {
  if (replaced.empty())
    return;
  llvm::StringSet<> used;
  module.walk([&](GetWeightOp get) { used.insert(get.getWeight()); });
  for (WeightOp weight : replaced)
    if (!used.contains(weight.getSymName()))
      symbols.erase(weight);
}

//===----------------------------------------------------------------------===//
// One op
//===----------------------------------------------------------------------===//

namespace {

class ExpertsFusion {
public:
  ExpertsFusion(ExpertsOp op, bool shared, WeightStacks &stacks)
      : op(op), x(op.getX()), builder(op), withShared(shared), stacks(stacks) {}

  LogicalResult run();

private:
  ExpertWeights chooseWeights();
  int64_t getRowCount(bool withShared);
  Value multiply(Value rows, Value weight, Value offsets);
  Value activate(Value rows, const ExpertWeights &weights, Value offsets);

  ExpertsOp op;
  Value x;
  OpBuilder builder;
  bool withShared;
  WeightStacks &stacks;
};

} // namespace

/// The experts' weights, with those of the shared expert where they fit.
ExpertWeights ExpertsFusion::chooseWeights() {
  ExpertWeights weights = {op.getGate(), op.getUp(), op.getDown()};
  if (!op.getShared())
    return weights;
  SharedMlp mlp = findMlp(op.getShared(), x);
  std::string obstacle;
  if (!withShared)
    obstacle = "not asked for";
  else if (!mlp.down)
    obstacle = "it is not a SwiGLU MLP of the same tokens with no other use";
  std::pair<Value *, LinearOp> parts[] = {{&weights.gate, mlp.gate},
                                          {&weights.up, mlp.up},
                                          {&weights.down, mlp.down}};
  for (auto [stack, last] : parts)
    if (obstacle.empty())
      obstacle = stacks.obstacle(*stack, last.getW());
  if (!obstacle.empty()) {
    remark::missed(op.getLoc(), remarkAt(op, "shared-not-fused"))
        << remark::reason("{0}", obstacle);
    return weights;
  }
  for (auto [stack, last] : parts)
    *stack = stacks.append(builder, *stack, last.getW());
  weights.withShared = true;
  return weights;
}

/// T * K, the number of rows after dispatch; K + 1 with the shared expert.
int64_t ExpertsFusion::getRowCount(bool withShared) {
  RankedTensorType indices = typeOf(op.getIndices());
  int64_t rows;
  if (!indices.hasStaticShape() ||
      llvm::MulOverflow(indices.getDimSize(0),
                        indices.getDimSize(1) + withShared, rows))
    return ShapedType::kDynamic;
  return rows;
}

Value ExpertsFusion::multiply(Value rows, Value weight, Value offsets) {
  auto type = RankedTensorType::get(
      {typeOf(rows).getDimSize(0), typeOf(weight).getDimSize(1)},
      typeOf(x).getElementType());
  return GroupedLinearOp::create(builder, op.getLoc(), type, rows, weight,
                                 offsets);
}

/// `swiglu` of the products with gate and up, which are one if both weights are
/// of the checkpoint: what is computed would have to be copied.
Value ExpertsFusion::activate(Value rows, const ExpertWeights &weights,
                              Value offsets) {
  Location loc = op.getLoc();
  int64_t inner = typeOf(weights.gate).getDimSize(1);
  Value gate, up;
  if (areWeightsOfOneForm({weights.gate, weights.up})) {
    Value both = tensor::ConcatOp::create(builder, loc, /*dim=*/1,
                                          ValueRange{weights.gate, weights.up});
    Value product = multiply(rows, both, offsets);
    OpFoldResult count = tensor::getMixedSize(builder, loc, rows, 0);
    OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
    auto half = [&](int64_t begin) -> Value {
      return tensor::ExtractSliceOp::create(
          builder, loc, product, {zero, builder.getIndexAttr(begin)},
          {count, builder.getIndexAttr(inner)}, {one, one});
    };
    gate = half(0);
    up = half(inner);
  } else {
    remark::missed(loc, remarkAt(op, "gate-and-up-not-fused"))
        << remark::reason("they are not two weights stored in the same way");
    gate = multiply(rows, weights.gate, offsets);
    up = multiply(rows, weights.up, offsets);
  }
  return SwigluOp::create(builder, loc, gate.getType(), gate, up);
}

LogicalResult ExpertsFusion::run() {
  if (!typeOf(op.getGate()).hasStaticShape() ||
      !typeOf(op.getUp()).hasStaticShape())
    return op.emitOpError("expected weights of static sizes, got gate ")
           << typeOf(op.getGate()) << " and up " << typeOf(op.getUp());
  Location loc = op.getLoc();
  ExpertWeights weights = chooseWeights();
  UnitAttr shared = weights.withShared ? builder.getUnitAttr() : UnitAttr();
  int64_t rows = getRowCount(weights.withShared);
  int64_t groups = typeOf(weights.gate).getDimSize(0);
  Type i32 = builder.getI32Type();
  auto dispatch = MoEDispatchOp::create(
      builder, loc,
      RankedTensorType::get({rows, typeOf(x).getDimSize(1)},
                            typeOf(x).getElementType()),
      RankedTensorType::get({groups + 1}, i32),
      RankedTensorType::get({rows}, i32), /*rows_scale=*/Type(), x,
      op.getIndices(), /*x_scale=*/Value(), builder.getI64IntegerAttr(groups),
      shared);
  Value offsets = dispatch.getOffsets();
  Value activated = activate(dispatch.getRows(), weights, offsets);
  Value out = multiply(activated, weights.down, offsets);
  Value combined = MoECombineOp::create(
      builder, loc, op.getType(), out, dispatch.getSource(), op.getScores(),
      weights.withShared ? Value() : op.getShared(), shared);
  remark::passed(loc, remarkAt(op, "fused"))
      << remark::metric("groups", groups)
      << remark::metric("shared", weights.withShared ? "a group" : "apart");
  op.getResult().replaceAllUsesWith(combined);
  return success();
}

namespace {

struct FuseExperts : deepseek::impl::FuseExpertsBase<FuseExperts> {
  using FuseExpertsBase::FuseExpertsBase;

  void runOnOperation() override {
    WeightStacks stacks(getOperation());
    SmallVector<ExpertsOp> ops;
    getOperation().walk([&](ExpertsOp op) { ops.push_back(op); });
    for (ExpertsOp op : ops) {
      if (failed(ExpertsFusion(op, shared, stacks).run()))
        return signalPassFailure();
      eraseWithProducers(op);
    }
    stacks.eraseUnused(getOperation());
  }
};

} // namespace
