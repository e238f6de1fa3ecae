//===- Evaluator.h - Runs a module of tensor programs -----------*- C++ -*-===//
//
// Interprets functions of a module whose values are tensors and scalars (stages
// graph to kernels): func, arith, math, tensor, scf, linalg, deepseek, check
// and the dsrt ops on tensors. Every failure is a diagnostic at the op that
// caused it.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_EVALUATOR_H
#define DEEPSEEK_REFERENCE_EVALUATOR_H

#include "deepseek/Reference/Tensor.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>

namespace mlir::deepseek::reference {

/// Reads the tensor that a checkpoint holds for a weight with a key.
using WeightLoader = std::function<llvm::Expected<Tensor>(WeightOp)>;

/// Sees what an evaluation computes. Values may be replaced by others of the
/// same type; the evaluation goes on with those.
class EvaluationObserver {
public:
  virtual ~EvaluationObserver() = default;
  /// A function begins: called by `caller`, an entry by none.
  virtual void entered(func::FuncOp function, Operation *caller) = 0;
  virtual void evaluated(Operation &op, MutableArrayRef<Tensor> results) = 0;
  /// The function ends with these results.
  virtual void left(func::FuncOp function, MutableArrayRef<Tensor> results) = 0;
};

class Evaluator {
public:
  Evaluator(ModuleOp module, WeightLoader loader);

  /// The function of this name, or an error at the module.
  FailureOr<func::FuncOp> findFunction(StringRef name);

  /// Sees all that run() computes from now on; null: nobody does.
  void setObserver(EvaluationObserver *newObserver) { observer = newObserver; }

  /// Runs a function. Inputs are moved in: a tensor that nobody else holds is
  /// updated in place, and every value is freed after its last use.
  FailureOr<SmallVector<Tensor>> run(func::FuncOp function,
                                     SmallVector<Tensor> inputs);

private:
  friend struct Evaluation;
  using LastUses = DenseMap<Operation *, SmallVector<Value>>;

  FailureOr<SmallVector<Tensor>> call(func::FuncOp function,
                                      SmallVector<Tensor> inputs,
                                      Operation *caller);

  FailureOr<SmallVector<Tensor>> runBlock(Block &block);
  LogicalResult evaluate(Operation &op);
  LogicalResult evaluateCore(struct Evaluation &state);
  LogicalResult evaluateFor(struct Evaluation &state);
  LogicalResult evaluateForall(struct Evaluation &state);
  LogicalResult insertSlices(scf::ForallOp loop, SmallVector<Tensor> &outputs);
  LogicalResult evaluateIf(struct Evaluation &state);
  LogicalResult evaluateGenerate(struct Evaluation &state);
  LogicalResult evaluateGeneric(struct Evaluation &state);
  LogicalResult evaluateCall(struct Evaluation &state, func::FuncOp callee);
  LogicalResult getWeight(struct Evaluation &state, FlatSymbolRefAttr symbol);
  LogicalResult loadWeight(WeightOp weight);
  LogicalResult prepare();
  const LastUses &getLastUses(Block &block);

  ModuleOp module;
  WeightLoader loader;
  EvaluationObserver *observer = nullptr;
  DenseMap<Value, Tensor> values;
  DenseMap<Block *, LastUses> lastUses;
  DenseMap<Operation *, Tensor> weights;
  int depth = 0;
  bool preparing = false;
};

/// Success if a tensor is a value of this type: element type and static sizes.
bool isValueOf(const Tensor &tensor, Type type);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_EVALUATOR_H
