//===- DispatchMerger.cpp - One dispatch of several -----------------------===//
//
// A merged kernel is a clone of its members' bodies, one after the other, in
// which a member's argument stands for a merged argument or for another
// member's result. Host ops (sizes, weights, empty tensors) that later members
// need move up to the place of the first.
//
//===----------------------------------------------------------------------===//

#include "DispatchMerger.h"

#include "deepseek/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

OpFoldResult deepseek::getLeadingSize(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || type.getRank() == 0)
    return {};
  if (!type.isDynamicDim(0))
    return Builder(type.getContext()).getIndexAttr(type.getDimSize(0));
  while (auto producer = tensor.getDefiningOp<dsrt::DispatchOp>())
    tensor = producer.getOutputs()[cast<OpResult>(tensor).getResultNumber()];
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return empty.getMixedSizes().front();
  return {};
}

DispatchMerger::DispatchMerger(ModuleOp module) : module(module) {
  for (auto nested : module.getOps<ModuleOp>())
    if (nested.getSymName() == kKernelsModule)
      kernels = nested;
  if (kernels)
    for (auto function : kernels.getOps<func::FuncOp>())
      functions[function.getSymName()] = function;
}

func::FuncOp DispatchMerger::getKernel(dsrt::DispatchOp dispatch) {
  SymbolRefAttr symbol = dispatch.getKernel();
  if (symbol.getRootReference() != kKernelsModule)
    return {};
  func::FuncOp function = functions.lookup(symbol.getLeafReference());
  if (!function || function.isExternal() || !function.getBody().hasOneBlock())
    return {};
  return function;
}

void DispatchMerger::enter(func::FuncOp function) {
  order.clear();
  for (auto [index, op] : llvm::enumerate(function.getBody().front()))
    order[&op] = index;
}

/// Moves what defines `value`, and what that needs, before `place`.
void DispatchMerger::hoist(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (!op || order.lookup(op) <= order.lookup(place))
    return;
  for (Value operand : op->getOperands())
    hoist(operand, place);
  op->moveBefore(place);
  order[op] = order.lookup(place);
}

DispatchMerger::Plan
DispatchMerger::makePlan(ArrayRef<dsrt::DispatchOp> members, OpFoldResult rows,
                         ArrayRef<Value> inside) {
  Plan plan;
  plan.members.assign(members.begin(), members.end());
  DenseMap<Operation *, unsigned> numbers;
  for (auto [number, member] : llvm::enumerate(members))
    numbers[member] = number;
  DenseMap<Value, unsigned> places;
  for (dsrt::DispatchOp member : members) {
    SmallVector<Source> &sources = plan.sources.emplace_back();
    for (Value input : member.getInputs()) {
      auto producer = numbers.find(input.getDefiningOp());
      if (producer != numbers.end()) {
        sources.push_back({int64_t(producer->second),
                           cast<OpResult>(input).getResultNumber()});
        continue;
      }
      auto [place, isNew] = places.try_emplace(input, plan.inputs.size());
      if (isNew)
        plan.inputs.push_back(input);
      sources.push_back({Source::kArgument, place->second});
    }
  }
  // The outs come after all inputs.
  for (auto [op, sources] : llvm::zip_equal(members, plan.sources)) {
    dsrt::DispatchOp member = op;
    for (auto [out, result] :
         llvm::zip_equal(member.getOutputs(), member.getResults())) {
      if (llvm::is_contained(inside, result)) {
        sources.push_back({Source::kNowhere, 0});
        continue;
      }
      sources.push_back(
          {Source::kArgument, unsigned(plan.inputs.size() + plan.outs.size())});
      plan.outs.push_back(out);
      plan.results.push_back(result);
    }
  }
  for (Value value : llvm::concat<Value>(plan.inputs, plan.outs))
    plan.hasRows.push_back(isa_and_present<Value>(rows) &&
                           getLeadingSize(value) == rows);
  return plan;
}

/// The arguments of the merged kernel, as the members' kernels declare them.
void DispatchMerger::declareArguments(const Plan &plan, func::FuncOp merged) {
  for (auto [op, sources] : llvm::zip_equal(plan.members, plan.sources)) {
    func::FuncOp kernel = getKernel(op);
    for (auto [index, source] : llvm::enumerate(sources))
      if (source.member == Source::kArgument)
        if (Attribute stacked = kernel.getArgAttr(index, dsrt::kStackedAttr))
          merged.setArgAttr(source.index, dsrt::kStackedAttr, stacked);
  }
  for (auto [index, hasRows] : llvm::enumerate(plan.hasRows))
    if (hasRows)
      merged.setArgAttr(index, dsrt::kRowsAttr,
                        UnitAttr::get(merged.getContext()));
}

