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

SmallVector<Val> KernelBuilder::loadMatrices(Val pointer, bool transposed,
                                             int64_t count) {
  std::string name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" +
                     std::to_string(count) + (transposed ? ".trans" : "") +
                     ".b16.p3";
  SmallVector<Type> types(count, getI32Type());
  return intrinsic(name, types, pointer);
}

SmallVector<Val> KernelBuilder::mmaBf16(ArrayRef<Val> a, ArrayRef<Val> b,
                                        ArrayRef<Val> c) {
  SmallVector<Val> operands(a);
  operands.append(b.begin(), b.end());
  operands.append(c.begin(), c.end());
  SmallVector<Type> types(4, getF32Type());
  return intrinsic("llvm.nvvm.mma.m16n8k16.row.col.bf16", types, operands);
}

SmallVector<Val> KernelBuilder::mmaF16(ArrayRef<Val> a, ArrayRef<Val> b,
                                       ArrayRef<Val> c) {
  SmallVector<Val> operands;
  auto pair = VectorType::get(2, getF16Type());
  for (Val value : llvm::concat<const Val>(a, b))
    operands.push_back(bitcast(value, pair));
  operands.append(c.begin(), c.end());
  SmallVector<Type> types(4, getF32Type());
  return intrinsic("llvm.nvvm.mma.m16n8k16.row.col.f32.f32", types, operands);
}

SmallVector<Val> KernelBuilder::mmaE4m3(ArrayRef<Val> a, ArrayRef<Val> b,
                                        ArrayRef<Val> c) {
  SmallVector<Val> operands(a);
  operands.append(b.begin(), b.end());
  operands.append(c.begin(), c.end());
  SmallVector<Type> types(4, getF32Type());
  return intrinsic("llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", types,
                   operands);
}

Val KernelBuilder::permuteBytes(Val a, Val b, int64_t selector) {
  return intrinsic("llvm.nvvm.prmt", getI32Type(), {a, b, i32(selector)});
}

std::pair<Val, Val> KernelBuilder::e4m3ToScaledF16(Val quad) {
  // Sign and the seven bits below it move to where an f16 has its sign and the
  // lower end of its exponent, whose bias is 8 more.
  Val even = ((quad & 0x007f007f) << i32(7)) | ((quad & 0x00800080) << i32(8));
  Val odd = ((quad & 0x7f007f00) >> 1) | (quad & i32(0x80008000));
  return {even, odd};
}

Val KernelBuilder::e4m3ToBf16(Val quad) {
  // As above; the bias is 120 more, which the product makes up for, exactly
  // also for subnormal numbers.
  Val bits = ((quad & 0x7f007f00) >> 4) | (quad & i32(0x80008000));
  auto pair = VectorType::get(2, getBF16Type());
  auto splat = [&](double value) {
    FloatAttr element = getFloatAttr(getBF16Type(), value);
    return val(LLVM::ConstantOp::create(
        *this, pair, DenseElementsAttr::get(pair, element.getValue())));
  };
  Val product = fma(bitcast(bits, pair), splat(0x1p120), splat(-0.0));
  return bitcast(product, getI32Type());
}

void KernelBuilder::copyAsync(Val shared, Val global, Val bytes, int64_t size) {
  // .cg exists for 16 bytes only.
  auto modifier = size == 16 ? NVVM::LoadCacheModifierKind::CG
                             : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(*this, shared, global, static_cast<uint32_t>(size),
                          modifier, bytes);
}

void KernelBuilder::commitCopies() {
  NVVM::CpAsyncCommitGroupOp::create(*this);
}

void KernelBuilder::waitForCopies(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(*this, static_cast<uint32_t>(pending));
}
