//===- Binding.h - Tensors by name ------------------------------*- C++ -*-===//
//
// From names to a function's arguments and from its results to names. A name is
// the attribute deepseek.name, or argN and resultN where there is none.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_BINDING_H
#define DEEPSEEK_REFERENCE_BINDING_H

#include "deepseek/Reference/Evaluator.h"

#include <map>

namespace mlir::deepseek::reference {

using TensorMap = std::map<std::string, Tensor>;

std::string getArgumentName(func::FuncOp function, unsigned i);
std::string getResultName(func::FuncOp function, unsigned i);

/// The values of a function's arguments, moved out of `tensors`. A latent cache
/// that is missing becomes `cachePages` pages of zeros, and an index is made of
/// a tensor with one integer.
llvm::Expected<SmallVector<Tensor>>
bindArguments(func::FuncOp function, TensorMap &tensors, int64_t cachePages);

/// The results of a function, by name.
TensorMap nameResults(func::FuncOp function, SmallVector<Tensor> results);

/// All elements as nested lists, after the name and the type.
void print(llvm::raw_ostream &os, llvm::StringRef name, const Tensor &tensor);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_BINDING_H
