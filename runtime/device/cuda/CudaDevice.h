//===- CudaDevice.h - A GPU with the code of one model ----------*- C++ -*-===//
//
// Through the CUDA driver, or the simulator, which has the same functions: one
// context, a stream for work and one for weights, the module's code, and the
// memory that belongs to that code.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_DEVICE_CUDA_CUDADEVICE_H
#define DSRT_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/device/Device.h"
#include "runtime/device/cuda/Driver.h"

#include <unordered_map>

namespace dsrt {

class CudaDevice final : public Device {
public:
  /// Checks that the device can run the code, and loads none of it.
  static Result<std::shared_ptr<Device>> open(const dsrt_module &module,
                                              const std::string &path,
                                              const DeviceOptions &options);
  ~CudaDevice() override;

  std::string name() const override { return deviceName; }
  bool isHost() const override { return false; }
  std::unique_lock<std::mutex> use() override;

  Result<uint64_t> availableBytes() override;
  Result<void *> allocate(uint64_t bytes, const char *what) override;
  void release(void *address, uint64_t bytes) override;

  Status load() override;
  int64_t loadedImage() const override { return image; }
  void *scratch() const override { return scratchMemory; }
  Status launch(int64_t kernel, const int64_t grid[3],
                const void *const *args) override;
  Status encodeTensorMap(const dsrt_tensor_map_desc &desc, void *map) override;
  Result<void *> constant(const void *host, uint64_t bytes) override;

  Result<void *> allocateStaging(uint64_t bytes) override;
  void releaseStaging(void *address) override;
  Status upload(void *to, const void *from, uint64_t bytes) override;
  Status download(void *to, const void *from, uint64_t bytes) override;
  Status copy(void *to, const void *from, uint64_t bytes) override;
  Status clear(void *to, uint64_t bytes) override;
  Status synchronize() override;
  Result<UploadRate> uploadAll(void *target, uint64_t bytes,
                               const std::vector<UploadPiece> &pieces,
                               const Reporter &report) override;

  Result<std::string> counts() override;

  bool usesGraphs() const override { return graphs; }
  Status beginCapture() override;
  Result<void *> endCapture() override;
  Status replay(void *graph) override;
  void releaseGraph(void *graph) override;

private:
  CudaDevice(std::shared_ptr<const cuda::Driver> driver,
             const dsrt_module &module, const std::string &path,
             const DeviceOptions &options)
      : driver(std::move(driver)), module(module), path(path),
        graphs(options.graphs), countsFormat(options.counts) {}

  Status initialize();
  Status observe(const DeviceOptions &options);
  Status loadImage();
  Status loadText(const char *ptx);
  Status loadFunction(uint64_t row);
  Status kernelFailure(const dsrt_device_kernel &kernel, const int64_t grid[3],
                       cuda::CUresult result) const;

  std::shared_ptr<const cuda::Driver> driver;
  const dsrt_module &module;
  const std::string path; // of the module
  const bool graphs;
  const std::string countsFormat;

  std::mutex mutex;
  std::string deviceName;
  cuda::CUdevice device = 0;
  int capability = 0; // 90: 9.0
  cuda::CUcontext context = nullptr;
  cuda::CUstream work = nullptr;

  int64_t image = -1; // index into the module's images
  cuda::CUmodule code = nullptr;
  std::vector<cuda::CUfunction> functions; // by row of the kernel table
  void *scratchMemory = nullptr;
  std::unordered_map<const void *, void *> constants; // by host address
};

} // namespace dsrt

#endif // DSRT_DEVICE_CUDA_CUDADEVICE_H
