//===- Evaluator.cpp - Runs a module of tensor programs -------------------===//
//
// Blocks, calls, weights, and the choice of who runs an op. Ops with regions
// are in EvaluateControlFlow.cpp, those of a dialect in Evaluate<Dialect>.cpp.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Reference/Evaluator.h"
#include "Evaluation.h"
#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

Tensor &Evaluation::operator[](Value operand) {
  auto position = llvm::find(op.getOperands(), operand);
  return operands[position - op.operand_begin()];
}

int64_t Evaluation::resolve(OpFoldResult index) {
  if (auto attribute = dyn_cast<Attribute>(index))
    return cast<IntegerAttr>(attribute).getInt();
  return (*this)[cast<Value>(index)].getInt(0);
}

Shape Evaluation::resolve(ArrayRef<OpFoldResult> indices) {
  Shape values;
  for (OpFoldResult index : indices)
    values.push_back(resolve(index));
  return values;
}

FailureOr<ElementType> Evaluation::resultType(unsigned i) {
  Type type = getElementTypeOrSelf(op.getResult(i).getType());
  if (std::optional<ElementType> known = getElementType(type))
    return *known;
  op.emitOpError() << "has a result of type " << op.getResult(i).getType()
                   << ", which the evaluator does not support";
  return failure();
}

FailureOr<Tensor> Evaluation::makeResult(ArrayRef<int64_t> shape) {
  FailureOr<ElementType> type = resultType();
  if (failed(type))
    return failure();
  llvm::Expected<int64_t> count = countElements(shape);
  if (!count)
    return fail(llvm::toString(count.takeError()));
  return Tensor(*type, shape);
}

LogicalResult Evaluation::fail(const Twine &message) {
  return op.emitOpError() << message;
}

LogicalResult Evaluation::unsupported() {
  return op.emitOpError() << "is not supported by the evaluator, which runs "
                             "tensor programs (stages graph to kernels)";
}

LogicalResult Evaluation::finish(llvm::Expected<Tensor> result) {
  if (!result)
    return fail(llvm::toString(result.takeError()));
  results.push_back(std::move(*result));
  return success();
}

bool reference::isValueOf(const Tensor &tensor, Type type) {
  std::optional<ElementType> element =
      getElementType(getElementTypeOrSelf(type));
  if (!element || *element != tensor.type())
    return false;
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped)
    return tensor.rank() == 0 && !isa<ShapedType>(type);
  if (shaped.getRank() != tensor.rank())
    return false;
  for (int64_t d = 0; d < tensor.rank(); ++d)
    if (!shaped.isDynamicDim(d) && shaped.getDimSize(d) != tensor.dim(d))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Functions and blocks
//===----------------------------------------------------------------------===//

Evaluator::Evaluator(ModuleOp module, WeightLoader loader)
    : module(module), loader(std::move(loader)) {}

FailureOr<func::FuncOp> Evaluator::findFunction(StringRef name) {
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  InFlightDiagnostic error = module.emitError()
                             << "the module has no function '" << name
                             << "'; it has";
  for (auto function : module.getOps<func::FuncOp>())
    error << " '" << function.getName() << "'";
  return failure();
}

FailureOr<SmallVector<Tensor>> Evaluator::run(func::FuncOp function,
                                              SmallVector<Tensor> inputs) {
  return call(function, std::move(inputs), nullptr);
}

FailureOr<SmallVector<Tensor>> Evaluator::call(func::FuncOp function,
                                               SmallVector<Tensor> inputs,
                                               Operation *caller) {
  if (inputs.size() != function.getNumArguments())
    return function.emitError()
           << "'" << function.getName() << "' expected "
           << function.getNumArguments() << " arguments, got " << inputs.size();
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitError()
           << "'" << function.getName()
           << "' cannot be evaluated: expected a body of one block";
  for (auto [i, input] : llvm::enumerate(inputs))
    if (!isValueOf(input, function.getArgument(i).getType()))
      return function.emitError()
             << "'" << function.getName() << "' expected argument " << i
             << " of type " << function.getArgument(i).getType() << ", got "
             << input.describe();
  if (depth == 64)
    return function.emitError() << "'" << function.getName()
                                << "' is called more than 64 levels deep";
  ++depth;
  // A function that calls itself has its values twice.
  DenseMap<Value, Tensor> callers;
  std::swap(callers, values);
  for (auto [argument, input] :
       llvm::zip_equal(function.getArguments(), inputs))
    values[argument] = std::move(input);
  if (observer)
    observer->entered(function, caller);
  FailureOr<SmallVector<Tensor>> results = runBlock(function.getBody().front());
  if (observer && succeeded(results))
    observer->left(function, *results);
  values = std::move(callers);
  --depth;
  return results;
}

FailureOr<SmallVector<Tensor>> Evaluator::runBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(evaluate(op)))
      return failure();
  SmallVector<Tensor> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(values[value]);
  for (Value value : getLastUses(block).lookup(block.getTerminator()))
    values.erase(value);
  return results;
}

