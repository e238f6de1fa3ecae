//===- MoEOps.cpp - Mixture of experts ------------------------------------===//
//
// Verifiers, result shapes and result names of the ops in MoEOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// What several ops check
//===----------------------------------------------------------------------===//

/// Expert numbers are i32, and so are the offsets, one more than the experts.
static LogicalResult verifyNumExperts(Operation *op, int64_t experts) {
  if (experts > 0 && experts < std::numeric_limits<int32_t>::max())
    return success();
  return op->emitOpError("expected a positive num_experts below 2^31 - 1, got ")
         << experts;
}

/// How many rows `moe_dispatch` makes of `T` tokens: one for each choice, and
/// one for the shared expert if it is a group.
static LetterDim rowsOfTokens(ShapeLetters &letters, bool sharedGroup) {
  if (!sharedGroup)
    return letters.product("T", "K");
  int64_t choices = letters.size("K");
  if (!ShapedType::isDynamic(choices) &&
      !llvm::AddOverflow<int64_t>(choices, 1, choices))
    letters.bind("(K + 1)", choices);
  return letters.product("T", "(K + 1)");
}

static LogicalResult verifyGridAxes(Operation *op, ArrayRef<int16_t> axes) {
  if (axes.empty())
    return op->emitOpError("expected at least one grid axis, got none");
  llvm::SmallSet<int16_t, 4> seen;
  for (int16_t axis : axes)
    if (axis < 0 || !seen.insert(axis).second)
      return op->emitOpError(
                 "expected distinct grid axes that are not negative, got [")
             << axes << "]";
  return success();
}

static LogicalResult verifyGrid(Operation *op, FlatSymbolRefAttr grid,
                                SymbolTableCollection &table) {
  if (table.lookupNearestSymbolFrom(op, grid))
    return success();
  return op->emitOpError("expected a grid that is declared, got ") << grid;
}

//===----------------------------------------------------------------------===//
// RouteOp
//===----------------------------------------------------------------------===//

LogicalResult RouteOp::verify() {
  ShapeLetters letters(*this);
  if (getTopK() <= 0) // route_c2
    return emitOpError("expected a positive top_k, got ") << getTopK();
  letters.bind("top_k", getTopK());
  // route_c3
  if (failed(letters.match("logits", getLogits(), {"T", "E"})) ||
      failed(letters.match("scores", getScores(), {"T", "top_k"})) ||
      failed(letters.match("indices", getIndices(), {"T", "top_k"})))
    return failure();
  // route_c4
  if (getBias() && failed(letters.match("bias", getBias(), {"E"})))
    return failure();
  // route_c1
  int64_t groups = getGroups(), topGroups = getTopGroups();
  if (topGroups <= 0 || topGroups > groups)
    return emitOpError("expected 0 < top_groups <= groups, got top_groups = ")
           << topGroups << " and groups = " << groups;
  // route_c6
  if (failed(verifyFinite(*this, "scale", getScale(), Sign::Any)))
    return failure();
  int64_t experts = letters.size("E");
  if (ShapedType::isDynamic(experts))
    return success();
  if (experts % groups != 0) // route_c1
    return emitOpError("expected a number of experts divisible by groups = ")
           << groups << ", got " << experts;
  if (getTopK() > topGroups * (experts / groups)) // route_c2
    return emitOpError("expected top_k of at most ")
           << topGroups * (experts / groups)
           << ", the experts of top_groups groups, got " << getTopK();
  if (getBias() && groups > 1 && experts / groups < 2) // route_c5
    return emitOpError("expected at least two experts to a group, got ")
           << experts / groups;
  return success();
}

void RouteOp::getAsmResultNames(function_ref<void(Value, StringRef)> setName) {
  setName(getScores(), "scores");
  setName(getIndices(), "experts");
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult tokens = tensor::getMixedSize(builder, getLoc(), getLogits(), 0);
  shapes.assign(2, {tokens, builder.getIndexAttr(getTopK())});
  return success();
}

//===----------------------------------------------------------------------===//
// ExpertsOp
//===----------------------------------------------------------------------===//

LogicalResult ExpertsOp::verify() {
  ShapeLetters letters(*this);
  // experts_c1
  if (failed(letters.match("x", getX(), {"T", "H"})) ||
      failed(letters.match("scores", getScores(), {"T", "K"})) ||
      failed(letters.match("indices", getIndices(), {"T", "K"})))
    return failure();
  // experts_c2
  if (failed(letters.match("gate", getGate(), {"E", "I", "H"})) ||
      failed(letters.match("up", getUp(), {"E", "I", "H"})) ||
      failed(letters.match("down", getDown(), {"E", "H", "I"})))
    return failure();
  // experts_c3
  if (getShared() && failed(letters.match("shared", getShared(), {"T", "H"})))
    return failure();
  // experts_c4
  return letters.match("result", getResult(), {"T", "H"});
}

void ExpertsOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "experts");
}

LogicalResult
ExpertsOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// MoEDispatchOp
//===----------------------------------------------------------------------===//

