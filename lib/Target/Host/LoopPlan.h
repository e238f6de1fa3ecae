//===- LoopPlan.h - How the loops of a linalg.generic run -------*- C++ -*-===//
//
// Which loop of a linalg.generic becomes vector code, and which are unrolled
// together: the decision that VectorizeLinalg carries out.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_HOST_LOOPPLAN_H
#define LIB_TARGET_HOST_LOOPPLAN_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::deepseek {

/// Lanes of vector code: a definition, not a machine's width (Numerics.md).
constexpr int64_t kLanes = 16;
/// Outputs of a sum that are computed at once, along one loop.
constexpr int64_t kJam = 4;
constexpr int64_t kWideJam = 6;

/// How the partial results of a reduction meet.
enum class Combiner { None, Add, Max, Min, Mul };

struct LoopPlan {
  /// None: scalar loops in the op's own order.
  std::optional<unsigned> vectorLoop;
  /// Parallel loops that are unrolled together, and by how much.
  SmallVector<unsigned> jamDims;
  SmallVector<int64_t> jamFactor;
  Combiner combiner = Combiner::None;
  /// `fma(a * b, s, accumulator)` where `s` is the same all along the vector
  /// loop, or null: a sum of scaled blocks. The vector loop then adds up the
  /// products of a block alone, and each lane's sum is scaled and added once.
  Operation *scaledSum = nullptr;
};

LoopPlan planLoops(linalg::GenericOp op);

/// Whether the operand's last index is `dim` (plus something without it) and
/// neighbours lie side by side in memory.
bool isContiguous(linalg::GenericOp op, OpOperand &operand, unsigned dim);

} // namespace mlir::deepseek

#endif // LIB_TARGET_HOST_LOOPPLAN_H
