//===- CudaDevice.cpp - A GPU with the code of one model ------------------===//
//
// Nothing here has run on a GPU yet: the tests run it on the simulator.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/core/Memory.h"
#include "runtime/device/cuda/Images.h"
#include "runtime/device/cuda/UploadRing.h"

#include <cstdio>
#include <cstdlib>

namespace dsrt {

using namespace cuda;

namespace {

CUdeviceptr address(const void *pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

} // namespace

//===----------------------------------------------------------------------===//
// Opening and closing
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<Device>> CudaDevice::open(const dsrt_module &module,
                                                 const std::string &path,
                                                 const DeviceOptions &options) {
  // The simulator is a GPU of the chip that the code is for, unless it was told.
  if (options.device == "simulator" && module.image_count > 0)
    ::setenv("DSRT_SIMULATOR_CHIP",
             std::to_string(capabilityOf(module.images[0].chip)).c_str(),
             /*overwrite=*/0);
  Result<std::shared_ptr<const Driver>> driver = Driver::open(options.device);
  if (!driver.ok())
    return driver.status();
  std::shared_ptr<CudaDevice> device(
      new CudaDevice(std::move(*driver), module, path, options));
  DSRT_TRY(device->initialize());
  DSRT_TRY(device->observe(options));
  return std::shared_ptr<Device>(std::move(device));
}

Status CudaDevice::initialize() {
  char text[256] = "";
  int major = 0, minor = 0;
  DSRT_CUDA_TRY(*driver, cuDeviceGet, &device, 0);
  DSRT_CUDA_TRY(*driver, cuDeviceGetName, text, sizeof(text) - 1, device);
  DSRT_CUDA_TRY(*driver, cuDeviceGetAttribute, &major,
                CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  DSRT_CUDA_TRY(*driver, cuDeviceGetAttribute, &minor,
                CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  capability = major * 10 + minor;
  deviceName = fmt::format("{} (sm_{})", text, capability);
  Result<int64_t> best = chooseImage(module, path, capability, text);
  if (!best.ok())
    return best.status();
  image = *best;
  DSRT_CUDA_TRY(*driver, cuDevicePrimaryCtxRetain, &context, device);
  DSRT_CUDA_TRY(*driver, cuCtxSetCurrent, context);
  DSRT_CUDA_TRY(*driver, cuStreamCreate, &work, CU_STREAM_NON_BLOCKING);
  return Status();
}

/// Switches on what only the simulator can.
Status CudaDevice::observe(const DeviceOptions &options) {
  using SetTrace = void (*)(void (*line)(const char *, void *), void *);
  auto setTrace =
      reinterpret_cast<SetTrace>(driver->find("dsrtSimulatorSetTrace"));
  const char *missing =
      options.traceKernels && !setTrace ? "--trace=kernel"
      : !options.counts.empty() && !driver->find("dsrtSimulatorCounts")
          ? "--counts"
          : nullptr;
  if (missing)
    return error(
        DSRT_UNSUPPORTED,
        "{}: {} cannot tell what a kernel does; use --device=simulator",
        missing, deviceName);
  if (options.traceKernels)
    setTrace(
        [](const char *line, void *) { std::fprintf(stderr, "%s\n", line); },
        nullptr);
  return Status();
}

Result<std::string> CudaDevice::counts() {
  if (countsFormat.empty())
    return std::string();
  using Counts = const char *(*)(int json);
  auto read = reinterpret_cast<Counts>(driver->find("dsrtSimulatorCounts"));
  return std::string(read(countsFormat == "json"));
}

/// After a failed kernel every one of these calls fails, too; then the context
/// takes all with it.
CudaDevice::~CudaDevice() {
  if (!context)
    return;
  driver->cuCtxSetCurrent(context);
  for (auto [host, copied] : constants)
    driver->cuMemFree_v2(address(copied));
  if (scratchMemory)
    driver->cuMemFree_v2(address(scratchMemory));
  if (code)
    driver->cuModuleUnload(code);
  if (work)
    driver->cuStreamDestroy_v2(work);
  driver->cuDevicePrimaryCtxRelease_v2(device);
}

std::unique_lock<std::mutex> CudaDevice::use() {
  std::unique_lock<std::mutex> lock(mutex);
  driver->cuCtxSetCurrent(context);
  return lock;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

Status CudaDevice::load() {
  if (code)
    return Status();
  DSRT_TRY(loadImage());
  functions.resize(module.device_kernel_count);
  for (uint64_t row = 0; row < module.device_kernel_count; ++row)
    if (module.device_kernels[row].image == image)
      DSRT_TRY(loadFunction(row));
  Result<void *> memory = allocate(module.scratch_bytes, "the scratch");
  if (!memory.ok())
    return memory.status();
  scratchMemory = *memory;
  return Status();
}

/// Machine code where there is some for this chip; the driver may still refuse
/// it and take the text.
Status CudaDevice::loadImage() {
  const dsrt_image &chosen = module.images[image];
  if (chosen.cubin_bytes && !driver->isSimulator() &&
      runsMachineCode(chosen.chip, capability) &&
      driver->cuModuleLoadDataEx(&code, chosen.cubin, 0, nullptr, nullptr) ==
          CUDA_SUCCESS)
    return Status();
  return loadText(chosen.ptx);
}

Status CudaDevice::loadText(const char *ptx) {
  std::string log(4096, '\0');
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  const CUresult result =
      driver->cuModuleLoadDataEx(&code, ptx, 2, options, values);
  if (result == CUDA_SUCCESS)
    return Status();
  code = nullptr;
  if (result != CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
    return error(DSRT_DEVICE_FAILED,
                 "the driver refuses the code of '{}' for {}: {}: {}", path,
                 module.images[image].chip, driver->textOf(result),
                 log.c_str());
  int found = 0;
  driver->cuDriverGetVersion(&found);
  const int version = ptxVersion(ptx), needed = cudaVersionFor(version);
  return error(DSRT_UNSUPPORTED,
               "the driver is too old: the code of '{}' for {} is PTX {}.{}, "
               "which needs the driver of CUDA {}.{} or newer, this one is of "
               "CUDA {}.{}",
               path, module.images[image].chip, version / 10, version % 10,
               needed / 1000, needed % 1000 / 10, found / 1000,
               found % 1000 / 10);
}

Status CudaDevice::loadFunction(uint64_t row) {
  constexpr int64_t plainShared = 48 << 10, portableCluster = 8;
  const dsrt_device_kernel &kernel = module.device_kernels[row];
  const char *name = module.strings + kernel.name;
  CUfunction &function = functions[row];
  CUresult result = driver->cuModuleGetFunction(&function, code, name);
  if (result != CUDA_SUCCESS)
    return error(DSRT_MALFORMED, "'{}': the code for {} has no kernel '{}': {}",
                 path, module.images[image].chip, name, driver->textOf(result));
  if (kernel.shared_bytes > plainShared)
    result = driver->cuFuncSetAttribute(
        function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        static_cast<int>(kernel.shared_bytes));
  if (result != CUDA_SUCCESS)
    return error(DSRT_DEVICE_FAILED,
                 "kernel '{}' needs {} bytes of shared memory, which {} does "
                 "not give: {}",
                 name, kernel.shared_bytes, deviceName, driver->textOf(result));
  if (kernel.cluster[0] * kernel.cluster[1] * kernel.cluster[2] >
      portableCluster)
    result = driver->cuFuncSetAttribute(
        function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1);
  return result == CUDA_SUCCESS ? Status()
                                : driver->failure("cuFuncSetAttribute", result);
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

Status CudaDevice::kernelFailure(const dsrt_device_kernel &kernel,
                                 const int64_t grid[3], CUresult result) const {
  return error(
      DSRT_DEVICE_FAILED,
      "kernel '{}' failed: {}; grid {}x{}x{}, block {}x{}x{}, {} bytes "
      "of dynamic shared memory, for {}",
      module.strings + kernel.name, driver->textOf(result), grid[0], grid[1],
      grid[2], kernel.block[0], kernel.block[1], kernel.block[2],
      kernel.shared_bytes, module.strings + kernel.location);
}

Status CudaDevice::launch(int64_t row, const int64_t grid[3],
                          const void *const *args) {
  if (row < 0 || row >= static_cast<int64_t>(functions.size()) ||
      !functions[row])
    return error(DSRT_MALFORMED,
                 "'{}' launches device kernel {}, which is not of the image "
                 "for {}",
                 path, row, module.images[image].chip);
  const dsrt_device_kernel &kernel = module.device_kernels[row];
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0)
    return Status();
  constexpr int64_t largest[3] = {0x7fffffff, 65535, 65535};
  for (int axis = 0; axis < 3; ++axis)
    if (grid[axis] < 0 || grid[axis] > largest[axis])
      return error(DSRT_LIMIT_EXCEEDED,
                   "kernel '{}' is launched on a grid of {}x{}x{}, a GPU has "
                   "at most {}x{}x{}",
                   module.strings + kernel.name, grid[0], grid[1], grid[2],
                   largest[0], largest[1], largest[2]);
  CUlaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (kernel.cluster[0] * kernel.cluster[1] * kernel.cluster[2] > 1) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[count++].value.clusterDim = {
        static_cast<unsigned>(kernel.cluster[0]),
        static_cast<unsigned>(kernel.cluster[1]),
        static_cast<unsigned>(kernel.cluster[2])};
  }
  if (kernel.dependent) {
    attributes[count].id =
        CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[count++].value.programmaticStreamSerializationAllowed = 1;
  }
  const CUlaunchConfig config = {static_cast<unsigned>(grid[0]),
                                 static_cast<unsigned>(grid[1]),
                                 static_cast<unsigned>(grid[2]),
                                 static_cast<unsigned>(kernel.block[0]),
                                 static_cast<unsigned>(kernel.block[1]),
                                 static_cast<unsigned>(kernel.block[2]),
                                 static_cast<unsigned>(kernel.shared_bytes),
                                 work,
                                 attributes,
                                 count};
  // The driver reads the values only; its type says otherwise.
  CUresult result = driver->cuLaunchKernelEx(
      &config, functions[row], const_cast<void **>(args), nullptr);
  if (graphs && isKernelFault(result)) // of one before
    return driver->failure("cuLaunchKernelEx", result);
  if (result == CUDA_SUCCESS && !graphs)
    result = driver->cuStreamSynchronize(work);
  return result == CUDA_SUCCESS ? Status()
                                : kernelFailure(kernel, grid, result);
}

static int tensorMapType(int64_t dtype) {
  switch (dtype) {
  case DSRT_F32:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  case DSRT_BF16:
    return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  case DSRT_F16:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  case DSRT_I32:
    return CU_TENSOR_MAP_DATA_TYPE_INT32;
  case DSRT_I64:
    return CU_TENSOR_MAP_DATA_TYPE_INT64;
  default: // of one byte
    return CU_TENSOR_MAP_DATA_TYPE_UINT8;
  }
}

Status CudaDevice::encodeTensorMap(const dsrt_tensor_map_desc &desc,
                                   void *map) {
  using Encode = CUresult (*)(void *, int, uint32_t, void *, const uint64_t *,
                              const uint64_t *, const uint32_t *,
                              const uint32_t *, int, int, int, int);
  auto encode =
      reinterpret_cast<Encode>(driver->find("cuTensorMapEncodeTiled"));
  if (!encode)
    return error(DSRT_UNSUPPORTED,
                 "the driver has no cuTensorMapEncodeTiled; the code for {} "
                 "needs the driver of CUDA 12 or newer",
                 module.images[image].chip);
  constexpr int64_t maxRank = 5;
  if (desc.rank < 1 || desc.rank > maxRank)
    return error(DSRT_MALFORMED,
                 "'{}': expected a tensor map of rank 1 to {}, got {}", path,
                 maxRank, desc.rank);
  uint64_t sizes[maxRank], strides[maxRank];
  uint32_t box[maxRank], steps[maxRank];
  for (int64_t i = 0; i < desc.rank; ++i) {
    sizes[i] = static_cast<uint64_t>(desc.sizes[i]);
    box[i] = static_cast<uint32_t>(desc.box[i]);
    steps[i] = 1;
    if (i > 0) // that of the innermost is the element's size
      strides[i - 1] = static_cast<uint64_t>(desc.strides[i]);
  }
  // CUtensorMapSwizzle: 0: none, 1: 32 bytes, 2: 64, 3: 128.
  const int swizzle = desc.swizzle_bytes == 128  ? 3
                      : desc.swizzle_bytes == 64 ? 2
                      : desc.swizzle_bytes == 32 ? 1
                                                 : 0;
  const CUresult result = encode(
      map, tensorMapType(desc.dtype), static_cast<uint32_t>(desc.rank),
      const_cast<void *>(desc.address), sizes, strides, box, steps,
      CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result == CUDA_SUCCESS)
    return Status();
  return error(DSRT_DEVICE_FAILED,
               "cuTensorMapEncodeTiled failed: {}; sizes [{}], box [{}], "
               "swizzle {}",
               driver->textOf(result),
               fmt::join(sizes, sizes + desc.rank, ", "),
               fmt::join(box, box + desc.rank, ", "), desc.swizzle_bytes);
}

//===----------------------------------------------------------------------===//
// Memory and copies
//===----------------------------------------------------------------------===//

Result<uint64_t> CudaDevice::availableBytes() {
  size_t available = 0, total = 0;
  DSRT_CUDA_TRY(*driver, cuCtxSetCurrent, context);
  DSRT_CUDA_TRY(*driver, cuMemGetInfo_v2, &available, &total);
  return static_cast<uint64_t>(available);
}

Result<void *> CudaDevice::allocate(uint64_t bytes, const char *what) {
  if (bytes == 0)
    return static_cast<void *>(nullptr);
  DSRT_CUDA_TRY(*driver, cuCtxSetCurrent, context);
  CUdeviceptr memory = 0;
  const CUresult result = driver->cuMemAlloc_v2(&memory, bytes);
  if (result != CUDA_SUCCESS)
    return error(result == CUDA_ERROR_OUT_OF_MEMORY ? DSRT_OUT_OF_MEMORY
                                                    : DSRT_DEVICE_FAILED,
                 "cannot get {} of the device for {}: {}",
                 formatBytes(static_cast<double>(bytes)), what,
                 driver->textOf(result));
  return reinterpret_cast<void *>(memory);
}

void CudaDevice::release(void *memory, uint64_t) {
  driver->cuCtxSetCurrent(context);
  driver->cuMemFree_v2(address(memory));
}

Result<UploadRate> CudaDevice::uploadAll(void *target, uint64_t bytes,
                                         const std::vector<UploadPiece> &pieces,
                                         const Reporter &report) {
  if (bytes == 0)
    return UploadRate();
  UploadRing ring(*driver);
  DSRT_TRY(ring.create(bytes));
  return ring.run(static_cast<char *>(target), bytes, pieces, report);
}

Result<void *> CudaDevice::constant(const void *host, uint64_t bytes) {
  auto found = constants.find(host);
  if (found != constants.end())
    return found->second;
  Result<void *> memory = allocate(bytes, "a constant");
  if (!memory.ok() || !*memory)
    return memory;
  constants[host] = *memory;
  DSRT_TRY(upload(*memory, host, bytes));
  return memory;
}

Result<void *> CudaDevice::allocateStaging(uint64_t bytes) {
  if (bytes == 0)
    return static_cast<void *>(nullptr);
  void *memory = nullptr;
  DSRT_CUDA_TRY(*driver, cuCtxSetCurrent, context);
  DSRT_CUDA_TRY(*driver, cuMemHostAlloc, &memory, bytes, 0);
  return memory;
}

void CudaDevice::releaseStaging(void *memory) {
  driver->cuCtxSetCurrent(context);
  driver->cuMemFreeHost(memory);
}

Status CudaDevice::upload(void *to, const void *from, uint64_t bytes) {
  if (bytes)
    DSRT_CUDA_TRY(*driver, cuMemcpyHtoDAsync_v2, address(to), from, bytes,
                  work);
  return Status();
}

Status CudaDevice::download(void *to, const void *from, uint64_t bytes) {
  if (bytes)
    DSRT_CUDA_TRY(*driver, cuMemcpyDtoHAsync_v2, to, address(from), bytes,
                  work);
  return Status();
}

Status CudaDevice::copy(void *to, const void *from, uint64_t bytes) {
  if (bytes)
    DSRT_CUDA_TRY(*driver, cuMemcpyDtoDAsync_v2, address(to), address(from),
                  bytes, work);
  return Status();
}

Status CudaDevice::clear(void *to, uint64_t bytes) {
  if (bytes)
    DSRT_CUDA_TRY(*driver, cuMemsetD8Async, address(to), 0, bytes, work);
  return Status();
}

Status CudaDevice::synchronize() {
  DSRT_CUDA_TRY(*driver, cuStreamSynchronize, work);
  return Status();
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

Status CudaDevice::beginCapture() {
  DSRT_CUDA_TRY(*driver, cuStreamBeginCapture_v2, work,
                CU_STREAM_CAPTURE_MODE_RELAXED);
  return Status();
}

Result<void *> CudaDevice::endCapture() {
  CUgraph graph = nullptr;
  DSRT_CUDA_TRY(*driver, cuStreamEndCapture, work, &graph);
  CUgraphExec executable = nullptr;
  const CUresult result =
      driver->cuGraphInstantiateWithFlags(&executable, graph, 0);
  driver->cuGraphDestroy(graph);
  if (result != CUDA_SUCCESS)
    return driver->failure("cuGraphInstantiateWithFlags", result);
  return static_cast<void *>(executable);
}

Status CudaDevice::replay(void *graph) {
  DSRT_CUDA_TRY(*driver, cuGraphLaunch, static_cast<CUgraphExec>(graph), work);
  return Status();
}

void CudaDevice::releaseGraph(void *graph) {
  driver->cuCtxSetCurrent(context);
  driver->cuGraphExecDestroy(static_cast<CUgraphExec>(graph));
}

} // namespace dsrt
