//===- Gpu.cpp - What the tests of the simulator share --------------------===//
//
// The library is found as every program finds it, by the path of the loader.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace dsrt::test {

static int failures = 0;

static Driver load() {
  void *library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fmt::print("no libcuda.so.1: {}\n", ::dlerror());
    std::exit(1);
  }
  Driver functions;
#define LOOK_UP(name)                                                          \
  functions.name =                                                             \
      reinterpret_cast<decltype(functions.name)>(::dlsym(library, #name));     \
  if (!functions.name) {                                                       \
    fmt::print("libcuda.so.1 has no {}\n", #name);                             \
    std::exit(1);                                                              \
  }
  DRIVER_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
#define LOOK_UP(name)                                                          \
  functions.name =                                                             \
      reinterpret_cast<decltype(functions.name)>(::dlsym(library, #name));
  LOOK_UP(dsrtSimulatorError)
  LOOK_UP(dsrtSimulatorCounts)
  LOOK_UP(dsrtSimulatorSetTrace)
#undef LOOK_UP
  return functions;
}

const Driver &driver() {
  static const Driver functions = load();
  return functions;
}

std::string nameOf(CUresult result) {
  const char *name = nullptr;
  driver().cuGetErrorName(result, &name);
  return name ? name : fmt::format("result {}", static_cast<int>(result));
}

void expectSuccess(CUresult result, const std::string &what) {
  if (result == CUDA_SUCCESS)
    return;
  fmt::print("FAILED: {}: {}\n", what, nameOf(result));
  std::exit(1);
}

void report(const std::string &label, bool good, const std::string &detail) {
  failures += !good;
  fmt::print("{}: {}\n", label, good ? "ok" : "FAILED, " + detail);
}

int exitCode() { return failures != 0; }

PtxModule::PtxModule(const std::string &text) {
  std::string log(4096, 0);
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  CUresult result =
      driver().cuModuleLoadDataEx(&handle, text.c_str(), 2, options, values);
  expectSuccess(result, fmt::format("cuModuleLoadDataEx: {}", log.c_str()));
}

PtxModule::~PtxModule() { driver().cuModuleUnload(handle); }

CUfunction PtxModule::function(const std::string &name) const {
  CUfunction function = nullptr;
  expectSuccess(driver().cuModuleGetFunction(&function, handle, name.c_str()),
                "cuModuleGetFunction of " + name);
  return function;
}

Buffer::Buffer(size_t bytes) : bytes(bytes) {
  expectSuccess(driver().cuMemAlloc_v2(&address, bytes), "cuMemAlloc");
}

Buffer::~Buffer() { driver().cuMemFree_v2(address); }

CUresult launch(CUfunction function, unsigned grid, unsigned block,
                std::vector<void *> arguments, unsigned sharedBytes) {
  CUresult result =
      driver().cuLaunchKernel(function, grid, 1, 1, block, 1, 1, sharedBytes,
                              nullptr, arguments.data(), nullptr);
  return result == CUDA_SUCCESS ? driver().cuCtxSynchronize() : result;
}

std::string readFile(const std::string &path) {
  std::ifstream file(path);
  if (!file) {
    fmt::print("FAILED: no file {}\n", path);
    std::exit(1);
  }
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace dsrt::test
