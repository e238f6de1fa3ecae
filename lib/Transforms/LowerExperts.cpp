//===- LowerExperts.cpp - Mixture of experts as grouped products ----------===//
//
// Rewrites `experts` into sorting by expert and one product per weight stack:
//
//   y = experts(x, scores, indices, gate, up, down, shared)
//   ->
//   rows, offsets, source = moe_dispatch(x, indices)
//   g = grouped_linear(rows, gate, offsets)
//   u = grouped_linear(rows, up, offsets)
//   d = grouped_linear(swiglu(g, u), down, offsets)
//   y = moe_combine(d, source, scores, shared)
//
// It does not merge gate and up; a target that walks both at once may.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Passes.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_LOWEREXPERTS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// T * K, the number of rows after dispatch.
static int64_t getRowCount(ExpertsOp op) {
  RankedTensorType indices = typeOf(op.getIndices());
  int64_t rows;
  if (!indices.hasStaticShape() ||
      llvm::MulOverflow(indices.getDimSize(0), indices.getDimSize(1), rows))
    return ShapedType::kDynamic;
  return rows;
}

static LogicalResult lowerExperts(ExpertsOp op) {
  Location loc = op.getLoc();
  RankedTensorType x = typeOf(op.getX()), gate = typeOf(op.getGate()),
                   down = typeOf(op.getDown());
  if (gate.isDynamicDim(0))
    return op.emitOpError("expected a static number of experts, got gate ")
           << gate;
  OpBuilder builder(op);
  Type i32 = builder.getI32Type(), element = x.getElementType();
  int64_t rows = getRowCount(op), experts = gate.getDimSize(0);
  auto rowsOf = [&](int64_t width) {
    return RankedTensorType::get({rows, width}, element);
  };
  auto dispatch = MoEDispatchOp::create(
      builder, loc, rowsOf(x.getDimSize(1)),
      RankedTensorType::get({experts + 1}, i32),
      RankedTensorType::get({rows}, i32), /*rows_scale=*/Type(), op.getX(),
      op.getIndices(), /*x_scale=*/Value(), builder.getI64IntegerAttr(experts));
  Value offsets = dispatch.getOffsets();
  RankedTensorType inner = rowsOf(gate.getDimSize(1));
  Value gated = GroupedLinearOp::create(builder, loc, inner, dispatch.getRows(),
                                        op.getGate(), offsets);
  Value up = GroupedLinearOp::create(builder, loc, inner, dispatch.getRows(),
                                     op.getUp(), offsets);
  Value activated = SwigluOp::create(builder, loc, inner, gated, up);
  Value out = GroupedLinearOp::create(builder, loc, rowsOf(down.getDimSize(1)),
                                      activated, op.getDown(), offsets);
  Value combined = MoECombineOp::create(builder, loc, op.getType(), out,
                                        dispatch.getSource(), op.getScores(),
                                        op.getShared());
  op.getResult().replaceAllUsesWith(combined);
  op.erase();
  return success();
}

namespace {

struct LowerExperts : deepseek::impl::LowerExpertsBase<LowerExperts> {
  void runOnOperation() override {
    SmallVector<ExpertsOp> ops;
    getOperation().walk([&](ExpertsOp op) { ops.push_back(op); });
    for (ExpertsOp op : ops)
      if (failed(lowerExperts(op)))
        return signalPassFailure();
  }
};

} // namespace
