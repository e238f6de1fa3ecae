//===- DSRTDialect.cpp - The dsrt dialect ---------------------------------===//
//
// Registration, effects and result shapes.
//
//===----------------------------------------------------------------------===//

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::dsrt;

#include "dialects/DSRT/IR/DSRTDialect.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/DSRT/IR/DSRTOps.cpp.inc"

void DSRTDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/DSRT/IR/DSRTOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// What the destination-passing ops share
//===----------------------------------------------------------------------===//

/// A result has the sizes of the output it is written into.
static LogicalResult reifyOutputs(OpBuilder &builder, Location loc,
                                  OperandRange outputs,
                                  ReifiedRankedShapedTypeDims &shapes) {
  for (Value output : outputs)
    if (isa<RankedTensorType>(output.getType()))
      shapes.push_back(tensor::getMixedSizes(builder, loc, output));
  return success();
}

/// On memrefs: inputs are read, outputs read and written. On tensors: none.
static void getDpsEffects(
    MutableOperandRange inputs, MutableOperandRange outputs,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &input : inputs)
    if (isa<MemRefType>(input.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &input);
  for (OpOperand &output : outputs) {
    if (!isa<MemRefType>(output.get().getType()))
      continue;
    effects.emplace_back(MemoryEffects::Read::get(), &output);
    effects.emplace_back(MemoryEffects::Write::get(), &output);
  }
}

#define DSRT_DPS_METHODS(Op)                                                   \
  LogicalResult Op::reifyResultShapes(OpBuilder &builder,                      \
                                      ReifiedRankedShapedTypeDims &shapes) {   \
    return reifyOutputs(builder, getLoc(), getOutputs(), shapes);              \
  }                                                                            \
  void Op::getEffects(                                                         \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    getDpsEffects(getInputsMutable(), getOutputsMutable(), effects);           \
  }
DSRT_DPS_METHODS(DispatchOp)
DSRT_DPS_METHODS(AllReduceOp)
DSRT_DPS_METHODS(AllGatherOp)
DSRT_DPS_METHODS(ReduceScatterOp)
DSRT_DPS_METHODS(EpDispatchOp)
DSRT_DPS_METHODS(EpCombineOp)
#undef DSRT_DPS_METHODS
