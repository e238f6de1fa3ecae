//===- ApiModule.cpp - Driver interface: modules and launches -------------===//
//
// Images are PTX text. Machine code is refused: there is nothing to run it.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"
#include "runtime/simulator/driver/Device.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

/// Copies a message into the caller's error log, if it gave one.
static void writeLog(const std::string &message, unsigned count,
                     const CUjit_option *options, void **values) {
  char *log = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    else if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      size = reinterpret_cast<size_t>(values[i]);
  }
  if (!log || size == 0)
    return;
  size_t length = std::min(message.size(), size - 1);
  std::memcpy(log, message.data(), length);
  log[length] = 0;
}

CUresult cuModuleLoadDataEx(CUmodule *handle, const void *image, unsigned count,
                            CUjit_option *options, void **values) {
  return guarded([&](Device &device) {
    const char *text = static_cast<const char *>(image);
    if (std::strncmp(text,
                     "\x7f"
                     "ELF",
                     4) == 0) {
      device.report("expected PTX text, got machine code");
      return CUDA_ERROR_INVALID_PTX;
    }
    try {
      auto module = std::make_unique<LoadedModule>(text, *device.memory);
      LoadedModule *key = module.get();
      device.modules[key] = std::move(module);
      *handle = reinterpret_cast<CUmodule>(key);
    } catch (const PtxError &error) {
      writeLog(error.what(), count, options, values);
      throw;
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleLoadData(CUmodule *handle, const void *image) {
  return cuModuleLoadDataEx(handle, image, 0, nullptr, nullptr);
}

/// Calls 'body' with the module unless the handle is none of a module.
template <typename F>
static CUresult withModule(CUmodule handle, F body) {
  return guarded([&](Device &device) {
    auto *module = reinterpret_cast<LoadedModule *>(handle);
    return device.knowsModule(module) ? body(device, *module)
                                      : CUDA_ERROR_INVALID_HANDLE;
  });
}

CUresult cuModuleUnload(CUmodule handle) {
  return withModule(handle, [](Device &device, LoadedModule &module) {
    device.scheduler->runAll();
    device.unload(module);
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetFunction(CUfunction *handle, CUmodule module,
                             const char *name) {
  return withModule(module, [&](Device &, LoadedModule &loaded) {
    const Kernel *kernel = loaded.module.findKernel(name);
    if (!kernel)
      return CUDA_ERROR_NOT_FOUND;
    uint64_t dynamic = kDefaultSharedBytes -
                       std::min(kDefaultSharedBytes, kernel->sharedBytes);
    Function &function =
        loaded.functions.try_emplace(name, Function{kernel, dynamic})
            .first->second;
    *handle = reinterpret_cast<CUfunction>(&function);
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes,
                              CUmodule module, const char *name) {
  return withModule(module, [&](Device &, LoadedModule &loaded) {
    const Module::Variable *variable = loaded.module.findVariable(name);
    if (!variable)
      return CUDA_ERROR_NOT_FOUND;
    if (address)
      *address = variable->address;
    if (bytes)
      *bytes = variable->bytes;
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

template <typename F>
static CUresult withFunction(CUfunction handle, F body) {
  return guarded([&](Device &device) {
    Function *function = device.functionOf(handle);
    return function ? body(device, *function) : CUDA_ERROR_INVALID_HANDLE;
  });
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute,
                            CUfunction handle) {
  return withFunction(handle, [&](Device &, Function &function) {
    const Kernel &kernel = *function.kernel;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *value = kernel.maxThreads ? static_cast<int>(volume(*kernel.maxThreads))
                                 : 1024;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
      *value = static_cast<int>(kernel.sharedBytes);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
      *value = static_cast<int>(kernel.localBytes);
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      *value = static_cast<int>(function.maxDynamicShared);
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
    }
  });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute,
                            int value) {
  return withFunction(handle, [&](Device &device, Function &function) {
    if (attribute == CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED)
      return CUDA_SUCCESS;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ||
        value < 0 ||
        value + function.kernel->sharedBytes > device.maxSharedBytes())
      return CUDA_ERROR_INVALID_VALUE;
    function.maxDynamicShared = static_cast<uint64_t>(value);
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// The block of parameters: from an address for each, or as one buffer.
static std::optional<std::vector<uint8_t>>
gatherParameters(const Kernel &kernel, void **parameters, void **extra) {
  std::vector<uint8_t> block(kernel.parameterBytes);
  if (parameters) {
    for (size_t i = 0; i < kernel.parameters.size(); ++i)
      std::memcpy(block.data() + kernel.parameters[i].offset, parameters[i],
                  kernel.parameters[i].bytes);
    return block;
  }
  const void *buffer = nullptr;
  size_t size = 0;
  for (; extra && *extra != CU_LAUNCH_PARAM_END; extra += 2) {
    if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER)
      buffer = extra[1];
    else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE)
      size = *static_cast<size_t *>(extra[1]);
    else
      return std::nullopt;
  }
  if (size < block.size() || (size > 0 && !buffer))
    return std::nullopt;
  if (!block.empty())
    std::memcpy(block.data(), buffer, block.size());
  return block;
}

static CUresult launch(CUfunction handle, const LaunchShape &shape,
                       CUstream streamHandle, void **parameters, void **extra) {
  return withFunction(handle, [&](Device &device, Function &function) {
    Stream *stream = device.streamOf(streamHandle);
    std::optional<std::vector<uint8_t>> block =
        gatherParameters(*function.kernel, parameters, extra);
    if (!stream || !block)
      return CUDA_ERROR_INVALID_VALUE;
    return device.launch(function, shape, stream, std::move(*block));
  });
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **parameters, void **extra) {
  LaunchShape shape;
  shape.grid = {gridX, gridY, gridZ};
  shape.block = {blockX, blockY, blockZ};
  shape.dynamicShared = sharedBytes;
  return launch(function, shape, stream, parameters, extra);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                          void **parameters, void **extra) {
  LaunchShape shape;
  shape.grid = {config->gridDimX, config->gridDimY, config->gridDimZ};
  shape.block = {config->blockDimX, config->blockDimY, config->blockDimZ};
  shape.dynamicShared = config->sharedMemBytes;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute &attribute = config->attrs[i];
    switch (attribute.id) {
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
      shape.cluster = {attribute.value.clusterDim.x,
                       attribute.value.clusterDim.y,
                       attribute.value.clusterDim.z};
      break;
    case CU_LAUNCH_ATTRIBUTE_IGNORE:
    // Kernels of a stream run one after the other: nothing starts early.
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
    // A grid that does not fit at once is found by its deadlock.
    case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
      break;
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
    }
  }
  return launch(function, shape, config->hStream, parameters, extra);
}
