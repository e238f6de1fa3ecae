//===- Pipelines.cpp - Stages of the host target --------------------------===//
//
// The order of the passes that take kernels and host program to LLVM.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Host/Pipelines.h"

#include "deepseek/Conversion/Passes.h"
#include "deepseek/Target/Passes.h"
#include "lib/Target/Common/Lowering.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void deepseek::buildHostDevicePipeline(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<ModuleOp>();
  kernels.addNestedPass<func::FuncOp>(createConvertDeepSeekToLinalg());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createHostBufferizeKernels());
  // First equal views become one, then copies of a view onto itself vanish.
  kernels.addPass(createCSEPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addNestedPass<func::FuncOp>(createHostFuseLoops());
  kernels.addNestedPass<func::FuncOp>(createHostVectorizeLinalg());
  kernels.addPass(createCSEPass());
  kernels.addNestedPass<func::FuncOp>(createExpandFloats());
  kernels.addPass(createHostOutlineParallel());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());

  addLoweringToLLVM(kernels);
}

void deepseek::buildHostLLVMPipeline(OpPassManager &pm) {
  pm.addPass(createConvertDSRTToLLVM());
}
