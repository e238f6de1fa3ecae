//===- PeriodicReport.cpp - Word from work that takes long ----------------===//

#include "runtime/core/PeriodicReport.h"

namespace dsrt {

PeriodicReport::PeriodicReport(const Reporter &report,
                               std::function<std::string()> line) {
  if (!report)
    return;
  thread = std::thread([this, &report, line = std::move(line)] {
    std::unique_lock<std::mutex> lock(mutex);
    while (!wake.wait_for(lock, std::chrono::seconds(2),
                          [this] { return finished; }))
      report(line());
  });
}

PeriodicReport::~PeriodicReport() {
  if (!thread.joinable())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    finished = true;
  }
  wake.notify_one();
  thread.join();
}

} // namespace dsrt
