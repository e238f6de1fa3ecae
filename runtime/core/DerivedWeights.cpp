//===- DerivedWeights.cpp - Weights computed at the start -----------------===//
//
// How far the work has come is read off the memory: the system makes a page of
// the workspace resident when a result is written to it.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/DerivedWeights.h"

#include "runtime/core/DeviceStep.h"
#include "runtime/core/PeriodicReport.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace dsrt {

namespace {

/// The result of the entry that is the weight, or null.
const dsrt_value *findResult(const Module &module, const dsrt_entry &entry,
                             const char *name) {
  for (uint64_t i = 0; i < entry.result_count; ++i)
    if (std::strcmp(module.name(entry.results[i]), name) == 0)
      return &entry.results[i];
  return nullptr;
}

/// The part of `memory` that is resident, from samples.
double residentPart(const Memory &memory) {
  constexpr uint64_t kSamples = 1000;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t pages = memory.size() / page;
  const uint64_t samples = std::min(kSamples, pages);
  uint64_t resident = 0;
  for (uint64_t i = 0; i < samples; ++i) {
    unsigned char state = 0;
    char *address = static_cast<char *>(memory.data());
    if (mincore(address + i * pages / samples * page, page, &state) == 0)
      resident += state & 1;
  }
  return samples ? static_cast<double>(resident) / static_cast<double>(samples)
                 : 1.0;
}

} // namespace

Status checkDerivedWeights(const Module &module) {
  const dsrt_module &tables = module.tables();
  const dsrt_entry *prepare = module.findEntry(kPrepareEntry);
  for (uint64_t i = 0; i < tables.weight_count; ++i) {
    const dsrt_weight &weight = tables.weights[i];
    if (!weight.derived)
      continue;
    const char *name = module.string(weight.key);
    const dsrt_value *result =
        prepare ? findResult(module, *prepare, name) : nullptr;
    if (!result || prepare->arg_count || result->dtype != weight.dtype ||
        result->rank != weight.rank ||
        !std::equal(weight.shape, weight.shape + weight.rank, result->shape))
      return error(DSRT_MALFORMED,
                   "'{}' is malformed: no result of the entry '{}' is the "
                   "derived weight '{}'",
                   module.path(), kPrepareEntry, name);
  }
  return Status();
}

Result<Memory> computeDerivedWeights(const Module &module, Device &device,
                                     std::vector<const void *> &addresses,
                                     const Reporter &report) {
  const dsrt_entry *entry = module.findEntry(kPrepareEntry);
  if (!entry)
    return Memory();
  const double bytes = static_cast<double>(entry->workspace_bytes);
  const double available = static_cast<double>(availableMemory());
  if (device.isHost() && bytes > available)
    return error(DSRT_OUT_OF_MEMORY,
                 "the weights that are computed at the start need {}, this "
                 "machine has {}",
                 formatBytes(bytes), formatBytes(available));
  Result<Memory> memory =
      Memory::reserve(device, entry->workspace_bytes, "the derived weights");
  if (!memory.ok())
    return memory;

  ThreadTeam team(ThreadTeam::availableCores());
  dsrt_call call;
  call.weights = addresses.data();
  call.workspace = memory->data();
  call.team = &team;
  call.device = &device;
  std::vector<dsrt_buffer> results(entry->result_count);
  if (device.isHost()) {
    PeriodicReport progress(report, [&] {
      return fmt::format("preparing {} of weights: {:.0f} %",
                         formatBytes(static_cast<double>(memory->size())),
                         100 * residentPart(*memory));
    });
    DSRT_TRY(callEntry(*entry, call, nullptr, results.data()));
  } else {
    std::unique_lock<std::mutex> mine = device.use();
    DSRT_TRY(callEntry(*entry, call, nullptr, results.data()));
    DSRT_TRY(device.synchronize());
  }

  const dsrt_module &tables = module.tables();
  for (uint64_t i = 0; i < tables.weight_count; ++i) {
    if (!tables.weights[i].derived)
      continue;
    const dsrt_value *result =
        findResult(module, *entry, module.string(tables.weights[i].key));
    addresses[i] = results[result - entry->results].data;
  }
  return memory;
}

} // namespace dsrt
