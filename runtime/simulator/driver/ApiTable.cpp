//===- ApiTable.cpp - Driver interface: functions by name -----------------===//
//
// cuGetProcAddress gets names without versions and returns the newest version.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"

#include <string_view>
#include <unordered_map>

static const std::unordered_map<std::string_view, void *> &functions() {
#define PLAIN(name)                                                            \
  { #name, reinterpret_cast < void *>(name) }
#define SECOND(name)                                                           \
  { #name, reinterpret_cast < void *>(name##_v2) }
  static const std::unordered_map<std::string_view, void *> table = {
      PLAIN(cuInit),
      PLAIN(cuDriverGetVersion),
      PLAIN(cuDeviceGetCount),
      PLAIN(cuDeviceGet),
      PLAIN(cuDeviceGetName),
      SECOND(cuDeviceTotalMem),
      PLAIN(cuDeviceGetAttribute),
      PLAIN(cuDevicePrimaryCtxRetain),
      SECOND(cuDevicePrimaryCtxRelease),
      SECOND(cuDevicePrimaryCtxReset),
      PLAIN(cuCtxSetCurrent),
      PLAIN(cuCtxGetCurrent),
      PLAIN(cuCtxGetDevice),
      PLAIN(cuCtxSynchronize),
      PLAIN(cuGetErrorName),
      PLAIN(cuGetErrorString),
      SECOND(cuGetProcAddress),
      SECOND(cuMemAlloc),
      SECOND(cuMemFree),
      SECOND(cuMemGetInfo),
      PLAIN(cuMemHostAlloc),
      PLAIN(cuMemFreeHost),
      SECOND(cuMemcpyHtoD),
      SECOND(cuMemcpyDtoH),
      SECOND(cuMemcpyDtoD),
      SECOND(cuMemcpyHtoDAsync),
      SECOND(cuMemcpyDtoHAsync),
      SECOND(cuMemcpyDtoDAsync),
      SECOND(cuMemsetD8),
      SECOND(cuMemsetD32),
      PLAIN(cuMemsetD8Async),
      PLAIN(cuMemsetD32Async),
      PLAIN(cuStreamCreate),
      SECOND(cuStreamDestroy),
      PLAIN(cuStreamSynchronize),
      PLAIN(cuStreamQuery),
      PLAIN(cuStreamWaitEvent),
      PLAIN(cuEventCreate),
      SECOND(cuEventDestroy),
      PLAIN(cuEventRecord),
      PLAIN(cuEventQuery),
      PLAIN(cuEventSynchronize),
      PLAIN(cuEventElapsedTime),
      SECOND(cuStreamBeginCapture),
      PLAIN(cuStreamEndCapture),
      PLAIN(cuGraphInstantiateWithFlags),
      PLAIN(cuGraphLaunch),
      PLAIN(cuGraphExecDestroy),
      PLAIN(cuGraphDestroy),
      PLAIN(cuModuleLoadData),
      PLAIN(cuModuleLoadDataEx),
      PLAIN(cuModuleUnload),
      PLAIN(cuModuleGetFunction),
      SECOND(cuModuleGetGlobal),
      PLAIN(cuFuncGetAttribute),
      PLAIN(cuFuncSetAttribute),
      PLAIN(cuLaunchKernel),
      PLAIN(cuLaunchKernelEx),
      PLAIN(cuTensorMapEncodeTiled),
  };
#undef PLAIN
#undef SECOND
  return table;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int, uint64_t,
                             int *status) {
  auto found = functions().find(symbol);
  bool known = found != functions().end();
  *function = known ? found->second : nullptr;
  if (status)
    *status = known ? 0 : 1; // CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
  return known ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
