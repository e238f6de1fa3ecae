//===- DeviceWeights.cpp - Weights in the memory of a GPU -----------------===//

#include "runtime/core/DeviceWeights.h"

#include "runtime/core/ElementTypes.h"

namespace dsrt {

/// Bytes of the elements [dim ...] of a weight; their count was checked to fit.
static uint64_t bytesFrom(const dsrt_weight &weight, int64_t dim) {
  uint64_t bytes = static_cast<uint64_t>(elementBytes(weight.dtype));
  for (; dim < weight.rank; ++dim)
    bytes *= static_cast<uint64_t>(weight.shape[dim]);
  return bytes;
}

DeviceWeights::Plan DeviceWeights::plan(const dsrt_module &module) {
  constexpr uint64_t alignment = 128; // what TMA and vector loads want at most
  Plan plan;
  for (uint64_t i = 0; i < module.weight_count; ++i) {
    plan.offsets.push_back(plan.bytes);
    if (!module.weights[i].derived)
      plan.bytes += (bytesFrom(module.weights[i], 0) + alignment - 1) /
                    alignment * alignment;
  }
  return plan;
}

Result<DeviceWeights> DeviceWeights::upload(Device &device,
                                            const dsrt_module &module,
                                            const void *const *sources,
                                            const Reporter &report) {
  const Plan layout = plan(module);
  DeviceWeights weights;
  Result<Memory> memory = Memory::reserve(device, layout.bytes, "the weights");
  if (!memory.ok())
    return memory.status();
  weights.memory = std::move(*memory);
  std::vector<UploadPiece> pieces;
  for (uint64_t i = 0; i < module.weight_count; ++i) {
    const dsrt_weight &weight = module.weights[i];
    if (weight.derived) {
      weights.rows.push_back(nullptr);
      continue;
    }
    weights.rows.push_back(static_cast<char *>(weights.memory.data()) +
                           layout.offsets[i]);
    if (!weight.stacked) {
      pieces.push_back({layout.offsets[i], sources[i], bytesFrom(weight, 0)});
      continue;
    }
    const auto *table = static_cast<const void *const *>(sources[i]);
    const uint64_t bytes = bytesFrom(weight, 1);
    for (int64_t e = 0; e < weight.shape[0]; ++e)
      pieces.push_back({layout.offsets[i] + static_cast<uint64_t>(e) * bytes,
                        table[e], bytes});
  }
  Result<UploadRate> rate =
      device.uploadAll(weights.memory.data(), layout.bytes, pieces, report);
  if (!rate.ok())
    return rate.status();
  weights.uploadRate = *rate;
  return weights;
}

} // namespace dsrt
