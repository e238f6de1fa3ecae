//===- DeviceWeights.h - Weights in the memory of a GPU ---------*- C++ -*-===//
//
// One block holds all weights of the checkpoint, each contiguous, stacked ones
// as one tensor.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_DEVICEWEIGHTS_H
#define DSRT_CORE_DEVICEWEIGHTS_H

#include "runtime/core/Memory.h"

#include <vector>

namespace dsrt {

class DeviceWeights {
public:
  /// Where each row of the weight table lies; derived rows are elsewhere.
  struct Plan {
    std::vector<uint64_t> offsets;
    uint64_t bytes = 0;
  };
  static Plan plan(const dsrt_module &module);

  /// Copies the weights, whose addresses on the host are `sources`.
  static Result<DeviceWeights> upload(Device &device, const dsrt_module &module,
                                      const void *const *sources,
                                      const Reporter &report);

  /// Addresses by row, null of derived rows.
  const std::vector<const void *> &addresses() const { return rows; }
  UploadRate rate() const { return uploadRate; }

private:
  Memory memory;
  std::vector<const void *> rows;
  UploadRate uploadRate;
};

} // namespace dsrt

#endif // DSRT_CORE_DEVICEWEIGHTS_H
