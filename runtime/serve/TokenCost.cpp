//===- TokenCost.cpp - What a token costs ---------------------------------===//

#include "runtime/serve/TokenCost.h"

#include <algorithm>
#include <cstring>

namespace dsrt {

namespace {

bool isCache(const Module &module, const dsrt_value &value) {
  return std::strncmp(module.name(value), "cache.", 6) == 0 && value.rank == 3;
}

/// The entry whose cost is meant; null in a module that is no language model.
const dsrt_entry *mainEntry(const Module &module) {
  const dsrt_entry *decode = module.findEntry("decode");
  return decode ? decode : module.findEntry("prefill");
}

} // namespace

int64_t cacheBytesPerToken(const Module &module, const dsrt_entry &entry) {
  int64_t bytes = 0;
  for (uint64_t i = 0; i < entry.arg_count; ++i)
    if (isCache(module, entry.args[i]))
      bytes += entry.args[i].shape[2] * elementBytes(entry.args[i].dtype);
  return bytes;
}

double weightBytes(const dsrt_weight &weight) {
  double bytes = static_cast<double>(elementBytes(weight.dtype));
  for (int64_t i = 0; i < weight.rank; ++i)
    bytes *= static_cast<double>(weight.shape[i]);
  return bytes;
}

TokenCost tokenCost(const Module &module) {
  TokenCost cost;
  const dsrt_entry *entry = mainEntry(module);
  if (!entry)
    return cost;
  cost.expertsPerToken = module.tables().experts_per_token;
  const dsrt_module &tables = module.tables();
  const int64_t reader = int64_t(1) << (entry - tables.entries);
  bool hasHead = false;
  for (uint64_t i = 0; i < tables.weight_count; ++i)
    hasHead = hasHead || std::strcmp(module.string(tables.weights[i].key),
                                     "lm_head.weight") == 0;
  for (uint64_t i = 0; i < tables.weight_count; ++i) {
    const dsrt_weight &weight = tables.weights[i];
    const char *key = module.string(weight.key);
    if (!(weight.readers & reader))
      continue;
    double bytes = weightBytes(weight);
    double used = 1;
    if (weight.stacked && cost.expertsPerToken && weight.shape[0]) {
      // Every token uses the shared expert.
      int64_t experts = cost.expertsPerToken + (weight.last_key >= 0);
      used = static_cast<double>(std::min(experts, weight.shape[0])) /
             static_cast<double>(weight.shape[0]);
    }
    // One row, unless the table is the output matrix too.
    bool row = hasHead && std::strcmp(key, "model.embed_tokens.weight") == 0;
    if (row && weight.shape[0])
      used = 1.0 / static_cast<double>(weight.shape[0]);
    cost.weightBytes += bytes * used;
    if (weight.rank >= 2 && weight.scale_of < 0 && !row)
      cost.operations +=
          2 * used * bytes / static_cast<double>(elementBytes(weight.dtype));
  }
  return cost;
}

} // namespace dsrt
