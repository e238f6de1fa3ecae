//===- BlockScales.cpp - Scales of FP8 blocks -----------------------------===//

#include "lib/Target/NVPTX/Kernels/BlockScales.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

Val deepseek::blockScale(KernelBuilder &k, Val amax, bool powerOfTwo) {
  Val scale = k.max(amax, k.f32(1e-4)) / 448.0;
  if (!powerOfTwo)
    return scale;
  // The exponent, plus one if there is a mantissa.
  Val bits = k.bitcast(scale, k.getI32Type());
  Val exponent =
      (bits >> 23) + k.select((bits & 0x7fffff) != 0, k.i32(1), k.i32(0));
  exponent = k.min(k.max(exponent, k.i32(1)), k.i32(254));
  return k.bitcast(exponent << 23, k.getF32Type());
}

Val deepseek::loadBlockScale(KernelBuilder &k, Type element, Val address,
                             Val index) {
  if (element.isF32())
    return k.load(k.getF32Type(), k.at(address, k.toI64(index) * 4));
  // f8E8M0FNU is the exponent of a power of two; 0 stands for 2^-127.
  Val exponent = k.toI32(k.load(k.getI8Type(), k.at(address, k.toI64(index))));
  Val bits = k.select(exponent == 0, k.i32(1 << 22), exponent << 23);
  return k.bitcast(bits, k.getF32Type());
}

void deepseek::storeBlockScale(KernelBuilder &k, Type element, Val scale,
                               Val address, Val index) {
  if (element.isF32())
    return k.store(scale, k.at(address, k.toI64(index) * 4));
  Val exponent = k.bitcast(scale, k.getI32Type()) >> 23;
  Value byte = arith::TruncIOp::create(k, k.getI8Type(), exponent);
  k.store(k.val(byte), k.at(address, k.toI64(index)));
}

ScaledBlocks::ScaledBlocks(Type q, Type scale)
    : scaleType(getElementTypeOrSelf(scale)) {
  auto type = cast<RankedTensorType>(q);
  BlockScaledAttr scaling = getBlockScaled(type);
  block.assign(scaling.getBlock().begin(), scaling.getBlock().end());
  int64_t rank = type.getRank();
  if (rank == 3)
    matrices = type.getDimSize(0);
  rows = type.getDimSize(rank - 2);
  columns = type.getDimSize(rank - 1);
  powerOfTwo = scaling.getFormat() == ScaleFormat::PowerOfTwo;
  groupMajor = scaling.getLayout() == ScaleLayout::GroupMajor;
}

Val ScaledBlocks::index(Val matrix, Val row, Val column) const {
  Val i = row / block[0], j = column / block[1];
  Val first = matrix * (blockRows() * blockColumns());
  return groupMajor ? first + j * blockRows() + i
                    : first + i * blockColumns() + j;
}

Val ScaledBlocks::load(KernelBuilder &k, Val address, Val matrix, Val row,
                       Val column) const {
  return loadBlockScale(k, scaleType, address, index(matrix, row, column));
}

void ScaledBlocks::store(KernelBuilder &k, Val scale, Val address, Val matrix,
                         Val row, Val column) const {
  storeBlockScale(k, scaleType, scale, address, index(matrix, row, column));
}
