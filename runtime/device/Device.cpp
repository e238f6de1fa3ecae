//===- Device.cpp - Where a model runs ------------------------------------===//

#include "runtime/device/Device.h"

#include "runtime/device/cuda/CudaDevice.h"

namespace dsrt {

Status Device::unsupported() {
  return error(DSRT_UNSUPPORTED,
               "the model asks for work of a GPU, but runs on the processor");
}

Status Device::launch(int64_t, const int64_t[3], const void *const *) {
  return unsupported();
}

Status Device::encodeTensorMap(const dsrt_tensor_map_desc &, void *) {
  return unsupported();
}

Result<void *> Device::constant(const void *, uint64_t) {
  return unsupported();
}

Result<void *> Device::allocateStaging(uint64_t) { return unsupported(); }

Status Device::upload(void *, const void *, uint64_t) { return unsupported(); }

Status Device::download(void *, const void *, uint64_t) {
  return unsupported();
}

Status Device::copy(void *, const void *, uint64_t) { return unsupported(); }

Status Device::clear(void *, uint64_t) { return unsupported(); }

Result<UploadRate> Device::uploadAll(void *, uint64_t,
                                     const std::vector<UploadPiece> &,
                                     const Reporter &) {
  return unsupported();
}

Result<void *> Device::endCapture() { return unsupported(); }

Result<std::shared_ptr<Device>> openDevice(const dsrt_module &module,
                                           const std::string &path,
                                           const DeviceOptions &options) {
  if (module.image_count)
    return CudaDevice::open(module, path, options);
  if (options.device != "auto")
    return error(DSRT_INVALID_ARGUMENT,
                 "--device: '{}' was compiled for the processor ({}) and runs "
                 "on no other device; compile it with --target=nvptx",
                 path, module.target);
  return std::shared_ptr<Device>(std::shared_ptr<Device>(), &hostDevice());
}

} // namespace dsrt