/// Rows in FP8 have their scales beside them.
static LogicalResult verifyDispatchedScales(MoEDispatchOp op) {
  if (bool(op.getXScale()) != bool(op.getRowsScale())) // moe_dispatch_c5
    return op.emitOpError("expected both x_scale and rows_scale or neither, "
                          "got only ")
           << (op.getXScale() ? "x_scale" : "rows_scale");
  if (!op.getXScale())
    return success();
  BlockScaledAttr scaled = getBlockScaled(op.getX().getType());
  if (!scaled || scaled.getBlock().front() != 1 || scaled.getPacking() ||
      scaled.getLayout() != ScaleLayout::RowMajor) // moe_dispatch_c5
    return op.emitOpError("expected x with a #deepseek.block_scaled encoding "
                          "of one row to a block, row-major scales and no "
                          "packing, got ")
           << op.getX().getType();
  // moe_dispatch_c6
  if (failed(verifyScale(op, "x_scale", op.getXScale(), "x", op.getX())) ||
      failed(verifyScale(op, "rows_scale", op.getRowsScale(), "rows",
                         op.getRows())))
    return failure();
  return verifySameElements(op, "rows_scale", op.getRowsScale(), "x_scale",
                            op.getXScale());
}

LogicalResult MoEDispatchOp::verify() {
  ShapeLetters letters(*this);
  // moe_dispatch_c4
  if (failed(verifyNumExperts(*this, getNumExperts())))
    return failure();
  if (getSharedGroup() && getNumExperts() < 2)
    return emitOpError("expected at least two experts of which the last is "
                       "the shared one, got ")
           << getNumExperts();
  letters.bind("num_experts", getNumExperts());
  // moe_dispatch_c1
  if (failed(letters.match("x", getX(), {"T", "H"})) ||
      failed(letters.match("indices", getIndices(), {"T", "K"})))
    return failure();
  // moe_dispatch_c2
  LetterDim rows = rowsOfTokens(letters, getSharedGroup());
  if (failed(letters.match("rows", getRows(), {rows, "H"})) ||
      failed(verifySameElements(*this, "rows", getRows(), "x", getX())) ||
      failed(letters.match("source", getSource(), {rows})))
    return failure();
  // moe_dispatch_c3
  if (failed(letters.match("offsets", getOffsets(),
                           {letters.plus("num_experts", 1)})))
    return failure();
  return verifyDispatchedScales(*this);
}

void MoEDispatchOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getRows(), "rows");
  setName(getOffsets(), "offsets");
  setName(getSource(), "source");
  if (getRowsScale())
    setName(getRowsScale(), "rows_scale");
}

LogicalResult
MoEDispatchOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  // T * K rows (T * (K + 1) with the shared expert); K is the static number of
  // chosen experts.
  Value tokens = getValueOrCreateConstantIndexOp(
      builder, getLoc(),
      tensor::getMixedSize(builder, getLoc(), getIndices(), 0));
  Value chosen = getValueOrCreateConstantIndexOp(
      builder, getLoc(),
      tensor::getMixedSize(builder, getLoc(), getIndices(), 1));
  if (getSharedGroup())
    chosen = builder.createOrFold<arith::AddIOp>(
        getLoc(), chosen, arith::ConstantIndexOp::create(builder, getLoc(), 1));
  OpFoldResult rows =
      builder.createOrFold<arith::MulIOp>(getLoc(), tokens, chosen);
  if (!cast<RankedTensorType>(getRows().getType()).isDynamicDim(0))
    rows = builder.getIndexAttr(
        cast<RankedTensorType>(getRows().getType()).getDimSize(0));
  OpFoldResult width = tensor::getMixedSize(builder, getLoc(), getX(), 1);
  shapes.push_back({rows, width});
  shapes.push_back({builder.getIndexAttr(getNumExperts() + 1)});
  shapes.push_back({rows});
  if (getXScale())
    shapes.push_back(
        {rows, tensor::getMixedSize(builder, getLoc(), getXScale(), 1)});
  return success();
}

//===----------------------------------------------------------------------===//
// GroupedLinearOp
//===----------------------------------------------------------------------===//

LogicalResult GroupedLinearOp::verify() {
  ShapeLetters letters(*this);
  // grouped_linear_c1
  if (failed(letters.match("x", getX(), {"M", "I"})) ||
      failed(letters.match("w", getW(), {"E", "O", "I"})) ||
      failed(letters.match("offsets", getOffsets(), {letters.plus("E", 1)})))
    return failure();
  // grouped_linear_c2
  return letters.match("result", getResult(), {"M", "O"});
}

void GroupedLinearOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "grouped_linear");
}

OpOperand &GroupedLinearOp::getActivationOperand() { return getXMutable(); }
OpOperand &GroupedLinearOp::getWeightOperand() { return getWMutable(); }

Value GroupedLinearOp::buildScaled(OpBuilder &builder, RankedTensorType result,
                                   Value x, Value xScale, Value w,
                                   Value wScale) {
  return ScaledGroupedLinearOp::create(builder, getLoc(), result, x, xScale, w,
                                       wScale, getOffsets());
}

