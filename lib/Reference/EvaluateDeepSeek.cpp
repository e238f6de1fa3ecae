//===- EvaluateDeepSeek.cpp - Ops of the deepseek dialect -----------------===//
//
// From an op's attributes and values to the function of Ops.h that defines it.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"
#include "deepseek/Reference/Ops.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

static std::optional<YarnParameters> getYarn(std::optional<YarnAttr> yarn) {
  if (!yarn || !*yarn)
    return std::nullopt;
  return YarnParameters{yarn->getFactor().getValueAsDouble(),
                        yarn->getOriginalLength(),
                        yarn->getBetaFast().getValueAsDouble(),
                        yarn->getBetaSlow().getValueAsDouble()};
}

static BlockFormat getFormat(Value value) {
  BlockFormat format;
  if (BlockScaledAttr scaled = getBlockScaled(value.getType())) {
    format.block.assign(scaled.getBlock().begin(), scaled.getBlock().end());
    format.powerOfTwo = scaled.getFormat() == ScaleFormat::PowerOfTwo;
    format.groupMajor = scaled.getLayout() == ScaleLayout::GroupMajor;
  }
  return format;
}

/// A tensor, or null for an operand that is absent.
static const Tensor *getOptional(Evaluation &state, Value value) {
  return value ? &state[value] : nullptr;
}

static LogicalResult evaluateDense(Evaluation &state, ElementType type) {
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<EmbeddingOp>([&](EmbeddingOp op) {
        return state.finish(
            embedding(state[op.getTokens()], state[op.getTable()], type));
      })
      .Case<RMSNormOp>([&](RMSNormOp op) {
        return state.finish(rmsNorm(state[op.getX()], state[op.getGamma()],
                                    op.getEpsilon().convertToDouble(), type));
      })
      .Case<LinearOp>([&](LinearOp op) {
        return state.finish(linear(state[op.getX()], state[op.getW()], type));
      })
      .Case<HeadLinearOp>([&](HeadLinearOp op) {
        return state.finish(headLinear(state[op.getX()], state[op.getW()],
                                       op.getTransposed(), type));
      })
      .Case<SwigluOp>([&](SwigluOp op) {
        return state.finish(
            swiglu(state[op.getGate()], state[op.getUp()], type));
      })
      .Case<RopeOp>([&](RopeOp op) {
        return state.finish(rope(state[op.getX()], state[op.getPositions()],
                                 op.getTheta().convertToDouble(),
                                 getYarn(op.getYarn()), type));
      })
      .Case<ArgmaxOp>([&](ArgmaxOp op) {
        return state.finish(argmax(state[op.getLogits()]));
      })
      .Default([&](Operation *) { return state.unsupported(); });
}

static LogicalResult evaluateAttention(Evaluation &state, ElementType type) {
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<CacheAppendOp>([&](CacheAppendOp op) {
        // Moved: this may be the only holder of the cache.
        Tensor cache = std::move(state[op.getCache()]);
        return state.finish(cacheAppend(std::move(cache), state[op.getLatent()],
                                        state[op.getRope()],
                                        state[op.getSlots()]));
      })
      .Case<CacheGatherOp>([&](CacheGatherOp op) {
        return state.finish(cacheGather(
            {state[op.getCache()], state[op.getBlockTable()]},
            state[op.getCuKvLens()], state[op.getKvTotal()].getInt(0), type));
      })
      .Case<MlaOp>([&](MlaOp op) {
        return state.finish(
            mla(state[op.getQNope()], state[op.getQRope()],
                {state[op.getCache()], state[op.getBlockTable()]},
                {state[op.getCuQLens()], state[op.getCuKvLens()]},
                state[op.getKvTotal()].getInt(0), state[op.getKvB()],
                op.getScale().convertToDouble(), type));
      })
      .Case<AttentionOp>([&](AttentionOp op) {
        return state.finish(
            attention(state[op.getQNope()], state[op.getQRope()],
                      state[op.getKv()], state[op.getKRope()],
                      {state[op.getCuQLens()], state[op.getCuKvLens()]},
                      op.getScale().convertToDouble(), type));
      })
      .Case<LatentAttentionOp>([&](LatentAttentionOp op) {
        return state.finish(
            latentAttention(state[op.getQLatent()], state[op.getQRope()],
                            {state[op.getCache()], state[op.getBlockTable()]},
                            {state[op.getCuQLens()], state[op.getCuKvLens()]},
                            op.getScale().convertToDouble(), type));
      })
      .Default([&](Operation *) { return evaluateDense(state, type); });
}