func::FuncOp DispatchMerger::build(const Plan &plan, StringAttr name) {
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  SmallVector<Location> locations;
  SmallVector<Type> arguments(plan.inputs.size() + plan.outs.size());
  for (auto [op, sources] : llvm::zip_equal(plan.members, plan.sources)) {
    func::FuncOp kernel = getKernel(op);
    locations.push_back(kernel.getLoc());
    for (auto [index, source] : llvm::enumerate(sources))
      if (source.member == Source::kArgument)
        arguments[source.index] = kernel.getArgument(index).getType();
  }
  Location loc = builder.getFusedLoc(locations);
  auto merged = func::FuncOp::create(
      builder, loc, name,
      builder.getFunctionType(
          arguments, ArrayRef(arguments).drop_front(plan.inputs.size())));
  declareArguments(plan, merged);

  builder.setInsertionPointToStart(merged.addEntryBlock());
  SmallVector<SmallVector<Value>> values;
  SmallVector<Value> results;
  for (auto [op, sources] : llvm::zip_equal(plan.members, plan.sources)) {
    func::FuncOp kernel = getKernel(op);
    IRMapping mapping;
    for (auto [argument, source] :
         llvm::zip_equal(kernel.getArguments(), sources))
      if (source.member >= 0)
        mapping.map(argument, values[source.member][source.index]);
      else if (source.member == Source::kArgument)
        mapping.map(argument, merged.getArgument(source.index));
    Block &body = kernel.getBody().front();
    for (Operation &op : body.without_terminator())
      builder.clone(op, mapping);
    SmallVector<Value> &returned = values.emplace_back();
    for (Value value : body.getTerminator()->getOperands())
      returned.push_back(mapping.lookup(value));
    for (auto [result, value] : llvm::zip_equal(op->getResults(), returned))
      if (llvm::is_contained(plan.results, result))
        results.push_back(value);
  }
  func::ReturnOp::create(builder, loc, results);
  return merged;
}

SymbolRefAttr DispatchMerger::getMerged(const Plan &plan, StringRef name) {
  auto number = [](int64_t value) {
    return reinterpret_cast<const void *>(static_cast<uintptr_t>(value));
  };
  std::vector<const void *> key;
  for (auto [op, sources] : llvm::zip_equal(plan.members, plan.sources)) {
    dsrt::DispatchOp member = op;
    key.push_back(member.getKernel().getAsOpaquePointer());
    for (Source source : sources)
      key.insert(key.end(), {number(source.member), number(source.index)});
  }
  for (bool hasRows : plan.hasRows)
    key.push_back(number(hasRows));
  SymbolRefAttr &symbol = table[key];
  if (symbol)
    return symbol;
  std::string unique = name.str();
  for (unsigned suffix = 1; functions.count(unique); ++suffix)
    unique = (name + "_" + Twine(suffix)).str();
  auto leaf = StringAttr::get(module.getContext(), unique);
  functions[unique] = build(plan, leaf);
  symbol = SymbolRefAttr::get(kernels.getSymNameAttr(),
                              {FlatSymbolRefAttr::get(leaf)});
  return symbol;
}

dsrt::DispatchOp DispatchMerger::merge(ArrayRef<dsrt::DispatchOp> members,
                                       StringRef name, OpFoldResult rows,
                                       ArrayRef<Value> inside) {
  Plan plan = makePlan(members, rows, inside);
  SymbolRefAttr symbol = getMerged(plan, name);
  dsrt::DispatchOp first = members.front();
  for (Value value : llvm::concat<Value>(plan.inputs, plan.outs))
    hoist(value, first);

  OpBuilder builder(first);
  SmallVector<Type> types(ValueRange(plan.results).getTypes());
  SmallVector<Location> locations;
  for (dsrt::DispatchOp member : members) {
    locations.push_back(member.getLoc());
    replaced.insert(member.getKernel().getLeafReference());
  }
  auto merged =
      dsrt::DispatchOp::create(builder, builder.getFusedLoc(locations), types,
                               symbol, plan.inputs, plan.outs);
  order[merged] = order.lookup(first);
  for (auto [old, result] : llvm::zip_equal(plan.results, merged.getResults()))
    old.replaceAllUsesWith(result);
  for (dsrt::DispatchOp member : llvm::reverse(members)) {
    order.erase(member);
    member.erase();
  }
  return merged;
}

void DispatchMerger::eraseUnusedKernels() {
  if (replaced.empty())
    return;
  module.walk([&](dsrt::DispatchOp dispatch) {
    replaced.erase(dispatch.getKernel().getLeafReference());
  });
  for (const auto &entry : replaced) {
    func::FuncOp kernel = functions.lookup(entry.getKey());
    functions.erase(entry.getKey());
    kernel.erase();
  }
  replaced.clear();
}
