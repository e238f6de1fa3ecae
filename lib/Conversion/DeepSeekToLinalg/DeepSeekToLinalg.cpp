//===- DeepSeekToLinalg.cpp - Lowers kernel functions to linalg -----------===//
//
// The pass over the patterns of the six families. It runs on kernel functions,
// whose callers are `dsrt.dispatch`: the encodings of their argument and result
// types, which mean nothing to linalg, are dropped from the signature. Two
// rounds: what reads a `dequantize` or a `concat` of weights takes it in first,
// then those that are left are lowered.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "TileBuilder.h"
#include "deepseek/Conversion/Passes.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_CONVERTDEEPSEEKTOLINALG
#include "deepseek/Conversion/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

static Type plainType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? withoutEncoding(tensor) : type;
}

/// Drops the encodings from the signature of `function`; other uses of an
/// encoded value than `tensor.cast` get it back by a cast.
static void dropEncodings(func::FuncOp function) {
  OpBuilder builder(function.getContext());
  builder.setInsertionPointToStart(&function.front());
  for (BlockArgument argument : function.getArguments()) {
    Type encoded = argument.getType(), plain = plainType(encoded);
    if (encoded == plain)
      continue;
    argument.setType(plain);
    Value cast;
    for (OpOperand &use : llvm::make_early_inc_range(argument.getUses())) {
      auto user = dyn_cast<tensor::CastOp>(use.getOwner());
      if (user && user.getType() == plain) {
        user.replaceAllUsesWith(Value(argument));
        user.erase();
        continue;
      }
      if (!cast)
        cast = tensor::CastOp::create(builder, argument.getLoc(), encoded,
                                      argument);
      use.set(cast);
    }
  }
  for (auto op : function.getOps<func::ReturnOp>()) {
    builder.setInsertionPoint(op);
    for (OpOperand &operand : op->getOpOperands()) {
      Type plain = plainType(operand.get().getType());
      if (plain == operand.get().getType())
        continue;
      auto cast = operand.get().getDefiningOp<tensor::CastOp>();
      if (cast && cast.getSource().getType() == plain)
        operand.set(cast.getSource());
      else
        operand.set(
            tensor::CastOp::create(builder, op.getLoc(), plain, operand.get()));
    }
  }
  SmallVector<Type> results;
  for (Type type : function.getResultTypes())
    results.push_back(plainType(type));
  function.setType(FunctionType::get(
      function.getContext(), function.front().getArgumentTypes(), results));
}

/// What to do about an op that no pattern took.
static StringRef adviceFor(Operation *op) {
  if (isa<MlaOp>(op))
    return "ds-lower-mla has to choose its form first";
  if (isa<ExpertsOp>(op))
    return "ds-fuse-experts has to split it first";
  if (isa<EpDispatchOp, EpCombineOp>(op))
    return "communication is done by the host program";
  if (isa<RopeOp>(op))
    return "expected a last dimension of static size, at most 65536";
  if (isa<RequantizeOp>(op))
    return "expected blocks of which one divides the other; requantize in two "
           "steps, through blocks that divide both";
  if (isa<GetWeightOp, WeightOp>(op))
    return "a kernel takes weights as arguments";
  return "expected static sizes but for tokens, sequences and pages, pages of "
         "64 rows, and activations scaled by row";
}

namespace {
struct ConvertDeepSeekToLinalg
    : deepseek::impl::ConvertDeepSeekToLinalgBase<ConvertDeepSeekToLinalg> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet consumers(context), rest(context);
    populateDenseToLinalg(consumers);
    populateAttentionToLinalg(consumers);
    populateMoEToLinalg(consumers);
    populateMTPToLinalg(consumers);
    populateQuantToLinalg(consumers);
    populateGatedProductToLinalg(consumers);
    populateElementwiseToLinalg(consumers);
    populateDequantizeToLinalg(rest);
    tensor::populateDecomposeTensorConcatPatterns(rest);
    first = std::move(consumers);
    second = std::move(rest);
    return success();
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (failed(applyPatternsGreedily(function, first)) ||
        failed(applyPatternsGreedily(function, second)))
      return signalPassFailure();
    WalkResult left = function.walk([](Operation *op) {
      if (!isa_and_nonnull<DeepSeekDialect>(op->getDialect()))
        return WalkResult::advance();
      op->emitError() << "cannot be lowered to linalg: " << adviceFor(op);
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      return signalPassFailure();
    dropEncodings(function);
  }

  FrozenRewritePatternSet first, second;
};
} // namespace
