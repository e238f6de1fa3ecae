//===- RowEmitters.h - Emitters of what is not a product --------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ROWEMITTERS_H
#define LIB_TARGET_NVPTX_KERNELS_ROWEMITTERS_H

#include "lib/Target/NVPTX/Emitter.h"

namespace mlir::deepseek {

const KernelEmitter *getArgmaxEmitter();
const KernelEmitter *getBlocksEmitter();
const KernelEmitter *getDequantizeEmitter();
const KernelEmitter *getExpertLoadEmitter();
const KernelEmitter *getMtpVerifyEmitter();
const KernelEmitter *getRouteEmitter();
const KernelEmitter *getRowsEmitter();
const KernelEmitter *getUpdateRouterBiasEmitter();

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ROWEMITTERS_H
