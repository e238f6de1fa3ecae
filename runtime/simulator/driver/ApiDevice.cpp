//===- ApiDevice.cpp - Driver interface: device and context ---------------===//
//
// There is one device and its primary context.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"
#include "runtime/simulator/driver/Device.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

/// The context has no state beside the device's; any address that is not null.
static CUcontext primaryContext() {
  return reinterpret_cast<CUcontext>(&Device::get());
}

CUresult cuInit(unsigned flags) {
  if (flags != 0)
    return CUDA_ERROR_INVALID_VALUE;
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  device.initialized = true;
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  return guarded([&](Device &) {
    *count = 1;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGet(CUdevice *handle, int ordinal) {
  return guarded([&](Device &) {
    *handle = 0;
    return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
  });
}

CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  return guarded([&](Device &device) {
    if (length <= 0)
      return CUDA_ERROR_INVALID_VALUE;
    auto end = fmt::format_to_n(name, length - 1, "PTX simulator, sm_{}",
                                device.capability);
    *end.out = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
  return guarded([&](Device &device) {
    *bytes = device.memory->total();
    return CUDA_SUCCESS;
  });
}

static std::optional<uint64_t> attribute(const Device &device,
                                         CUdevice_attribute which) {
  switch (which) {
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y:
    return 1024;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z:
    return 64;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
    return 0x7fffffff;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
    return 65535;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
    return kDefaultSharedBytes;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
    return kLanes;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    return device.settings.multiprocessors;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
    return 2048;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
  case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
    return 1;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    return device.capability / 10;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    return device.capability % 10;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
    return device.maxSharedBytes() + kSharedBase;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    return device.maxSharedBytes();
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
    return 32;
  case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
    return kSharedBase;
  }
  return std::nullopt;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute which, CUdevice) {
  return guarded([&](Device &device) {
    std::optional<uint64_t> known = attribute(device, which);
    if (!known) {
      device.report(fmt::format("attribute {} of a device is not known",
                                static_cast<int>(which)));
      return CUDA_ERROR_INVALID_VALUE;
    }
    *value = static_cast<int>(*known);
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  return guarded([&](Device &) {
    *context = primaryContext();
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  return guarded([](Device &) { return CUDA_SUCCESS; });
}

/// The only way on after a fault.
CUresult cuDevicePrimaryCtxReset_v2(CUdevice) {
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  device.reset();
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  return guarded([&](Device &) {
    return context == nullptr || context == primaryContext()
               ? CUDA_SUCCESS
               : CUDA_ERROR_INVALID_CONTEXT;
  });
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  return guarded([&](Device &) {
    *context = primaryContext();
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetDevice(CUdevice *handle) {
  return guarded([&](Device &) {
    *handle = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSynchronize(void) {
  return guarded([](Device &device) {
    device.scheduler->runAll();
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

namespace {
struct ResultText {
  CUresult result;
  const char *name;
  const char *text;
};
} // namespace

static constexpr ResultText kResults[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED",
     "cuInit was not called"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE",
     "invalid device ordinal"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT",
     "invalid device context"},
    {CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "invalid PTX"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE",
     "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "too many resources requested for launch"},
    {CUDA_ERROR_LAUNCH_TIMEOUT, "CUDA_ERROR_LAUNCH_TIMEOUT",
     "the launch timed out: a deadlock"},
    {CUDA_ERROR_ILLEGAL_INSTRUCTION, "CUDA_ERROR_ILLEGAL_INSTRUCTION",
     "an illegal instruction was encountered"},
    {CUDA_ERROR_MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS",
     "misaligned address"},
    {CUDA_ERROR_INVALID_ADDRESS_SPACE, "CUDA_ERROR_INVALID_ADDRESS_SPACE",
     "operation not supported on this address space"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED",
     "unspecified launch failure"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED",
     "operation not supported"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
     "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "the stream does not begin the capture that is to end"},
    {CUDA_ERROR_INVALID_CLUSTER_SIZE, "CUDA_ERROR_INVALID_CLUSTER_SIZE",
     "invalid cluster size"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static const ResultText *findResult(CUresult result) {
  for (const ResultText &entry : kResults)
    if (entry.result == result)
      return &entry;
  return nullptr;
}

CUresult cuGetErrorName(CUresult result, const char **name) {
  const ResultText *entry = findResult(result);
  *name = entry ? entry->name : nullptr;
  return entry ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult result, const char **text) {
  const ResultText *entry = findResult(result);
  *text = entry ? entry->text : nullptr;
  return entry ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

const char *dsrtSimulatorError(void) {
  thread_local std::string text;
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  text = device.lastError;
  return text.c_str();
}
