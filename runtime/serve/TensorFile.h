//===- TensorFile.h - Writes a safetensors file -----------------*- C++ -*-===//
//
// All tensors are declared first, then rows are written in any order, so that a
// file may be larger than memory.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_TENSORFILE_H
#define DSRT_SERVE_TENSORFILE_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dsrt {

class TensorFile {
public:
  TensorFile() = default;
  /// Removes the file unless it was closed.
  ~TensorFile();
  TensorFile(const TensorFile &) = delete;
  TensorFile &operator=(const TensorFile &) = delete;

  /// `type` is "F32" or "I32". Returns the number of the tensor.
  size_t declare(const std::string &name, const char *type, int64_t rows,
                 int64_t columns);
  /// Creates the file with its header, at its full length.
  Status create(const std::string &path);
  /// Writes `count` rows of 4-byte elements.
  Status writeRows(size_t tensor, int64_t row, int64_t count, const void *data);
  Status close();

private:
  struct Tensor {
    std::string name;
    const char *type;
    int64_t rows, columns;
    uint64_t offset;
  };
  Status failed(const char *action);
  Status writeAt(const char *bytes, uint64_t count, uint64_t offset);

  std::vector<Tensor> tensors;
  std::string path;    // the name it gets when it is whole
  std::string writing; // the name it has until then
  uint64_t dataStart = 0, dataBytes = 0;
  int descriptor = -1;
};

} // namespace dsrt

#endif // DSRT_SERVE_TENSORFILE_H
