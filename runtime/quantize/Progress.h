//===- Progress.h - How far a long work is ----------------------*- C++ -*-===//
//
// On standard error, after the first two seconds: one line that is rewritten on
// a terminal, now and then a line elsewhere.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_PROGRESS_H
#define DSRT_QUANTIZE_PROGRESS_H

#include <cstdint>
#include <string>

namespace dsrt {

/// "[#####-----]  50.0 %, 1.0 of 2.0 GB, 0.50 GB/s, 2 s left"; the bytes are
/// those of this run.
std::string progressText(uint64_t done, uint64_t total, double seconds);

class Progress {
public:
  explicit Progress(uint64_t totalBytes);
  /// Ends the line that is shown.
  ~Progress();
  void show(uint64_t done);
  double seconds() const;

private:
  uint64_t total;
  double begin, next;
  bool isTerminal, shown = false;
};

} // namespace dsrt

#endif // DSRT_QUANTIZE_PROGRESS_H
