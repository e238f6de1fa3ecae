//===- Mapping.h - A file mapped for reading --------------------*- C++ -*-===//
//
// Shared and read-only: processes that use the same checkpoint share its pages.
// A file that is shortened while it is mapped ends the process; files of a
// checkpoint must not be rewritten in place.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_MAPPING_H
#define DSRT_WEIGHTS_MAPPING_H

#include "runtime/core/Status.h"

#include <cstdint>

namespace dsrt {

class Mapping {
public:
  Mapping() = default;
  ~Mapping();
  Mapping(Mapping &&other) noexcept;
  Mapping &operator=(Mapping &&other) noexcept;

  static Result<Mapping> open(const std::string &path);

  const uint8_t *data() const { return address; }
  uint64_t size() const { return bytes; }
  /// Takes its pages out of this process; they are read again when touched.
  void release() const;

private:
  const uint8_t *address = nullptr;
  uint64_t bytes = 0;
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_MAPPING_H
