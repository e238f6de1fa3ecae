//===- Pipelines.cpp - Stages of the host target --------------------------===//
//
// The order of the passes that take kernels and host program to LLVM.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Host/Pipelines.h"

#include "deepseek/Conversion/Passes.h"
#include "deepseek/Target/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
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

  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createConvertVectorToLLVMPass());
  kernels.addPass(createConvertMathToLLVMPass());
  kernels.addPass(createFinalizeMemRefToLLVMConversionPass());
  kernels.addPass(createConvertControlFlowToLLVMPass());
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createConvertFuncToLLVMPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
}

void deepseek::buildHostLLVMPipeline(OpPassManager &pm) {
  pm.addPass(createConvertDSRTToLLVM());
}
