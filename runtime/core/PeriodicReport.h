//===- PeriodicReport.h - Word from work that takes long --------*- C++ -*-===//

#ifndef DSRT_CORE_PERIODICREPORT_H
#define DSRT_CORE_PERIODICREPORT_H

#include "runtime/device/Device.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace dsrt {

/// Reports a line every two seconds while it lives, from a thread of its own.
class PeriodicReport {
public:
  /// `line` makes it, on that thread; without a `report` nothing happens.
  PeriodicReport(const Reporter &report, std::function<std::string()> line);
  ~PeriodicReport();
  PeriodicReport(const PeriodicReport &) = delete;
  PeriodicReport &operator=(const PeriodicReport &) = delete;

private:
  std::mutex mutex;
  std::condition_variable wake;
  bool finished = false;
  std::thread thread;
};

} // namespace dsrt

#endif // DSRT_CORE_PERIODICREPORT_H
