//===- StatisticsTests.cpp - What the simulator says of kernels -----------===//
//
// Counts and traces of launches whose counts are known, and which forms of
// opcodes the tests have executed.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <sstream>

namespace dsrt::test {

static void printLine(const char *text, void *prefix) {
  fmt::print("{}{}\n", static_cast<const char *>(prefix), text);
}

void testStatistics(const std::string &folder) {
  char prefix[] = "trace: ";
  PtxModule module(readFile(folder + "/statistics.ptx"));
  Buffer data(std::vector<uint32_t>(4096, 1));
  driver().dsrtSimulatorSetTrace(printLine, prefix);
  for (const char *kernel :
       {"contiguous", "strided", "broadcast", "columns", "copies", "product"})
    expectSuccess(launch(module.function(kernel), 2, 32, {&data.address}),
                  kernel);
  driver().dsrtSimulatorSetTrace(nullptr, nullptr);
  expectSuccess(launch(module.function("strided"), 2, 32, {&data.address}),
                "strided");
  fmt::print("{}", driver().dsrtSimulatorCounts(0));
  fmt::print("{}", driver().dsrtSimulatorCounts(1));
}

/// The files of DSRT_SIMULATOR_COVERAGE: every form that a process has loaded
/// must have been executed by one.
void checkCoverage(const std::string &folder) {
  std::map<std::string, std::string> loaded; // the place of one
  std::map<std::string, bool> executed;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) {
    std::istringstream lines(readFile(entry.path()));
    std::string state, opcode, place;
    while (lines >> state >> opcode && std::getline(lines, place)) {
      loaded.emplace(opcode, place);
      executed[opcode] |= state == "executed";
    }
  }
  size_t missing = 0;
  for (const auto &[opcode, place] : loaded) {
    if (executed[opcode])
      continue;
    ++missing;
    report(opcode, false, "never executed; one is in" + place);
  }
  report(fmt::format("{} forms of opcodes", loaded.size()),
         missing == 0 && !loaded.empty(),
         fmt::format("{} of them were never executed", missing));
}

} // namespace dsrt::test
