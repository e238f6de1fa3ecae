//===- Kernels.h - The emitters of this folder ------------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_KERNELS_H
#define LIB_TARGET_NVPTX_KERNELS_KERNELS_H

#include "lib/Target/NVPTX/Emitter.h"

namespace mlir::deepseek {

const KernelEmitter *getAttentionEmitter();
const KernelEmitter *getCacheGatherEmitter();
const KernelEmitter *getEmbeddingEmitter();
const KernelEmitter *getFallbackEmitter();
const KernelEmitter *getLatentAttentionEmitter();
const KernelEmitter *getSm90Bf16LinearEmitter();
const KernelEmitter *getSm90Fp8GroupedLinearEmitter();
const KernelEmitter *getSm90Fp8LinearEmitter();
const KernelEmitter *getMmaLinearEmitter();

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_KERNELS_H