LogicalResult
GroupedLinearOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getX(), 0}, {getW(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// MoECombineOp
//===----------------------------------------------------------------------===//

LogicalResult MoECombineOp::verify() {
  ShapeLetters letters(*this);
  // moe_combine_c1
  if (failed(letters.match("scores", getScores(), {"T", "K"})))
    return failure();
  LetterDim rows = rowsOfTokens(letters, getSharedGroup());
  if (failed(letters.match("rows", getRows(), {rows, "H"})) ||
      failed(letters.match("source", getSource(), {rows})))
    return failure();
  // moe_combine_c2
  if (getShared() && failed(letters.match("shared", getShared(), {"T", "H"})))
    return failure();
  // moe_combine_c3
  return letters.match("result", getResult(), {"T", "H"});
}

void MoECombineOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "combined");
}

LogicalResult
MoECombineOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      reifyShape(builder, getResult(), {{getScores(), 0}, {getRows(), 1}}));
  return success();
}

//===----------------------------------------------------------------------===//
// ExpertLoadOp
//===----------------------------------------------------------------------===//

LogicalResult ExpertLoadOp::verify() {
  // expert_load_c2
  if (failed(verifyNumExperts(*this, getNumExperts())))
    return failure();
  ShapeLetters letters(*this);
  letters.bind("num_experts", getNumExperts());
  // expert_load_c1
  return letters.match("result", getResult(), {"num_experts"});
}

void ExpertLoadOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "load");
}

LogicalResult
ExpertLoadOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back({builder.getIndexAttr(getNumExperts())});
  return success();
}

//===----------------------------------------------------------------------===//
// UpdateRouterBiasOp
//===----------------------------------------------------------------------===//

LogicalResult UpdateRouterBiasOp::verify() {
  ShapeLetters letters(*this);
  // update_router_bias_c1
  if (failed(letters.match("bias", getBias(), {"E"})) ||
      failed(letters.match("load", getLoad(), {"E"})) ||
      failed(letters.match("result", getResult(), {"E"})))
    return failure();
  // update_router_bias_c2
  return verifyFinite(*this, "speed", getSpeed(), Sign::NotNegative);
}

void UpdateRouterBiasOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "bias");
}

LogicalResult
UpdateRouterBiasOp::reifyResultShapes(OpBuilder &builder,
                                      ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyShape(builder, getResult(), {{getBias(), 0}}));
  return success();
}

//===----------------------------------------------------------------------===//
// EpDispatchOp
//===----------------------------------------------------------------------===//

LogicalResult EpDispatchOp::verify() {
  ShapeLetters letters(*this);
  // ep_dispatch_c1
  if (failed(letters.match("x", getX(), {"M", "H"})) ||
      failed(letters.match("rows", getRows(), {anyDim(), "H"})) ||
      failed(verifySameElements(*this, "rows", getRows(), "x", getX())))
    return failure();
  // ep_dispatch_c2
  if (failed(
          letters.match("x_offsets", getXOffsets(), {letters.plus("E", 1)})) ||
      failed(letters.match("offsets", getOffsets(),
                           {letters.plus("local experts", 1)})))
    return failure();
  int64_t experts = letters.size("E"), local = letters.size("local experts");
  if (experts == 0 || local == 0)
    return emitOpError("expected at least two offsets, got one");
  if (!ShapedType::isDynamic(experts) && !ShapedType::isDynamic(local) &&
      experts % local != 0)
    return emitOpError("expected a number of experts divisible by that of the "
                       "local ones, got ")
           << experts << " and " << local;
  // ep_dispatch_c3
  if (failed(verifyGridAxes(*this, getGridAxes())))
    return failure();
  if (getCapacity() <= 0) // ep_dispatch_c4
    return emitOpError("expected a positive capacity, got ") << getCapacity();
  return success();
}

LogicalResult EpDispatchOp::verifySymbolUses(SymbolTableCollection &table) {
  return verifyGrid(*this, getGridAttr(), table); // ep_dispatch_c5
}

void EpDispatchOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getRows(), "rows");
  setName(getOffsets(), "offsets");
  setName(getHandle(), "handle");
}

LogicalResult
EpDispatchOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  return failure(); // The number of rows is known only when it runs.
}

//===----------------------------------------------------------------------===//
// EpCombineOp
//===----------------------------------------------------------------------===//

LogicalResult EpCombineOp::verify() {
  ShapeLetters letters(*this);
  // ep_combine_c1
  if (failed(letters.match("rows", getRows(), {anyDim(), "H"})) ||
      failed(letters.match("result", getResult(), {anyDim(), "H"})) ||
      failed(
          verifySameElements(*this, "result", getResult(), "rows", getRows())))
    return failure();
  // ep_combine_c2
  return verifyGridAxes(*this, getGridAxes());
}

LogicalResult EpCombineOp::verifySymbolUses(SymbolTableCollection &table) {
  return verifyGrid(*this, getGridAttr(), table); // ep_combine_c3
}

void EpCombineOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "rows");
}

LogicalResult
EpCombineOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  return failure(); // The number of rows is known only when it runs.
}
