//===- ExpandFloats.cpp - Casts and functions in exact arithmetic ---------===//
//
// Rewrites the float ops that LLVM would turn into library calls, into
// instructions that flush what must not be flushed, or into nothing at all:
//
//   f8E4M3FN, f8E5M2, f8E8M0FNU -> f32   exact, integer arithmetic on the bits
//   f32 -> f8E4M3FN, f8E5M2              nearest even, NaN kept; saturating, to
//                                        infinity
//   f32 -> f8E8M0FNU                     nearest power of two
//   bf16 <-> f32                         exact; nearest even, NaN kept
//   math.exp                             2^n * p(r), within 2 ulp
//   math.rsqrt                           1 / sqrt(x), two correct roundings
//   math.sin, math.cos                   range reduction and polynomial in f64
//
// The same code serves scalars and vectors and gives the same bits on both.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_EXPANDFLOATS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

namespace {

/// Arithmetic on scalars or vectors of one shape, written as expressions.
class Expander {
public:
  Expander(PatternRewriter &rewriter, Location loc, Type shape)
      : b(loc, rewriter), shape(shape) {}

  Type typeOf(Type element) {
    auto vector = dyn_cast<VectorType>(shape);
    return vector ? Type(vector.clone(element)) : element;
  }
  Type i(unsigned width) { return typeOf(b.getIntegerType(width)); }
  Type f32() { return typeOf(b.getF32Type()); }
  Type f64() { return typeOf(b.getF64Type()); }

  Value constant(Type type, int64_t value) {
    Type element = getElementTypeOrSelf(type);
    return constant(type, b.getIntegerAttr(element, value));
  }
  Value constant(Type type, double value) {
    Type element = getElementTypeOrSelf(type);
    return constant(type, b.getFloatAttr(element, value));
  }
  Value constant(Type type, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(b, value);
  }
  /// An integer constant of the type of `like`.
  Value k(Value like, int64_t value) { return constant(like.getType(), value); }
  Value kf(Value like, double value) { return constant(like.getType(), value); }

  template <typename Op>
  Value make(Value lhs, Value rhs) {
    return Op::create(b, lhs, rhs);
  }
  Value land(Value x, int64_t mask) {
    return make<arith::AndIOp>(x, k(x, mask));
  }
  Value lor(Value x, Value y) { return make<arith::OrIOp>(x, y); }
  Value add(Value x, Value y) { return make<arith::AddIOp>(x, y); }
  Value add(Value x, int64_t y) { return make<arith::AddIOp>(x, k(x, y)); }
  Value shl(Value x, int64_t n) { return make<arith::ShLIOp>(x, k(x, n)); }
  Value shr(Value x, int64_t n) { return make<arith::ShRUIOp>(x, k(x, n)); }
  Value mulf(Value x, Value y) { return make<arith::MulFOp>(x, y); }
  Value addf(Value x, Value y) { return make<arith::AddFOp>(x, y); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, x, y, z);
  }
  Value bitcast(Type type, Value x) {
    return arith::BitcastOp::create(b, type, x);
  }
  Value zext(Type type, Value x) { return arith::ExtUIOp::create(b, type, x); }
  Value trunc(Type type, Value x) {
    return arith::TruncIOp::create(b, type, x);
  }
  Value cmp(arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, predicate, x, y);
  }
  Value cmp(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  /// c[0] + c[1] x + c[2] x^2 + ..., by Horner with fused multiply-add.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = kf(x, coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, kf(x, c));
    return sum;
  }

  ImplicitLocOpBuilder b;

private:
  Type shape;
};

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

/// A magnitude of `exponentBits` and `mantissaBits` whose exponent has `bias`,
/// as the bits of an f32. Zero exponents (subnormals) go through an integer
/// conversion, which is exact and meets no f32 subnormal.
Value widenSmallFloat(Expander &e, Value magnitude, int mantissaBits,
                      int bias) {
  Value shifted = e.shl(magnitude, 23 - mantissaBits);
  Value normal = e.add(shifted, int64_t(127 - bias) << 23);
  Value asFloat = arith::UIToFPOp::create(e.b, e.f32(), magnitude);
  double step = std::ldexp(1.0, 1 - bias - mantissaBits);
  Value subnormal =
      e.bitcast(e.i(32), e.mulf(asFloat, e.constant(e.f32(), step)));
  Value isNormal = e.cmp(arith::CmpIPredicate::uge, magnitude,
                         e.k(magnitude, 1 << mantissaBits));
  return e.select(isNormal, normal, subnormal);
}

