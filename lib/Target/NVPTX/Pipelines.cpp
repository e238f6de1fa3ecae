//===- Pipelines.cpp - Stages of the nvptx target -------------------------===//
//
// The order of the passes that take kernels to PTX.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/NVPTX/Pipelines.h"

#include "deepseek/Target/Passes.h"
#include "lib/Target/Common/Lowering.h"
#include "lib/Target/NVPTX/AssembleKernels.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void deepseek::buildNVPTXDevicePipeline(OpPassManager &pm,
                                        const NVPTXDeviceOptions &options) {
  OpPassManager &kernels = pm.nest<ModuleOp>();
  NVPTXConfigureKernelsOptions configure;
  configure.chips = options.chips;
  configure.emitters = options.emitters;
  kernels.addPass(createNVPTXConfigureKernels(configure));
  NVPTXEmitKernelsOptions emit;
  emit.chips = options.chips;
  kernels.addPass(createNVPTXEmitKernels(emit));

  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addNestedPass<gpu::GPUModuleOp>(createConvertNVVMToLLVMPass());
  // On the outer module: some of these refuse to run on a gpu.module.
  addLoweringToLLVM(kernels);
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createNVPTXSerializeKernels());
  if (options.cubin)
    kernels.addPass(createAssembleKernelsPass());
}
