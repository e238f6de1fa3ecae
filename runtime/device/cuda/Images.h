//===- Images.h - Which code runs on which chip -----------------*- C++ -*-===//
//
// Chips are named as compilers name them: the compute capability, and an 'a'
// where the code uses what only that one chip has. PTX of the others runs on
// every newer chip, too.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_DEVICE_CUDA_IMAGES_H
#define DSRT_DEVICE_CUDA_IMAGES_H

#include "dsrt/abi.h"
#include "runtime/core/Status.h"

namespace dsrt::cuda {

/// Index of the best image for a device of that compute capability (90: 9.0);
/// the error lists what there is.
Result<int64_t> chooseImage(const dsrt_module &module, const std::string &path,
                            int capability, const std::string &device);

/// The compute capability of a chip: 90 of "sm_90a"; 0 of other names.
int capabilityOf(const char *chip);

/// True if machine code for the chip runs on the device.
bool runsMachineCode(const char *chip, int capability);

/// The number in ".version 8.7" of a PTX text: 87, or 0.
int ptxVersion(const char *ptx);

/// The version of CUDA whose driver first takes that PTX: 12080 for 87.
int cudaVersionFor(int ptx);

} // namespace dsrt::cuda

#endif // DSRT_DEVICE_CUDA_IMAGES_H
