//===- EvaluateControlFlow.cpp - Loops, branches, generators --------------===//
//
// scf.for, scf.forall, scf.if and tensor.generate. A parallel loop runs its
// points one by one, in row-major order.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

LogicalResult Evaluator::evaluateFor(Evaluation &state) {
  auto op = cast<scf::ForOp>(state.op);
  int64_t lower = state.operands[0].getInt(0),
          upper = state.operands[1].getInt(0),
          step = state.operands[2].getInt(0);
  if (step <= 0)
    return state.fail("expected a positive step, got " + Twine(step));
  SmallVector<Tensor> carried(llvm::drop_begin(state.operands, 3));
  state.operands.clear();
  for (int64_t i = lower; i < upper; i += step) {
    Tensor induction(*getElementType(op.getInductionVar().getType()), {});
    induction.setInt(0, i);
    values[op.getInductionVar()] = std::move(induction);
    for (auto [argument, tensor] :
         llvm::zip_equal(op.getRegionIterArgs(), carried))
      values[argument] = std::move(tensor);
    FailureOr<SmallVector<Tensor>> next = runBlock(*op.getBody());
    if (failed(next))
      return failure();
    carried = std::move(*next);
    if (i > INT64_MAX - step)
      break;
  }
  state.results = std::move(carried);
  return success();
}

LogicalResult Evaluator::evaluateIf(Evaluation &state) {
  auto op = cast<scf::IfOp>(state.op);
  Region &region =
      state.operands[0].getInt(0) ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return success();
  FailureOr<SmallVector<Tensor>> results = runBlock(region.front());
  if (failed(results))
    return failure();
  state.results = std::move(*results);
  return success();
}

LogicalResult Evaluator::evaluateGenerate(Evaluation &state) {
  auto op = cast<tensor::GenerateOp>(state.op);
  Shape shape(op.getType().getShape());
  size_t next = 0;
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = state.operands[next++].getInt(0);
  FailureOr<Tensor> result = state.makeResult(shape);
  if (failed(result))
    return failure();
  Block &body = op.getBody().front();
  for (int64_t i = 0; i < result->size(); ++i) {
    int64_t rest = i;
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d])
      values[body.getArgument(d)] = Tensor::index(rest % shape[d]);
    FailureOr<SmallVector<Tensor>> element = runBlock(body);
    if (failed(element))
      return failure();
    if (isFloat(result->type()))
      result->setFloat(i, (*element)[0].getFloat(0));
    else
      result->setInt(i, (*element)[0].getInt(0));
  }
  state.results.push_back(std::move(*result));
  return success();
}

/// Ends one point of a parallel loop: writes its slices into the outputs.
LogicalResult Evaluator::insertSlices(scf::ForallOp loop,
                                      SmallVector<Tensor> &outputs) {
  // The outputs' names in the body are let go, so that they change in place.
  for (BlockArgument argument : loop.getRegionIterArgs())
    values.erase(argument);
  for (Operation &op : loop.getTerminator().getYieldingOps()) {
    auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(op);
    if (!insert)
      return Evaluation{op}.unsupported();
    Evaluation state{op};
    for (Value operand : op.getOperands())
      state.operands.push_back(values.lookup(operand));
    auto dest = cast<BlockArgument>(insert.getDest());
    Tensor &output = outputs[dest.getArgNumber() - loop.getRank()];
    if (failed(insertSlice(state, insert, state[insert.getSource()], output)))
      return failure();
  }
  return success();
}

LogicalResult Evaluator::evaluateForall(Evaluation &state) {
  auto loop = cast<scf::ForallOp>(state.op);
  Shape lower = state.resolve(loop.getMixedLowerBound()),
        upper = state.resolve(loop.getMixedUpperBound()),
        step = state.resolve(loop.getMixedStep());
  SmallVector<Tensor> outputs;
  for (Value output : loop.getOutputs())
    outputs.push_back(state[output]);
  state.operands.clear();
  Shape point = lower;
  bool isDone = false;
  for (size_t d = 0; d < point.size(); ++d) {
    if (step[d] <= 0)
      return state.fail("expected positive steps, got " + toString(step));
    isDone |= lower[d] >= upper[d];
  }
  Block &body = *loop.getBody();
  while (!isDone) {
    for (auto [variable, value] :
         llvm::zip_equal(loop.getInductionVars(), point))
      values[variable] = Tensor::index(value);
    for (auto [argument, output] :
         llvm::zip_equal(loop.getRegionIterArgs(), outputs))
      values[argument] = output;
    for (Operation &op : body.without_terminator())
      if (failed(evaluate(op)))
        return failure();
    if (failed(insertSlices(loop, outputs)))
      return failure();
    int64_t d = static_cast<int64_t>(point.size()) - 1;
    while (d >= 0 && (point[d] += step[d]) >= upper[d]) {
      point[d] = lower[d];
      --d;
    }
    isDone = d < 0;
  }
  state.results = std::move(outputs);
  return success();
}
