//===- Driver.h - The functions of the CUDA driver --------------*- C++ -*-===//
//
// Opens a driver library, libcuda.so.1 or the simulator's, and looks up what
// the runtime calls.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_DEVICE_CUDA_DRIVER_H
#define DSRT_DEVICE_CUDA_DRIVER_H

#include "runtime/core/Status.h"
#include "runtime/device/cuda/Cuda.h"

#include <memory>

namespace dsrt::cuda {

/// Name in the library, and what it takes. Names with a version are the ones
/// that cuda.h has meant by the plain name for ten years.
#define DSRT_CUDA_FUNCTIONS(F)                                                 \
  F(cuInit, unsigned)                                                          \
  F(cuDriverGetVersion, int *)                                                 \
  F(cuGetErrorName, CUresult, const char **)                                   \
  F(cuGetErrorString, CUresult, const char **)                                 \
  F(cuDeviceGetCount, int *)                                                   \
  F(cuDeviceGet, CUdevice *, int)                                              \
  F(cuDeviceGetName, char *, int, CUdevice)                                    \
  F(cuDeviceGetAttribute, int *, int, CUdevice)                                \
  F(cuDevicePrimaryCtxRetain, CUcontext *, CUdevice)                           \
  F(cuDevicePrimaryCtxRelease_v2, CUdevice)                                    \
  F(cuCtxSetCurrent, CUcontext)                                                \
  F(cuMemGetInfo_v2, size_t *, size_t *)                                       \
  F(cuMemAlloc_v2, CUdeviceptr *, size_t)                                      \
  F(cuMemFree_v2, CUdeviceptr)                                                 \
  F(cuMemHostAlloc, void **, size_t, unsigned)                                 \
  F(cuMemFreeHost, void *)                                                     \
  F(cuMemcpyHtoDAsync_v2, CUdeviceptr, const void *, size_t, CUstream)         \
  F(cuMemcpyDtoHAsync_v2, void *, CUdeviceptr, size_t, CUstream)               \
  F(cuMemcpyDtoDAsync_v2, CUdeviceptr, CUdeviceptr, size_t, CUstream)          \
  F(cuMemsetD8Async, CUdeviceptr, unsigned char, size_t, CUstream)             \
  F(cuStreamCreate, CUstream *, unsigned)                                      \
  F(cuStreamDestroy_v2, CUstream)                                              \
  F(cuStreamSynchronize, CUstream)                                             \
  F(cuStreamBeginCapture_v2, CUstream, int)                                    \
  F(cuStreamEndCapture, CUstream, CUgraph *)                                   \
  F(cuGraphInstantiateWithFlags, CUgraphExec *, CUgraph, unsigned long long)   \
  F(cuGraphLaunch, CUgraphExec, CUstream)                                      \
  F(cuGraphExecDestroy, CUgraphExec)                                           \
  F(cuGraphDestroy, CUgraph)                                                   \
  F(cuEventCreate, CUevent *, unsigned)                                        \
  F(cuEventDestroy_v2, CUevent)                                                \
  F(cuEventRecord, CUevent, CUstream)                                          \
  F(cuEventSynchronize, CUevent)                                               \
  F(cuModuleLoadDataEx, CUmodule *, const void *, unsigned, int *, void **)    \
  F(cuModuleUnload, CUmodule)                                                  \
  F(cuModuleGetFunction, CUfunction *, CUmodule, const char *)                 \
  F(cuFuncSetAttribute, CUfunction, int, int)                                  \
  F(cuLaunchKernelEx, const CUlaunchConfig *, CUfunction, void **, void **)

/// True of what a kernel did. Every call says so from then on, whatever it is
/// for.
inline bool isKernelFault(CUresult result) {
  return result == CUDA_ERROR_ILLEGAL_ADDRESS ||
         result == CUDA_ERROR_LAUNCH_TIMEOUT ||
         (result >= CUDA_ERROR_ASSERT && result <= CUDA_ERROR_LAUNCH_FAILED);
}

class Driver {
public:
  /// `device` is that of DeviceOptions. The driver is initialized and has a
  /// device.
  static Result<std::shared_ptr<const Driver>> open(const std::string &device);

#define DSRT_CUDA_MEMBER(name, ...) CUresult (*name)(__VA_ARGS__) = nullptr;
  DSRT_CUDA_FUNCTIONS(DSRT_CUDA_MEMBER)
#undef DSRT_CUDA_MEMBER

  /// A function that not every library has, or null.
  void *find(const char *name) const;
  /// True for the simulator, whatever the name of its file.
  bool isSimulator() const { return find("dsrtSimulatorError") != nullptr; }
  /// "CUDA_ERROR_X (what it means)".
  std::string textOf(CUresult result) const;
  /// The error of a call: out of memory, that the device failed, or that a
  /// kernel did which was launched at some time before.
  Status failure(const char *function, CUresult result) const;

private:
  Driver() = default;

  void *library = nullptr;
  std::string path;
};

} // namespace dsrt::cuda

/// Calls a function of a driver; returns its failure from the enclosing one.
#define DSRT_CUDA_TRY(driver, name, ...)                                       \
  do {                                                                         \
    ::dsrt::cuda::CUresult dsrtResult = (driver).name(__VA_ARGS__);            \
    if (dsrtResult != ::dsrt::cuda::CUDA_SUCCESS)                              \
      return (driver).failure(#name, dsrtResult);                              \
  } while (false)

#endif // DSRT_DEVICE_CUDA_DRIVER_H
