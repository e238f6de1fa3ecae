//===- KernelTable.cpp - The kernels of a module, each once ---------------===//
//
// A key of uniqued pointers (op names, attributes, types, locations of
// operands) makes the search for an equal kernel one look-up, however large the
// group is.
//
//===----------------------------------------------------------------------===//

#include "KernelTable.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::deepseek;

SymbolRefAttr KernelTable::getKernel(const KernelGroup &group) {
  SymbolRefAttr &symbol = table[makeKey(group)];
  if (symbol)
    return symbol;
  if (!kernels)
    createKernelsModule();
  StringAttr name = makeName(group);
  build(group, name);
  symbol =
      SymbolRefAttr::get(StringAttr::get(module.getContext(), kKernelsModule),
                         {FlatSymbolRefAttr::get(name)});
  return symbol;
}

/// Finds or makes the nested module, and the names it already holds.
void KernelTable::createKernelsModule() {
  for (auto nested : module.getOps<ModuleOp>())
    if (nested.getSymName() == kKernelsModule)
      kernels = nested;
  if (!kernels) {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    kernels = ModuleOp::create(builder, module.getLoc(), kKernelsModule);
  }
  for (auto func : kernels.getOps<func::FuncOp>())
    names.insert(func.getSymName());
}

static const void *number(int64_t value) {
  return reinterpret_cast<const void *>(static_cast<uintptr_t>(value));
}

KernelTable::Key KernelTable::makeKey(const KernelGroup &group) {
  Key key = {number(group.inputs.size()), number(group.outs.size())};
  for (auto [value, stacked] : llvm::zip_equal(group.inputs, group.stacked)) {
    key.push_back(value.getType().getAsOpaquePointer());
    key.push_back(number(stacked));
  }
  for (Value value : group.outs)
    key.push_back(value.getType().getAsOpaquePointer());

  DenseMap<Value, std::pair<int64_t, int64_t>> places;
  auto addPlace = [&](Value value) {
    if (auto argument = group.arguments.find(value);
        argument != group.arguments.end()) {
      key.insert(key.end(), {number(0), number(argument->second), number(0)});
    } else if (auto index = group.indices.find(value);
               index != group.indices.end()) {
      key.insert(key.end(), {number(1), number(index->second.argument),
                             number(index->second.dim)});
    } else {
      auto [op, result] = places.lookup(value);
      key.insert(key.end(), {number(2), number(op), number(result)});
    }
  };
  for (auto [index, op] : llvm::enumerate(group.ops)) {
    key.push_back(op->getName().getAsOpaquePointer());
    key.push_back(op->getAttrDictionary().getAsOpaquePointer());
    for (Value operand : op->getOperands())
      addPlace(operand);
    for (OpResult result : op->getResults()) {
      key.push_back(result.getType().getAsOpaquePointer());
      places[result] = {index, result.getResultNumber()};
    }
  }
  for (Value result : group.results)
    addPlace(result);
  return key;
}

/// The largest of the tensors that `op` works on, by its static sizes: of a
/// product, the weight.
static Value getMainTensor(Operation *op) {
  Value main;
  int64_t mainSize = -1;
  auto consider = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    // In bits: only for comparison, and free of overflow.
    int64_t size = 0;
    for (int64_t dim : type.getShape())
      if (!ShapedType::isDynamic(dim))
        size += llvm::Log2_64(std::max<int64_t>(dim, 1)) + 1;
    if (size > mainSize) {
      main = value;
      mainSize = size;
    }
  };
  for (Value operand : op->getOperands())
    consider(operand);
  for (Value result : op->getResults())
    consider(result);
  return main;
}

/// `f8`, `bf16`, `i32`: an element type in a name.
static std::string getElementName(Type type) {
  if (isa<Float8E4M3FNType, Float8E5M2Type>(type))
    return "f8";
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

/// `linear_1536x7168_f8`: what the core op is, the static sizes of its largest
/// tensor, and as which element type that tensor comes in.
StringAttr KernelTable::makeName(const KernelGroup &group) {
  Operation *core = group.core();
  std::string name =
      isa<linalg::CopyOp>(core) ? "copy" : core->getName().stripDialect().str();
  if (Value main = getMainTensor(core)) {
    SmallVector<std::string> sizes;
    auto type = cast<RankedTensorType>(main.getType());
    for (int64_t dim : type.getShape())
      if (!ShapedType::isDynamic(dim))
        sizes.push_back(std::to_string(dim));
    if (!sizes.empty())
      name += "_" + llvm::join(sizes, "x");
    // Where it comes in: through views and widening, their first operand.
    while (!group.arguments.count(main)) {
      Operation *op = main.getDefiningOp();
      if (!op || op == core || op->getNumOperands() == 0)
        break;
      main = op->getOperand(0);
    }
    name += "_" + getElementName(getElementTypeOrSelf(main.getType()));
  }
  std::string unique = name;
  for (unsigned suffix = 1; !names.insert(unique).second; ++suffix)
    unique = name + "_" + std::to_string(suffix);
  return StringAttr::get(module.getContext(), unique);
}

void KernelTable::build(const KernelGroup &group, StringAttr name) {
  SmallVector<Type> arguments, results;
  for (Value value : group.inputs)
    arguments.push_back(value.getType());
  for (Value value : group.outs) {
    arguments.push_back(value.getType());
    results.push_back(value.getType());
  }
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  Location loc = group.core()->getLoc();
  auto func = func::FuncOp::create(builder, loc, name,
                                   builder.getFunctionType(arguments, results));
  for (auto [index, stacked] : llvm::enumerate(group.stacked))
    if (stacked)
      func.setArgAttr(index, dsrt::kStackedAttr, builder.getUnitAttr());

  builder.setInsertionPointToStart(func.addEntryBlock());
  IRMapping mapping;
  for (auto [value, argument] : group.arguments)
    mapping.map(value, func.getArgument(argument));
  auto mapIndices = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      auto found = group.indices.find(operand);
      if (found == group.indices.end() || mapping.contains(operand))
        continue;
      auto [argument, dim] = found->second;
      Value value = func.getArgument(argument);
      if (dim >= 0)
        value = tensor::DimOp::create(builder, loc, value, dim);
      mapping.map(operand, value);
    }
  };
  for (Operation *op : group.ops) {
    mapIndices(op);
    builder.clone(*op, mapping);
  }
  SmallVector<Value> values;
  for (Value result : group.results)
    values.push_back(mapping.lookup(result));
  func::ReturnOp::create(builder, loc, values);
}
