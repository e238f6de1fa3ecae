//===- ds-reduce.cpp - Shrinks a module that shows a bug ------------------===//
//
// Upstream's reducer with our dialects and passes.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Reducer/Passes.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::deepseek::registerDialects(registry);
  mlir::deepseek::registerPasses();
  mlir::registerReducerPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