Value extendFp8(Expander &e, Value x, Type element) {
  Value bits = e.zext(e.i(32), e.bitcast(e.i(8), x));
  if (isa<Float8E8M0FNUType>(element)) {
    // 2^(bits - 127); 0 is 2^-127, a subnormal f32; 255 is NaN.
    Value value = e.select(e.cmp(arith::CmpIPredicate::eq, bits, e.k(bits, 0)),
                           e.k(bits, 1 << 22), e.shl(bits, 23));
    value = e.select(e.cmp(arith::CmpIPredicate::eq, bits, e.k(bits, 255)),
                     e.k(bits, 0x7FC00000), value);
    return e.bitcast(e.f32(), value);
  }
  bool e4m3 = isa<Float8E4M3FNType>(element);
  Value magnitude = e.land(bits, 0x7F);
  Value value = widenSmallFloat(e, magnitude, e4m3 ? 3 : 2, e4m3 ? 7 : 15);
  Value nan = e.k(bits, 0x7FC00000);
  if (e4m3) {
    value =
        e.select(e.cmp(arith::CmpIPredicate::eq, magnitude, e.k(bits, 0x7F)),
                 nan, value);
  } else {
    value =
        e.select(e.cmp(arith::CmpIPredicate::eq, magnitude, e.k(bits, 0x7C)),
                 e.k(bits, 0x7F800000), value);
    value =
        e.select(e.cmp(arith::CmpIPredicate::ugt, magnitude, e.k(bits, 0x7C)),
                 nan, value);
  }
  Value sign = e.shl(e.land(bits, 0x80), 24);
  return e.bitcast(e.f32(), e.lor(value, sign));
}

/// f32 to e4m3 or e5m2: nearest even. e4m3 saturates to 448 (infinities too)
/// and its NaN is 0x7F; e5m2 overflows to infinity and its NaN keeps the sign.
Value truncateToFp8(Expander &e, Value x, Type result) {
  bool e4m3 = isa<Float8E4M3FNType>(getElementTypeOrSelf(result));
  int mantissaBits = e4m3 ? 3 : 2, bias = e4m3 ? 7 : 15;
  int dropped = 23 - mantissaBits;
  Value bits = e.bitcast(e.i(32), x);
  Value sign = e.land(e.shr(bits, 24), 0x80);
  Value magnitude = e.land(bits, 0x7FFFFFFF);
  // Normal results: keep the upper bits of the mantissa, move the bias.
  Value odd = e.land(e.shr(magnitude, dropped), 1);
  Value rounded =
      e.add(e.add(magnitude, (int64_t(1) << (dropped - 1)) - 1), odd);
  Value normal =
      e.add(e.shr(rounded, dropped), -((127 - bias) << mantissaBits));
  normal = e.make<arith::MinSIOp>(normal, e.k(bits, e4m3 ? 0x7E : 0x7C));
  // Subnormal results are multiples of 2^(1 - bias - mantissaBits): adding a
  // number whose last place that is leaves them in the low bits.
  int shift = 24 - bias - mantissaBits;
  Value shifter = e.constant(e.f32(), std::ldexp(1.0, shift));
  Value small = e.bitcast(e.f32(), magnitude);
  Value subnormal = e.add(e.bitcast(e.i(32), e.addf(small, shifter)),
                          -(int64_t(127 + shift) << 23));
  Value isNormal = e.cmp(arith::CmpIPredicate::uge, magnitude,
                         e.k(bits, int64_t(128 - bias) << 23));
  Value code = e.lor(e.select(isNormal, normal, subnormal), sign);
  Value isNan =
      e.cmp(arith::CmpIPredicate::ugt, magnitude, e.k(bits, 0x7F800000));
  Value nan = e4m3 ? e.k(bits, 0x7F) : e.lor(sign, e.k(bits, 0x7E));
  return e.bitcast(result, e.trunc(e.i(8), e.select(isNan, nan, code)));
}