const Evaluator::LastUses &Evaluator::getLastUses(Block &block) {
  auto [entry, isNew] = lastUses.try_emplace(&block);
  if (!isNew)
    return entry->second;
  LastUses uses;
  DenseSet<Value> seen;
  for (Operation &op : llvm::reverse(block)) {
    op.walk([&](Operation *nested) {
      for (Value value : nested->getOperands())
        if (value.getParentBlock() == &block && seen.insert(value).second)
          uses[&op].push_back(value);
    });
    for (Value result : op.getResults())
      if (!seen.contains(result))
        uses[&op].push_back(result);
  }
  return lastUses[&block] = std::move(uses);
}

LogicalResult Evaluator::evaluate(Operation &op) {
  Evaluation state{op};
  for (Value operand : op.getOperands())
    state.operands.push_back(values[operand]);
  // Let go of values before their last use, so that it may update them in
  // place; a region may still need them.
  SmallVector<Value> finished = getLastUses(*op.getBlock()).lookup(&op);
  if (op.getNumRegions() == 0)
    for (Value value : finished)
      values.erase(value);
  if (failed(evaluateCore(state)))
    return failure();
  if (state.results.size() != op.getNumResults())
    return state.unsupported();
  if (observer)
    observer->evaluated(op, state.results);
  for (auto [result, tensor] :
       llvm::zip_equal(op.getResults(), state.results)) {
    if (!isValueOf(tensor, result.getType()))
      return op.emitOpError()
             << "expected a result of type " << result.getType() << ", got "
             << tensor.describe();
    if (!result.use_empty())
      values[result] = std::move(tensor);
  }
  if (op.getNumRegions() != 0)
    for (Value value : finished)
      values.erase(value);
  return success();
}

//===----------------------------------------------------------------------===//
// Ops with symbols, and who runs an op
//===----------------------------------------------------------------------===//

/// The derived weights are the results of one function, all known at once.
LogicalResult Evaluator::prepare() {
  auto function = module.lookupSymbol<func::FuncOp>(kPrepareEntry);
  if (!function)
    return success();
  if (preparing)
    return function.emitError()
           << "'" << kPrepareEntry << "' uses a weight that it derives";
  preparing = true;
  FailureOr<SmallVector<Tensor>> results = run(function, {});
  preparing = false;
  if (failed(results))
    return failure();
  for (auto [i, result] : llvm::enumerate(*results))
    if (auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr))
      if (auto weight = module.lookupSymbol<WeightOp>(name))
        weights[weight] = std::move(result);
  return success();
}

LogicalResult Evaluator::loadWeight(WeightOp weight) {
  if (weight.getDerived()) {
    if (failed(prepare()))
      return failure();
    if (!weights.contains(weight))
      return weight.emitOpError() << "is derived, but no result of '"
                                  << kPrepareEntry << "' has its name";
  } else {
    llvm::Expected<Tensor> value =
        weight.getValueAttr() ? Tensor::fromAttribute(*weight.getValue())
                              : loader(weight);
    if (!value)
      return weight.emitOpError() << llvm::toString(value.takeError());
    weights[weight] = std::move(*value);
  }
  if (isValueOf(weights[weight], weight.getType()))
    return success();
  return weight.emitOpError() << "expected a value of type " << weight.getType()
                              << ", got " << weights[weight].describe();
}

LogicalResult Evaluator::getWeight(Evaluation &state,
                                   FlatSymbolRefAttr symbol) {
  auto weight =
      SymbolTable::lookupNearestSymbolFrom<WeightOp>(&state.op, symbol);
  if (!weight)
    return state.fail("'" + symbol.getValue() + "' does not name a weight");
  if (!weights.contains(weight) && failed(loadWeight(weight)))
    return failure();
  state.results.push_back(weights[weight]);
  return success();
}

LogicalResult Evaluator::evaluateCall(Evaluation &state, func::FuncOp callee) {
  if (!callee)
    return state.fail("calls a function that is not in the module");
  FailureOr<SmallVector<Tensor>> results =
      call(callee, std::move(state.operands), &state.op);
  if (failed(results))
    return failure();
  state.results = std::move(*results);
  return success();
}

LogicalResult Evaluator::evaluateCore(Evaluation &state) {
  Operation &op = state.op;
  if (auto weight = dyn_cast<GetWeightOp>(op))
    return getWeight(state, weight.getWeightAttr());
  if (auto weight = dyn_cast<dsrt::GetWeightOp>(op))
    return getWeight(state, weight.getWeightAttr());
  if (auto call = dyn_cast<func::CallOp>(op))
    return evaluateCall(state,
                        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
                            &op, call.getCalleeAttr()));
  if (auto call = dyn_cast<dsrt::DispatchOp>(op))
    return evaluateCall(state,
                        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
                            &op, call.getKernelAttr()));
  if (isa<scf::ForOp>(op))
    return evaluateFor(state);
  if (isa<scf::ForallOp>(op))
    return evaluateForall(state);
  if (isa<scf::IfOp>(op))
    return evaluateIf(state);
  if (isa<tensor::GenerateOp>(op))
    return evaluateGenerate(state);
  if (isa<linalg::LinalgOp>(op))
    return evaluateGeneric(state);
  Dialect *dialect = op.getDialect();
  StringRef name = dialect ? dialect->getNamespace() : "";
  if (name == "arith" || name == "math")
    return evaluateArith(state);
  if (name == "tensor")
    return evaluateTensor(state);
  if (name == "deepseek")
    return evaluateDeepSeek(state);
  if (name == "check" || isa<dsrt::ExpectOp>(op))
    return evaluateCheck(state);
  return state.unsupported();
}
