//===- KernelBuilderMatrix.cpp - Tensor cores and asynchronous copies -----===//
//
// What all chips from sm_80 on have: ldmatrix, mma.sync and cp.async.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

SmallVector<Val> KernelBuilder::intrinsic(StringRef name,
                                          ArrayRef<Type> results,
                                          ArrayRef<Val> operands) {
  Type type = LLVM::LLVMStructType::getLiteral(getContext(), results);
  Val packed = intrinsic(name, type, operands);
  SmallVector<Val> values;
  for (int64_t i = 0, e = results.size(); i < e; ++i)
    values.push_back(
        val(LLVM::ExtractValueOp::create(*this, packed, ArrayRef<int64_t>{i})));
  return values;
}

SmallVector<Val> KernelBuilder::loadMatrices(Val pointer, bool transposed) {
  SmallVector<Type> types(4, getI32Type());
  return intrinsic(transposed
                       ? "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3"
                       : "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3",
                   types, pointer);
}

SmallVector<Val> KernelBuilder::mmaBf16(ArrayRef<Val> a, ArrayRef<Val> b,
                                        ArrayRef<Val> c) {
  SmallVector<Val> operands(a);
  operands.append(b.begin(), b.end());
  operands.append(c.begin(), c.end());
  SmallVector<Type> types(4, getF32Type());
  return intrinsic("llvm.nvvm.mma.m16n8k16.row.col.bf16", types, operands);
}

void KernelBuilder::copyAsync(Val shared, Val global, Val bytes) {
  NVVM::CpAsyncOp::create(*this, shared, global, /*size=*/16,
                          NVVM::LoadCacheModifierKind::CG, bytes);
}

void KernelBuilder::commitCopies() {
  NVVM::CpAsyncCommitGroupOp::create(*this);
}

void KernelBuilder::waitForCopies(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(*this, static_cast<uint32_t>(pending));
}
