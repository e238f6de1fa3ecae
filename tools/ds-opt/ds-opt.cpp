//===- ds-opt.cpp - IR in, IR out -----------------------------------------===//
//
// Runs any pass, any stage or the whole compile on a module. Everything it can
// do is upstream's mlir-opt with our registrations; see --help.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::deepseek::registerDialects(registry);
  mlir::deepseek::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "DeepSeek compiler: passes and stages\n", registry));
}
