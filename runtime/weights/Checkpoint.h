//===- Checkpoint.h - The tensors of a checkpoint folder --------*- C++ -*-===//
//
// Opens the safetensors files of a folder, one or many with an index, and finds
// tensors by name. All files stay mapped as long as the checkpoint lives.
// Depends on the standard library and on Status.h only.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_CHECKPOINT_H
#define DSRT_WEIGHTS_CHECKPOINT_H

#include "runtime/weights/safetensors/Reader.h"

namespace dsrt {

/// Null members if there is no such tensor.
struct CheckpointTensor {
  const Tensor *tensor = nullptr;
  const SafetensorsFile *file = nullptr;

  explicit operator bool() const { return tensor != nullptr; }
};

class Checkpoint {
public:
  /// `folder` holds model.safetensors.index.json and the files it names, or
  /// model.safetensors, or one file *.safetensors of another name.
  static Result<Checkpoint> open(const std::string &folder);

  const std::string &folder() const { return path; }
  CheckpointTensor find(std::string_view name) const;
  /// In the order of files and of their data.
  const std::vector<CheckpointTensor> &tensors() const { return all; }

private:
  Status openFiles(const std::vector<std::string> &names);
  Status openShards(const std::string &indexPath);
  Status openSingle();

  std::string path;
  std::vector<SafetensorsFile> files;
  std::vector<CheckpointTensor> all;
  std::unordered_map<std::string_view, size_t> byName; // into `all`
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_CHECKPOINT_H
