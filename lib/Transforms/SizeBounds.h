//===- SizeBounds.h - The largest size an entry may meet --------*- C++ -*-===//
//
// Bounds of the sizes of one entry, from the names that `deepseek.dims` gives
// to the dimensions of its arguments.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_SIZEBOUNDS_H
#define LIB_TRANSFORMS_SIZEBOUNDS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::deepseek {

/// A size that has no bound.
constexpr int64_t kUnbounded = -1;

class SizeBounds {
public:
  /// `limits` says the bound of each dimension name.
  SizeBounds(func::FuncOp func, const llvm::StringMap<int64_t> &limits)
      : func(func), limits(limits) {}

  /// The bounds of an argument's dimensions (of a size: its own bound, alone).
  SmallVector<int64_t> getArgument(unsigned number);

  /// The bound of an index value; an error, that names `user`, if it has none.
  FailureOr<int64_t> get(Value value, Operation *user);

private:
  FailureOr<int64_t> getArithmetic(Operation *op, Operation *user);

  func::FuncOp func;
  const llvm::StringMap<int64_t> &limits;
  DenseMap<Value, int64_t> known;
};

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_SIZEBOUNDS_H
