//===- EvaluateTensor.cpp - Ops of the tensor dialect ---------------------===//
//
// Shapes, slices and elements. `tensor.generate` has a region: see
// EvaluateControlFlow.cpp.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

namespace {

/// A strided part of a tensor.
struct Slice {
  Shape offsets, sizes, strides;
};

} // namespace

/// Calls `visit(whole, part)` with the linear index of each element of the
/// slice in the whole tensor and in the slice.
static void forEachElement(ArrayRef<int64_t> shape, const Slice &slice,
                           function_ref<void(int64_t, int64_t)> visit) {
  int64_t rank = shape.size(), part = 0;
  if (llvm::is_contained(slice.sizes, 0))
    return;
  Shape at(rank, 0);
  while (true) {
    int64_t whole = 0;
    for (int64_t d = 0; d < rank; ++d)
      whole = whole * shape[d] + slice.offsets[d] + at[d] * slice.strides[d];
    visit(whole, part++);
    int64_t d = rank - 1;
    while (d >= 0 && ++at[d] == slice.sizes[d])
      at[d--] = 0;
    if (d < 0)
      return;
  }
}

/// The slice an op names, if it lies within `shape`.
static FailureOr<Slice> getSlice(Evaluation &state,
                                 OffsetSizeAndStrideOpInterface op,
                                 ArrayRef<int64_t> shape) {
  Slice slice = {state.resolve(op.getMixedOffsets()),
                 state.resolve(op.getMixedSizes()),
                 state.resolve(op.getMixedStrides())};
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t offset = slice.offsets[d], size = slice.sizes[d],
            stride = slice.strides[d];
    // Compared without a sum that could overflow.
    bool inside =
        offset >= 0 && offset <= shape[d] && size >= 0 && stride > 0 &&
        (size == 0 ||
         (offset < shape[d] && size - 1 <= (shape[d] - 1 - offset) / stride));
    if (!inside)
      return state.fail("slice of dimension " + Twine(d) + " with offset " +
                        Twine(offset) + ", size " + Twine(size) + ", stride " +
                        Twine(stride) + " leaves a dimension of size " +
                        Twine(shape[d]));
  }
  return slice;
}

static void copyElement(const Tensor &from, int64_t i, char *to, int64_t j) {
  int64_t bytes = byteSize(from.type());
  std::memcpy(to + j * bytes, from.data() + i * bytes, bytes);
}

static LogicalResult evaluateExtractSlice(Evaluation &state,
                                          tensor::ExtractSliceOp op) {
  const Tensor &source = state[op.getSource()];
  FailureOr<Slice> slice = getSlice(state, op, source.shape());
  if (failed(slice))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Shape shape;
  for (size_t d = 0; d < slice->sizes.size(); ++d)
    if (!dropped.test(d))
      shape.push_back(slice->sizes[d]);
  Tensor result(source.type(), shape);
  char *out = result.mutableData();
  forEachElement(source.shape(), *slice, [&](int64_t whole, int64_t part) {
    copyElement(source, whole, out, part);
  });
  state.results.push_back(std::move(result));
  return success();
}

LogicalResult reference::insertSlice(Evaluation &state,
                                     OffsetSizeAndStrideOpInterface op,
                                     const Tensor &source, Tensor &dest) {
  FailureOr<Slice> slice = getSlice(state, op, dest.shape());
  if (failed(slice))
    return failure();
  int64_t count = 1;
  for (int64_t size : slice->sizes)
    count *= size;
  if (count != source.size())
    return state.fail("expected a source of " + Twine(count) +
                      " elements, got shape " + toString(source.shape()));
  char *out = dest.mutableData();
  forEachElement(dest.shape(), *slice, [&](int64_t whole, int64_t part) {
    copyElement(source, part, out, whole);
  });
  return success();
}

static LogicalResult evaluateInsertSlice(Evaluation &state,
                                         tensor::InsertSliceOp op) {
  const Tensor &source = state[op.getSource()];
  Tensor dest = std::move(state[op.getDest()]); // perhaps the only holder
  if (failed(insertSlice(state, op, source, dest)))
    return failure();
  state.results.push_back(std::move(dest));
  return success();
}

static LogicalResult evaluateConcat(Evaluation &state, tensor::ConcatOp op) {
  uint64_t dim = op.getDim();
  Shape shape(state.operands[0].shape());
  shape[dim] = 0;
  for (const Tensor &operand : state.operands) {
    Shape expected(shape);
    expected[dim] = operand.dim(dim);
    if (ArrayRef<int64_t>(expected) != operand.shape())
      return state.fail("expected operands that differ in dimension " +
                        Twine(dim) + " alone, got " +
                        toString(state.operands[0].shape()) + " and " +
                        toString(operand.shape()));
    shape[dim] += operand.dim(dim);
  }
  Tensor result(state.operands[0].type(), shape);
  char *out = result.mutableData();
  Slice slice = {Shape(shape.size(), 0), {}, Shape(shape.size(), 1)};
  for (const Tensor &operand : state.operands) {
    slice.sizes = Shape(operand.shape());
    forEachElement(shape, slice, [&](int64_t whole, int64_t part) {
      copyElement(operand, part, out, whole);
    });
    slice.offsets[dim] += operand.dim(dim);
  }
  state.results.push_back(std::move(result));
  return success();
}