/// Takes the results of a reference function with several, or reports its
/// error.
template <typename T, typename... Parts>
static LogicalResult finishAll(Evaluation &state, llvm::Expected<T> result,
                               Parts T::*...parts) {
  if (!result)
    return state.fail(llvm::toString(result.takeError()));
  (state.results.push_back(std::move((*result).*parts)), ...);
  return success();
}

static LogicalResult evaluateRoute(Evaluation &state, RouteOp op) {
  RouteParameters parameters;
  parameters.sigmoid = op.getScoring() == Scoring::Sigmoid;
  parameters.topK = op.getTopK();
  parameters.groups = op.getGroups();
  parameters.topGroups = op.getTopGroups();
  parameters.normalize = op.getNormalize();
  parameters.scale = op.getScale().convertToDouble();
  return finishAll(state,
                   route(state[op.getLogits()],
                         getOptional(state, op.getBias()), parameters),
                   &Routing::scores, &Routing::indices);
}

/// One rank owns all experts: what it sends, it receives. The handle says where
/// each row came from.
static LogicalResult evaluateEpDispatch(Evaluation &state, EpDispatchOp op) {
  const Tensor &x = state[op.getX()], &offsets = state[op.getXOffsets()];
  auto type = cast<RankedTensorType>(op.getOffsets().getType());
  if (!type.isDynamicDim(0) && type.getDimSize(0) != offsets.dim(0))
    return state.fail("cannot run on one rank: it sends rows to " +
                      Twine(offsets.dim(0) - 1) + " experts and owns " +
                      Twine(type.getDimSize(0) - 1));
  if (static_cast<int64_t>(op.getCapacity()) < x.dim(0))
    return state.fail("received " + Twine(x.dim(0)) +
                      " rows, above its capacity of " +
                      Twine(op.getCapacity()));
  Tensor handle(ElementType::I32, {x.dim(0)});
  for (int64_t i = 0; i < x.dim(0); ++i)
    handle.setInt(i, i);
  state.results = {x, offsets, handle};
  return success();
}

static LogicalResult evaluateMoEDispatch(Evaluation &state, MoEDispatchOp op) {
  if (failed(finishAll(state,
                       moeDispatch(state[op.getX()], state[op.getIndices()],
                                   op.getNumExperts(), op.getSharedGroup()),
                       &Dispatch::rows, &Dispatch::offsets, &Dispatch::source)))
    return failure();
  if (!op.getXScale())
    return success();
  int64_t choices = state[op.getIndices()].dim(1) + op.getSharedGroup();
  return state.finish(
      gatherRows(state[op.getXScale()], state.results.back(), choices));
}

