//===- CheckpointIndex.h - model.safetensors.index.json ---------*- C++ -*-===//
//
// Which file holds which tensor.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_CHECKPOINTINDEX_H
#define DSRT_WEIGHTS_CHECKPOINTINDEX_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace dsrt {

struct CheckpointIndex {
  struct Entry {
    std::string tensor;
    uint32_t file; // index into files
  };
  std::vector<Entry> entries;     // as the file lists them
  std::vector<std::string> files; // plain names, each once
};

/// `path` is for messages. File names that lead out of the folder are refused.
Result<CheckpointIndex> parseCheckpointIndex(std::string_view text,
                                             const std::string &path);

} // namespace dsrt

#endif // DSRT_WEIGHTS_CHECKPOINTINDEX_H
