//===- Statistics.cpp - What the kernels of a process did -----------------===//
//
// The names of kernels are those of PTX: JSON needs no escapes for them.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Statistics.h"
#include "runtime/simulator/driver/Device.h"
#include "runtime/simulator/driver/Simulator.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

using namespace dsrt::simulator;

Statistics::~Statistics() {
  const char *path = std::getenv("DSRT_SIMULATOR_COUNTS");
  if (!path || !*path)
    return;
  std::string_view name = path, suffix = ".json";
  bool isJson = name.size() > suffix.size() &&
                name.substr(name.size() - suffix.size()) == suffix;
  std::FILE *file = std::fopen(path, "w");
  if (!file) {
    fmt::print(stderr, "simulator: cannot write DSRT_SIMULATOR_COUNTS={}\n",
               path);
    return;
  }
  fmt::print(file, "{}", isJson ? json() : text());
  std::fclose(file);
}

static std::string shapeText(const std::array<unsigned, 3> &extents) {
  return fmt::format("{}x{}x{}", extents[0], extents[1], extents[2]);
}

void Statistics::add(const Launch &launch, double seconds) {
  kernels[launch.kernel.name].add(launch.counts());
  if (!trace)
    return;
  const LaunchShape &shape = launch.shape;
  std::string line = fmt::format("{} grid {} block {}", launch.kernel.name,
                                 shapeText(shape.grid), shapeText(shape.block));
  if (volume(shape.cluster) != 1)
    line += fmt::format(" cluster {}", shapeText(shape.cluster));
  line += fmt::format(" shared {} B: {:.3f} ms, {} warp instructions",
                      launch.sharedBytes(), 1e3 * seconds,
                      launch.counts()[Count::WarpInstructions]);
  trace(line.c_str(), traceContext);
}

Counts Statistics::total() const {
  Counts sum;
  for (const auto &[name, counts] : kernels)
    sum.add(counts);
  return sum;
}

std::string Statistics::text() const {
  std::string lines;
  auto addCounts = [&](const std::string &title, const Counts &counts) {
    lines += title + "\n";
    for (size_t i = 0; i < kCounts; ++i)
      if (uint64_t count = counts[static_cast<Count>(i)])
        lines += fmt::format("  {:<20} {:>16}\n", kCountNames[i], count);
  };
  for (const auto &[name, counts] : kernels)
    addCounts("kernel " + name, counts);
  addCounts("total", total());
  return lines;
}

static std::string jsonOf(const Counts &counts) {
  std::string object;
  for (size_t i = 0; i < kCounts; ++i)
    object += fmt::format("{}\"{}\": {}", i ? ", " : "", kCountNames[i],
                          counts[static_cast<Count>(i)]);
  return "{" + object + "}";
}

std::string Statistics::json() const {
  std::string objects;
  for (const auto &[name, counts] : kernels)
    objects += fmt::format("{}\n  \"{}\": {}", objects.empty() ? "" : ",", name,
                           jsonOf(counts));
  return fmt::format("{{\"kernels\": {{{}}},\n \"total\": {}}}\n", objects,
                     jsonOf(total()));
}

//===----------------------------------------------------------------------===//
// Interface
//===----------------------------------------------------------------------===//

const char *dsrtSimulatorCounts(int json) {
  static thread_local std::string text;
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  text = json ? device.statistics.json() : device.statistics.text();
  return text.c_str();
}

void dsrtSimulatorSetTrace(void (*line)(const char *, void *), void *context) {
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  device.statistics.trace = line;
  device.statistics.traceContext = context;
}