static LogicalResult evaluateMoE(Evaluation &state, ElementType type) {
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<RouteOp>([&](RouteOp op) { return evaluateRoute(state, op); })
      .Case<ExpertsOp>([&](ExpertsOp op) {
        return state.finish(experts(
            state[op.getX()], state[op.getScores()], state[op.getIndices()],
            {state[op.getGate()], state[op.getUp()], state[op.getDown()]},
            getOptional(state, op.getShared()), type));
      })
      .Case<MoEDispatchOp>(
          [&](MoEDispatchOp op) { return evaluateMoEDispatch(state, op); })
      .Case<GroupedLinearOp>([&](GroupedLinearOp op) {
        return state.finish(groupedLinear(state[op.getX()], state[op.getW()],
                                          state[op.getOffsets()], type));
      })
      .Case<MoECombineOp>([&](MoECombineOp op) {
        return state.finish(moeCombine(
            state[op.getRows()], state[op.getSource()], state[op.getScores()],
            getOptional(state, op.getShared()), op.getSharedGroup(), type));
      })
      .Case<ExpertLoadOp>([&](ExpertLoadOp op) {
        return state.finish(
            expertLoad(state[op.getIndices()], op.getNumExperts()));
      })
      .Case<UpdateRouterBiasOp>([&](UpdateRouterBiasOp op) {
        return state.finish(updateRouterBias(state[op.getBias()],
                                             state[op.getLoad()],
                                             op.getSpeed().convertToDouble()));
      })
      .Case<EpDispatchOp>(
          [&](EpDispatchOp op) { return evaluateEpDispatch(state, op); })
      .Case<EpCombineOp>(
          [&](EpCombineOp op) { return state.finish(state[op.getRows()]); })
      .Default([&](Operation *) { return evaluateAttention(state, type); });
}

static LogicalResult evaluateQuantize(Evaluation &state, QuantizeOp op,
                                      ElementType type) {
  FailureOr<ElementType> scaleType = state.resultType(1);
  if (failed(scaleType))
    return failure();
  return finishAll(
      state, quantize(state[op.getX()], getFormat(op.getQ()), type, *scaleType),
      &Quantized::q, &Quantized::scale);
}

static LogicalResult evaluateRequantize(Evaluation &state, RequantizeOp op) {
  FailureOr<ElementType> scaleType = state.resultType(1);
  if (failed(scaleType))
    return failure();
  BlockFormat from = getFormat(op.getQ());
  return finishAll(state,
                   requantize({state[op.getQ()], state[op.getScale()], from},
                              getFormat(op.getRequantized()), *scaleType),
                   &Quantized::q, &Quantized::scale);
}

/// The operands of a scaled product.
template <typename OpT>
static std::pair<BlockFormat, BlockFormat> getFormats(OpT op) {
  return {getFormat(op.getX()), getFormat(op.getW())};
}

LogicalResult reference::evaluateDeepSeek(Evaluation &state) {
  FailureOr<ElementType> type = state.resultType();
  if (failed(type))
    return failure();
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<MtpProjectOp>([&](MtpProjectOp op) {
        return state.finish(mtpProject(
            state[op.getHidden()], state[op.getEmbedding()],
            {state[op.getHiddenGamma()], state[op.getEmbeddingGamma()],
             op.getEpsilon().convertToDouble()},
            state[op.getW()], *type));
      })
      .Case<MtpVerifyOp>([&](MtpVerifyOp op) {
        return finishAll(state,
                         mtpVerify(state[op.getDraft()], state[op.getChoice()]),
                         &Verified::accepted, &Verified::next);
      })
      .Case<QuantizeOp>(
          [&](QuantizeOp op) { return evaluateQuantize(state, op, *type); })
      .Case<DequantizeOp>([&](DequantizeOp op) {
        BlockFormat format = getFormat(op.getQ());
        return state.finish(dequantize(
            {state[op.getQ()], state[op.getScale()], format}, *type));
      })
      .Case<RequantizeOp>(
          [&](RequantizeOp op) { return evaluateRequantize(state, op); })
      .Case<ScaledLinearOp>([&](ScaledLinearOp op) {
        auto [x, w] = getFormats(op);
        return state.finish(
            scaledLinear({state[op.getX()], state[op.getXScale()], x},
                         {state[op.getW()], state[op.getWScale()], w}, *type));
      })
      .Case<ScaledGroupedLinearOp>([&](ScaledGroupedLinearOp op) {
        auto [x, w] = getFormats(op);
        return state.finish(
            scaledGroupedLinear({state[op.getX()], state[op.getXScale()], x},
                                {state[op.getW()], state[op.getWScale()], w},
                                state[op.getOffsets()], *type));
      })
      .Default([&](Operation *) { return evaluateMoE(state, *type); });
}
