//===- Driver.cpp - The functions of the CUDA driver ----------------------===//

#include "runtime/device/cuda/Driver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>
#include <vector>

namespace dsrt::cuda {

namespace {

constexpr const char *kDriverLibrary = "libcuda.so.1";
constexpr const char *kSimulatorLibrary = "libdsrt-simulator.so";

/// The folder of the running program, empty if it cannot be told.
std::string programFolder() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0)
    return "";
  const std::string file(path, static_cast<size_t>(length));
  return file.substr(0, file.find_last_of('/'));
}

/// Opens the first of the files that is there; the error lists them.
Result<void *> openSimulator() {
  std::vector<std::string> places;
  if (const char *chosen = std::getenv("DSRT_SIMULATOR"); chosen && *chosen) {
    places = {chosen};
  } else {
    if (const std::string folder = programFolder(); !folder.empty())
      places = {folder + "/" + kSimulatorLibrary,
                folder + "/../lib/" + kSimulatorLibrary};
    places.push_back(kSimulatorLibrary); // the path of the loader
  }
  std::string tried;
  for (const std::string &place : places) {
    if (void *library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;
    tried += fmt::format("; {}", ::dlerror());
  }
  return error(DSRT_NOT_FOUND,
               "cannot find the simulator; set DSRT_SIMULATOR to the file {}{}",
               kSimulatorLibrary, tried);
}

/// Said where `auto` finds no GPU.
std::string simulatorHint(const std::string &device) {
  return device == "auto" ? "; --device=simulator runs the model on the "
                            "processor, slowly"
                          : "";
}

} // namespace

/// The library stays loaded to the end of the process: a driver has threads.
Result<std::shared_ptr<const Driver>> Driver::open(const std::string &device) {
  std::shared_ptr<Driver> driver(new Driver());
  if (device == "simulator") {
    Result<void *> library = openSimulator();
    if (!library.ok())
      return library.status();
    driver->library = *library;
    driver->path = kSimulatorLibrary;
  } else {
    const bool isName = device == "auto" || device == "cuda";
    if (!isName && device.find('/') == std::string::npos)
      return error(DSRT_INVALID_ARGUMENT,
                   "--device: expected auto, cuda, simulator or the path of a "
                   "driver library, got '{}'",
                   device);
    driver->path = isName ? kDriverLibrary : device;
    driver->library = ::dlopen(driver->path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!driver->library)
      return error(DSRT_NOT_FOUND, "no driver of an NVIDIA GPU: {}{}",
                   ::dlerror(), simulatorHint(device));
  }
#define DSRT_CUDA_LOOK_UP(name, ...)                                           \
  driver->name =                                                               \
      reinterpret_cast<CUresult (*)(__VA_ARGS__)>(driver->find(#name));        \
  if (!driver->name)                                                           \
    return error(DSRT_UNSUPPORTED,                                             \
                 "'{}' has no {}; the runtime needs the driver of CUDA 12 or " \
                 "newer",                                                      \
                 driver->path, #name);
  DSRT_CUDA_FUNCTIONS(DSRT_CUDA_LOOK_UP)
#undef DSRT_CUDA_LOOK_UP
  CUresult result = driver->cuInit(0);
  int count = 0;
  if (result == CUDA_SUCCESS)
    result = driver->cuDeviceGetCount(&count);
  if (result == CUDA_ERROR_NO_DEVICE || (result == CUDA_SUCCESS && count == 0))
    return error(DSRT_NOT_FOUND, "the driver '{}' has no GPU{}", driver->path,
                 simulatorHint(device));
  if (result != CUDA_SUCCESS)
    return error(DSRT_UNSUPPORTED, "cannot start the driver '{}': {}{}",
                 driver->path, driver->textOf(result), simulatorHint(device));
  return std::shared_ptr<const Driver>(std::move(driver));
}

void *Driver::find(const char *name) const { return ::dlsym(library, name); }

std::string Driver::textOf(CUresult result) const {
  const char *name = nullptr, *text = nullptr;
  if (cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
    return fmt::format("CUDA error {}", result);
  if (cuGetErrorString(result, &text) != CUDA_SUCCESS || !text)
    return name;
  return fmt::format("{} ({})", name, text);
}

Status Driver::failure(const char *function, CUresult result) const {
  if (isKernelFault(result))
    return error(DSRT_DEVICE_FAILED,
                 "a kernel failed: {}; --graphs=off tells which one",
                 textOf(result));
  return error(result == CUDA_ERROR_OUT_OF_MEMORY ? DSRT_OUT_OF_MEMORY
                                                  : DSRT_DEVICE_FAILED,
               "{} failed: {}", function, textOf(result));
}

} // namespace dsrt::cuda