/// f32 to the nearest power of two, ties to the even exponent. The smallest,
/// 2^-127, also stands for what is not above 0; NaN and infinities become NaN.
Value truncateToE8M0(Expander &e, Value x, Type result) {
  Value bits = e.bitcast(e.i(32), x);
  Value odd = e.land(e.shr(bits, 23), 1);
  Value code = e.shr(e.add(e.add(bits, 0x3FFFFF), odd), 23);
  code = e.make<arith::MinUIOp>(code, e.k(bits, 254));
  // 2^-127 and its neighbours are f32 subnormals, without the leading 1.
  Value above = e.zext(
      e.i(32), e.cmp(arith::CmpIPredicate::sgt, bits, e.k(bits, 0x600000)));
  code = e.select(e.cmp(arith::CmpIPredicate::slt, bits, e.k(bits, 0x800000)),
                  above, code);
  Value notFinite = e.cmp(arith::CmpIPredicate::uge, e.land(bits, 0x7FFFFFFF),
                          e.k(bits, 0x7F800000));
  code = e.select(notFinite, e.k(bits, 0xFF), code);
  return e.bitcast(result, e.trunc(e.i(8), code));
}

Value extendBF16(Expander &e, Value x) {
  Value bits = e.zext(e.i(32), e.bitcast(e.i(16), x));
  return e.bitcast(e.f32(), e.shl(bits, 16));
}

Value truncateToBF16(Expander &e, Value x, Type result) {
  Value bits = e.bitcast(e.i(32), x);
  Value odd = e.land(e.shr(bits, 16), 1);
  Value rounded = e.shr(e.add(e.add(bits, 0x7FFF), odd), 16);
  Value isNan = e.cmp(arith::CmpFPredicate::UNO, x, x);
  Value quiet = e.lor(e.shr(bits, 16), e.k(bits, 0x40));
  Value half = e.trunc(e.i(16), e.select(isNan, quiet, rounded));
  return e.bitcast(result, half);
}

struct ExpandExtF : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    Type to = getElementTypeOrSelf(op.getType());
    Expander e(rewriter, op.getLoc(), op.getType());
    Value wide;
    if (isa<Float8E4M3FNType, Float8E5M2Type, Float8E8M0FNUType>(from))
      wide = extendFp8(e, op.getIn(), from);
    else if (from.isBF16())
      wide = extendBF16(e, op.getIn());
    else
      return rewriter.notifyMatchFailure(op, "LLVM widens it exactly");
    if (to.isF32())
      rewriter.replaceOp(op, wide);
    else if (to.isF64())
      rewriter.replaceOpWithNewOp<arith::ExtFOp>(op, op.getType(), wide);
    else // every FP8 number is a BF16 and an F16 number
      rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(), wide);
    return success();
  }
};

