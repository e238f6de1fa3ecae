//===- Import.h - A config becomes a model graph ----------------*- C++ -*-===//
//
// Builds a `graph`-stage module from a ModelConfig: one function per entry, one
// `deepseek.weight` per tensor of the checkpoint that the entries read. Reads
// no weights: a model can be compiled without its file.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_IMPORT_IMPORT_H
#define DEEPSEEK_IMPORT_IMPORT_H

#include "deepseek/Import/ModelConfig.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::deepseek {

/// Element type of the residual stream, hence of all activations and of the
/// latent cache.
enum class ResidualType { F32, BF16 };

struct ImportOptions {
  ResidualType residual = ResidualType::BF16;

  /// Entries to build; none means all that the model has. Names are "prefill",
  /// "decode", and "mtp", which stands for all modules.
  std::vector<std::string> entries;

  /// Adds the hidden state after every layer and the choices of every router to
  /// the results.
  bool trace = false;

  /// Where the weights are to be found at run time: the checkpoint's folder, or
  /// "seed:N" or "splat:X" for made-up values.
  std::string source;
};

/// Registers the dialects of the modules that `importModel` makes.
void registerImportDialects(DialectRegistry &registry);

/// Builds and verifies the module. The context must have the dialects loaded or
/// registered. An error is one of the options (an entry that the model lacks).
llvm::Expected<OwningOpRef<ModuleOp>> importModel(MLIRContext &context,
                                                  const ModelConfig &config,
                                                  const ImportOptions &options);

} // namespace mlir::deepseek

#endif // DEEPSEEK_IMPORT_IMPORT_H
