//===- Statistics.h - What the kernels of a process did ---------*- C++ -*-===//
//
// Counts by kernel, and a line per launch for whoever wants it.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DRIVER_STATISTICS_H
#define DSRT_SIMULATOR_DRIVER_STATISTICS_H

#include "runtime/simulator/machine/Launch.h"

#include <map>
#include <string>

namespace dsrt::simulator {

class Statistics {
public:
  /// DSRT_SIMULATOR_COUNTS names a file, which the end of the process writes.
  ~Statistics();

  /// A launch has ended after some time.
  void add(const Launch &launch, double seconds);

  std::string text() const;
  std::string json() const;

  void (*trace)(const char *text, void *context) = nullptr;
  void *traceContext = nullptr;

private:
  Counts total() const;

  std::map<std::string, Counts> kernels;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DRIVER_STATISTICS_H