/// The linear index of an element, if it is inside.
static FailureOr<int64_t> getPosition(Evaluation &state, const Tensor &tensor,
                                      ValueRange indices) {
  int64_t position = 0;
  for (auto [d, value] : llvm::enumerate(indices)) {
    int64_t index = state[value].getInt(0);
    if (index < 0 || index >= tensor.dim(d))
      return state.fail("index " + Twine(index) + " of dimension " + Twine(d) +
                        " is outside of its size " + Twine(tensor.dim(d)));
    position = position * tensor.dim(d) + index;
  }
  return position;
}

static LogicalResult evaluateExtract(Evaluation &state, tensor::ExtractOp op) {
  const Tensor &tensor = state[op.getTensor()];
  FailureOr<int64_t> position = getPosition(state, tensor, op.getIndices());
  if (failed(position))
    return failure();
  Tensor result(tensor.type(), {});
  copyElement(tensor, *position, result.mutableData(), 0);
  state.results.push_back(std::move(result));
  return success();
}

static LogicalResult evaluateInsert(Evaluation &state, tensor::InsertOp op) {
  const Tensor &scalar = state[op.getScalar()];
  Tensor dest = std::move(state[op.getDest()]);
  FailureOr<int64_t> position = getPosition(state, dest, op.getIndices());
  if (failed(position))
    return failure();
  copyElement(scalar, 0, dest.mutableData(), *position);
  state.results.push_back(std::move(dest));
  return success();
}

static LogicalResult evaluateDim(Evaluation &state, tensor::DimOp op) {
  const Tensor &source = state[op.getSource()];
  int64_t dim = state[op.getIndex()].getInt(0);
  if (dim < 0 || dim >= source.rank())
    return state.fail("dimension " + Twine(dim) + " of a tensor of rank " +
                      Twine(source.rank()));
  state.results.push_back(Tensor::index(source.dim(dim)));
  return success();
}

/// The same elements, row-major, under another shape.
static LogicalResult evaluateReshape(Evaluation &state, const Tensor &source,
                                     ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  if (count != source.size())
    return state.fail("expected a shape of " + Twine(source.size()) +
                      " elements for " + toString(source.shape()) + ", got " +
                      toString(shape));
  state.results.push_back(source.reshaped(shape));
  return success();
}

static LogicalResult evaluateCollapse(Evaluation &state,
                                      tensor::CollapseShapeOp op) {
  const Tensor &source = state[op.getSrc()];
  Shape shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t d : group)
      shape.back() *= source.dim(d);
  }
  return evaluateReshape(state, source, shape);
}

/// A tensor of given sizes with the same value everywhere (zero if none).
static LogicalResult evaluateFilled(Evaluation &state, ValueRange dynamicSizes,
                                    const Tensor *value) {
  auto type = cast<RankedTensorType>(state.op.getResult(0).getType());
  Shape shape(type.getShape());
  size_t next = 0;
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = state[dynamicSizes[next++]].getInt(0);
  FailureOr<Tensor> result = state.makeResult(shape);
  if (failed(result))
    return failure();
  if (value) {
    char *out = result->mutableData();
    for (int64_t i = 0; i < result->size(); ++i)
      copyElement(*value, 0, out, i);
  }
  state.results.push_back(std::move(*result));
  return success();
}

static LogicalResult evaluateFromElements(Evaluation &state) {
  auto type = cast<RankedTensorType>(state.op.getResult(0).getType());
  FailureOr<Tensor> result = state.makeResult(type.getShape());
  if (failed(result))
    return failure();
  char *out = result->mutableData();
  for (auto [i, element] : llvm::enumerate(state.operands))
    copyElement(element, 0, out, i);
  state.results.push_back(std::move(*result));
  return success();
}

LogicalResult reference::evaluateTensor(Evaluation &state) {
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<tensor::EmptyOp>([&](tensor::EmptyOp op) {
        return evaluateFilled(state, op.getDynamicSizes(), nullptr);
      })
      .Case<tensor::SplatOp>([&](tensor::SplatOp op) {
        return evaluateFilled(state, op.getDynamicSizes(),
                              &state[op.getInput()]);
      })
      .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp op) {
        return evaluateExtractSlice(state, op);
      })
      .Case<tensor::InsertSliceOp>([&](tensor::InsertSliceOp op) {
        return evaluateInsertSlice(state, op);
      })
      .Case<tensor::ConcatOp>(
          [&](tensor::ConcatOp op) { return evaluateConcat(state, op); })
      .Case<tensor::ExtractOp>(
          [&](tensor::ExtractOp op) { return evaluateExtract(state, op); })
      .Case<tensor::InsertOp>(
          [&](tensor::InsertOp op) { return evaluateInsert(state, op); })
      .Case<tensor::DimOp>(
          [&](tensor::DimOp op) { return evaluateDim(state, op); })
      .Case<tensor::CastOp>([&](tensor::CastOp op) {
        return state.finish(state[op.getSource()]);
      })
      .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp op) {
        return evaluateReshape(state, state[op.getSrc()],
                               state.resolve(op.getMixedOutputShape()));
      })
      .Case<tensor::CollapseShapeOp>([&](tensor::CollapseShapeOp op) {
        return evaluateCollapse(state, op);
      })
      .Case<tensor::FromElementsOp>(
          [&](tensor::FromElementsOp) { return evaluateFromElements(state); })
      .Default([&](Operation *) { return state.unsupported(); });
}
