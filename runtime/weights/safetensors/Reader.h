//===- Reader.h - One safetensors file --------------------------*- C++ -*-===//
//
// A file is mapped, its header read and checked; the tensors lie in the
// mapping. Depends on the standard library and on Status.h only.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SAFETENSORS_READER_H
#define DSRT_WEIGHTS_SAFETENSORS_READER_H

#include "runtime/core/Status.h"
#include "runtime/weights/Mapping.h"
#include "runtime/weights/safetensors/Header.h"

#include <unordered_map>

namespace dsrt {

class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);
  /// A file that lies in memory, which the caller keeps; `path` is for
  /// messages.
  static Result<SafetensorsFile> parse(const void *data, uint64_t bytes,
                                       const std::string &path);

  const std::string &path() const { return name; }
  /// In the order of their data.
  const std::vector<Tensor> &tensors() const { return header.tensors; }
  /// Null if there is none of that name.
  const Tensor *find(std::string_view tensor) const;
  const std::map<std::string, std::string> &metadata() const {
    return header.metadata;
  }
  /// Where the data of the tensors begins in the file.
  uint64_t dataOffset() const { return dataStart; }
  /// See Mapping::release.
  void release() const { mapping.release(); }

private:
  std::string name;
  Mapping mapping; // empty for a file in memory
  uint64_t dataStart = 0;
  SafetensorsHeader header;
  std::unordered_map<std::string_view, size_t> byName;
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_SAFETENSORS_READER_H
