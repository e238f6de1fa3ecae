//===- HostSizes.h - Sizes of tensors as host values ------------*- C++ -*-===//
//
// Says for every tensor of a function what its sizes are in terms of sizes of
// the function's arguments and index arithmetic on them. Equal sizes are one
// value: that is how the makers of kernels know that two dimensions agree.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_HOSTSIZES_H
#define LIB_TRANSFORMS_HOSTSIZES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <map>

namespace mlir::deepseek {

class HostSizes {
public:
  explicit HostSizes(func::FuncOp func) : func(func) {}

  /// The sizes of a ranked tensor. Values they need are made before `builder`'s
  /// insertion point, or at the function's start. An error if an op between the
  /// arguments and `value` does not say how large its results are.
  FailureOr<SmallVector<OpFoldResult>> get(OpBuilder &builder, Value value);

  /// `value` of type index in terms of the function's arguments.
  FailureOr<OpFoldResult> resolve(OpBuilder &builder, OpFoldResult value);

  /// States the sizes of a tensor that replaces another.
  void set(Value value, ArrayRef<OpFoldResult> sizes) {
    known[value].assign(sizes.begin(), sizes.end());
  }

private:
  FailureOr<SmallVector<OpFoldResult>> compute(OpBuilder &builder,
                                               OpResult value);
  LogicalResult computeByInterface(OpBuilder &builder, Operation *op);
  FailureOr<OpFoldResult> resolveOp(OpBuilder &builder, Operation *op);

  func::FuncOp func;
  DenseMap<Value, SmallVector<OpFoldResult>> known;
  DenseMap<Value, OpFoldResult> resolved;
  /// Index arithmetic made so far, by op name, attributes and operands.
  std::map<std::pair<const void *, std::vector<const void *>>, Value>
      arithmetic;
};

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_HOSTSIZES_H
