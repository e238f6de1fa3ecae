//===- KernelTests.cpp - Control flow, calls and memory -------------------===//
//
// Small kernels, each about one thing, in the .ptx files beside this one.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>

namespace dsrt::test {

/// Reports whether all elements are as the function says.
template <typename T>
static void checkAll(const std::string &label, const std::vector<T> &got,
                     const std::function<T(size_t)> &expected) {
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != expected(i))
      return report(
          label, false,
          fmt::format("expected {} at {}, got {}", expected(i), i, got[i]));
  report(label, true, "");
}

static uint32_t collatz(size_t i) {
  uint32_t value = static_cast<uint32_t>(i) + 1, steps = 0, path = 0;
  for (; value != 1; ++steps) {
    path += value % 2 ? 1 : 16;
    value = value % 2 ? 3 * value + 1 : value / 2;
  }
  return steps | path << 16;
}

static void testControl(const std::string &folder) {
  PtxModule module(readFile(folder + "/control.ptx"));
  Buffer out(7 * 96 * 4);
  expectSuccess(launch(module.function("collatz"), 7, 96, {&out.address}),
                "collatz");
  checkAll<uint32_t>("collatz", out.read<uint32_t>(), collatz);

  Buffer marked(std::vector<uint32_t>(100, 5));
  expectSuccess(launch(module.function("table"), 1, 100, {&marked.address}),
                "table");
  checkAll<uint32_t>("table", marked.read<uint32_t>(),
                     [](uint32_t i) { return i > 90 ? 5 : 100 * (i % 5) + i; });

  constexpr uint32_t threads = 5 * 3 * 4;
  Buffer places(threads * 12 * 4);
  void *arguments[] = {&places.address};
  expectSuccess(driver().cuLaunchKernel(module.function("position"), 2, 3, 2, 5,
                                        3, 4, 0, nullptr, arguments, nullptr),
                "position");
  checkAll<uint32_t>("position", places.read<uint32_t>(), [](uint32_t i) {
    uint32_t thread = i % threads;
    return i / threads << 16 | thread / 32 << 8 | thread % 32;
  });
}

static void testCalls(const std::string &folder) {
  PtxModule module(readFile(folder + "/functions.ptx"));
  Buffer out(40 * 8);
  expectSuccess(launch(module.function("calls"), 1, 40, {&out.address}),
                "calls");
  checkAll<uint32_t>("calls", out.read<uint32_t>(), [](size_t i) {
    uint32_t thread = static_cast<uint32_t>(i / 2), sum = thread + 2;
    if (thread == 3)
      return i % 2 ? 2000u : 1000u;
    return i % 2 ? thread - 2 : sum < 10 ? 2 * sum : 7;
  });
}

static void testWidths(const PtxModule &module) {
  Buffer in(
      std::vector<uint8_t>{0x91, 0x82, 0xf3, 0xa4, 0x15, 0x26, 0x37, 0x48});
  Buffer out(56);
  expectSuccess(
      launch(module.function("widths"), 1, 1, {&in.address, &out.address}),
      "widths");
  const std::vector<uint64_t> expected = {
      0xffffffffffffff91, 0x91,
      0xffffffffffffa4f3, 0x26154837,
      0x8291829126154837, 0xa4f3829148372615,
      0xa4f3829126159115};
  std::vector<uint64_t> got = out.read<uint64_t>();
  report("widths", got == expected,
         fmt::format("got {:#x}", fmt::join(got, " ")));
}

static void testSharedAndLocal(const PtxModule &module) {
  Buffer out(64 * 4);
  uint32_t offset = 1024;
  CUfunction shared = module.function("shared");
  expectSuccess(launch(shared, 1, 64, {&out.address, &offset}, 2048), "shared");
  auto sum = [](uint32_t i) { return 2 * i + 1000; };
  checkAll<uint32_t>("shared", out.read<uint32_t>(), sum);
  // More than 48 KiB must be asked for.
  offset = 99000;
  CUresult refused = launch(shared, 1, 64, {&out.address, &offset}, 100000);
  expectSuccess(
      driver().cuFuncSetAttribute(
          shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000),
      "cuFuncSetAttribute");
  expectSuccess(launch(shared, 1, 64, {&out.address, &offset}, 100000),
                "large shared");
  report("large shared memory", refused == CUDA_ERROR_INVALID_VALUE,
         nameOf(refused));
  int bytes = 0;
  driver().cuFuncGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
                              shared);
  report("static shared memory", bytes == 256, fmt::format("got {}", bytes));

  expectSuccess(launch(module.function("local"), 1, 64, {&out.address}),
                "local");
  checkAll<uint32_t>("local", out.read<uint32_t>(),
                     [](uint32_t i) { return 100 * i + 15 - i % 16; });
}

static void testVariables(const PtxModule &module) {
  Buffer out(48);
  uint32_t block[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  expectSuccess(
      launch(module.function("variables"), 1, 1, {&out.address, block}),
      "variables");
  std::vector<uint32_t> got = out.read<uint32_t>();
  const std::vector<uint32_t> expected = {
      20,     0xffffffff, 10, 99, 0x40400000, 0x40000000,
      got[6], got[7],     2,  3,  7,          0};
  report("variables", got == expected,
         fmt::format("got {:#x}", fmt::join(got, " ")));

  CUdeviceptr counters = 0;
  size_t bytes = 0;
  expectSuccess(driver().cuModuleGetGlobal_v2(&counters, &bytes, module.handle,
                                              "counters"),
                "cuModuleGetGlobal");
  uint32_t values[4];
  driver().cuMemcpyDtoH_v2(values, counters, sizeof values);
  report("a variable from the host",
         bytes == 16 && values[0] == 10 && values[3] == 77,
         fmt::format("got {} bytes, {}", bytes, fmt::join(values, " ")));

  expectSuccess(launch(module.function("spaces"), 1, 1, {&out.address}),
                "spaces");
  got = out.read<uint32_t>();
  report("spaces", got[0] == 1 && got[1] == 6,
         fmt::format("got {} and {}", got[0], got[1]));
}

void testKernels(const std::string &folder) {
  testControl(folder);
  testCalls(folder);
  PtxModule module(readFile(folder + "/memory.ptx"));
  testWidths(module);
  testSharedAndLocal(module);
  testVariables(module);
}

} // namespace dsrt::test
