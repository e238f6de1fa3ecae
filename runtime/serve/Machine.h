//===- Machine.h - The limits of this machine, measured ---------*- C++ -*-===//

#ifndef DSRT_SERVE_MACHINE_H
#define DSRT_SERVE_MACHINE_H

#include "runtime/core/ThreadTeam.h"

namespace dsrt {

struct MachineLimits {
  double readBytesPerSecond = 0;
  double operationsPerSecond = 0;
  const char *instruction = ""; // which one reached it
};

/// Measures with all threads of the team, about a second.
MachineLimits measureMachine(ThreadTeam &team);

} // namespace dsrt

#endif // DSRT_SERVE_MACHINE_H
