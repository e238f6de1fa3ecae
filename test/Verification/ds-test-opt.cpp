//===- ds-test-opt.cpp - ds-opt and the passes of tests -------------------===//
//
// The tool that users have offers no pass that breaks a program.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

namespace mlir::deepseek {
void registerPerturbOpPass();
} // namespace mlir::deepseek

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::deepseek::registerDialects(registry);
  mlir::deepseek::registerPerturbOpPass();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "ds-opt with the passes of tests\n", registry));
}
