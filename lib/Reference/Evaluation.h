//===- Evaluation.h - One op in evaluation ----------------------*- C++ -*-===//
//
// What the evaluator's parts, one per dialect, get and give back.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_LIB_REFERENCE_EVALUATION_H
#define DEEPSEEK_LIB_REFERENCE_EVALUATION_H

#include "deepseek/Reference/Evaluator.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::deepseek::reference {

struct Evaluation {
  Operation &op;
  SmallVector<Tensor> operands = {};
  SmallVector<Tensor> results = {};

  /// The value of an operand of the op.
  Tensor &operator[](Value operand);
  /// The value of an attribute or operand that is an index.
  int64_t resolve(OpFoldResult index);
  Shape resolve(ArrayRef<OpFoldResult> indices);

  /// The element type of result `i`; emits an error if it is none of ours.
  FailureOr<ElementType> resultType(unsigned i = 0);

  /// A result of a type and these sizes; an error if the sizes are absurd.
  FailureOr<Tensor> makeResult(ArrayRef<int64_t> shape);

  LogicalResult fail(const Twine &message);
  LogicalResult unsupported();
  /// Takes the result of a reference function, or reports its error at the op.
  LogicalResult finish(llvm::Expected<Tensor> result);
};

/// Each runs one op of its dialect.
LogicalResult evaluateArith(Evaluation &state);
LogicalResult evaluateTensor(Evaluation &state);
LogicalResult evaluateDeepSeek(Evaluation &state);
/// Writes a slice of `dest`, the one that the op names.
LogicalResult insertSlice(Evaluation &state, OffsetSizeAndStrideOpInterface op,
                          const Tensor &source, Tensor &dest);
/// check.* and dsrt.expect.
LogicalResult evaluateCheck(Evaluation &state);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_LIB_REFERENCE_EVALUATION_H
