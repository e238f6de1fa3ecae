//===- Gpu.h - What the tests of the simulator share ------------*- C++ -*-===//
//
// A GPU through the driver's functions, looked up in libcuda.so.1 as a program
// does that is built without a toolkit.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_RUNTIME_SIMULATOR_GPU_H
#define TEST_RUNTIME_SIMULATOR_GPU_H

#include "runtime/simulator/driver/Api.h"

#include <string>
#include <vector>

namespace dsrt::test {

// The functions that the tests call.
#define DRIVER_FUNCTIONS(F)                                                    \
  F(cuInit)                                                                    \
  F(cuDeviceGetCount)                                                          \
  F(cuDeviceGet)                                                               \
  F(cuDeviceGetName)                                                           \
  F(cuDeviceGetAttribute)                                                      \
  F(cuDevicePrimaryCtxRetain)                                                  \
  F(cuDevicePrimaryCtxReset_v2)                                                \
  F(cuCtxSetCurrent)                                                           \
  F(cuCtxSynchronize)                                                          \
  F(cuGetErrorName)                                                            \
  F(cuGetErrorString)                                                          \
  F(cuGetProcAddress_v2)                                                       \
  F(cuMemAlloc_v2)                                                             \
  F(cuMemFree_v2)                                                              \
  F(cuMemGetInfo_v2)                                                           \
  F(cuMemHostAlloc)                                                            \
  F(cuMemFreeHost)                                                             \
  F(cuMemcpyHtoD_v2)                                                           \
  F(cuMemcpyDtoH_v2)                                                           \
  F(cuMemcpyHtoDAsync_v2)                                                      \
  F(cuMemcpyDtoHAsync_v2)                                                      \
  F(cuMemsetD8_v2)                                                             \
  F(cuMemsetD32Async)                                                          \
  F(cuStreamCreate)                                                            \
  F(cuStreamDestroy_v2)                                                        \
  F(cuStreamSynchronize)                                                       \
  F(cuStreamQuery)                                                             \
  F(cuStreamWaitEvent)                                                         \
  F(cuEventCreate)                                                             \
  F(cuEventDestroy_v2)                                                         \
  F(cuEventRecord)                                                             \
  F(cuEventQuery)                                                              \
  F(cuEventSynchronize)                                                        \
  F(cuStreamBeginCapture_v2)                                                   \
  F(cuStreamEndCapture)                                                        \
  F(cuGraphInstantiateWithFlags)                                               \
  F(cuGraphLaunch)                                                             \
  F(cuGraphExecDestroy)                                                        \
  F(cuGraphDestroy)                                                            \
  F(cuModuleLoadDataEx)                                                        \
  F(cuModuleUnload)                                                            \
  F(cuModuleGetFunction)                                                       \
  F(cuModuleGetGlobal_v2)                                                      \
  F(cuFuncGetAttribute)                                                        \
  F(cuFuncSetAttribute)                                                        \
  F(cuLaunchKernel)                                                            \
  F(cuLaunchKernelEx)                                                          \
  F(cuTensorMapEncodeTiled)

/// The driver's functions under their names.
struct Driver {
#define DECLARE(name) decltype(&::name) name;
  DRIVER_FUNCTIONS(DECLARE)
#undef DECLARE
  // Null on a GPU.
  decltype(&::dsrtSimulatorError) dsrtSimulatorError;
  decltype(&::dsrtSimulatorCounts) dsrtSimulatorCounts;
  decltype(&::dsrtSimulatorSetTrace) dsrtSimulatorSetTrace;
};

/// Loaded and ready; ends the program if there is none.
const Driver &driver();

/// Ends the program unless the result is that of success.
void expectSuccess(CUresult result, const std::string &what);
/// "CUDA_ERROR_INVALID_VALUE".
std::string nameOf(CUresult result);
/// Prints "label: ok", or how it failed; makes the program fail.
void report(const std::string &label, bool good, const std::string &detail);
/// What main returns.
int exitCode();

/// A loaded module.
class PtxModule {
public:
  explicit PtxModule(const std::string &text);
  ~PtxModule();
  PtxModule(const PtxModule &) = delete;
  CUfunction function(const std::string &name) const;
  CUmodule handle = nullptr;
};

/// Memory of the device.
class Buffer {
public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer &) = delete;

  template <typename T>
  explicit Buffer(const std::vector<T> &values)
      : Buffer(values.size() * sizeof(T)) {
    expectSuccess(driver().cuMemcpyHtoD_v2(address, values.data(), bytes),
                  "cuMemcpyHtoD");
  }
  template <typename T>
  std::vector<T> read() const {
    std::vector<T> values(bytes / sizeof(T));
    expectSuccess(driver().cuMemcpyDtoH_v2(values.data(), address, bytes),
                  "cuMemcpyDtoH");
    return values;
  }

  CUdeviceptr address = 0;
  size_t bytes;
};

/// Launches on the default stream and waits. 'arguments' are addresses of the
/// parameters' values.
CUresult launch(CUfunction function, unsigned grid, unsigned block,
                std::vector<void *> arguments, unsigned sharedBytes = 0);

std::string readFile(const std::string &path);

// The commands of ds-test-simulator, see main.cpp.
void describeDevice();
void testIntegers();
void testFloats();
void testKernels(const std::string &folder);
void testFaults(const std::string &folder);
void testStreams(const std::string &folder);
void testWarps(const std::string &folder);
void testMatrices(const std::string &folder);
void testRaces(const std::string &folder);
void testGlobalRaces(const std::string &folder);
void testStatistics(const std::string &folder);
void checkCoverage(const std::string &folder);
void testSpeed();
void testTensors(const std::string &folder);
void testWarpgroups();

} // namespace dsrt::test

#endif // TEST_RUNTIME_SIMULATOR_GPU_H
