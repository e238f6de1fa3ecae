//===- UploadRing.h - Weights on their way to a GPU -------------*- C++ -*-===//
//
// Weights lie in mapped files, and a GPU copies at the speed of its link only
// from pinned memory. So threads copy them into one of two pinned buffers while
// the other is on its way. A buffer is a contiguous part of the target: small
// tensors travel together.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_DEVICE_CUDA_UPLOADRING_H
#define DSRT_DEVICE_CUDA_UPLOADRING_H

#include "runtime/device/Device.h"
#include "runtime/device/cuda/Driver.h"

namespace dsrt::cuda {

class UploadRing {
public:
  explicit UploadRing(const Driver &driver) : driver(driver) {}
  /// Gives the pinned memory back.
  ~UploadRing();
  UploadRing(const UploadRing &) = delete;
  UploadRing &operator=(const UploadRing &) = delete;

  /// Makes buffers for `bytes` bytes.
  Status create(uint64_t bytes);
  /// See Device::uploadAll.
  Result<UploadRate> run(char *target, uint64_t bytes,
                         const std::vector<UploadPiece> &pieces,
                         const Reporter &report);

private:
  /// Waits until the slot's last copy is done.
  Status waitFor(int slot);

  static constexpr int kSlots = 2;
  const Driver &driver;
  CUstream stream = nullptr;
  CUevent done[kSlots] = {};
  bool used[kSlots] = {};
  char *buffers[kSlots] = {};
  uint64_t slotBytes = 0;
};

} // namespace dsrt::cuda

#endif // DSRT_DEVICE_CUDA_UPLOADRING_H
