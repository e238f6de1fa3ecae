//===- KernelBuilderFormats.cpp - FP8 and BF16 in registers ---------------===//
//
// By conversions where the chip has them, else in integer arithmetic with the
// same results.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

std::pair<Val, Val> KernelBuilder::unpackBf16(Val pair) {
  return {bitcast(pair << i32(16), getF32Type()),
          bitcast(pair & i32(0xffff0000), getF32Type())};
}

Val KernelBuilder::packBf16(Val low, Val high) {
  auto type = VectorType::get(2, getBF16Type());
  Value pair = NVVM::ConvertF32x2ToBF16x2Op::create(
      *this, type, high, low, Value(),
      NVVM::FPRoundingModeAttr::get(getContext(), NVVM::FPRoundingMode::RN));
  return bitcast(pair, getI32Type());
}

/// The two f16 (as an i32) of two e4m3 times 2^-8, exact: sign and the seven
/// other bits move into the places of an f16's, whose exponent bias is 8 more.
static Val e4m3PairToScaledF16(KernelBuilder &k, Val pair) {
  Val spread = (pair & 0xff) | ((pair & 0xff00) << k.i32(8)); // bytes 0 and 2
  Val magnitude = (spread & 0x007f007f) << k.i32(7);
  Val sign = (spread & 0x00800080) << k.i32(8);
  return magnitude | sign;
}

SmallVector<Val, 4> KernelBuilder::unpackE4m3(Val quad) {
  SmallVector<Val, 4> values;
  auto halves = VectorType::get(2, getF16Type());
  for (int part = 0; part < 2; ++part) {
    Val pair = part ? quad >> 16 : quad;
    Value f16s;
    if (chip.fp8Convert)
      f16s = ptx("cvt.rn.f16x2.e4m3x2 $0, $1;", "=r,h", {getI32Type()},
                 {val(arith::TruncIOp::create(*this, getI16Type(), pair))})[0];
    else
      f16s = e4m3PairToScaledF16(*this, pair);
    Value vector = bitcast(f16s, halves);
    for (int i = 0; i < 2; ++i) {
      Val value = toF32(extract(val(vector), i));
      values.push_back(chip.fp8Convert ? value : value * 256.0);
    }
  }
  return values;
}

/// The byte of e4m3 nearest to `x`, ties to even, saturating: |x| is added to a
/// power of two that leaves three bits of mantissa.
static Val roundToE4m3(KernelBuilder &k, Val x) {
  Val bits = k.bitcast(x, k.getI32Type());
  Val sign = (bits >> 24) & 0x80;
  Val magnitude = bits & 0x7fffffff;
  Val limited = k.select(magnitude > k.i32(0x43e00000), k.i32(0x43e00000),
                         magnitude); // 448
  // Normal: round the lower 20 bits to even, rebias the exponent by 120.
  Val odd = (limited >> 20) & 1;
  Val normal = ((limited + 0x7ffff + odd) >> 20) - k.i32(120 << 3);
  // Subnormal, below 2^-6: a multiple of 2^-9, by adding 2^14 whose last bit
  // that is.
  Val shifted = k.bitcast(limited, k.getF32Type()) + 16384.0;
  Val subnormal = k.bitcast(shifted, k.getI32Type()) - k.i32(0x46800000);
  Val byte = k.select(limited < k.i32(0x3c800000), subnormal, normal);
  // NaN stays NaN.
  byte = k.select(magnitude > k.i32(0x7f800000), k.i32(0x7f), byte);
  return byte | sign;
}

Val KernelBuilder::packE4m3(Val low, Val high) {
  if (chip.fp8Convert)
    return ptx("cvt.rn.satfinite.e4m3x2.f32 $0, $1, $2;", "=h,f,f",
               {getI16Type()}, {high, low})[0];
  Val pair = roundToE4m3(*this, low) | (roundToE4m3(*this, high) << i32(8));
  return val(arith::TruncIOp::create(*this, getI16Type(), pair));
}
