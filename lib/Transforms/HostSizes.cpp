//===- HostSizes.cpp - Sizes of tensors as host values --------------------===//
//
// Static sizes come from the type, an argument's dynamic ones are tensor.dim at
// the start of the function, those of views are computed here, and all others
// by the op's ReifyRankedShapedTypeOpInterface, whose tensor.dim of
// intermediate tensors are replaced by what those tensors' sizes are.
//
//===----------------------------------------------------------------------===//

#include "HostSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;

FailureOr<SmallVector<OpFoldResult>> HostSizes::get(OpBuilder &builder,
                                                    Value value) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> sizes;
  if (type.hasStaticShape()) {
    sizes = getAsIndexOpFoldResult(builder.getContext(), type.getShape());
  } else if (isa<BlockArgument>(value)) {
    OpBuilder start = OpBuilder::atBlockBegin(&func.getBody().front());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(tensor::DimOp::create(start, value.getLoc(), value, dim)
                            .getResult());
      else
        sizes.push_back(builder.getIndexAttr(type.getDimSize(dim)));
    for (OpFoldResult size : sizes)
      if (auto dim = dyn_cast<Value>(size))
        resolved[dim] = dim;
  } else {
    FailureOr<SmallVector<OpFoldResult>> computed =
        compute(builder, cast<OpResult>(value));
    if (failed(computed))
      return failure();
    sizes = std::move(*computed);
  }
  known[value] = sizes;
  return sizes;
}

FailureOr<SmallVector<OpFoldResult>> HostSizes::compute(OpBuilder &builder,
                                                        OpResult value) {
  using Result = FailureOr<SmallVector<OpFoldResult>>;
  Operation *op = value.getOwner();
  auto resolveAll = [&](ArrayRef<OpFoldResult> sizes) -> Result {
    SmallVector<OpFoldResult> all;
    for (OpFoldResult size : sizes) {
      FailureOr<OpFoldResult> one = resolve(builder, size);
      if (failed(one))
        return failure();
      all.push_back(*one);
    }
    return all;
  };
  return TypeSwitch<Operation *, Result>(op)
      .Case([&](tensor::ExtractSliceOp slice) {
        SmallVector<OpFoldResult> sizes;
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
          if (!dropped.test(dim))
            sizes.push_back(size);
        return resolveAll(sizes);
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        return resolveAll(expand.getMixedOutputShape());
      })
      .Case([&](tensor::CollapseShapeOp collapse) -> Result {
        Result source = get(builder, collapse.getSrc());
        if (failed(source))
          return failure();
        SmallVector<OpFoldResult> sizes;
        for (const ReassociationIndices &group :
             collapse.getReassociationIndices()) {
          OpFoldResult size = (*source)[group.front()];
          for (int64_t dim : ArrayRef(group).drop_front()) {
            Value left =
                getValueOrCreateConstantIndexOp(builder, op->getLoc(), size);
            Value right = getValueOrCreateConstantIndexOp(builder, op->getLoc(),
                                                          (*source)[dim]);
            size =
                builder.createOrFold<arith::MulIOp>(op->getLoc(), left, right);
          }
          sizes.push_back(size);
        }
        return resolveAll(sizes);
      })
      .Case([&](tensor::CastOp cast) { return get(builder, cast.getSource()); })
      .Case([&](tensor::EmptyOp empty) {
        return resolveAll(empty.getMixedSizes());
      })
      .Default([&](Operation *op) -> Result {
        if (op->hasTrait<OpTrait::Elementwise>())
          return get(builder, op->getOperand(0));
        if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
          return get(builder,
                     dps.getDpsInitOperand(value.getResultNumber())->get());
        if (failed(computeByInterface(builder, op)))
          return failure();
        return known[value];
      });
}

LogicalResult HostSizes::computeByInterface(OpBuilder &builder, Operation *op) {
  auto reify = dyn_cast<ReifyRankedShapedTypeOpInterface>(op);
  if (!reify)
    return op->emitOpError("does not say how large its results are; a kernel "
                           "cannot be formed of it");
  ReifiedRankedShapedTypeDims shapes;
  if (failed(reify.reifyResultShapes(builder, shapes)))
    return op->emitOpError("does not say how large its results are; a kernel "
                           "cannot be formed of it");
  for (auto [result, shape] : llvm::zip_equal(op->getResults(), shapes)) {
    SmallVector<OpFoldResult> sizes;
    for (OpFoldResult size : shape) {
      FailureOr<OpFoldResult> one = resolve(builder, size);
      if (failed(one))
        return failure();
      sizes.push_back(*one);
    }
    known[result] = sizes;
  }
  return success();
}

FailureOr<OpFoldResult> HostSizes::resolve(OpBuilder &builder,
                                           OpFoldResult size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return OpFoldResult(builder.getIndexAttr(*constant));
  auto value = cast<Value>(size);
  auto found = resolved.find(value);
  if (found != resolved.end())
    return found->second;
  FailureOr<OpFoldResult> result = OpFoldResult(value);
  if (Operation *op = value.getDefiningOp()) {
    result = resolveOp(builder, op);
    if (failed(result))
      return failure();
  }
  resolved[value] = *result;
  return result;
}

/// tensor.dim -> that tensor's size; pure index arithmetic with one result ->
/// the same on resolved operands, made once; anything else stays.
FailureOr<OpFoldResult> HostSizes::resolveOp(OpBuilder &builder,
                                             Operation *op) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!index || !isa<RankedTensorType>(dim.getSource().getType()))
      return OpFoldResult(op->getResult(0));
    FailureOr<SmallVector<OpFoldResult>> sizes = get(builder, dim.getSource());
    if (failed(sizes))
      return failure();
    if (*index < 0 || *index >= int64_t(sizes->size()))
      return op->emitOpError("expected a dimension of ")
             << dim.getSource().getType();
    return (*sizes)[*index];
  }
  if (!isPure(op) || op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      !llvm::all_of(op->getOperandTypes(),
                    [](Type type) { return type.isIndex(); }))
    return OpFoldResult(op->getResult(0));

  SmallVector<Value> operands;
  std::vector<const void *> key = {
      op->getAttrDictionary().getAsOpaquePointer()};
  for (Value operand : op->getOperands()) {
    FailureOr<OpFoldResult> one = resolve(builder, operand);
    if (failed(one))
      return failure();
    key.push_back(one->getOpaqueValue());
    operands.push_back(
        getValueOrCreateConstantIndexOp(builder, op->getLoc(), *one));
  }
  Value &made =
      arithmetic[{op->getName().getAsOpaquePointer(), std::move(key)}];
  if (!made) {
    Operation *copy = builder.clone(*op);
    copy->setOperands(operands);
    made = copy->getResult(0);
    SmallVector<Value> folded;
    if (succeeded(builder.tryFold(copy, folded)) && folded.size() == 1)
      made = folded.front();
  }
  if (std::optional<int64_t> constant = getConstantIntValue(made))
    return OpFoldResult(builder.getIndexAttr(*constant));
  resolved[made] = made;
  return OpFoldResult(made);
}
