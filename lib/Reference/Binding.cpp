//===- Binding.cpp - Tensors by name --------------------------------------===//

#include "deepseek/Reference/Binding.h"

#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

std::string reference::getArgumentName(func::FuncOp function, unsigned i) {
  if (auto name = function.getArgAttrOfType<StringAttr>(i, kNameAttr))
    return name.str();
  return "arg" + std::to_string(i);
}

std::string reference::getResultName(func::FuncOp function, unsigned i) {
  if (auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr))
    return name.str();
  return "result" + std::to_string(i);
}

static std::string describe(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Zeros, if the argument is a cache with pages and the only open size is
/// theirs.
static std::optional<Tensor> makeCache(StringRef name, Type type,
                                       int64_t pages) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!name.starts_with("cache.") || !tensor || tensor.getRank() != 3 ||
      pages <= 0)
    return std::nullopt;
  Shape shape(tensor.getShape());
  if (tensor.isDynamicDim(0))
    shape[0] = pages;
  std::optional<ElementType> element = getElementType(tensor.getElementType());
  llvm::Expected<int64_t> count = countElements(shape);
  if (!count)
    llvm::consumeError(count.takeError());
  else if (element)
    return Tensor(*element, shape);
  return std::nullopt;
}

llvm::Expected<SmallVector<Tensor>>
reference::bindArguments(func::FuncOp function, TensorMap &tensors,
                         int64_t cachePages) {
  SmallVector<Tensor> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Type type = function.getArgument(i).getType();
    std::string name = getArgumentName(function, i);
    auto found = tensors.find(name);
    if (found == tensors.end()) {
      std::optional<Tensor> cache = makeCache(name, type, cachePages);
      if (!cache)
        return makeError("'" + function.getName() + "' expected an input '" +
                         name + "' of type " + describe(type) +
                         ", got none of this name");
      arguments.push_back(std::move(*cache));
      continue;
    }
    Tensor value = std::move(found->second);
    tensors.erase(found);
    bool isInteger =
        value.type() == ElementType::I64 || value.type() == ElementType::I32;
    if (type.isIndex() && isInteger && value.size() == 1)
      value = Tensor::index(value.getInt(0));
    if (!isValueOf(value, type))
      return makeError("'" + function.getName() + "' expected the input '" +
                       name + "' to be of type " + describe(type) + ", got " +
                       value.describe());
    arguments.push_back(std::move(value));
  }
  return arguments;
}

TensorMap reference::nameResults(func::FuncOp function,
                                 SmallVector<Tensor> results) {
  TensorMap named;
  for (auto [i, result] : llvm::enumerate(results))
    named[getResultName(function, i)] = std::move(result);
  return named;
}

/// The part of the tensor that begins at element `begin`, from dimension `d`
/// on.
static void printPart(llvm::raw_ostream &os, const Tensor &tensor, int64_t d,
                      int64_t begin, int64_t count) {
  if (d == tensor.rank()) {
    if (isFloat(tensor.type()))
      os << llvm::format("%.9g", tensor.getFloat(begin));
    else
      os << tensor.getInt(begin);
    return;
  }
  os << "[";
  int64_t size = tensor.dim(d);
  for (int64_t i = 0; i < size; ++i) {
    os << (i ? ", " : "");
    printPart(os, tensor, d + 1, begin + i * (count / size), count / size);
  }
  os << "]";
}

void reference::print(llvm::raw_ostream &os, StringRef name,
                      const Tensor &tensor) {
  os << name << ": " << tensor.describe() << " = ";
  printPart(os, tensor, 0, 0, tensor.size());
  os << "\n";
}
