//===- Model.cpp - A module and its weights -------------------------------===//

#include "runtime/core/Model.h"

#include "runtime/core/PeriodicReport.h"
#include "runtime/core/SessionPlan.h"
#include "runtime/weights/Weights.h"

namespace dsrt {

Model::Model(Module module) : compiled(std::move(module)) {}

Model::~Model() = default;

std::string Model::source(const std::optional<std::string> &folder) const {
  return folder ? *folder : compiled.tables().source;
}

Status Model::openDevice(const DeviceOptions &options) {
  Result<std::shared_ptr<Device>> opened =
      dsrt::openDevice(compiled.tables(), compiled.path(), options);
  if (!opened.ok())
    return opened.status();
  target = std::move(*opened);
  return Status();
}

Status Model::loadCode(const Reporter &report) {
  if (!target)
    DSRT_TRY(openDevice(DeviceOptions()));
  if (target->isHost())
    return Status();
  std::unique_lock<std::mutex> mine = target->use();
  PeriodicReport progress(report, [this] {
    return fmt::format("compiling the kernels for {}", target->name());
  });
  return target->load();
}

Status Model::bindWeights(const std::string &source, const Reporter &report) {
  const dsrt_module &tables = compiled.tables();
  if (!target)
    DSRT_TRY(openDevice(DeviceOptions()));
  Result<std::unique_ptr<Weights>> weights = Weights::bind(
      {tables.weights, tables.weight_count, tables.strings}, source);
  if (!weights.ok())
    return weights.status();
  bindingNotes = (*weights)->notes();
  addresses.assign((*weights)->addresses(),
                   (*weights)->addresses() + tables.weight_count);
  if (target->isHost())
    bound = std::move(*weights);
  else
    DSRT_TRY(uploadWeights(**weights, report));
  Result<Memory> memory =
      computeDerivedWeights(compiled, *target, addresses, report);
  if (!memory.ok())
    return memory.status();
  derived = std::move(*memory);
  isBound = true;
  return Status();
}

/// The checkpoint is unmapped after this: the device has all of it.
Status Model::uploadWeights(const Weights &weights, const Reporter &report) {
  const dsrt_module &tables = compiled.tables();
  const dsrt_entry *prepare = compiled.findEntry(kPrepareEntry);
  DSRT_TRY(checkDeviceMemory(*target, "the weights",
                             DeviceWeights::plan(tables).bytes +
                                 (prepare ? prepare->workspace_bytes : 0) +
                                 tables.scratch_bytes));
  DSRT_TRY(loadCode(report));
  std::unique_lock<std::mutex> mine = target->use();
  Result<DeviceWeights> copied =
      DeviceWeights::upload(*target, tables, weights.addresses(), report);
  if (!copied.ok())
    return copied.status();
  uploaded = std::move(*copied);
  addresses = uploaded.addresses();
  return Status();
}

bool isSynthetic(const std::string &source) {
  return source.rfind("seed:", 0) == 0 || source.rfind("splat:", 0) == 0;
}

} // namespace dsrt
