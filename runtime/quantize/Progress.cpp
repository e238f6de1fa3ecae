//===- Progress.cpp - How far a long work is ------------------------------===//

#include "runtime/quantize/Progress.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace dsrt {

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static std::string durationText(double seconds) {
  constexpr double kLongest = 1e6 * 3600; // nobody waits for more
  const auto rest = static_cast<int64_t>(std::min(seconds, kLongest) + 0.5);
  if (rest < 60)
    return fmt::format("{} s", rest);
  if (rest < 3600)
    return fmt::format("{} min {} s", rest / 60, rest % 60);
  return fmt::format("{} h {} min", rest / 3600, rest / 60 % 60);
}

std::string progressText(uint64_t done, uint64_t total, double seconds) {
  constexpr size_t kWidth = 20;
  const double bytes = static_cast<double>(done),
               all = static_cast<double>(std::max<uint64_t>(total, 1));
  const double fraction = std::min(bytes / all, 1.0);
  std::string bar(static_cast<size_t>(fraction * kWidth), '#');
  bar.resize(kWidth, '-');
  const double rate = seconds > 0 ? bytes / seconds : 0;
  return fmt::format("[{}] {:5.1f} %, {:.1f} of {:.1f} GB, {:.2f} GB/s, {}",
                     bar, 100 * fraction, bytes / 1e9, all / 1e9, rate / 1e9,
                     rate > 0 ? durationText((all - bytes) / rate) + " left"
                              : "no bytes yet");
}

Progress::Progress(uint64_t totalBytes)
    : total(totalBytes), begin(now()), next(begin + 2),
      isTerminal(::isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (shown && isTerminal)
    std::fputc('\n', stderr);
}

double Progress::seconds() const { return now() - begin; }

void Progress::show(uint64_t done) {
  const double time = now();
  if (time < next)
    return;
  constexpr double kTerminal = 0.2, kLines = 10; // seconds between two texts
  next = time + (isTerminal ? kTerminal : kLines);
  shown = true;
  // "\x1b[K" clears what is left of a longer text.
  const std::string text = progressText(done, total, time - begin);
  const std::string line = isTerminal ? "\r" + text + "\x1b[K" : text + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

} // namespace dsrt
