//===- GenericBody.cpp - The values of one iteration ----------------------===//
//
// Loads, stores and arithmetic of a linalg.generic's body, for one element or
// 16 lanes at the indices that the loops of VectorizeLinalg.cpp have set.
//
//===----------------------------------------------------------------------===//

#include "GenericLowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

SmallVector<unsigned> GenericLowering::dimsWhere(bool reduction,
                                                 bool withVectorLoop) {
  SmallVector<unsigned> dims;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    if (isReduction(dim) == reduction && (withVectorLoop || vectorLoop != dim))
      dims.push_back(dim);
  return dims;
}

/// Index arithmetic on values that are never negative.
Value GenericLowering::evaluate(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return iv[dim.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constantIndex(constant.getValue());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = evaluate(binary.getLHS());
  Value rhs = evaluate(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return arith::AddIOp::create(b, loc, lhs, rhs);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(b, loc, lhs, rhs);
  case AffineExprKind::FloorDiv:
    return arith::DivUIOp::create(b, loc, lhs, rhs);
  case AffineExprKind::CeilDiv:
    return arith::CeilDivUIOp::create(b, loc, lhs, rhs);
  default:
    return arith::RemUIOp::create(b, loc, lhs, rhs);
  }
}

SmallVector<Value> GenericLowering::indicesOf(OpOperand &operand) {
  return llvm::map_to_vector(op.getMatchingIndexingMap(&operand).getResults(),
                             [&](AffineExpr expr) { return evaluate(expr); });
}

Value GenericLowering::splat(Value scalar) {
  return vector::BroadcastOp::create(b, loc, vectorOf(scalar.getType()),
                                     scalar);
}

Value GenericLowering::load(OpOperand &operand, Value mask, bool vector) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type)
    return vector ? splat(operand.get()) : operand.get();
  Values indices = indicesOf(operand);
  if (!vector)
    return memref::LoadOp::create(b, loc, operand.get(), indices);
  if (!isContiguous(op, operand, *vectorLoop))
    return splat(memref::LoadOp::create(b, loc, operand.get(), indices));
  VectorType result = vectorOf(type.getElementType());
  if (!mask)
    return vector::LoadOp::create(b, loc, result, operand.get(), indices);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(result));
  return vector::MaskedLoadOp::create(b, loc, result, operand.get(), indices,
                                      mask, zero);
}

void GenericLowering::store(OpOperand &operand, Value value, Value mask) {
  Values indices = indicesOf(operand);
  if (!isa<VectorType>(value.getType()))
    memref::StoreOp::create(b, loc, value, operand.get(), indices);
  else if (mask)
    vector::MaskedStoreOp::create(b, loc, operand.get(), indices, mask, value);
  else
    vector::StoreOp::create(b, loc, value, operand.get(), indices);
}

Value GenericLowering::combine(Value lhs, Value rhs) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(lhs.getType()));
  switch (combiner) {
  case Combiner::Max:
    return arith::MaximumFOp::create(b, loc, lhs, rhs);
  case Combiner::Min:
    return arith::MinimumFOp::create(b, loc, lhs, rhs);
  case Combiner::Mul:
    return arith::MulFOp::create(b, loc, lhs, rhs);
  default:
    if (isFloat)
      return arith::AddFOp::create(b, loc, lhs, rhs);
    return arith::AddIOp::create(b, loc, lhs, rhs);
  }
}

Value GenericLowering::identity(Type element) {
  TypedAttr value = b.getZeroAttr(element);
  if (auto type = dyn_cast<FloatType>(element)) {
    const llvm::fltSemantics &semantics = type.getFloatSemantics();
    if (combiner == Combiner::Max || combiner == Combiner::Min)
      value = b.getFloatAttr(
          type, APFloat::getInf(semantics, combiner == Combiner::Max));
    else if (combiner == Combiner::Mul)
      value = b.getFloatAttr(type, 1.0);
  }
  VectorType type = vectorOf(element);
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, value));
}

