//===- Control.h - Branches and exits ---------------------------*- C++ -*-===//
//
// The two handlers that expanded functions need as well.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_CONTROL_H
#define DSRT_SIMULATOR_INSTRUCTIONS_CONTROL_H

#include "runtime/simulator/machine/Program.h"

namespace dsrt::simulator {

/// The active lanes go on at the first target.
Flow branchLanes(Warp &warp, const Instruction &instruction, LaneMask active);
/// The active lanes are done.
Flow exitLanes(Warp &warp, const Instruction &instruction, LaneMask active);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_CONTROL_H
