//===- Model.cpp - A module and its weights -------------------------------===//

#include "runtime/core/Model.h"

#include "runtime/weights/Weights.h"

namespace dsrt {

Model::Model(Module module) : compiled(std::move(module)) {}

Model::~Model() = default;

std::string Model::source(const std::optional<std::string> &folder) const {
  return folder ? *folder : compiled.tables().source;
}

Status Model::bindWeights(const std::string &source, const Reporter &report) {
  const dsrt_module &tables = compiled.tables();
  Result<std::unique_ptr<Weights>> weights = Weights::bind(
      {tables.weights, tables.weight_count, tables.strings}, source);
  if (!weights.ok())
    return weights.status();
  Result<Memory> memory = computeDerivedWeights(compiled, **weights, report);
  if (!memory.ok())
    return memory.status();
  bound = std::move(*weights);
  derived = std::move(*memory);
  bindingNotes = bound->notes();
  return Status();
}

const void *const *Model::weights() const {
  return bound ? bound->addresses() : nullptr;
}

bool isSynthetic(const std::string &source) {
  return source.rfind("seed:", 0) == 0 || source.rfind("splat:", 0) == 0;
}

} // namespace dsrt
