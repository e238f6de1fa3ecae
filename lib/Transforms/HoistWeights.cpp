//===- HoistWeights.cpp - Math on weights alone, once ---------------------===//
//
// Moves what is computed from weights alone into the entry @prepare, which runs
// once; its results are derived weights.
//
//   func.func @decode(%x ...) {
//     %w = deepseek.get_weight @w
//     %q, %s = deepseek.quantize %w
//     ... %q, %s ...
//   ->
//   deepseek.weight @w_quantize derived : ...
//   deepseek.weight @w_quantize_scale derived : ...
//   func.func @decode(%x ...) {
//     %q = deepseek.get_weight @w_quantize
//     %s = deepseek.get_weight @w_quantize_scale
//     ... %q, %s ...
//   func.func @prepare() -> (... {deepseek.name = "w_quantize"}, ...) {
//     %w = deepseek.get_weight @w
//     %q, %s = deepseek.quantize %w
//     return %q, %s
//   }
//
// A view stays where it is used, whatever it looks at: kernels take it in. But
// `dequantize` is a view that costs arithmetic each time; the option moves it,
// with the views behind it, for users that have no FP8 form.
//
//===----------------------------------------------------------------------===//

#include "Views.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <map>

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOISTWEIGHTS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// The entry @prepare
//===----------------------------------------------------------------------===//

namespace {

/// The entry that computes the derived weights, and their declarations.
class PrepareEntry {
public:
  /// `symbols` are those of `module`.
  PrepareEntry(ModuleOp module, SymbolTable &symbols);

  /// The derived weight that is `value`, a value of another function which
  /// depends on weights alone. Equal computations are one.
  WeightOp derive(Value value);
  /// Writes the results. The entry is not made if nothing was derived.
  void finish();

private:
  void create();
  Value clone(Value value);
  WeightOp declare(Value value);

  ModuleOp module;
  SymbolTable &symbols;
  func::FuncOp func;
  WeightOp lastWeight;
  /// Ops by name, attributes, types and operands.
  std::map<std::vector<const void *>, Operation *> known;
  /// The weights that values of the entry are.
  llvm::MapVector<Value, WeightOp> derived;
};

} // namespace

/// What makes two ops with equal operands equal.
static std::vector<const void *> makeKey(Operation *op, ValueRange operands) {
  std::vector<const void *> key = {
      op->getName().getAsOpaquePointer(),
      op->getAttrDictionary().getAsOpaquePointer()};
  for (Value operand : operands)
    key.push_back(operand.getAsOpaquePointer());
  for (Type type : op->getResultTypes())
    key.push_back(type.getAsOpaquePointer());
  return key;
}

PrepareEntry::PrepareEntry(ModuleOp module, SymbolTable &symbols)
    : module(module), symbols(symbols) {
  for (auto weight : module.getOps<WeightOp>())
    lastWeight = weight;
  func = symbols.lookup<func::FuncOp>(kPrepareEntry);
  if (!func)
    return;
  Block &block = func.getBody().front();
  for (Operation &op : block.without_terminator())
    known[makeKey(&op, op.getOperands())] = &op;
  Operation *returned = block.getTerminator();
  for (auto [number, value] : llvm::enumerate(returned->getOperands()))
    if (auto name = func.getResultAttrOfType<StringAttr>(number, kNameAttr))
      derived[value] = symbols.lookup<WeightOp>(name);
  returned->erase();
}

void PrepareEntry::create() {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = NameLoc::get(builder.getStringAttr(kPrepareEntry));
  func = func::FuncOp::create(builder, loc, kPrepareEntry,
                              builder.getFunctionType({}, {}));
  func->setAttr(kEntryAttr, builder.getUnitAttr());
  func.addEntryBlock();
  symbols.insert(func);
}

Value PrepareEntry::clone(Value value) {
  Operation *op = value.getDefiningOp();
  IRMapping mapping;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(clone(operand));
    mapping.map(operand, operands.back());
  }
  Operation *&cloned = known[makeKey(op, operands)];
  if (!cloned) {
    OpBuilder builder = OpBuilder::atBlockEnd(&func.getBody().front());
    cloned = builder.clone(*op, mapping);
  }
  return cloned->getResult(cast<OpResult>(value).getResultNumber());
}

