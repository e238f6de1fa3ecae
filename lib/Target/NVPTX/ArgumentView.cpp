//===- ArgumentView.cpp - Slices and reshapes of arguments ----------------===//

#include "lib/Target/NVPTX/ArgumentView.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

static std::optional<ArgumentView> viewArgument(BlockArgument argument) {
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type)
    return std::nullopt;
  ArgumentView view{argument.getArgNumber(), type, Value()};
  view.sizes.assign(type.getShape().begin(), type.getShape().end());
  int64_t stride = 1;
  for (int64_t size : llvm::reverse(type.getShape())) {
    // Only the outermost size may be unknown.
    if (ShapedType::isDynamic(stride))
      return std::nullopt;
    view.strides.insert(view.strides.begin(), stride);
    stride = ShapedType::isDynamic(size) ? size : stride * size;
  }
  return view;
}

static std::optional<ArgumentView> slice(ArgumentView view,
                                         tensor::ExtractSliceOp op) {
  if (op.getType().getRank() != op.getSourceType().getRank() ||
      !op.hasUnitStride())
    return std::nullopt;
  for (auto [offset, stride] :
       llvm::zip_equal(op.getStaticOffsets(), view.strides)) {
    if (ShapedType::isDynamic(offset))
      return std::nullopt;
    view.offset += offset * stride;
  }
  view.sizes.assign(op.getType().getShape().begin(),
                    op.getType().getShape().end());
  return view;
}

static std::optional<ArgumentView> expand(ArgumentView view,
                                          tensor::ExpandShapeOp op) {
  ArrayRef<int64_t> shape = op.getResultType().getShape();
  SmallVector<int64_t> strides(shape.size());
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    int64_t stride = view.strides[dim];
    for (int64_t inner : llvm::reverse(group)) {
      if (ShapedType::isDynamic(stride))
        return std::nullopt;
      strides[inner] = stride;
      stride = ShapedType::isDynamic(shape[inner]) ? shape[inner]
                                                   : stride * shape[inner];
    }
  }
  view.sizes.assign(shape.begin(), shape.end());
  view.strides = strides;
  return view;
}

static std::optional<ArgumentView> collapse(ArgumentView view,
                                            tensor::CollapseShapeOp op) {
  SmallVector<int64_t> strides;
  for (ArrayRef<int64_t> group : op.getReassociationIndices()) {
    for (auto [outer, inner] : llvm::zip(group, group.drop_front()))
      if (view.strides[outer] != view.sizes[inner] * view.strides[inner])
        return std::nullopt;
    strides.push_back(view.strides[group.back()]);
  }
  view.sizes.assign(op.getResultType().getShape().begin(),
                    op.getResultType().getShape().end());
  view.strides = strides;
  return view;
}

std::optional<ArgumentView> deepseek::viewOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return viewArgument(argument);
  Operation *op = value.getDefiningOp();
  if (!isa<tensor::CastOp, tensor::ExtractSliceOp, tensor::ExpandShapeOp,
           tensor::CollapseShapeOp, DequantizeOp>(op))
    return std::nullopt;
  std::optional<ArgumentView> view = viewOf(op->getOperand(0));
  if (!view)
    return std::nullopt;
  if (auto sliced = dyn_cast<tensor::ExtractSliceOp>(op))
    return slice(*view, sliced);
  if (auto expanded = dyn_cast<tensor::ExpandShapeOp>(op))
    return expand(*view, expanded);
  if (auto collapsed = dyn_cast<tensor::CollapseShapeOp>(op))
    return collapse(*view, collapsed);
  if (auto dequantize = dyn_cast<DequantizeOp>(op))
    view->scales = dequantize.getScale();
  return view;
}
