//===- StreamTests.cpp - Streams, events, graphs and modules --------------===//
//
// Work on two streams with the waits that it needs, and without: a host that
// forgets to wait must see it.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>

namespace dsrt::test {

constexpr unsigned kCount = 64;

namespace {
struct Streams {
  explicit Streams(const std::string &folder)
      : module(readFile(folder + "/streams.ptx")),
        scale(module.function("scale")) {
    for (CUstream &stream : streams)
      expectSuccess(driver().cuStreamCreate(&stream, 1), "cuStreamCreate");
    expectSuccess(driver().cuEventCreate(&event, 0), "cuEventCreate");
    expectSuccess(driver().cuMemHostAlloc(&host, kCount * 4, 0),
                  "cuMemHostAlloc");
  }
  ~Streams() {
    for (CUstream stream : streams)
      driver().cuStreamDestroy_v2(stream);
    driver().cuEventDestroy_v2(event);
    driver().cuMemFreeHost(host);
  }
  Streams(const Streams &) = delete;

  void launchScale(unsigned stream, const Buffer &to, const Buffer &from,
                   uint32_t factor) {
    CUdeviceptr target = to.address, source = from.address;
    void *arguments[] = {&target, &source, &factor};
    expectSuccess(driver().cuLaunchKernel(scale, 1, 1, 1, kCount, 1, 1, 0,
                                          streams[stream], arguments, nullptr),
                  "cuLaunchKernel");
  }
  uint32_t hostValue(unsigned i) const {
    return static_cast<const uint32_t *>(host)[i];
  }

