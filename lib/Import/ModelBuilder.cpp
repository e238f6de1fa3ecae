//===- ModelBuilder.cpp - Builds the entries of a model -------------------===//
//
// The skeleton of the model and the signatures of its entries. What a layer is
// made of stands in Attention.cpp and MoE.cpp.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

/// Rows of a page of the latent cache.
static constexpr int64_t kPageSize = 64;
static constexpr int64_t kDynamic = ShapedType::kDynamic;

static Type residualElement(MLIRContext *context, ResidualType type) {
  if (type == ResidualType::F32)
    return Float32Type::get(context);
  return BFloat16Type::get(context);
}

ModelBuilder::ModelBuilder(ModuleOp module, const ModelConfig &config,
                           const ImportOptions &options)
    : module(module), config(config), options(options), weights(module),
      residual(residualElement(module.getContext(), options.residual)),
      b(module.getLoc(), module.getContext()) {
  module->setAttr(kModelAttr, b.getStringAttr(config.modelType));
  module->setAttr(kSourceAttr, b.getStringAttr(options.source));
  module->setAttr(kEosAttr, b.getDenseI64ArrayAttr(config.eosTokens));
  module->setAttr(kBosAttr, b.getI64IntegerAttr(config.bosToken));
  module->setAttr(kContextAttr, b.getI64IntegerAttr(config.maxPositions));
  module->setAttr(kExpertsPerTokenAttr, b.getI64IntegerAttr(config.topK));
  module->setAttr("deepseek.dtype", TypeAttr::get(residual));
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

Value ModelBuilder::embed(EntryBuilder &entry, Value tokens) {
  entry.enter("model.embed_tokens");
  Value table = entry.weight({"model", ""}, "embed_tokens", "embed",
                             {config.vocabSize, config.hiddenSize});
  return EmbeddingOp::create(b, entry.perToken({config.hiddenSize}), tokens,
                             table);
}

std::pair<Value, Value> ModelBuilder::buildLayer(EntryBuilder &entry,
                                                 int64_t layer, Value hidden,
                                                 Value cache,
                                                 RouterTrace &trace) {
  std::string number = std::to_string(layer);
  Place place = {"model.layers." + number, "l" + number};
  entry.enter(place.key);
  Value x = entry.norm(place, "input_layernorm", "attn_norm", hidden,
                       config.normEpsilon);
  Value attention;
  std::tie(attention, cache) = buildAttention(entry, layer, x, cache);
  entry.enter(place.key);
  hidden = entry.add(hidden, attention);
  x = entry.norm(place, "post_attention_layernorm", "mlp_norm", hidden,
                 config.normEpsilon);
  Value mlp = config.isMoELayer(layer)
                  ? buildMoE(entry, layer, x, trace)
                  : buildMlp(entry, {place.key + ".mlp", place.symbol}, x,
                             config.intermediateSize);
  entry.enter(place.key);
  return {entry.add(hidden, mlp), cache};
}

/// Logits of the wanted rows only: the head is the largest matrix of the model.
Value ModelBuilder::buildHead(EntryBuilder &entry, Value hidden, Value rows) {
  entry.enter("lm_head");
  Value wanted =
      EmbeddingOp::create(b, entry.perToken({config.hiddenSize}), rows, hidden);
  Value w = entry.weight({"", ""}, "lm_head", "lm_head",
                         {config.vocabSize, config.hiddenSize});
  return entry.linear(wanted, w, b.getF32Type());
}

void ModelBuilder::buildMain(StringRef name) {
  SmallVector<Port> arguments = {tokensPort()};
  addStepPorts(arguments);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    arguments.push_back(cachePort(layer));
  func::FuncOp func = beginEntry(name, arguments);
  EntryBuilder entry = bindInputs(func, arguments);

  Value hidden = embed(entry, func.getArgument(0));
  SmallVector<Port> caches, states = {hiddenPort("hidden.0", hidden)}, routers;
  unsigned firstCache = arguments.size() - config.numLayers;
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    Value cache = func.getArgument(firstCache + layer);
    RouterTrace router;
    std::tie(hidden, cache) = buildLayer(entry, layer, hidden, cache, router);
    caches.push_back(cachePort(layer, cache));
    states.push_back(hiddenPort("hidden." + std::to_string(layer + 1), hidden));
    if (router.indices)
      addRouterPorts(routers, layer, router);
  }
  entry.enter("model.norm");
  hidden =
      entry.norm({"model", ""}, "norm", "norm", hidden, config.normEpsilon);

  Value rows = func.getArgument(firstCache - 1);
  SmallVector<Port> results = {logitsPort(buildHead(entry, hidden, rows)),
                               hiddenPort("hidden", hidden)};
  llvm::append_range(results, caches);
  if (options.trace) {
    llvm::append_range(results, states);
    llvm::append_range(results, routers);
  }
  endEntry(func, results);
}

