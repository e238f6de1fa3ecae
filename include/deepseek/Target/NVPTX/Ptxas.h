//===- Ptxas.h - NVIDIA's assembler, where it is installed ------*- C++ -*-===//

#ifndef DEEPSEEK_TARGET_NVPTX_PTXAS_H
#define DEEPSEEK_TARGET_NVPTX_PTXAS_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mlir::deepseek {

/// The path of ptxas: on PATH, or in `bin` of $CUDA_HOME, $CUDA_PATH or
/// /usr/local/cuda. An error that says so if it is nowhere.
llvm::Expected<std::string> findPtxas();

/// What ptxas says of one kernel.
struct KernelResources {
  std::string name;
  unsigned registers = 0, sharedBytes = 0, spillBytes = 0;
};

struct Assembled {
  std::string cubin;
  llvm::SmallVector<KernelResources> kernels;
  llvm::SmallVector<std::string> warnings;
};

/// Assembles `ptx` for `chip`; complaints of ptxas are the error.
llvm::Expected<Assembled> assemble(llvm::StringRef ptxas, llvm::StringRef ptx,
                                   llvm::StringRef chip);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_NVPTX_PTXAS_H
