//===- WeightViews.h - Weights as products see them -------------*- C++ -*-===//
//
// A product reads a weight as it comes or dequantized, by itself or one below
// the other with more of them: none of this takes memory.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_WEIGHTVIEWS_H
#define LIB_TRANSFORMS_WEIGHTVIEWS_H

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::deepseek {

inline RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// `get_weight`, or `dequantize` of two.
struct WeightView {
  GetWeightOp data;
  GetWeightOp scale;       ///< null if it is as it comes
  DequantizeOp dequantize; ///< null if it is as it comes

  /// Empty if `value` is anything else.
  static std::optional<WeightView> of(Value value);

  /// What is equal if two weights are stored and read in the same way.
  std::tuple<Type, Attribute, Type, Type> form();

  /// Copies of the ops that it is made of, before the insertion point.
  Value clone(OpBuilder &builder);
};

/// Whether the concatenation of `weights` is only another way to look at them:
/// all are views of weights of one form.
bool areWeightsOfOneForm(ValueRange weights);

/// Erases `op` and what was only computed for it: the views of its weights,
/// say.
void eraseWithProducers(Operation *op);

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_WEIGHTVIEWS_H
