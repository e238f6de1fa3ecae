//===- EvaluateLinalg.cpp - Structured ops of linalg ----------------------===//
//
// Every structured op, named or generic, by its indexing maps and its body: one
// run of the body per point of the iteration space, in row-major order. Slow,
// and meant for small shapes: it checks what a lowering made.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

/// The linear index of the element that a map names at a point, or -1 if it
/// lies outside of the tensor.
static int64_t getElement(AffineMap map, ArrayRef<int64_t> point,
                          ArrayRef<int64_t> shape) {
  int64_t linear = 0;
  for (auto [d, expression] : llvm::enumerate(map.getResults())) {
    int64_t index = 0;
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      index = point[dim.getPosition()];
    else
      index = map.getSubMap({static_cast<unsigned>(d)}).compose(point)[0];
    if (index < 0 || index >= shape[d])
      return -1;
    linear = linear * shape[d] + index;
  }
  return linear;
}

/// The sizes of the loops, from the sizes of the operands.
static FailureOr<Shape> getLoops(Evaluation &state, linalg::LinalgOp op) {
  AffineMap map = op.getShapesToLoopsMap();
  if (!map)
    return state.unsupported();
  SmallVector<int64_t> sizes;
  for (const Tensor &operand : state.operands)
    sizes.append(operand.shape().begin(), operand.shape().end());
  return Shape(ArrayRef<int64_t>(map.compose(sizes)));
}

LogicalResult Evaluator::evaluateGeneric(Evaluation &state) {
  auto op = cast<linalg::LinalgOp>(state.op);
  if (!op.hasPureTensorSemantics())
    return state.unsupported();
  FailureOr<Shape> loops = getLoops(state, op);
  if (failed(loops))
    return failure();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  int64_t inputs = op.getNumDpsInputs(), outputs = op.getNumDpsInits();
  SmallVector<Tensor> operands = std::move(state.operands);
  Block *body = op.getBlock();
  Shape point(loops->size(), 0);
  bool isEmpty = llvm::is_contained(*loops, 0);
  while (!isEmpty) {
    SmallVector<int64_t> elements;
    for (auto [i, operand] : llvm::enumerate(operands)) {
      elements.push_back(getElement(maps[i], point, operand.shape()));
      if (elements.back() < 0)
        return state.fail("reads outside of operand " + Twine(i) +
                          " at iteration " + toString(point));
      Tensor element(operand.type(), {});
      std::memcpy(element.mutableData(),
                  operand.data() + elements[i] * byteSize(operand.type()),
                  byteSize(operand.type()));
      values[body->getArgument(i)] = std::move(element);
    }
    for (auto index : body->getOps<linalg::IndexOp>())
      values[index] = Tensor::index(point[index.getDim()]);
    for (Operation &nested : body->without_terminator())
      if (!isa<linalg::IndexOp>(nested) && failed(evaluate(nested)))
        return failure();
    for (int64_t o = 0; o < outputs; ++o) {
      const Tensor &value = values[body->getTerminator()->getOperand(o)];
      Tensor &output = operands[inputs + o];
      int64_t bytes = byteSize(output.type());
      std::memcpy(output.mutableData() + elements[inputs + o] * bytes,
                  value.data(), bytes);
    }
    int64_t d = static_cast<int64_t>(point.size()) - 1;
    while (d >= 0 && ++point[d] == (*loops)[d])
      point[d--] = 0;
    isEmpty = d < 0;
  }
  state.results.assign(operands.begin() + inputs, operands.end());
  return success();
}