/// The weight that `value` is computed from: the first, if several.
static WeightOp findSource(SymbolTable &symbols, Value value) {
  Operation *op = value.getDefiningOp();
  if (auto get = dyn_cast<GetWeightOp>(op))
    return symbols.lookup<WeightOp>(get.getWeight());
  for (Value operand : op->getOperands())
    if (WeightOp source = findSource(symbols, operand))
      return source;
  return {};
}

/// `w_quantize` and `w_quantize_scale`: the weight, the op, and of all results
/// but the first their own name.
static std::string makeName(WeightOp source, Value value) {
  auto result = cast<OpResult>(value);
  Operation *op = result.getOwner();
  std::string name =
      (source.getSymName() + "_" + op->getName().stripDialect()).str();
  if (result.getResultNumber() == 0)
    return name;
  std::string own = std::to_string(result.getResultNumber());
  if (auto named = dyn_cast<OpAsmOpInterface>(op))
    named.getAsmResultNames([&](Value which, StringRef text) {
      if (which == value)
        own = text.str();
    });
  return name + "_" + own;
}

WeightOp PrepareEntry::declare(Value value) {
  WeightOp origin = findSource(symbols, value);
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(lastWeight);
  auto weight = WeightOp::create(
      builder, value.getLoc(), builder.getStringAttr(makeName(origin, value)),
      TypeAttr::get(value.getType()), /*key=*/StringAttr(),
      /*value=*/ElementsAttr(), /*last_key=*/StringAttr(),
      /*derived=*/builder.getUnitAttr());
  auto type = cast<RankedTensorType>(value.getType());
  auto originType = cast<RankedTensorType>(origin.getType());
  bool stacked = origin->hasAttr(kStackedAttr) ||
                 (origin.getKey() && origin.getKey()->contains('*'));
  if (stacked && type.getRank() == originType.getRank() &&
      type.getDimSize(0) == originType.getDimSize(0))
    weight->setAttr(kStackedAttr, builder.getUnitAttr());
  symbols.insert(weight);
  return lastWeight = weight;
}

WeightOp PrepareEntry::derive(Value value) {
  if (!func)
    create();
  WeightOp &weight = derived[clone(value)];
  if (!weight)
    weight = declare(value);
  return weight;
}

void PrepareEntry::finish() {
  if (!func)
    return;
  OpBuilder builder = OpBuilder::atBlockEnd(&func.getBody().front());
  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attributes;
  for (auto &[value, weight] : derived) {
    values.push_back(value);
    attributes.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(kNameAttr, weight.getSymNameAttr())));
  }
  func::ReturnOp::create(builder, func.getLoc(), values);
  func.setFunctionType(
      builder.getFunctionType({}, ValueRange(values).getTypes()));
  func.setAllResultAttrs(attributes);
}

//===----------------------------------------------------------------------===//
// A function whose math on weights moves
//===----------------------------------------------------------------------===//

namespace {

class FunctionHoisting {
public:
  FunctionHoisting(func::FuncOp func, PrepareEntry &prepare, SymbolTable &table,
                   bool dequantize)
      : func(func), prepare(prepare), table(table), dequantize(dequantize) {}

  void run();

private:
  bool dependsOnWeightsAlone(Operation *op);
  bool isCostly(Value value);
  bool isWantedPlain(OpOperand &use);
  void replace(OpOperand &use);

  func::FuncOp func;
  PrepareEntry &prepare;
  SymbolTable &table;
  bool dequantize;
  /// Ops whose results are functions of weights alone.
  DenseSet<Operation *> weightMath;
  /// The derived weights, as read by this function.
  llvm::StringMap<Value> values;
};

} // namespace

/// What a product looks through. Parts of a fused weight are not joined in
/// memory, whatever they are computed from.
static bool isView(Operation *op) {
  return isViewKind(op) || isa<tensor::ConcatOp>(op);
}

/// What prepares a weight: another scaling, elementwise arithmetic, views. A
/// product of weights is a program, such as one that tests itself.
static bool isPreparation(Operation *op) {
  return isView(op) || isa<QuantizeOp, RequantizeOp>(op) ||
         (isPure(op) && op->hasTrait<OpTrait::Elementwise>());
}

