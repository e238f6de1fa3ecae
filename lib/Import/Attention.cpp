//===- Attention.cpp - Multi-head latent attention ------------------------===//
//
// Builds a layer's attention: the query (low-rank or not), the latent row that
// goes to the cache, `mla`, and the output projection. Which form of `mla` runs
// is not decided here.
//
//===----------------------------------------------------------------------===//

#include "EntryBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

/// The norms inside of attention have this epsilon whatever the config says.
static constexpr double kInnerNormEpsilon = 1e-6;

static Value rope(EntryBuilder &entry, Value x) {
  ImplicitLocOpBuilder &b = entry.b;
  YarnAttr yarn;
  if (const std::optional<YarnConfig> &scaling = entry.config.yarn)
    yarn = YarnAttr::get(b.getContext(), b.getF64FloatAttr(scaling->factor),
                         scaling->originalLength,
                         b.getF64FloatAttr(scaling->betaFast),
                         b.getF64FloatAttr(scaling->betaSlow));
  return RopeOp::create(b, x.getType(), x, entry.inputs.positions,
                        APFloat(entry.config.ropeTheta), yarn);
}

/// The query of all heads, `[T, N, nope + rope]`, before rotation.
static Value buildQuery(EntryBuilder &entry, const Place &place, Value x) {
  const ModelConfig &config = entry.config;
  int64_t size = config.numHeads * config.queryHeadSize();
  Value query;
  if (config.queryRank) {
    Value down = entry.project(place, "q_a_proj", "q_a", x, *config.queryRank);
    down =
        entry.norm(place, "q_a_layernorm", "q_a_norm", down, kInnerNormEpsilon);
    query = entry.project(place, "q_b_proj", "q_b", down, size);
  } else {
    query = entry.project(place, "q_proj", "q", x, size);
  }
  SmallVector<int64_t> heads = {config.numHeads, config.queryHeadSize()};
  return tensor::ExpandShapeOp::create(
      entry.b, entry.perToken(heads), query,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}}, entry.perTokenSizes(heads));
}

/// The cache with the new tokens' rows: the latent, normalized, and the part of
/// the key that is rotated, which all heads share.
static Value appendRows(EntryBuilder &entry, const Place &place, Value x,
                        Value cache) {
  const ModelConfig &config = entry.config;
  Value row = entry.project(place, "kv_a_proj_with_mqa", "kv_a", x,
                            config.latentSize + config.ropeHeadSize);
  Value latent = entry.sliceLast(row, 0, config.latentSize);
  latent = entry.norm(place, "kv_a_layernorm", "kv_a_norm", latent,
                      kInnerNormEpsilon);
  Value key =
      rope(entry, entry.sliceLast(row, config.latentSize, config.ropeHeadSize));
  return CacheAppendOp::create(entry.b, cache.getType(), cache, latent, key,
                               entry.inputs.slots);
}

/// `kv_b` by head: first the rows of the keys, then those of the values.
static Value buildUpProjection(EntryBuilder &entry, const Place &place) {
  const ModelConfig &config = entry.config;
  int64_t perHead = config.nopeHeadSize + config.valueHeadSize;
  Value kvB = entry.matrix(place, "kv_b_proj", "kv_b",
                           {config.numHeads * perHead, config.latentSize});
  Type element = cast<RankedTensorType>(kvB.getType()).getElementType();
  return tensor::ExpandShapeOp::create(
      entry.b,
      RankedTensorType::get({config.numHeads, perHead, config.latentSize},
                            element),
      kvB, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
}

std::pair<Value, Value> deepseek::buildAttention(EntryBuilder &entry,
                                                 int64_t layer, Value x,
                                                 Value cache) {
  const ModelConfig &config = entry.config;
  const StepInputs &inputs = entry.inputs;
  std::string number = std::to_string(layer);
  Place place = {"model.layers." + number + ".self_attn", "l" + number};
  entry.enter(place.key);

  Value query = buildQuery(entry, place, x);
  Value nope = entry.sliceLast(query, 0, config.nopeHeadSize);
  Value rotated = rope(
      entry, entry.sliceLast(query, config.nopeHeadSize, config.ropeHeadSize));
  cache = appendRows(entry, place, x, cache);
  Value output = MlaOp::create(
      entry.b, entry.perToken({config.numHeads, config.valueHeadSize}), nope,
      rotated, cache, inputs.blockTable, inputs.cuQueryLens,
      inputs.cuCachedLens, inputs.cachedTotal, buildUpProjection(entry, place),
      APFloat(config.softmaxScale()));
  output = tensor::CollapseShapeOp::create(
      entry.b, entry.perToken({config.numHeads * config.valueHeadSize}), output,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}});
  return {entry.project(place, "o_proj", "o", output, config.hiddenSize),
          cache};
}
