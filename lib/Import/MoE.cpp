//===- MoE.cpp - MLPs and mixtures of experts -----------------------------===//
//
// Builds a dense SwiGLU MLP, which a shared expert is too, and a layer's
// mixture: router, `route`, shared experts, `experts`. The experts' weights are
// stacked, one weight for all experts of a layer.
//
//===----------------------------------------------------------------------===//

#include "EntryBuilder.h"

using namespace mlir;
using namespace mlir::deepseek;

Value deepseek::buildMlp(EntryBuilder &entry, const Place &place, Value x,
                         int64_t width) {
  entry.enter(place.key);
  Value gate = entry.project(place, "gate_proj", "gate", x, width);
  Value up = entry.project(place, "up_proj", "up", x, width);
  Value product = SwigluOp::create(entry.b, gate.getType(), gate, up);
  return entry.project(place, "down_proj", "down", product,
                       entry.config.hiddenSize);
}

/// The router's scores and choices, in f32 throughout: rounding them to bf16
/// chooses other experts.
static RouteOp buildRoute(EntryBuilder &entry, const Place &place, Value x) {
  const ModelConfig &config = entry.config;
  Type f32 = entry.b.getF32Type();
  Value gate = entry.weight(place, "gate", "router",
                            {config.numExperts, config.hiddenSize});
  Value logits = entry.linear(x, gate, f32);
  Value bias;
  if (config.routerBias)
    bias = entry.plainWeight(place, "gate.e_score_correction_bias",
                             "router_bias", {config.numExperts}, f32);
  Scoring scoring = config.scoring == ScoringFunction::Sigmoid
                        ? Scoring::Sigmoid
                        : Scoring::Softmax;
  return RouteOp::create(entry.b, entry.perToken({config.topK}, f32),
                         entry.perToken({config.topK}, entry.b.getI32Type()),
                         logits, bias, scoring, config.topK, config.groups,
                         config.topGroups, config.normalizeScores,
                         APFloat(config.routerScale));
}

Value deepseek::buildMoE(EntryBuilder &entry, int64_t layer, Value x,
                         RouterTrace &trace) {
  const ModelConfig &config = entry.config;
  std::string number = std::to_string(layer);
  Place place = {"model.layers." + number + ".mlp", "l" + number};
  entry.enter(place.key);
  RouteOp route = buildRoute(entry, place, x);
  trace = {route.getIndices(), route.getScores()};

  // The shared experts are stored as one MLP.
  Value shared;
  if (config.numSharedExperts > 0)
    shared = buildMlp(
        entry, {place.key + ".shared_experts", place.symbol + "_shared"}, x,
        config.numSharedExperts * config.expertIntermediateSize);

  Place stack = {place.key + ".experts.*", place.symbol + "_experts"};
  entry.enter(place.key + ".experts");
  int64_t experts = config.numExperts;
  int64_t inner = config.expertIntermediateSize;
  int64_t hidden = config.hiddenSize;
  Value gate =
      entry.matrix(stack, "gate_proj", "gate", {experts, inner, hidden});
  Value up = entry.matrix(stack, "up_proj", "up", {experts, inner, hidden});
  Value down =
      entry.matrix(stack, "down_proj", "down", {experts, hidden, inner});
  return ExpertsOp::create(entry.b, x.getType(), x, route.getScores(),
                           route.getIndices(), gate, up, down, shared);
}
