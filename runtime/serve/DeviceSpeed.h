//===- DeviceSpeed.h - What a GPU's memory and link can do ------*- C++ -*-===//
//
// The figures that speeds of a model on a GPU are compared with.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_DEVICESPEED_H
#define DSRT_SERVE_DEVICESPEED_H

#include "runtime/device/Device.h"

namespace dsrt {

struct DeviceSpeed {
  double linkBytesPerSecond = 0; // from pinned memory to the device
  double copyBytesPerSecond = 0; // read and written, inside of it
};

/// The best of several copies; needs 256 MB of the device, or what it has.
Result<DeviceSpeed> measureDevice(Device &device);

} // namespace dsrt

#endif // DSRT_SERVE_DEVICESPEED_H
