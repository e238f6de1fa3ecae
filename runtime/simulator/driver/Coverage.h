//===- Coverage.h - Which forms of opcodes were executed --------*- C++ -*-===//
//
// DSRT_SIMULATOR_COVERAGE names a folder, into which each process writes a file
// when it ends: a line for each form of an opcode, as the PTX texts spell it
// that it has loaded, and whether any of its instructions was executed.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DRIVER_COVERAGE_H
#define DSRT_SIMULATOR_DRIVER_COVERAGE_H

#include "runtime/simulator/decode/Module.h"

#include <map>
#include <string>

namespace dsrt::simulator {

class Coverage {
public:
  /// Writes the file.
  ~Coverage();

  /// Adds the instructions of a module that is not used any more.
  void add(const Module &module);

private:
  struct Form {
    bool executed = false;
    std::string place; // of one instruction
  };
  std::map<std::string, Form, std::less<>> forms;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DRIVER_COVERAGE_H
