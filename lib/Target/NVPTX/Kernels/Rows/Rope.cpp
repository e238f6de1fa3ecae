//===- Rope.cpp - Rotated rows --------------------------------------------===//
//
//   rope:  thread j < R / 2 of the team: a = positions[t] * f[j], one product
//                                        cosines[j], sines[j] = cos a, sin a
//          barrier
//          pair j of each head: y[2j]     = x[2j] * cos - x[2j + 1] * sin
//                               y[2j + 1] = x[2j] * sin + x[2j + 1] * cos
//
// Sine and cosine are reduced and evaluated in f64, as on the host: good to the
// last bit of f32 at any position.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/RopeFrequencies.h"
#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"

using namespace mlir;
using namespace mlir::deepseek;

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner.
static Val polynomial(Val x, ArrayRef<double> coefficients) {
  KernelBuilder &k = x.getBuilder();
  Val sum = constantLike(x, coefficients.back());
  for (double c : llvm::reverse(coefficients.drop_back()))
    sum = k.fma(sum, x, constantLike(x, c));
  return sum;
}

/// Cosine and sine of an f32 up to 2^30.
static std::pair<Val, Val> cosineAndSine(KernelBuilder &k, Val angle) {
  Type f64 = k.getF64Type(), i64 = k.getI64Type();
  Val x = k.val(LLVM::FPExtOp::create(k, f64, angle));
  auto c = [&](double value) { return constantLike(x, value); };
  // Adding 1.5 * 2^52 rounds to the nearest number of quarter turns.
  Val shifter = c(6755399441055744.0);
  Val shifted = k.fma(x, c(0.63661977236758134), shifter);
  Val turns = shifted - shifter;
  Val r = k.fma(turns, c(-1.5707963267948966), x);
  r = k.fma(turns, c(-6.123233995736766e-17), r);
  Val r2 = r * r;
  Val sine = r * polynomial(r2, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                 1.0 / 362880, -1.0 / 39916800,
                                 1.0 / 6227020800.0, -1.0 / 1307674368000.0});
  Val cosine = polynomial(r2, {1.0, -0.5, 1.0 / 24, -1.0 / 720, 1.0 / 40320,
                               -1.0 / 3628800, 1.0 / 479001600.0,
                               -1.0 / 87178291200.0, 1.0 / 20922789888000.0});
  auto ofQuadrant = [&](Val quadrant) {
    Val bits = k.bitcast(k.select((quadrant & 1) != 0, cosine, sine), i64);
    bits = bits ^ ((quadrant & 2) << 62);
    return k.truncF(k.bitcast(bits, f64), k.getF32Type());
  };
  Val quadrant = k.bitcast(shifted, i64);
  return {ofQuadrant(quadrant + 1), ofQuadrant(quadrant)};
}

/// The angles' cosines, then their sines, in shared memory.
static Val emitAngles(RowBuilder &b, RopeOp op, int64_t width) {
  KernelBuilder &k = b.k;
  int64_t pairs = width / 2;
  SmallVector<float> frequencies =
      ropeFrequencies(op.getTheta().convertToDouble(), op.getYarnAttr(), width);
  Val table = b.teamShared(8 * pairs);
  // Signed, as positions are.
  Val position = k.toF32(b.getScalar(op.getPositions()));
  k.forLoop(b.getMember(), k.i32(pairs), k.i32(b.getTeam()), [&](Val j) {
    Val frequency = k.f32(frequencies.front());
    for (int64_t i = 1; i < pairs; ++i)
      frequency = k.select(j == i, k.f32(frequencies[i]), frequency);
    auto [cosine, sine] = cosineAndSine(k, position * frequency);
    k.store(cosine, k.at(table, j * 4));
    k.store(sine, k.at(table, j * 4 + 4 * pairs));
  });
  b.teamBarrier();
  return table;
}

/// `count` neighbouring f32 of shared memory.
static Vals loadFloats(KernelBuilder &k, int64_t count, Val address) {
  if (count == 1)
    return {k.load(k.getF32Type(), address)};
  Val loaded =
      k.load(VectorType::get(count, k.getF32Type()), address, 4 * count);
  Vals values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(k.extract(loaded, i));
  return values;
}

void deepseek::emitRow(RowBuilder &b, RopeOp op) {
  KernelBuilder &k = b.k;
  int64_t width = cast<RankedTensorType>(op.getX().getType()).getShape().back();
  RowValue x = b.get(op.getX());
  Val table = emitAngles(b, op, width);
  RowValue y{getElementTypeOrSelf(op.getResult().getType()), x.elements, {}};
  for (size_t piece = 0; piece < x.pieces.size(); ++piece) {
    Val pair = b.pieceNumber(piece) * b.vector % width / 2;
    Val address = k.at(table, pair * 4);
    Vals cosines = loadFloats(k, b.vector / 2, address);
    Vals sines = loadFloats(k, b.vector / 2, k.at(address, 2 * width));
    Vals values = b.unpack(x, piece), rotated;
    for (int64_t i = 0; i < b.vector / 2; ++i) {
      Val even = values[2 * i], odd = values[2 * i + 1];
      rotated.push_back(even * cosines[i] - odd * sines[i]);
      rotated.push_back(even * sines[i] + odd * cosines[i]);
    }
    y.pieces.push_back(b.pack(y.element, rotated));
  }
  b.set(op.getResult(), y);
}
