//===- Canonicalization.cpp - Rewrites every user expects -----------------===//
//
// The dialect's canonicalization patterns. They never change a result's bits.
//
//   1. A tensor.cast that hides a static size from an op is folded into it:
//        %1 = tensor.cast %0 : tensor<4x8xf32> to tensor<?x?xf32>
//        %2 = deepseek.linear %1, %w     ->   %2 = deepseek.linear %0, %w
//   2. A slice of a dequantized stack is the dequantized slice:
//        %1 = deepseek.dequantize %q, %s                  // [E, O, I]
//        %2 = tensor.extract_slice %1[%e, 0, 0] [1, O, I] [1, 1, 1]
//      ->
//        %1 = tensor.extract_slice %q[%e, 0, 0] [1, O, I] [1, 1, 1]
//        %2 = tensor.extract_slice %s[%e, 0, 0] [1, So, Si] [1, 1, 1]
//        %3 = deepseek.dequantize %1, %2
//
// There is none for dequantize(quantize(x)): it loses bits, that is its
// meaning.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// Pattern 1, for every op of the dialect.
struct FoldCastIntoOp : RewritePattern {
  FoldCastIntoOp(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa_and_nonnull<DeepSeekDialect>(op->getDialect()))
      return failure();
    auto hidesSize = [](OpOperand &operand) {
      auto cast = operand.get().getDefiningOp<tensor::CastOp>();
      return cast && tensor::canFoldIntoConsumerOp(cast);
    };
    if (llvm::none_of(op->getOpOperands(), hidesSize))
      return rewriter.notifyMatchFailure(op, "no cast hides a static size");
    // If a size that a cast hid contradicts another operand, the program was
    // wrong before, and now the verifier says so.
    Operation *folded = rewriter.clone(*op);
    for (OpOperand &operand : folded->getOpOperands())
      if (hidesSize(operand))
        operand.set(operand.get().getDefiningOp<tensor::CastOp>().getSource());
    rewriter.replaceOp(op, folded->getResults());
    return success();
  }
};

/// Pattern 2.
struct SliceOfDequantize : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp slice,
                                PatternRewriter &rewriter) const override {
    auto dequantize = slice.getSource().getDefiningOp<DequantizeOp>();
    if (!dequantize || slice.getSourceType().getRank() != 3)
      return rewriter.notifyMatchFailure(slice, "not a slice of a stack");
    ArrayRef<int64_t> scales = dequantize.getScale().getType().getShape();
    if (llvm::any_of(scales.take_back(2), ShapedType::isDynamic))
      return rewriter.notifyMatchFailure(slice, "scales of unknown number");
    if (!isLeadingSlice(slice))
      return rewriter.notifyMatchFailure(slice, "cuts more than the stack");
    bool dropped = slice.getType().getRank() == 2;
    Value q = sliceLeading(rewriter, slice, dequantize.getQ(), dropped);
    Value scale = sliceLeading(rewriter, slice, dequantize.getScale(), dropped);
    rewriter.replaceOpWithNewOp<DequantizeOp>(slice, slice.getType(), q, scale);
    return success();
  }

private:
  /// Whether a slice takes the whole of each dimension but the leading one, and
  /// drops, if any, the leading one.
  static bool isLeadingSlice(tensor::ExtractSliceOp slice) {
    ArrayRef<int64_t> shape = slice.getSourceType().getShape();
    for (int64_t dim : {1, 2}) {
      if (ShapedType::isDynamic(shape[dim]) ||
          slice.getStaticSizes()[dim] != shape[dim] ||
          slice.getStaticOffsets()[dim] != 0 ||
          slice.getStaticStrides()[dim] != 1)
        return false;
    }
    ArrayRef<int64_t> result = slice.getType().getShape();
    return result.size() == 3 ||
           (result.size() == 2 && result == shape.drop_front());
  }

  /// The same leading slice of another stack.
  static Value sliceLeading(PatternRewriter &rewriter,
                            tensor::ExtractSliceOp slice,
                            TypedValue<RankedTensorType> stack, bool dropped) {
    RankedTensorType type = stack.getType();
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
    SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
    SmallVector<OpFoldResult> strides = slice.getMixedStrides();
    for (int64_t dim : {1, 2})
      sizes[dim] = rewriter.getIndexAttr(type.getDimSize(dim));
    SmallVector<int64_t> shape(type.getShape());
    if (dropped)
      shape.erase(shape.begin());
    else
      shape.front() = slice.getType().getDimSize(0);
    auto sliced =
        RankedTensorType::get(shape, type.getElementType(), type.getEncoding());
    return tensor::ExtractSliceOp::create(rewriter, slice.getLoc(), sliced,
                                          stack, offsets, sizes, strides);
  }
};

} // namespace

void DeepSeekDialect::getCanonicalizationPatterns(
    RewritePatternSet &results) const {
  results.add<FoldCastIntoOp, SliceOfDequantize>(getContext());
}
