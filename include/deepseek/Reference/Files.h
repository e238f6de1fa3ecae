//===- Files.h - Tensors in files -------------------------------*- C++ -*-===//
//
// safetensors files as tensors, and a checkpoint as the loader of weights. The
// reading is the runtime's own (runtime/weights), so that the evaluator and a
// compiled model see the same bytes.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_FILES_H
#define DEEPSEEK_REFERENCE_FILES_H

#include "deepseek/Reference/Binding.h"

namespace mlir::deepseek::reference {

llvm::Expected<TensorMap> readTensors(const std::string &path);
llvm::Error writeTensors(const std::string &path, const TensorMap &tensors);

/// Finds all weights of the module in a checkpoint folder, or makes them up for
/// `seed:N` and `splat:X`: the same bytes that the compiled module would get.
llvm::Expected<WeightLoader> openWeights(ModuleOp module,
                                         const std::string &source);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_FILES_H
