//===- RaceTests.cpp - Accesses to shared memory that nothing orders ------===//
//
// Each kernel of races.ptx with what orders its accesses, and without.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <fmt/format.h>

namespace dsrt::test {

static void run(const std::string &text, const std::string &kernel, uint32_t n,
                unsigned grid = 1) {
  CUresult result = CUDA_SUCCESS;
  {
    PtxModule module(text);
    Buffer data(std::vector<uint8_t>(256, 1));
    result = launch(module.function(kernel), grid, 64, {&data.address, &n});
  }
  driver().cuDevicePrimaryCtxReset_v2(0);
  fmt::print("{} {}: {}\n", kernel, n,
             result == CUDA_SUCCESS ? "ok" : driver().dsrtSimulatorError());
}

void testGlobalRaces(const std::string &folder) {
  std::string text = readFile(folder + "/races.ptx");
  for (uint32_t n : {1, 0})
    run(text, "words", n);
  for (const char *kernel : {"places", "message"})
    for (uint32_t n : {1, 0})
      run(text, kernel, n, 2);
}

void testRaces(const std::string &folder) {
  std::string text = readFile(folder + "/races.ptx");
  for (const char *kernel :
       {"exchange", "reuse", "both", "lanes", "halves", "named", "copied",
        "overwritten", "count", "flag", "initialized"})
    for (uint32_t n : {1, 0})
      run(text, kernel, n);
  for (uint32_t n : {1, 0})
    run(text, "cluster", n, 2);
  for (uint32_t n : {7, 6, 5, 3})
    run(text, "pipeline", n);
}

} // namespace dsrt::test
