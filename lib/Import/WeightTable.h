//===- WeightTable.h - The weights that a module declares -------*- C++ -*-===//
//
// Declares a `deepseek.weight` the first time that an entry asks for it, and
// hands out its symbol; entries share weights.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_IMPORT_WEIGHTTABLE_H
#define LIB_IMPORT_WEIGHTTABLE_H

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::deepseek {

class WeightTable {
public:
  /// Weights come to stand at the top of the module, in the order of first use.
  explicit WeightTable(ModuleOp module) : module(module) {}

  /// The symbol of the weight `symbol`, which lies under `key` in the
  /// checkpoint. `quantizable`: that the official FP8 checkpoints quantize.
  StringRef declare(StringRef symbol, StringRef key, RankedTensorType type,
                    bool quantizable = false);

private:
  ModuleOp module;
  WeightOp last;
  llvm::StringMap<WeightOp> weights;
};

} // namespace mlir::deepseek

#endif // LIB_IMPORT_WEIGHTTABLE_H
