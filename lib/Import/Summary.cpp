//===- Summary.cpp - What a model graph amounts to ------------------------===//
//
// Walks the entries of a `graph`-stage module. See the header.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/Summary.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mlir::deepseek;

static uint64_t numElements(Value value) {
  return cast<RankedTensorType>(value.getType()).getNumElements();
}

static uint64_t dimSize(Value value, unsigned dim) {
  return cast<RankedTensorType>(value.getType()).getDimSize(dim);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// The operand that in the end reads a weight: dequantization only hands it on.
static OpOperand *findReader(GetWeightOp weight) {
  if (weight->use_empty())
    return nullptr;
  OpOperand *reader = &*weight->use_begin();
  if (auto dequantize = dyn_cast<DequantizeOp>(reader->getOwner()))
    if (dequantize.getQ() == weight.getResult() && !dequantize->use_empty())
      reader = &*dequantize->use_begin();
  return reader;
}

static void countWeight(GetWeightOp get, WeightOp weight, PartSummary &part) {
  OpOperand *reader = findReader(get);
  if (!reader)
    return;
  auto type = cast<RankedTensorType>(weight.getType());
  uint64_t count = type.getNumElements();
  bool stacked = weight.getKey() && weight.getKey()->contains('*');
  part.tensors += stacked ? type.getDimSize(0) : 1;
  part.weightBytes += count * (type.getElementTypeBitWidth() / 8);

  Operation *op = reader->getOwner();
  if (isa<DequantizeOp>(op))
    return; // a scale
  part.parameters += count;
  if (isa<EmbeddingOp>(op))
    return;
  if (auto experts = dyn_cast<ExpertsOp>(op))
    count = count / type.getDimSize(0) * dimSize(experts.getIndices(), 1);
  part.activated += count;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static bool isLogits(func::FuncOp entry, Value value) {
  auto result = dyn_cast<func::ReturnOp>(entry.front().getTerminator());
  if (!result)
    return false;
  for (auto [index, operand] : llvm::enumerate(result.getOperands())) {
    auto name = entry.getResultAttrOfType<StringAttr>(index, kNameAttr);
    if (operand == value && name && name == "logits")
      return true;
  }
  return false;
}

static void countAttention(MlaOp mla, PartSummary &part) {
  uint64_t heads = dimSize(mla.getQNope(), 1);
  uint64_t nope = dimSize(mla.getQNope(), 2);
  uint64_t rope = dimSize(mla.getQRope(), 2);
  uint64_t value = dimSize(mla.getResult(), 2);
  uint64_t latent = dimSize(mla.getKvB(), 2);
  // Absorbing kv_b into query and output costs as much as applying it.
  part.matrixFlops += 2 * numElements(mla.getKvB());
  part.expandedFlops += 2 * heads * (nope + rope + value);
  part.absorbedFlops += 2 * heads * (latent + rope + latent);
}

static void countOperations(func::FuncOp entry, PartSummary &part) {
  entry.walk([&](Operation *op) {
    TypeSwitch<Operation *>(op)
        .Case<LinearOp>([&](LinearOp linear) {
          uint64_t flops = 2 * numElements(linear.getW());
          part.matrixFlops += flops;
          if (isLogits(entry, linear.getResult()))
            part.headFlops += flops;
        })
        .Case<MtpProjectOp>([&](MtpProjectOp project) {
          part.matrixFlops += 2 * numElements(project.getW());
        })
        .Case<ExpertsOp>([&](ExpertsOp experts) {
          uint64_t chosen = dimSize(experts.getIndices(), 1);
          for (Value w :
               {experts.getGate(), experts.getUp(), experts.getDown()})
            part.matrixFlops += 2 * chosen * (numElements(w) / dimSize(w, 0));
        })
        .Case<MlaOp>([&](MlaOp mla) { countAttention(mla, part); });
  });
}

static void countCaches(func::FuncOp entry, PartSummary &part) {
  for (Type type : entry.getArgumentTypes())
    if (getLatentCache(type)) {
      auto cache = cast<RankedTensorType>(type);
      part.cacheBytes +=
          cache.getDimSize(2) * (cache.getElementTypeBitWidth() / 8);
    }
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

static void countEntry(func::FuncOp entry, SymbolTable &symbols,
                       llvm::StringSet<> &counted, PartSummary &part) {
  entry.walk([&](GetWeightOp get) {
    auto weight = symbols.lookup<WeightOp>(get.getWeight());
    if (weight && counted.insert(get.getWeight()).second)
      countWeight(get, weight, part);
  });
  countOperations(entry, part);
  countCaches(entry, part);
}

ModelSummary deepseek::summarize(ModuleOp module) {
  ModelSummary summary;
  SymbolTable symbols(module);
  llvm::StringSet<> counted;
  bool hasMain = false;
  SmallVector<func::FuncOp> modules;
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (!entry->hasAttr(kEntryAttr) || entry.isExternal())
      continue;
    if (entry.getSymName().starts_with("mtp")) {
      modules.push_back(entry);
    } else if (!hasMain) { // prefill and decode are the same program
      countEntry(entry, symbols, counted, summary.main);
      hasMain = true;
    }
  }
  // After the main model, whose weights they share.
  for (func::FuncOp entry : modules)
    countEntry(entry, symbols, counted, summary.mtp);
  return summary;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

/// 671026419200 as 671,026,419,200.
static std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t i = int64_t(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(i, ",");
  return digits;
}

static void printPart(const PartSummary &part, llvm::raw_ostream &os) {
  auto line = [&](StringRef name, uint64_t value, StringRef note) {
    std::string text = grouped(value);
    os << "  " << llvm::left_justify(name, 22) << llvm::right_justify(text, 21)
       << (note.empty() ? "" : "  ") << note << "\n";
  };
  line("parameters", part.parameters, "");
  line("activated per token", part.activated, "without the embedding");
  line("tensors read", part.tensors, "with the scales");
  line("weight bytes", part.weightBytes, "");
  line("cache bytes per token", part.cacheBytes, "");
  line("FLOPs per token", part.matrixFlops,
       "without attention, of which head: " + grouped(part.headFlops));
  line("attention, expanded", part.expandedFlops,
       "FLOPs per token and cached token");
  line("attention, absorbed", part.absorbedFlops,
       "FLOPs per token and cached token");
}

void deepseek::printSummary(const ModelSummary &summary,
                            llvm::raw_ostream &os) {
  os << "main model\n";
  printPart(summary.main, os);
  if (summary.mtp.tensors == 0)
    return;
  os << "multi-token prediction, in addition (the head is the main model's)\n";
  printPart(summary.mtp, os);
}

void deepseek::printSummaryAsJson(const ModelSummary &summary,
                                  llvm::raw_ostream &os) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  auto print = [&](StringRef name, const PartSummary &part) {
    json.attributeObject(name, [&] {
      json.attribute("parameters", part.parameters);
      json.attribute("activated", part.activated);
      json.attribute("tensors", part.tensors);
      json.attribute("weight_bytes", part.weightBytes);
      json.attribute("cache_bytes_per_token", part.cacheBytes);
      json.attribute("flops_per_token", part.matrixFlops);
      json.attribute("head_flops", part.headFlops);
      json.attribute("attention_flops_expanded", part.expandedFlops);
      json.attribute("attention_flops_absorbed", part.absorbedFlops);
    });
  };
  json.object([&] {
    print("main", summary.main);
    if (summary.mtp.tensors != 0)
      print("mtp", summary.mtp);
  });
  os << "\n";
}
