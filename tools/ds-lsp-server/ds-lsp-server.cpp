//===- ds-lsp-server.cpp - Editor support for .mlir files -----------------===//
//
// Upstream's language server with our dialects.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::deepseek::registerDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
