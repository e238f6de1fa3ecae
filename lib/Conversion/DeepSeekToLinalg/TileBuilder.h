//===- TileBuilder.h - Loops and tiles on tensors ---------------*- C++ -*-===//
//
// What the lowerings of all families are written with: a builder that knows the
// few forms which the conversion emits. A form is described where it is
// declared; targets rely on them:
//
//  - one `scf.forall` per op, over independent parts of the result;
//  - in it `scf.for`, and `linalg.generic` on slices;
//  - temporaries only of static size;
//  - products are accumulated by `math.fma` in f32, rounding is an
//  `arith.truncf`.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_DEEPSEEKTOLINALG_TILEBUILDER_H
#define LIB_CONVERSION_DEEPSEEKTOLINALG_TILEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::deepseek {

/// Rows of a product that are computed together.
constexpr int64_t kRowBlock = 4;

/// From this many rows on a product dequantizes a tile of the weight first, ...
constexpr int64_t kManyRows = 8;
/// ... computes this many rows together, ...
constexpr int64_t kManyRowsBlock = 6;
/// ... with at most so many rows of the weight, of at most so many bytes.
constexpr int64_t kManyRowsTile = 16;
constexpr int64_t kManyRowsBytes = 320 << 10;

/// Keys of one step of attention: the page size of the latent cache.
constexpr int64_t kKeyBlock = 64;

/// Output columns of one parallel iteration of a product.
constexpr int64_t kOutputTile = 64;

/// The type without its encoding.
RankedTensorType withoutEncoding(RankedTensorType type);

/// Whether the sizes of a tensor are known.
inline bool hasStaticShape(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).hasStaticShape();
}

/// The largest power of two that divides `size`, at most `limit`.
int64_t tileOf(int64_t size, int64_t limit);

/// A rectangular part of a tensor. All of each dimension, unless said
/// otherwise.
class Window {
public:
  explicit Window(int64_t rank)
      : offsets(rank), sizes(rank), strides(rank), dropped(rank) {}
  /// One index of a dimension; the dimension is dropped.
  Window &at(int64_t dim, OpFoldResult index);
  /// `size` indices from `offset` on, `stride` apart.
  Window &range(int64_t dim, OpFoldResult offset, OpFoldResult size,
                int64_t stride = 1);

  SmallVector<OpFoldResult> offsets, sizes;
  SmallVector<int64_t> strides;
  SmallVector<bool> dropped;
};

/// What one iteration of a parallel loop gives: a part of the result.
struct Part {
  Window window;
  Value value;
};
using Parts = SmallVector<Part, 0>;

class TileBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  using Maps = ArrayRef<AffineMap>;
  using Body = function_ref<Value(ValueRange)>;

  // Scalars.
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(*this, value);
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(*this, value, 32);
  }
  Value f32(double value);
  Value toValue(OpFoldResult value);
  Value add(OpFoldResult a, OpFoldResult b);
  Value sub(OpFoldResult a, OpFoldResult b);
  Value mul(OpFoldResult a, int64_t b);
  Value div(OpFoldResult a, int64_t b);
  Value rem(OpFoldResult a, int64_t b);
  /// A float widened to f32, exactly.
  Value widen(Value scalar);
  /// An f32 rounded to `type`.
  Value round(Value scalar, Type type);
  Value less(Value a, Value b);

  // Tensors.
  OpFoldResult size(Value tensor, int64_t dim) {
    return tensor::getMixedSize(*this, getLoc(), tensor, dim);
  }
  /// The value without the encoding of its type.
  Value plain(Value tensor);
  Value scalar(Value tensor, ValueRange indices = {}) {
    return tensor::ExtractOp::create(*this, tensor, indices);
  }
  /// An element of an i32 tensor as an index.
  Value indexAt(Value tensor, ValueRange indices);
  Value insert(Value scalar, Value tensor, ValueRange indices = {}) {
    return tensor::InsertOp::create(*this, scalar, tensor, indices);
  }
  Value slice(Value tensor, const Window &window);
  /// `tensor` with `piece` in the place that `slice` would give.
  Value put(Value piece, Value tensor, const Window &window);
  /// An uninitialized temporary of static size.
  Value temporary(ArrayRef<int64_t> shape, Type element);
  /// A tensor of static size, all elements `value`.
  Value filled(ArrayRef<int64_t> shape, Value value);

  // Loops.
  /// `scf.forall` over `[0, upper)` in steps; each iteration writes one part of
  /// `out`.
  Value parallel(ArrayRef<OpFoldResult> upper, ArrayRef<int64_t> steps,
                 Value out,
                 function_ref<Part(ValueRange indices, Value out)> body);
  /// `parallel` with several results, a part of each per iteration.
  SmallVector<Value>
  parallelMany(ArrayRef<OpFoldResult> upper, ArrayRef<int64_t> steps,
               ValueRange outs,
               function_ref<Parts(ValueRange indices, ValueRange outs)> body);
  /// `parallel` over all dimensions of `out` but the last: one row at a time.
  Value parallelRows(Value out,
                     function_ref<Value(ValueRange indices, Value row)> body);
  /// `scf.for` that carries `inits`.
  SmallVector<Value> serial(
      OpFoldResult lower, OpFoldResult upper, int64_t step, ValueRange inits,
      function_ref<SmallVector<Value>(Value index, ValueRange carried)> body);
  /// `scf.if` whose both sides give a value.
  Value choose(Value condition, function_ref<Value()> yes,
               function_ref<Value()> no);
  /// `choose` with several values.
  SmallVector<Value> chooseMany(Value condition,
                                function_ref<SmallVector<Value>()> yes,
                                function_ref<SmallVector<Value>()> no);

  /// `linalg.generic` with one result; `iterators` is a letter per loop, `p`
  /// for parallel and `r` for reduction; the result's map comes last.
  Value generic(StringRef iterators, ValueRange inputs, Value out, Maps maps,
                Body body);
  /// All-parallel `linalg.generic` on tensors of the shape of `out`.
  Value elementwise(ValueRange inputs, Value out, Body body);
  /// All elements of `input` folded into one scalar, beginning with `init`.
  Value reduce(Value input, Value init,
               function_ref<Value(Value element, Value acc)> body);

  /// An affine map of `rank` loops to these expressions.
  AffineMap map(int64_t rank, ArrayRef<AffineExpr> results) {
    return AffineMap::get(rank, 0, results, getContext());
  }
  AffineExpr loop(int64_t position) { return getAffineDimExpr(position); }
};

/// `row` copied into `place`, whose element type it has.
Value copyInto(TileBuilder &b, Value row, Value place);

/// Where an op's result is to be written: the kernel's out argument if the
/// result is returned, else a new tensor. `sizes` are those of the result.
Value destination(TileBuilder &b, OpResult result,
                  ArrayRef<OpFoldResult> sizes);

/// `destination` of a result that has the shape of `like` but for the last
/// dimension, which is static.
Value destinationLike(TileBuilder &b, OpResult result, Value like);

/// The pattern of an op from a function that emits its loops and returns a
/// value per result, or none if the op cannot be lowered as it is.
template <typename OpTy, SmallVector<Value> (*lower)(TileBuilder &, OpTy)>
struct LowerOp : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    TileBuilder b(op.getLoc(), rewriter);
    SmallVector<Value> values = lower(b, op);
    if (values.empty())
      return rewriter.notifyMatchFailure(op, "has no lowering in this form");
    for (auto [value, result] : llvm::zip_equal(values, op->getResults()))
      if (value.getType() != result.getType())
        value = tensor::CastOp::create(b, result.getType(), value);
    rewriter.replaceOp(op, values);
    return success();
  }
};

} // namespace mlir::deepseek

#endif // LIB_CONVERSION_DEEPSEEKTOLINALG_TILEBUILDER_H
