//===- BufferizeKernels.h - Kernel functions on memrefs ---------*- C++ -*-===//

#ifndef LIB_TARGET_COMMON_BUFFERIZEKERNELS_H
#define LIB_TARGET_COMMON_BUFFERIZEKERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::deepseek {

/// A kernel function has one block, and after its inputs an out of the type of
/// each result; anything else is an error on it.
LogicalResult verifyKernelFunction(func::FuncOp func);

/// Turns the functions of `module`, (inputs..., outs...) -> results on tensors,
/// into functions on contiguous memrefs that write into their outs and return
/// nothing. Where temporaries lie is left to the target: they are
/// `memref.alloc`s.
LogicalResult bufferizeKernels(ModuleOp module);

} // namespace mlir::deepseek

#endif // LIB_TARGET_COMMON_BUFFERIZEKERNELS_H
