//===- Coverage.cpp - Which forms of opcodes were executed ----------------===//
//
// The name of a file has the process and the time: numbers of processes repeat.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Coverage.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

using namespace dsrt::simulator;

void Coverage::add(const Module &module) {
  for (const auto &[name, kernel] : module.kernels()) {
    for (size_t i = 0; i < kernel.code.size(); ++i) {
      const Instruction &instruction = kernel.code[i];
      if (instruction.line == 0)
        continue; // not in the text
      Form &form = forms[std::string(instruction.opcode)];
      form.executed |= kernel.executed[i] != 0;
      if (form.place.empty())
        form.place = fmt::format("{}, line {}", name, instruction.line);
    }
  }
}

Coverage::~Coverage() {
  const char *folder = std::getenv("DSRT_SIMULATOR_COVERAGE");
  if (!folder || !*folder || forms.empty())
    return;
  int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  std::string path = fmt::format("{}/{}.{}.forms", folder, ::getpid(), now);
  std::FILE *file = std::fopen(path.c_str(), "w");
  if (!file) {
    fmt::print(stderr,
               "simulator: cannot write {} of DSRT_SIMULATOR_COVERAGE\n", path);
    return;
  }
  for (const auto &[opcode, form] : forms)
    fmt::print(file, "{} {} {}\n", form.executed ? "executed" : "loaded",
               opcode, form.place);
  std::fclose(file);
}
