//===- WeightViews.cpp - Weights as products see them ---------------------===//

#include "WeightViews.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::deepseek;

std::optional<WeightView> WeightView::of(Value value) {
  WeightView view;
  view.dequantize = value.getDefiningOp<DequantizeOp>();
  if (view.dequantize) {
    view.data = view.dequantize.getQ().getDefiningOp<GetWeightOp>();
    view.scale = view.dequantize.getScale().getDefiningOp<GetWeightOp>();
    if (!view.scale)
      return std::nullopt;
  } else {
    view.data = value.getDefiningOp<GetWeightOp>();
  }
  return view.data ? std::optional(view) : std::nullopt;
}

std::tuple<Type, Attribute, Type, Type> WeightView::form() {
  auto typeOf = [](Operation *op) {
    return cast<RankedTensorType>(op->getResult(0).getType());
  };
  RankedTensorType stored = typeOf(data);
  if (!dequantize)
    return {stored.getElementType(), stored.getEncoding(), Type(),
            stored.getElementType()};
  return {stored.getElementType(), stored.getEncoding(),
          typeOf(scale).getElementType(), typeOf(dequantize).getElementType()};
}

Value WeightView::clone(OpBuilder &builder) {
  IRMapping mapping;
  for (Operation *op :
       {data.getOperation(), scale.getOperation(), dequantize.getOperation()})
    if (op)
      builder.clone(*op, mapping);
  return mapping.lookup(dequantize ? dequantize.getResult() : data.getResult());
}

/// What `value` is cast from, if the cast only drops its encoding, as the
/// canonical form of tensor.concat does.
static Value withEncoding(Value value) {
  auto cast = value.getDefiningOp<tensor::CastOp>();
  if (!cast || !cast.getSource().getType().hasRank() ||
      cast.getSource().getType().getShape() != cast.getType().getShape())
    return value;
  return cast.getSource();
}

bool deepseek::areWeightsOfOneForm(ValueRange weights) {
  std::optional<WeightView> first =
      WeightView::of(withEncoding(weights.front()));
  return first && llvm::all_of(weights, [&](Value weight) {
           std::optional<WeightView> view =
               WeightView::of(withEncoding(weight));
           return view && view->form() == first->form();
         });
}

void deepseek::eraseWithProducers(Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  op->erase();
  for (Value operand : operands)
    if (Operation *producer = operand.getDefiningOp();
        producer && isOpTriviallyDead(producer))
      eraseWithProducers(producer);
}
