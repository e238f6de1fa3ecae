//===- CtaCode.h - Loops on memrefs, run by the threads of a CTA -*- C++
//-*-===//
//
// Writes code made of linalg.generic, scf, memref and arith into a device
// function, so that the threads of a CTA run it together:
//
//   scalars               every thread computes them alike
//   memref.store          thread 0, between two barriers
//   linalg.generic        its parallel points are dealt out to the threads; a
//                         point's reductions run one after another in registers
//   temporaries           shared memory, or what is given for large ones
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_CTACODE_H
#define LIB_TARGET_NVPTX_KERNELS_CTACODE_H

#include "lib/Target/NVPTX/KernelBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::deepseek {

/// Bytes of a buffer of static shape, rounded up to `alignment`.
int64_t getBufferBytes(MemRefType type, int64_t alignment = 16);

class CtaCode {
public:
  explicit CtaCode(KernelBuilder &builder) : k(builder) {}

  /// From values of the source to those of the device function.
  IRMapping map;

  /// The row-major memref of `type` at `address` (any address space); a size
  /// (i64) for each dynamic dimension.
  Value memrefAt(Value address, MemRefType type, ArrayRef<Value> sizes = {});

  /// Large temporaries of the code to come lie at `address`, in this order.
  void setLargeTemporaries(Value address,
                           DenseMap<Operation *, int64_t> offsets);

  /// Writes one op, with all in it.
  LogicalResult emit(Operation &op);
  LogicalResult emitBody(Block &block);
  /// Writes `op` with its points dealt out to all threads of the grid.
  LogicalResult emitForGrid(linalg::GenericOp op);
  /// Runs `forall`, an iteration a CTA and step.
  LogicalResult emitForGrid(scf::ForallOp forall);
  /// What thread 0 does for the CTA.
  void onThread0(llvm::function_ref<void()> body);

private:
  struct Points;

  LogicalResult emitLoop(scf::ForOp loop);
  LogicalResult emitBranch(scf::IfOp branch);
  LogicalResult emitTemporary(Operation &op, MemRefType type);
  LogicalResult emitGlobal(memref::GetGlobalOp op);
  LogicalResult emitGeneric(linalg::GenericOp op, Value first, Value step);
  void emitPoint(linalg::GenericOp op, ArrayRef<Value> sizes,
                 SmallVector<Value> indices);
  SmallVector<Value> emitReductions(linalg::GenericOp op, ArrayRef<Value> sizes,
                                    ArrayRef<unsigned> dims,
                                    SmallVector<Value> &indices,
                                    ValueRange carried);
  SmallVector<Value> emitElement(linalg::GenericOp op, ArrayRef<Value> indices,
                                 ValueRange carried);
  Value sizeOf(linalg::GenericOp op, unsigned dim);
  SmallVector<Value> indicesOf(linalg::GenericOp op, OpOperand &operand,
                               ArrayRef<Value> indices);
  /// A barrier, unless nothing was accessed since the last one.
  void synchronize();
  Value index(int64_t value);
  Value toIndex(Value value);

  KernelBuilder &k;
  bool accessed = true;
  Value largeBase;
  DenseMap<Operation *, int64_t> largeOffsets;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_CTACODE_H
