//===- Writer.h - Writes a safetensors file ---------------------*- C++ -*-===//
//
// For results: all tensors are in memory. The file appears complete or not at
// all.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SAFETENSORS_WRITER_H
#define DSRT_WEIGHTS_SAFETENSORS_WRITER_H

#include "runtime/core/Status.h"
#include "runtime/weights/DataType.h"

#include <map>
#include <vector>

namespace dsrt {

/// `data` holds as many bytes as type and shape say.
struct TensorToWrite {
  std::string name;
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
};

/// What a file of these tensors begins with: the length of the header, and the
/// header; adds the bytes of each tensor to `sizes`. Their data is not looked at.
Result<std::string>
makeSafetensorsHeader(const std::vector<TensorToWrite> &tensors,
                      const std::map<std::string, std::string> &metadata,
                      std::vector<uint64_t> &sizes);

/// Writes the tensors in the order given. An existing file is replaced.
Status
writeSafetensors(const std::string &path,
                 const std::vector<TensorToWrite> &tensors,
                 const std::map<std::string, std::string> &metadata = {});

} // namespace dsrt

#endif // DSRT_WEIGHTS_SAFETENSORS_WRITER_H
