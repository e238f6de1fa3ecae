//===- LoopPlan.cpp - How the loops of a linalg.generic run ---------------===//
//
// The vector loop is the innermost one along which every operand is contiguous
// or the same for 16 neighbours. Where it is a reduction, up to two parallel
// loops are unrolled, so that sums of neighbouring outputs share their
// operands.
//
//===----------------------------------------------------------------------===//

#include "LoopPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::deepseek;

/// Whether `expr` has one value for kLanes neighbours of loop `dim`, the first
/// of which is a multiple of kLanes.
static bool sameForLanes(AffineExpr expr, unsigned dim) {
  if (!expr.isFunctionOfDim(dim))
    return true;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::FloorDiv) {
    auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    return divisor && divisor.getValue() % kLanes == 0 &&
           binary.getLHS() == getAffineDimExpr(dim, expr.getContext());
  }
  return sameForLanes(binary.getLHS(), dim) &&
         sameForLanes(binary.getRHS(), dim);
}

bool deepseek::isContiguous(linalg::GenericOp op, OpOperand &operand,
                            unsigned dim) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!type || map.getNumResults() == 0)
    return false;
  for (AffineExpr expr : map.getResults().drop_back())
    if (!sameForLanes(expr, dim))
      return false;
  AffineExpr last = map.getResults().back();
  AffineExpr self = getAffineDimExpr(dim, op.getContext());
  if (last != self) {
    auto sum = dyn_cast<AffineBinaryOpExpr>(last);
    if (!sum || sum.getKind() != AffineExprKind::Add)
      return false;
    AffineExpr rest = sum.getLHS() == self ? sum.getRHS() : sum.getLHS();
    if ((sum.getLHS() != self && sum.getRHS() != self) ||
        rest.isFunctionOfDim(dim))
      return false;
  }
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

namespace {

class LoopPlanner {
public:
  explicit LoopPlanner(linalg::GenericOp op)
      : op(op), sizes(op.getStaticLoopRanges()) {}

  LoopPlan run() {
    findCombiner();
    chooseVectorLoop();
    findScaledSum();
    chooseJam();
    return plan;
  }

private:
  void findCombiner();
  bool fits(unsigned dim);
  bool bodyIsElementwise();
  void chooseVectorLoop();
  bool isInvariant(Value value);
  void findScaledSum();
  void chooseJam();
  Block &body() { return op.getRegion().front(); }
  bool isReduction(unsigned dim) {
    return linalg::isReductionIterator(op.getIteratorTypesArray()[dim]);
  }

  linalg::GenericOp op;
  SmallVector<int64_t> sizes; // of each loop, or kDynamic
  LoopPlan plan;
};

} // namespace

/// Recognizes `yield combine(accumulator, x)` of a single output; a fused
/// multiply-add into the accumulator is a sum.
void LoopPlanner::findCombiner() {
  if (op.getNumDpsInits() != 1)
    return;
  BlockArgument accumulator = body().getArguments().back();
  Operation *last = body().getTerminator()->getOperand(0).getDefiningOp();
  if (!accumulator.hasOneUse() || !last || *accumulator.user_begin() != last)
    return;
  if (auto fma = dyn_cast<math::FmaOp>(last)) {
    if (fma.getC() == accumulator)
      plan.combiner = Combiner::Add;
  } else if (isa<arith::AddFOp, arith::AddIOp>(last))
    plan.combiner = Combiner::Add;
  else if (isa<arith::MaximumFOp, arith::MaxNumFOp>(last))
    plan.combiner = Combiner::Max;
  else if (isa<arith::MinimumFOp, arith::MinNumFOp>(last))
    plan.combiner = Combiner::Min;
  else if (isa<arith::MulFOp>(last))
    plan.combiner = Combiner::Mul;
}

bool LoopPlanner::bodyIsElementwise() {
  for (Operation &bodyOp : body().without_terminator()) {
    if (isa<linalg::IndexOp, arith::ConstantOp>(bodyOp))
      continue;
    if (bodyOp.getNumResults() != 1 || bodyOp.getNumRegions() != 0 ||
        !OpTrait::hasElementwiseMappableTraits(&bodyOp))
      return false;
  }
  return true;
}

/// Whether `dim` can be the vector loop.
bool LoopPlanner::fits(unsigned dim) {
  if (sizes[dim] == 1)
    return false;
  bool anyContiguous = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    bool contiguous = isContiguous(op, *input, dim);
    anyContiguous |= contiguous;
    if (!contiguous &&
        !llvm::all_of(op.getMatchingIndexingMap(input).getResults(),
                      [&](AffineExpr e) { return sameForLanes(e, dim); }))
      return false;
  }
  for (OpOperand &output : op.getDpsInitsMutable()) {
    if (!isReduction(dim)) {
      if (!isContiguous(op, output, dim))
        return false;
      anyContiguous = true;
    }
  }
  return anyContiguous &&
         (!isReduction(dim) || plan.combiner != Combiner::None);
}

void LoopPlanner::chooseVectorLoop() {
  if (!bodyIsElementwise())
    return;
  for (unsigned dim = op.getNumLoops(); dim-- > 0;) {
    if (fits(dim)) {
      plan.vectorLoop = dim;
      return;
    }
  }
}

/// Whether a value of the body is the same all along the vector loop.
bool LoopPlanner::isInvariant(Value value) {
  if (value.getParentRegion() != &op.getRegion())
    return true;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    return op.isDpsInput(operand) &&
           !op.getMatchingIndexingMap(operand).isFunctionOfDim(
               *plan.vectorLoop);
  }
  Operation *producer = value.getDefiningOp();
  return !isa<linalg::IndexOp>(producer) &&
         llvm::all_of(producer->getOperands(),
                      [&](Value operand) { return isInvariant(operand); });
}

void LoopPlanner::findScaledSum() {
  if (!plan.vectorLoop || !isReduction(*plan.vectorLoop) ||
      plan.combiner != Combiner::Add)
    return;
  auto fma = body().getTerminator()->getOperand(0).getDefiningOp<math::FmaOp>();
  auto product = fma ? fma.getA().getDefiningOp<arith::MulFOp>() : nullptr;
  if (product && product->hasOneUse() && isInvariant(fma.getB()))
    plan.scaledSum = fma;
}

/// Sums share operands between neighbouring outputs: unroll up to two parallel
/// loops of static sizes that kJam or kWideJam divides, or of unknown size.
void LoopPlanner::chooseJam() {
  if (!plan.vectorLoop || !isReduction(*plan.vectorLoop))
    return;
  for (unsigned dim = op.getNumLoops(); dim-- > 0;) {
    if (isReduction(dim) || plan.jamDims.size() == 2)
      continue;
    int64_t size = sizes[dim], factor = kJam;
    if (!ShapedType::isDynamic(size) && size % factor != 0)
      factor = kWideJam;
    if (!ShapedType::isDynamic(size) && (size % factor != 0 || size == 0))
      continue;
    plan.jamDims.push_back(dim);
    plan.jamFactor.push_back(factor);
  }
}

LoopPlan deepseek::planLoops(linalg::GenericOp op) {
  return LoopPlanner(op).run();
}