  PtxModule module;
  CUfunction scale;
  CUstream streams[2] = {nullptr, nullptr};
  CUevent event = nullptr;
  void *host = nullptr;
};
} // namespace

static void testOrder(Streams &s) {
  Buffer a(std::vector<uint32_t>(kCount, 1)), b(kCount * 4), c(kCount * 4);
  s.launchScale(0, b, a, 10);
  driver().cuEventRecord(s.event, s.streams[0]);
  driver().cuStreamWaitEvent(s.streams[1], s.event, 0);
  s.launchScale(1, c, b, 100);
  std::memset(s.host, 0, kCount * 4);
  expectSuccess(driver().cuMemcpyDtoHAsync_v2(s.host, c.address, kCount * 4,
                                              s.streams[1]),
                "cuMemcpyDtoHAsync");
  bool early = s.hostValue(1) == 0;
  bool ready = driver().cuStreamQuery(s.streams[1]) == CUDA_SUCCESS;
  expectSuccess(driver().cuStreamSynchronize(s.streams[1]),
                "cuStreamSynchronize");
  report("a copy that is not waited for has not happened", early && !ready,
         "it had");
  report("an event orders two streams",
         s.hostValue(3) == (10 + 3) * 100 + 3 &&
             driver().cuEventQuery(s.event) == CUDA_SUCCESS,
         fmt::format("got {}", s.hostValue(3)));
}

/// Without the wait, one of a few tries must go wrong.
static void testForgottenWait(Streams &s) {
  bool wrong = false;
  for (int attempt = 0; attempt < 20 && !wrong; ++attempt) {
    Buffer a(std::vector<uint32_t>(kCount, 1));
    Buffer b(std::vector<uint32_t>(kCount, 7)), c(kCount * 4);
    s.launchScale(0, b, a, 10);
    s.launchScale(1, c, b, 100);
    expectSuccess(driver().cuCtxSynchronize(), "cuCtxSynchronize");
    wrong = c.read<uint32_t>()[3] != (10 + 3) * 100 + 3;
  }
  report("a forgotten wait between streams shows", wrong, "it did not");
}

static void testGraph(Streams &s) {
  Buffer a(std::vector<uint32_t>(kCount, 1)), b(kCount * 4), c(kCount * 4);
  expectSuccess(driver().cuStreamBeginCapture_v2(s.streams[0], 0),
                "cuStreamBeginCapture");
  s.launchScale(0, b, a, 2);
  driver().cuEventRecord(s.event, s.streams[0]);
  driver().cuStreamWaitEvent(s.streams[1], s.event, 0);
  s.launchScale(1, c, b, 3);
  CUresult refused = driver().cuStreamSynchronize(s.streams[1]);
  CUevent joined = nullptr;
  driver().cuEventCreate(&joined, 0);
  driver().cuEventRecord(joined, s.streams[1]);
  driver().cuStreamWaitEvent(s.streams[0], joined, 0);
  s.launchScale(0, a, c, 1);
  CUgraph graph = nullptr;
  expectSuccess(driver().cuStreamEndCapture(s.streams[0], &graph),
                "cuStreamEndCapture");
  expectSuccess(driver().cuCtxSynchronize(), "cuCtxSynchronize");
  report("a capture runs nothing", a.read<uint32_t>()[5] == 1, "it ran");
  report("a stream that is captured can not be waited for",
         refused == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, nameOf(refused));
  CUgraphExec exec = nullptr;
  expectSuccess(driver().cuGraphInstantiateWithFlags(&exec, graph, 0),
                "cuGraphInstantiate");
  driver().cuGraphDestroy(graph);
  uint32_t expected = 1;
  for (int replay = 0; replay < 3; ++replay) {
    expectSuccess(driver().cuGraphLaunch(exec, s.streams[0]), "cuGraphLaunch");
    expected = ((expected * 2 + 5) * 3 + 5) + 5;
  }
  expectSuccess(driver().cuStreamSynchronize(s.streams[0]),
                "cuStreamSynchronize");
  report("a graph runs again", a.read<uint32_t>()[5] == expected,
         fmt::format("expected {}, got {}", expected, a.read<uint32_t>()[5]));
  driver().cuGraphExecDestroy(exec);
  driver().cuEventDestroy_v2(joined);
}

static void testMemoryAccounts() {
  size_t before = 0, during = 0, after = 0, total = 0;
  driver().cuMemGetInfo_v2(&before, &total);
  {
    Buffer buffer(1000);
    driver().cuMemGetInfo_v2(&during, &total);
  }
  driver().cuMemGetInfo_v2(&after, &total);
  report("memory is accounted", before - during == 1000 && after == before,
         fmt::format("{} {} {}", before, during, after));
  CUdeviceptr address = 0;
  CUresult result = driver().cuMemAlloc_v2(&address, total + 1);
  report("too much memory is refused", result == CUDA_ERROR_OUT_OF_MEMORY,
         nameOf(result));
  result = driver().cuMemcpyHtoD_v2(1234, &total, 8);
  report("a copy to nowhere is refused", result == CUDA_ERROR_INVALID_VALUE,
         nameOf(result));
}

static void testQueries() {
  int major = 0, count = 0;
  char name[64] = "";
  driver().cuDeviceGetAttribute(
      &major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0);
  driver().cuDeviceGetCount(&count);
  driver().cuDeviceGetName(name, sizeof name, 0);
  report("there is a device", count >= 1 && major >= 8 && name[0],
         fmt::format("{} devices, capability {}, {}", count, major, name));
  void *function = nullptr;
  int status = -1;
  CUresult found =
      driver().cuGetProcAddress_v2("cuMemAlloc", &function, 12000, 0, &status);
  report("functions are found by name",
         found == CUDA_SUCCESS && function && status == 0, nameOf(found));
  found = driver().cuGetProcAddress_v2("cuNoSuchFunction", &function, 12000, 0,
                                       &status);
  report("unknown functions are not found",
         found == CUDA_ERROR_NOT_FOUND && !function, nameOf(found));
}

void describeDevice() {
  char name[64] = "";
  int multiprocessors = 0, shared = 0;
  size_t available = 0, total = 0;
  driver().cuDeviceGetName(name, sizeof name, 0);
  driver().cuDeviceGetAttribute(&multiprocessors,
                                CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0);
  driver().cuDeviceGetAttribute(
      &shared, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0);
  driver().cuMemGetInfo_v2(&available, &total);
  fmt::print("{}, {} multiprocessors, {} bytes of shared memory, {} MiB\n",
             name, multiprocessors, shared, total >> 20);
}

static void testExtendedLaunch(Streams &s) {
  Buffer a(std::vector<uint32_t>(kCount, 1)), b(kCount * 4);
  uint32_t factor = 4;
  CUdeviceptr target = b.address, source = a.address;
  void *arguments[] = {&target, &source, &factor};
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim = {2, 1, 1};
  CUlaunchConfig config = {1,          1, 1, kCount, 1, 1, 0, s.streams[0],
                           &attribute, 1};
  CUresult uneven =
      driver().cuLaunchKernelEx(&config, s.scale, arguments, nullptr);
  report("a grid that is not of whole clusters is refused",
         uneven == CUDA_ERROR_INVALID_VALUE, nameOf(uneven));
  config.gridDimX = 2;
  expectSuccess(driver().cuLaunchKernelEx(&config, s.scale, arguments, nullptr),
                "cuLaunchKernelEx");
  expectSuccess(driver().cuStreamSynchronize(s.streams[0]),
                "cuStreamSynchronize");
  report("an extended launch", b.read<uint32_t>()[9] == 13,
         fmt::format("got {}", b.read<uint32_t>()[9]));
}

/// The order in which a new device runs a kernel on each of some streams. They
/// lie in memory as 'freed' others did before them.
static std::vector<uint32_t> orderOf(const std::string &text,
                                     const std::vector<unsigned> &freed) {
  expectSuccess(driver().cuDevicePrimaryCtxReset_v2(0), "reset");
  PtxModule module(text);
  CUfunction append = module.function("append");
  std::vector<CUstream> streams(freed.size());
  for (CUstream &stream : streams)
    expectSuccess(driver().cuStreamCreate(&stream, 1), "cuStreamCreate");
  for (unsigned i : freed)
    expectSuccess(driver().cuStreamDestroy_v2(streams[i]), "cuStreamDestroy");
  for (CUstream &stream : streams)
    expectSuccess(driver().cuStreamCreate(&stream, 1), "cuStreamCreate");
  Buffer list(std::vector<uint32_t>(1 + streams.size()));
  for (uint32_t i = 0; i < streams.size(); ++i) {
    void *arguments[] = {&list.address, &i};
    expectSuccess(driver().cuLaunchKernel(append, 1, 1, 1, 1, 1, 1, 0,
                                          streams[i], arguments, nullptr),
                  "cuLaunchKernel");
  }
  return list.read<uint32_t>();
}

static void testSeed(const std::string &folder) {
  std::string text = readFile(folder + "/streams.ptx");
  report("one seed gives one order, wherever the streams lie",
         orderOf(text, {0, 1, 2, 3, 4}) == orderOf(text, {4, 2, 0, 3, 1}),
         "it gave two");
}

void testStreams(const std::string &folder) {
  testSeed(folder);
  testQueries();
  testMemoryAccounts();
  Streams streams(folder);
  testOrder(streams);
  testForgottenWait(streams);
  testGraph(streams);
  testExtendedLaunch(streams);
}

} // namespace dsrt::test
