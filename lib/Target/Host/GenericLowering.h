//===- GenericLowering.h - One linalg.generic as loops of 16 lanes -*- C++ -*-//
//
// What VectorizeLinalg.cpp (the loops) and GenericBody.cpp (the values of one
// iteration) share.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_HOST_GENERICLOWERING_H
#define LIB_TARGET_HOST_GENERICLOWERING_H

#include "Fp8Table.h"
#include "LoopPlan.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::deepseek {

/// Lowers one linalg.generic.
class GenericLowering {
public:
  GenericLowering(OpBuilder &builder, linalg::GenericOp op)
      : b(builder), op(op), loc(op.getLoc()) {}

  void run();

private:
  using Values = SmallVector<Value>;
  using LeafFn = function_ref<void()>;
  void emitParallelLoops(ArrayRef<unsigned> dims, LeafFn leaf);
  Values emitReductionLoops(ArrayRef<unsigned> dims, Values carried,
                            function_ref<Values(Values)> leaf);
  void emitLoop(unsigned dim, Value from, Value to, int64_t step, LeafFn body);
  void emitVectorParallelLeaf();
  void emitParallelStep(Value mask);
  void emitVectorReductionLeaf();
  Values emitSumStep(const Values &base, Values carried, Value mask);
  void emitPrefetches(const Values &base);
  void selectOutput(const Values &base, int64_t number);
  Values weightsOf(const Values &base, int64_t outputs);
  Values addScaled(const Values &base, const Values &sums, Values carried);
  Value emitScalar(Value value, IRMapping &map);
  void emitScalarLoops();
  Values emitVectorLoop(unsigned dim, Values carried,
                        function_ref<Values(Values, Value mask)> body);
  Values evaluateBody(ArrayRef<Value> accumulators, Value mask, bool vector);
  Value emitBodyOp(Operation &bodyOp, IRMapping &map, bool vector);
  Value load(OpOperand &operand, Value mask, bool vector);
  void store(OpOperand &operand, Value value, Value mask);
  Value horizontal(Value vector);
  Value combine(Value lhs, Value rhs);
  Value identity(Type element);
  Value evaluate(AffineExpr expr);
  Values indicesOf(OpOperand &operand);
  Value splat(Value scalar);
  Value constantIndex(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  VectorType vectorOf(Type element) {
    return VectorType::get({kLanes}, element);
  }
  Block &body() { return op.getRegion().front(); }
  bool isReduction(unsigned dim) {
    return linalg::isReductionIterator(op.getIteratorTypesArray()[dim]);
  }
  /// Whether `bodyOp` is left to addScaled and to the fma of the products.
  bool isOfScaledSum(Operation &bodyOp) {
    return &bodyOp == scaledSum || bodyOp.getResult(0) == scaledSum.getA() ||
           bodyOp.getResult(0) == scaledSum.getB();
  }
  SmallVector<unsigned> dimsWhere(bool reduction, bool withVectorLoop);

  OpBuilder &b;
  linalg::GenericOp op;
  Location loc;
  SmallVector<Value> sizes;           // of each loop
  SmallVector<int64_t> staticSizes;   // or kDynamic
  SmallVector<Value> iv;              // current index of each loop
  std::optional<unsigned> vectorLoop; // these four: see LoopPlan
  SmallVector<unsigned> jamDims;
  SmallVector<int64_t> jamFactor; // 1 in the loop over the rest
  Combiner combiner = Combiner::None;
  math::FmaOp scaledSum;
  std::optional<Fp8Table> table;
  Value weight; // 16 weights found in the table, for the body
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_HOST_GENERICLOWERING_H
