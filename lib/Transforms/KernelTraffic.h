//===- KernelTraffic.h - The bytes that a launch moves ----------*- C++ -*-===//
//
// What a kernel reads and writes of its arguments when the sizes of its entry
// are known: of a stack of experts the active ones, of a table the rows that
// are looked up, of a slice the slice, of a cache the cached rows. What a
// kernel keeps to itself is not moved.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_KERNELTRAFFIC_H
#define LIB_TRANSFORMS_KERNELTRAFFIC_H

#include "SizeBounds.h"

#include "dialects/DSRT/IR/DSRTDialect.h"

namespace mlir::deepseek {

/// Bytes by what they belong to.
struct Traffic {
  int64_t weights = 0, activations = 0, cache = 0;

  Traffic &operator+=(const Traffic &other) {
    weights += other.weights;
    activations += other.activations;
    cache += other.cache;
    return *this;
  }
  bool operator==(const Traffic &other) const {
    return weights == other.weights && activations == other.activations &&
           cache == other.cache;
  }
};

/// The traffic of one entry's launches, for one new token of one sequence that
/// has `cachedTokens` with it.
class KernelTraffic {
public:
  KernelTraffic(func::FuncOp entry, int64_t cachedTokens);

  /// The bytes of one launch; an error if a size is not known.
  FailureOr<Traffic> get(dsrt::DispatchOp dispatch, func::FuncOp kernel);

private:
  LogicalResult add(Traffic &traffic, dsrt::DispatchOp dispatch, Value operand,
                    double part);
  FailureOr<SmallVector<int64_t>> getShape(Value tensor, Operation *user);
  double readBy(OpOperand &use);
  double readOf(Value value);
  int64_t rowsOf(Value value);

  int64_t cachedTokens;
  llvm::StringMap<int64_t> limits;
  SizeBounds bounds;
  /// The arguments of the kernel at hand.
  SmallVector<SmallVector<int64_t>> shapes;
};

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_KERNELTRAFFIC_H