bool FunctionHoisting::dependsOnWeightsAlone(Operation *op) {
  if (auto get = dyn_cast<GetWeightOp>(op)) {
    // Only what a checkpoint holds: an inline value is a test's.
    auto weight = table.lookup<WeightOp>(get.getWeight());
    return weight && weight.getKey();
  }
  if (!isPreparation(op) || op->getNumOperands() == 0)
    return false;
  bool any = false;
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    any |= weightMath.contains(producer);
    if (!producer || (!weightMath.contains(producer) &&
                      !matchPattern(producer, m_Constant())))
      return false;
  }
  return any && llvm::all_of(op->getResultTypes(), [](Type type) {
           auto tensor = dyn_cast<RankedTensorType>(type);
           return tensor && tensor.hasStaticShape();
         });
}

/// Whether `value` is a function of weights that is more than a view.
bool FunctionHoisting::isCostly(Value value) {
  Operation *op = value.getDefiningOp();
  return op && weightMath.contains(op) && !isa<GetWeightOp>(op) && !isView(op);
}

/// Whether a user without an FP8 form reads dequantized weights.
bool FunctionHoisting::isWantedPlain(OpOperand &use) {
  if (isa<QuantizableOpInterface>(use.getOwner()))
    return false;
  Operation *op = use.get().getDefiningOp();
  while (op && weightMath.contains(op) && isView(op)) {
    if (isa<DequantizeOp>(op))
      return true;
    op = op->getOperand(0).getDefiningOp();
  }
  return false;
}

void FunctionHoisting::replace(OpOperand &use) {
  WeightOp weight = prepare.derive(use.get());
  Value &value = values[weight.getSymName()];
  if (!value) {
    OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
    value = GetWeightOp::create(builder, use.get().getLoc(), weight.getType(),
                                weight.getSymName());
    auto type = cast<RankedTensorType>(weight.getType());
    using namespace mlir::remark;
    passed(use.get().getLoc(),
           RemarkOpts::name("hoisted").category("memory").function(
               func.getSymName()))
        << metric("weight", weight.getSymName())
        << metric("bytes",
                  type.getNumElements() * type.getElementTypeBitWidth() / 8);
  }
  use.set(value);
}

void FunctionHoisting::run() {
  Block &block = func.getBody().front();
  for (Operation &op : block)
    if (dependsOnWeightsAlone(&op))
      weightMath.insert(&op);
  // Backwards, so that what only feeds hoisted math is found to be dead.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isOpTriviallyDead(&op)) {
      op.erase();
      continue;
    }
    bool view = weightMath.contains(&op);
    for (OpOperand &use : op.getOpOperands()) {
      bool plain = !view && isWantedPlain(use);
      if (isCostly(use.get()) || (plain && dequantize))
        replace(use);
      else if (plain)
        remark::missed(op.getLoc(), remark::RemarkOpts::name("not-hoisted")
                                        .category("memory")
                                        .function(func.getSymName()))
            << remark::reason("its weight is dequantized where it is read");
    }
  }
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct HoistWeights : deepseek::impl::HoistWeightsBase<HoistWeights> {
  using HoistWeightsBase::HoistWeightsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable table(module);
    if (failed(verifyPrepare(table.lookup(kPrepareEntry))))
      return signalPassFailure();
    PrepareEntry prepare(module, table);
    SmallVector<func::FuncOp> funcs(module.getOps<func::FuncOp>());
    for (func::FuncOp func : funcs)
      if (func.getSymName() != kPrepareEntry && !func.isExternal() &&
          func.getBody().hasOneBlock())
        FunctionHoisting(func, prepare, table, dequantize).run();
    prepare.finish();
  }

  /// The name is taken by nothing but an entry that more can be added to.
  static LogicalResult verifyPrepare(Operation *symbol) {
    auto func = dyn_cast_or_null<func::FuncOp>(symbol);
    if (!symbol ||
        (func && !func.isExternal() && func.getBody().hasOneBlock() &&
         func.getNumArguments() == 0))
      return success();
    return symbol->emitError()
           << "expected '" << kPrepareEntry
           << "' to be the entry that computes weights: a function of one "
              "block, without arguments";
  }
};

} // namespace