struct ExpandTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    Type to = getElementTypeOrSelf(op.getType());
    if (!isa<Float8E4M3FNType, Float8E5M2Type, Float8E8M0FNUType>(to) &&
        !to.isBF16())
      return rewriter.notifyMatchFailure(op, "LLVM rounds it");
    Expander e(rewriter, op.getLoc(), op.getType());
    Value x = op.getIn();
    if (!from.isF32())
      x = from.isF64() ? arith::TruncFOp::create(e.b, e.f32(), x).getResult()
                       : arith::ExtFOp::create(e.b, e.f32(), x).getResult();
    if (to.isBF16())
      rewriter.replaceOp(op, truncateToBF16(e, x, op.getType()));
    else if (isa<Float8E8M0FNUType>(to))
      rewriter.replaceOp(op, truncateToE8M0(e, x, op.getType()));
    else
      rewriter.replaceOp(op, truncateToFp8(e, x, op.getType()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2. Below -87.3 the
/// result is 0, above 88.7 infinity; NaN stays NaN.
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    Expander e(rewriter, op.getLoc(), op.getType());
    Value x = op.getOperand();
    Value low = e.kf(x, -87.33654022216797), high = e.kf(x, 88.72283172607422);
    Value bounded = e.select(e.cmp(arith::CmpFPredicate::OGT, x, low), x, low);
    bounded = e.select(e.cmp(arith::CmpFPredicate::OLT, bounded, high), bounded,
                       high);
    // Adding 1.5 * 2^23 rounds to the nearest integer.
    Value shifter = e.kf(x, 12582912.0);
    Value shifted = e.fma(bounded, e.kf(x, 1.4426950408889634), shifter);
    Value n = arith::SubFOp::create(e.b, shifted, shifter);
    Value r = e.fma(n, e.kf(x, -0.693145751953125), bounded);
    r = e.fma(n, e.kf(x, -1.428606765330187e-06), r);
    Value p =
        e.polynomial(r, {1.0, 1.0, 0.5, 0.16666665459, 4.1665795894e-2,
                         8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4});
    // 2^n in two steps, since n may be 128.
    Value exponent =
        arith::SubIOp::create(e.b, e.bitcast(e.i(32), shifted),
                              e.constant(e.i(32), int64_t(0x4B400000)));
    Value half = arith::ShRSIOp::create(e.b, exponent, e.k(exponent, 1));
    Value rest = arith::SubIOp::create(e.b, exponent, half);
    auto power = [&](Value k) {
      return e.bitcast(e.f32(), e.shl(e.add(k, 127), 23));
    };
    Value result = e.mulf(e.mulf(p, power(half)), power(rest));
    result = e.select(e.cmp(arith::CmpFPredicate::OLT, x, low), e.kf(x, 0.0),
                      result);
    result = e.select(e.cmp(arith::CmpFPredicate::OGT, x, high),
                      e.kf(x, std::numeric_limits<double>::infinity()), result);
    result = e.select(e.cmp(arith::CmpFPredicate::UNO, x, x), x, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ExpandRsqrt : OpRewritePattern<math::RsqrtOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::RsqrtOp op,
                                PatternRewriter &rewriter) const override {
    Expander e(rewriter, op.getLoc(), op.getType());
    Value root = math::SqrtOp::create(e.b, op.getOperand());
    rewriter.replaceOpWithNewOp<arith::DivFOp>(op, e.kf(root, 1.0), root);
    return success();
  }
};

/// sin(x) or cos(x) of an f32: x - n pi/2 in f64 with pi/2 in two parts, then
/// the Taylor polynomial of |r| <= pi/4, whose error is below 1e-15; good for
/// |x| up to 2^30, far beyond any position.
template <typename Op, int64_t quadrantOffset>
struct ExpandSinCos : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    Expander e(rewriter, op.getLoc(), op.getType());
    Value x = arith::ExtFOp::create(e.b, e.f64(), op.getOperand());
    Value shifter = e.kf(x, 6755399441055744.0); // 1.5 * 2^52
    Value shifted = e.fma(x, e.kf(x, 0.63661977236758134), shifter);
    Value n = arith::SubFOp::create(e.b, shifted, shifter);
    Value r = e.fma(n, e.kf(x, -1.5707963267948966), x);
    r = e.fma(n, e.kf(x, -6.123233995736766e-17), r);
    Value r2 = e.mulf(r, r);
    Value sine = e.polynomial(r2, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                   1.0 / 362880, -1.0 / 39916800,
                                   1.0 / 6227020800.0, -1.0 / 1307674368000.0});
    sine = e.mulf(sine, r);
    Value cosine = e.polynomial(
        r2, {1.0, -0.5, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800,
             1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0});
    Value quadrant = e.add(e.bitcast(e.i(64), shifted), quadrantOffset);
    Value isCosine =
        e.cmp(arith::CmpIPredicate::ne, e.land(quadrant, 1), e.k(quadrant, 0));
    Value result = e.select(isCosine, cosine, sine);
    Value sign = e.shl(e.land(quadrant, 2), 62);
    Value bits = arith::XOrIOp::create(e.b, e.bitcast(e.i(64), result), sign);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(),
                                                 e.bitcast(e.f64(), bits));
    return success();
  }
};

struct ExpandFloats : deepseek::impl::ExpandFloatsBase<ExpandFloats> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtF, ExpandTruncF, ExpandExp, ExpandRsqrt,
                 ExpandSinCos<math::SinOp, 0>, ExpandSinCos<math::CosOp, 1>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