/// The 16 lanes in a fixed tree: halves are added until one is left.
Value GenericLowering::horizontal(Value vector) {
  for (int64_t width = kLanes / 2; width >= 1; width /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < width; ++lane) {
      low.push_back(lane);
      high.push_back(lane + width);
    }
    Value lhs = vector::ShuffleOp::create(b, loc, vector, vector, low);
    Value rhs = vector::ShuffleOp::create(b, loc, vector, vector, high);
    vector = combine(lhs, rhs);
  }
  return vector::ExtractOp::create(b, loc, vector, ArrayRef<int64_t>{0});
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

Value GenericLowering::emitBodyOp(Operation &bodyOp, IRMapping &map,
                                  bool vector) {
  if (auto index = dyn_cast<linalg::IndexOp>(bodyOp)) {
    Value base = iv[index.getDim()];
    if (!vector)
      return base;
    if (index.getDim() != *vectorLoop)
      return splat(base);
    SmallVector<Attribute> lanes;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      lanes.push_back(b.getIndexAttr(lane));
    Value offsets = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(vectorOf(b.getIndexType()), lanes));
    return arith::AddIOp::create(b, loc, splat(base), offsets);
  }
  if (!vector)
    return b.clone(bodyOp, map)->getResult(0);
  if (auto constant = dyn_cast<arith::ConstantOp>(bodyOp)) {
    auto type = vectorOf(constant.getType());
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, constant.getValue()));
  }
  Values operands;
  for (Value operand : bodyOp.getOperands()) {
    Value mapped = map.lookupOrDefault(operand);
    operands.push_back(isa<VectorType>(mapped.getType()) ? mapped
                                                         : splat(mapped));
  }
  OperationState state(loc, bodyOp.getName(), operands,
                       {vectorOf(bodyOp.getResult(0).getType())},
                       bodyOp.getAttrs());
  state.propertiesAttr = bodyOp.getPropertiesAsAttribute();
  return b.create(state)->getResult(0);
}

/// The values the body yields at the current indices.
SmallVector<Value> GenericLowering::evaluateBody(ArrayRef<Value> accumulators,
                                                 Value mask, bool vector) {
  IRMapping map;
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    bool found = weight && (input == table->data || input == table->scales);
    if (!argument.use_empty() && !found)
      map.map(argument, load(*input, mask, vector));
  }
  for (auto [argument, value] :
       llvm::zip(op.getRegionOutputArgs(), accumulators))
    if (value)
      map.map(argument, value);
  for (Operation &bodyOp : body().without_terminator()) {
    if (vector && scaledSum && isOfScaledSum(bodyOp))
      continue;
    if (weight && table->replaces(bodyOp))
      continue;
    if (weight && table->isValue(bodyOp))
      map.map(bodyOp.getResult(0), weight);
    else if (weight && &bodyOp == table->rounded)
      map.map(bodyOp.getResult(0), table->asBF16(b, loc, weight));
    else if (weight && table->isWidened(bodyOp))
      map.map(bodyOp.getResult(0), weight);
    else if (bodyOp.getNumRegions() != 0 || bodyOp.getNumResults() != 1)
      b.clone(bodyOp, map);
    else
      map.map(bodyOp.getResult(0), emitBodyOp(bodyOp, map, vector));
  }
  if (vector && scaledSum) {
    auto product = scaledSum.getA().getDefiningOp<arith::MulFOp>();
    return {math::FmaOp::create(b, loc, map.lookup(product.getLhs()),
                                map.lookup(product.getRhs()),
                                accumulators.front())};
  }
  Values results;
  for (Value yielded : body().getTerminator()->getOperands()) {
    Value value = map.lookupOrDefault(yielded);
    if (vector && !isa<VectorType>(value.getType()))
      value = splat(value);
    results.push_back(value);
  }
  return results;
}
