//===- Elementwise.cpp - Elementwise ops on tensors to linalg -------------===//
//
// A tree of elementwise ops (a residual add and a cast, say) becomes one loop
// over rows with one linalg.generic: no intermediate tensor is written.
//
//===----------------------------------------------------------------------===//

#include "TileBuilder.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::deepseek;

static bool isElementwise(Operation *op) {
  return op && OpTrait::hasElementwiseMappableTraits(op) &&
         op->getNumResults() == 1 &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

/// The scalar that all elements of `value` are, or null.
static TypedAttr splatOf(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return {};
  return dyn_cast<TypedAttr>(elements.getSplatValue<Attribute>());
}

/// The tensors that the tree under `value` reads.
static void collectLeaves(Value value, SetVector<Value> &leaves) {
  Operation *op = value.getDefiningOp();
  if (!isElementwise(op)) {
    if (isa<RankedTensorType>(value.getType()) && !splatOf(value))
      leaves.insert(value);
    return;
  }
  for (Value operand : op->getOperands())
    collectLeaves(operand, leaves);
}

/// True for floats that f32 holds exactly.
static bool isNarrow(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32;
}

/// The element of `value` in the loop whose `scalars` hold the leaves'
/// elements.
static Value emitScalar(TileBuilder &b, Value value,
                        llvm::DenseMap<Value, Value> &scalars) {
  if (Value known = scalars.lookup(value))
    return known;
  if (!isa<RankedTensorType>(value.getType()))
    return value;
  if (TypedAttr splat = splatOf(value))
    return scalars[value] = arith::ConstantOp::create(b, splat);
  Operation *op = value.getDefiningOp();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(emitScalar(b, operand, scalars));
  // Narrow floats are computed with as f32 and rounded: the same numbers.
  Type type = getElementTypeOrSelf(value.getType()), wide = type;
  if (!isa<CastOpInterface>(op)) {
    for (Value &operand : operands)
      if (isNarrow(operand.getType()))
        operand = b.widen(operand);
    wide = isNarrow(type) ? b.getF32Type() : type;
  }
  OperationState state(op->getLoc(), op->getName().getIdentifier(), operands,
                       wide, op->getAttrs());
  Value result = b.create(state)->getResult(0);
  return scalars[value] = wide == type ? result : b.round(result, type);
}

namespace {
struct LowerElementwise : RewritePattern {
  LowerElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return rewriter.notifyMatchFailure(op, "is not elementwise on tensors");
    if (llvm::all_of(op->getUsers(), isElementwise))
      return rewriter.notifyMatchFailure(op, "is part of a larger tree");
    SetVector<Value> leaves;
    collectLeaves(op->getResult(0), leaves);
    if (leaves.empty())
      return rewriter.notifyMatchFailure(op, "reads no tensor");
    TileBuilder b(op->getLoc(), rewriter);
    Value out = destinationLike(b, op->getResult(0), leaves.front());
    auto rank = cast<RankedTensorType>(out.getType()).getRank();
    Value result = b.parallelRows(out, [&](ValueRange at, Value row) {
      SmallVector<Value> inputs;
      for (Value leaf : leaves) {
        Window window(rank);
        for (auto [dim, index] : llvm::enumerate(at))
          window.at(dim, index);
        Value source = b.plain(leaf);
        inputs.push_back(at.empty() ? source : b.slice(source, window));
      }
      return b.elementwise(inputs, row, [&](ValueRange args) {
        llvm::DenseMap<Value, Value> scalars;
        for (auto [leaf, scalar] : llvm::zip(leaves, args))
          scalars[leaf] = scalar;
        return emitScalar(b, op->getResult(0), scalars);
      });
    });
    rewriter.replaceOp(op, result);
    return success();
  }
};
} // namespace

void deepseek::populateElementwiseToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerElementwise>(patterns.getContext());
}
