//===- Model.h - A module and its weights -----------------------*- C++ -*-===//
//
// The dsrt_model of dsrt.h.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_MODEL_H
#define DSRT_CORE_MODEL_H

#include "runtime/core/DerivedWeights.h"
#include "runtime/core/DeviceWeights.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dsrt {

class Weights;

class Model {
public:
  explicit Model(Module module);
  ~Model();

  const Module &module() const { return compiled; }

  /// Chooses where the model runs, and checks that it can; before anything is
  /// loaded. Otherwise it is what the options are by default.
  Status openDevice(const DeviceOptions &options);
  /// The GPU that was opened, else the processor.
  Device &device() { return target ? *target : hostDevice(); }
  /// Loads the code of a GPU, whose driver may have to compile it.
  Status loadCode(const Reporter &report = {});

  /// Where weights and tokenizer are looked for: `folder` if given, else the
  /// source that the model was compiled from.
  std::string source(const std::optional<std::string> &folder) const;

  /// Binds every weight of the module and computes the derived ones; an error
  /// names the first that does not fit. On a GPU, copies them there. `report`
  /// hears of work that takes long.
  Status bindWeights(const std::string &source, const Reporter &report = {});
  /// Addresses in the order of the module's table; null before binding.
  const void *const *weights() const {
    return addresses.empty() ? nullptr : addresses.data();
  }
  /// True if there is nothing left to bind.
  bool hasWeights() const { return isBound; }
  /// How fast weights were copied to a GPU.
  UploadRate uploadRate() const { return uploaded.rate(); }
  /// What is worth a line though nothing is wrong: tensors that the model does
  /// not use, tensors that had to be copied.
  const std::vector<std::string> &notes() const { return bindingNotes; }

private:
  Status uploadWeights(const Weights &weights, const Reporter &report);

  Module compiled;
  std::shared_ptr<Device> target; // outlives all memory below
  std::unique_ptr<Weights> bound; // null on a GPU, which has copies
  DeviceWeights uploaded;
  Memory derived;
  std::vector<const void *> addresses; // by row of the weight table
  bool isBound = false;
  std::vector<std::string> bindingNotes;
};

/// True if weights of `source` are made up ("seed:N", "splat:X"), so that there
/// is no folder.
bool isSynthetic(const std::string &source);

} // namespace dsrt

#endif // DSRT_CORE_MODEL_H
