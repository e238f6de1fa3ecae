//===- device.cpp - Memory and weights of a model on a GPU ----------------===//
//
// ds-test-device MODEL.so DEVICE CONSTANTS SOURCE [STEPS]: the bytes that the
// driver has less after each step, compared with the plan and the module's
// CONSTANTS bytes of constants; the weights on the device, compared with those
// that the processor would use. With STEPS also sessions of several threads,
// and a large copy.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"
#include "runtime/weights/Weights.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

using namespace dsrt;

namespace {

void check(const Status &status) {
  if (status.ok())
    return;
  std::printf("FAILED: %s\n", status.message().c_str());
  std::exit(1);
}

void compareBytes(const char *what, uint64_t planned, uint64_t taken) {
  std::printf("%s: planned %llu bytes, taken %llu: %s\n", what,
              static_cast<unsigned long long>(planned),
              static_cast<unsigned long long>(taken),
              planned == taken ? "equal" : "FAILED");
}

uint64_t available(Device &device) {
  Result<uint64_t> bytes = device.availableBytes();
  check(bytes.status());
  return *bytes;
}

/// The bytes of a row on the host: stacked tensors one after the other.
std::vector<char> hostBytes(const dsrt_weight &row, const void *address) {
  uint64_t each = static_cast<uint64_t>(elementBytes(row.dtype));
  for (int64_t i = row.stacked ? 1 : 0; i < row.rank; ++i)
    each *= static_cast<uint64_t>(row.shape[i]);
  const int64_t count = row.stacked ? row.shape[0] : 1;
  std::vector<char> bytes;
  for (int64_t e = 0; e < count; ++e) {
    const void *tensor =
        row.stacked ? static_cast<const void *const *>(address)[e] : address;
    bytes.insert(bytes.end(), static_cast<const char *>(tensor),
                 static_cast<const char *>(tensor) + each);
  }
  return bytes;
}

void compareWeights(Model &model, const char *source) {
  const dsrt_module &tables = model.module().tables();
  auto host = Weights::bind(
      {tables.weights, tables.weight_count, tables.strings}, source);
  check(host.status());
  for (uint64_t i = 0; i < tables.weight_count; ++i) {
    const dsrt_weight &row = tables.weights[i];
    if (row.derived)
      continue;
    std::vector<char> expected = hostBytes(row, (*host)->addresses()[i]);
    std::vector<char> actual(expected.size());
    const void *address = model.weights()[i];
    check(model.device().download(actual.data(), address, actual.size()));
    check(model.device().synchronize());
    const bool aligned = reinterpret_cast<uintptr_t>(address) % 128 == 0;
    std::printf("%s: %zu bytes: %s\n", model.module().string(row.key),
                actual.size(),
                actual == expected && aligned ? "equal" : "FAILED");
  }
}

/// Pieces that begin and end anywhere, in a block larger than the ring's
/// buffers, with gaps that become zeros.
/// The most likely tokens of some steps of a session of its own, which begin
/// when `waiting` sessions are there.
std::vector<int32_t> runSteps(Model &model, int count,
                              std::atomic<int> &waiting) {
  auto session = Session::create(model, SessionOptions());
  check(session.status());
  Result<int32_t> sequence = (*session)->addSequence();
  check(sequence.status());
  std::vector<int32_t> ids = {1};
  for (--waiting; waiting > 0;)
    std::this_thread::yield();
  for (int i = 0; i < count; ++i) {
    // More sizes than graphs are kept: every step is launched.
    const std::vector<int32_t> tokens(1 + i % 16, ids.back());
    StepChunk chunk = {*sequence, tokens.data(),
                       static_cast<int64_t>(tokens.size()), 0};
    Result<StepOutput> output =
        (*session)->run(&chunk, 1, DSRT_ENTRY_AUTO, i / 16 % 2 > 0);
    check(output.status());
    const int64_t vocabulary = (*session)->limits().vocabulary;
    const float *last = output->logits + (output->rows - 1) * vocabulary;
    ids.push_back(
        static_cast<int32_t>(std::max_element(last, last + vocabulary) - last));
  }
  return ids;
}

/// Sessions of several threads take turns on the device.
void runThreads(Model &model, int steps) {
  std::atomic<int> waiting = 1;
  const std::vector<int32_t> expected = runSteps(model, steps, waiting);
  std::vector<int32_t> results[3];
  waiting = 3;
  std::vector<std::thread> threads;
  for (std::vector<int32_t> &result : results)
    threads.emplace_back([&] { result = runSteps(model, steps, waiting); });
  bool equal = true;
  for (int i = 0; i < 3; ++i) {
    threads[i].join();
    equal = equal && results[i] == expected;
  }
  std::printf("3 sessions at a time: %s\n", equal ? "equal" : "FAILED");
}

void uploadManyPieces(Device &device) {
  constexpr uint64_t bytes = 200 << 20;
  std::vector<char> source(bytes), expected(bytes), actual(bytes);
  uint32_t state = 1;
  for (char &byte : source)
    byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  std::vector<UploadPiece> pieces;
  for (uint64_t at = 3; at < bytes;) {
    state = state * 1664525 + 1013904223;
    const uint64_t size = std::min<uint64_t>(
        state % 8 ? state % 70000 : state % 30000000, bytes - at);
    pieces.push_back({at, source.data() + at, size});
    std::memcpy(expected.data() + at, source.data() + at, size);
    at += size + state % 5;
  }
  Result<void *> memory = device.allocate(bytes, "the test");
  check(memory.status());
  Result<UploadRate> rate =
      device.uploadAll(*memory, bytes, pieces, [](const std::string &line) {
        std::printf("%s\n", line.c_str());
      });
  check(rate.status());
  check(device.download(actual.data(), *memory, bytes));
  check(device.synchronize());
  std::printf("%zu pieces: %s at %.1f GB/s\n", pieces.size(),
              actual == expected && rate->bytes == bytes ? "equal" : "FAILED",
              static_cast<double>(rate->bytes) / rate->seconds / 1e9);
  device.release(*memory, bytes);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 5 && argc != 6)
    return 1;
  const uint64_t constants = static_cast<uint64_t>(std::atoi(argv[3]));
  const char *source = argv[4];
  Result<Module> module = Module::open(argv[1]);
  check(module.status());
  Model model(std::move(*module));
  DeviceOptions options;
  options.device = argv[2];
  check(model.openDevice(options));
  Device &device = model.device();
  SessionOptions wanted;
  wanted.maxSequences = 3;
  wanted.context = 200;
  Result<SessionPlan> session = SessionPlan::create(model.module(), wanted);
  check(session.status());
  const MemoryPlan plan(model.module(), *session);
  // Loading brings the scratch, and variables that the code has.
  uint64_t before = available(device);
  check(model.loadCode());
  std::printf("code: %llu bytes besides the scratch\n",
              static_cast<unsigned long long>(before - available(device) -
                                              plan.scratch));
  before = available(device);
  check(model.bindWeights(source));
  const uint64_t loaded = available(device);
  compareBytes("model", plan.weights + plan.derived + constants,
               before - loaded);
  {
    auto created = Session::create(model, wanted);
    check(created.status());
    compareBytes("session", plan.sessionBytes(), loaded - available(device));
    compareBytes("plan of the session", plan.sessionBytes(),
                 (*created)->planBytes());
  }
  compareBytes("without it", 0, loaded - available(device));
  compareWeights(model, source);
  if (argc > 5) {
    runThreads(model, std::atoi(argv[5]));
    uploadManyPieces(device);
  }
  return 0;
}
