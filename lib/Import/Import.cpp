//===- Import.cpp - A config becomes a model graph ------------------------===//
//
// Chooses the entries, has them built, and verifies the module.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/Import.h"

#include "ModelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::deepseek;

void deepseek::registerImportDialects(DialectRegistry &registry) {
  registry.insert<DeepSeekDialect, arith::ArithDialect, func::FuncDialect,
                  tensor::TensorDialect>();
}

static llvm::Error makeError(const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Refuses names that are no entry, and an MTP module that the model lacks.
static llvm::Error checkEntries(const ModelConfig &config,
                                ArrayRef<std::string> entries) {
  for (const std::string &name : entries) {
    if (name != "prefill" && name != "decode" && name != "mtp")
      return makeError("entry '" + name + "': expected prefill, decode or mtp");
    if (name == "mtp" && config.numMtpModules == 0)
      return makeError("entry 'mtp': the model has no module for it: "
                       "num_nextn_predict_layers is 0 in its config");
  }
  return llvm::Error::success();
}

llvm::Expected<OwningOpRef<ModuleOp>>
deepseek::importModel(MLIRContext &context, const ModelConfig &config,
                      const ImportOptions &options) {
  if (llvm::Error error = checkEntries(config, options.entries))
    return std::move(error);
  context.loadDialect<DeepSeekDialect, arith::ArithDialect, func::FuncDialect,
                      tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module =
      ModuleOp::create(NameLoc::get(StringAttr::get(&context, "model")));
  ModelBuilder builder(*module, config, options);
  auto wanted = [&](StringRef name) {
    return options.entries.empty() ||
           llvm::is_contained(options.entries, name.str());
  };
  for (StringRef name : {"prefill", "decode"})
    if (wanted(name))
      builder.buildMain(name);
  for (int64_t k = 0; k < config.numMtpModules && wanted("mtp"); ++k)
    builder.buildMtp(k);
  if (failed(verify(*module)))
    return makeError("the imported module does not verify");
  return module;
}
