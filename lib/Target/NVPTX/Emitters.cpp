//===- Emitters.cpp - The list of emitters --------------------------------===//

#include "lib/Target/Common/BufferizeKernels.h"
#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/RowEmitters.h"

using namespace mlir;
using namespace mlir::deepseek;

ArrayRef<const KernelEmitter *> deepseek::getKernelEmitters() {
  static const KernelEmitter *const emitters[] = {
      getEmbeddingEmitter(),
      getSm90Fp8LinearEmitter(),
      getSm90Fp8GroupedLinearEmitter(),
      getSm90Bf16LinearEmitter(),
      getAttentionEmitter(),
      getCacheGatherEmitter(),
      getLatentAttentionEmitter(),
      getMmaLinearEmitter(),
      getRouteEmitter(),
      getRowsEmitter(),
      getBlocksEmitter(),
      getDequantizeEmitter(),
      getArgmaxEmitter(),
      getExpertLoadEmitter(),
      getUpdateRouterBiasEmitter(),
      getMtpVerifyEmitter(),
      getFallbackEmitter(), // takes all, so it is the last
  };
  return emitters;
}

LogicalResult deepseek::verifyDeviceKernel(func::FuncOp kernel) {
  for (Type type : kernel.getArgumentTypes())
    if (!isa<RankedTensorType>(type))
      return kernel.emitError()
             << "expected the arguments of kernel '" << kernel.getName()
             << "' to be ranked tensors, got " << type;
  return verifyKernelFunction(kernel);
}

FailureOr<int64_t> deepseek::getParameter(func::FuncOp kernel,
                                          DictionaryAttr parameters,
                                          StringRef name, int64_t low,
                                          int64_t high) {
  auto value = parameters.getAs<IntegerAttr>(name);
  if (!value)
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName()
           << "' has no integer '" << name << "'";
  if (value.getInt() < low || value.getInt() > high)
    return kernel.emitError()
           << "the configuration of kernel '" << kernel.getName()
           << "': expected '" << name << "' from " << low << " to " << high
           << ", got " << value.getInt();
  return value.getInt();
}
