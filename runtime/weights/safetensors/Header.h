//===- Header.h - The header of a safetensors file --------------*- C++ -*-===//
//
// Reads and checks the JSON that lists the tensors. What the format's own
// reader refuses is refused here: a name given twice, sizes that contradict
// the shape, tensors that overlap or leave bytes between them unused.
//
// One thing is more lenient: a type that this version does not know is an error
// only for who uses the tensor.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SAFETENSORS_HEADER_H
#define DSRT_WEIGHTS_SAFETENSORS_HEADER_H

#include "runtime/core/Status.h"
#include "runtime/weights/DataType.h"

#include <map>
#include <string_view>
#include <vector>

namespace dsrt {

/// A tensor of a file.
struct Tensor {
  std::string name;
  DataType dtype = DataType::Unknown;
  std::string typeName; // as the file spells it, if dtype is Unknown
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0; // within the file's data
  const uint8_t *data = nullptr;

  uint64_t bytes() const { return end - begin; }
  /// "bf16 [2048, 256]".
  std::string typeText() const;
};

struct SafetensorsHeader {
  std::vector<Tensor> tensors; // in the order of their data
  std::map<std::string, std::string> metadata;
};

/// `text` is the JSON, `dataBytes` the length of what follows it in the file;
/// `file` is for messages.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view text,
                                                 uint64_t dataBytes,
                                                 const std::string &file);

} // namespace dsrt

#endif // DSRT_WEIGHTS_SAFETENSORS_HEADER_H
