//===- DeviceSpeed.cpp - What a GPU's memory and link can do --------------===//

#include "runtime/serve/DeviceSpeed.h"

#include "runtime/core/Memory.h"
#include "runtime/serve/Application.h"

#include <algorithm>
#include <cstring>

namespace dsrt {

/// Bytes per second of the fastest of a few runs of `work`, which does `count`
/// copies of `bytes` bytes.
template <typename Work>
static Result<double> best(Device &device, double bytes, const Work &work) {
  constexpr int rounds = 4, count = 4;
  double fastest = 0;
  for (int round = 0; round < rounds; ++round) {
    const double begin = now();
    for (int i = 0; i < count; ++i)
      DSRT_TRY(work());
    DSRT_TRY(device.synchronize());
    fastest = std::max(fastest, count * bytes / (now() - begin));
  }
  return fastest;
}

Result<DeviceSpeed> measureDevice(Device &device) {
  std::unique_lock<std::mutex> mine = device.use();
  Result<uint64_t> available = device.availableBytes();
  if (!available.ok())
    return available.status();
  constexpr uint64_t largest = 128 << 20;
  const uint64_t bytes = std::min(largest, *available / 4);
  Result<Memory> from = Memory::reserve(device, bytes, "measuring");
  Result<Memory> to = Memory::reserve(device, bytes, "measuring");
  Result<void *> pinned = device.allocateStaging(bytes);
  for (const Status &status : {from.status(), to.status(), pinned.status()})
    DSRT_TRY(status);
  std::memset(*pinned, 1, bytes);
  const double size = static_cast<double>(bytes);
  Result<double> link = best(device, size, [&] {
    return device.upload(from->data(), *pinned, bytes);
  });
  Result<double> copy = best(device, 2 * size, [&] {
    return device.copy(to->data(), from->data(), bytes);
  });
  device.releaseStaging(*pinned);
  DSRT_TRY(link.status());
  DSRT_TRY(copy.status());
  return DeviceSpeed{*link, *copy};
}

} // namespace dsrt