void ModelBuilder::buildMtp(int64_t module) {
  int64_t layer = config.numLayers + module;
  std::string number = std::to_string(layer);
  Place place = {"model.layers." + number, "l" + number};
  SmallVector<Port> arguments = {tokensPort(), hiddenPort("hidden")};
  addStepPorts(arguments);
  arguments.push_back(cachePort(layer));
  std::string name = module == 0 ? "mtp" : "mtp_" + std::to_string(module);
  func::FuncOp func = beginEntry(name, arguments);
  EntryBuilder entry = bindInputs(func, arguments);

  Value embedding = embed(entry, func.getArgument(0));
  entry.enter(place.key);
  int64_t size = config.hiddenSize;
  Value hiddenGamma = entry.weight(place, "hnorm", "hnorm", {size});
  Value embeddingGamma = entry.weight(place, "enorm", "enorm", {size});
  Value w = entry.weight(place, "eh_proj", "eh_proj", {size, 2 * size});
  Value hidden = MtpProjectOp::create(
      b, embedding.getType(), func.getArgument(1), embedding, hiddenGamma,
      embeddingGamma, w, APFloat(config.normEpsilon));
  Value cache = func.getArguments().back();
  RouterTrace router;
  std::tie(hidden, cache) = buildLayer(entry, layer, hidden, cache, router);
  Port state = hiddenPort("hidden." + std::to_string(layer + 1), hidden);
  hidden = entry.norm(place, "shared_head.norm", "shared_head_norm", hidden,
                      config.normEpsilon);

  Value rows = func.getArgument(arguments.size() - 2);
  SmallVector<Port> results = {logitsPort(buildHead(entry, hidden, rows)),
                               hiddenPort("hidden", hidden),
                               cachePort(layer, cache)};
  if (options.trace) {
    results.push_back(state);
    if (router.indices)
      addRouterPorts(results, layer, router);
  }
  endEntry(func, results);
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

ModelBuilder::Port ModelBuilder::tokensPort() {
  Type i32 = IntegerType::get(module.getContext(), 32);
  return {"tokens", {"tokens"}, RankedTensorType::get({kDynamic}, i32), {}};
}

ModelBuilder::Port ModelBuilder::hiddenPort(StringRef name, Value value) {
  return {name.str(),
          {"tokens", ""},
          RankedTensorType::get({kDynamic, config.hiddenSize}, residual),
          value};
}

ModelBuilder::Port ModelBuilder::logitsPort(Value value) {
  return {"logits", {"rows", ""}, value.getType(), value};
}

ModelBuilder::Port ModelBuilder::cachePort(int64_t layer, Value value) {
  auto encoding = LatentCacheAttr::get(module.getContext(), config.latentSize,
                                       config.ropeHeadSize);
  int64_t width = config.latentSize + config.ropeHeadSize;
  return {
      "cache." + std::to_string(layer),
      {"cache_pages", "", ""},
      RankedTensorType::get({kDynamic, kPageSize, width}, residual, encoding),
      value};
}

/// What a step says about its tokens and sequences; bindInputs reads it back.
void ModelBuilder::addStepPorts(SmallVectorImpl<Port> &ports) {
  Type i32 = IntegerType::get(module.getContext(), 32);
  Type row = RankedTensorType::get({kDynamic}, i32);
  Type matrix = RankedTensorType::get({kDynamic, kDynamic}, i32);
  ports.push_back({"positions", {"tokens"}, row, {}});
  ports.push_back({"slots", {"tokens"}, row, {}});
  ports.push_back({"block_table", {"sequences", "pages"}, matrix, {}});
  ports.push_back({"cu_q_lens", {"sequences+1"}, row, {}});
  ports.push_back({"cu_kv_lens", {"sequences+1"}, row, {}});
  ports.push_back(
      {"kv_total", {"kv_tokens"}, IndexType::get(module.getContext()), {}});
  ports.push_back({"logit_rows", {"rows"}, row, {}});
}

void ModelBuilder::addRouterPorts(SmallVectorImpl<Port> &ports, int64_t layer,
                                  const RouterTrace &trace) {
  std::string number = std::to_string(layer);
  for (auto [name, value] : {std::pair("router_idx.", trace.indices),
                             std::pair("router_w.", trace.scores)})
    ports.push_back({name + number, {"tokens", ""}, value.getType(), value});
}

EntryBuilder ModelBuilder::bindInputs(func::FuncOp entry,
                                      ArrayRef<Port> arguments) {
  auto find = [&](StringRef name) -> Value {
    for (auto [index, port] : llvm::enumerate(arguments))
      if (port.name == name)
        return entry.getArgument(index);
    return {};
  };
  StepInputs inputs;
  inputs.positions = find("positions");
  inputs.slots = find("slots");
  inputs.blockTable = find("block_table");
  inputs.cuQueryLens = find("cu_q_lens");
  inputs.cuCachedLens = find("cu_kv_lens");
  inputs.cachedTotal = find("kv_total");
  inputs.numTokens = tensor::DimOp::create(b, find("tokens"), 0);
  return {b, config, weights, residual, inputs};
}

DictionaryAttr ModelBuilder::portAttributes(const Port &port) {
  return b.getDictionaryAttr(
      {b.getNamedAttr(kNameAttr, b.getStringAttr(port.name)),
       b.getNamedAttr(kDimsAttr, b.getStrArrayAttr(port.dims))});
}

func::FuncOp ModelBuilder::beginEntry(StringRef name,
                                      ArrayRef<Port> arguments) {
  b.setLoc(NameLoc::get(b.getStringAttr(name)));
  b.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (const Port &port : arguments) {
    types.push_back(port.type);
    attributes.push_back(portAttributes(port));
  }
  auto entry = func::FuncOp::create(b, name, b.getFunctionType(types, {}));
  entry->setAttr(kEntryAttr, b.getUnitAttr());
  entry.setAllArgAttrs(attributes);
  b.setInsertionPointToStart(entry.addEntryBlock());
  return entry;
}

void ModelBuilder::endEntry(func::FuncOp entry, ArrayRef<Port> results) {
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (const Port &port : results) {
    values.push_back(port.value);
    types.push_back(port.type);
    attributes.push_back(portAttributes(port));
  }
  b.setLoc(entry.getLoc());
  func::ReturnOp::create(b, values);
  entry.setFunctionType(b.getFunctionType(entry.getArgumentTypes(), types));
  entry.setAllResultAttrs(attributes);
}
