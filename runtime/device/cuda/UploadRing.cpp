//===- UploadRing.cpp - Weights on their way to a GPU ---------------------===//

#include "runtime/device/cuda/UploadRing.h"

#include "runtime/core/Memory.h"
#include "runtime/core/ThreadTeam.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace dsrt::cuda {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A part of the target and the pieces that lie in it or reach into it.
struct Window {
  const std::vector<UploadPiece> &pieces;
  size_t first; // the first piece that ends behind the beginning
  uint64_t begin;
  char *buffer;
};

/// Fills the bytes [begin, end) of a window.
void fillPart(void *context, int64_t begin, int64_t end) {
  const Window &window = *static_cast<Window *>(context);
  const uint64_t from = window.begin + static_cast<uint64_t>(begin);
  const uint64_t to = window.begin + static_cast<uint64_t>(end);
  uint64_t at = from;
  for (size_t i = window.first; at < to && i < window.pieces.size(); ++i) {
    const UploadPiece &piece = window.pieces[i];
    if (piece.offset + piece.bytes <= at)
      continue;
    if (piece.offset >= to)
      break;
    if (piece.offset > at) {
      std::memset(window.buffer + (at - window.begin), 0, piece.offset - at);
      at = piece.offset;
    }
    const uint64_t stop = std::min(to, piece.offset + piece.bytes);
    std::memcpy(window.buffer + (at - window.begin),
                static_cast<const char *>(piece.source) + (at - piece.offset),
                stop - at);
    at = stop;
  }
  std::memset(window.buffer + (at - window.begin), 0, to - at);
}

/// Reports every two seconds.
class Progress {
public:
  Progress(uint64_t total, const Reporter &report)
      : total(total), report(report) {}
  void reached(uint64_t bytes) {
    const double seconds = secondsSince(begin);
    if (!report || seconds < next)
      return;
    next = seconds + 2;
    const double done = static_cast<double>(bytes);
    report(fmt::format("copied {} of {} of weights to the device, {:.1f} GB/s",
                       formatBytes(done),
                       formatBytes(static_cast<double>(total)),
                       done / seconds / 1e9));
  }

private:
  const uint64_t total;
  const Reporter &report;
  const Clock::time_point begin = Clock::now();
  double next = 2;
};

} // namespace

UploadRing::~UploadRing() {
  for (int slot = 0; slot < kSlots; ++slot) {
    if (buffers[slot])
      driver.cuMemFreeHost(buffers[slot]);
    if (done[slot])
      driver.cuEventDestroy_v2(done[slot]);
  }
  if (stream)
    driver.cuStreamDestroy_v2(stream);
}

Status UploadRing::create(uint64_t bytes) {
  constexpr uint64_t largest = 64 << 20;
  slotBytes = std::min(bytes, largest);
  DSRT_CUDA_TRY(driver, cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  for (int slot = 0; slot < kSlots; ++slot) {
    void *memory = nullptr;
    DSRT_CUDA_TRY(driver, cuMemHostAlloc, &memory, slotBytes, 0);
    buffers[slot] = static_cast<char *>(memory);
    DSRT_CUDA_TRY(driver, cuEventCreate, &done[slot], CU_EVENT_DISABLE_TIMING);
  }
  return Status();
}

Status UploadRing::waitFor(int slot) {
  if (used[slot])
    DSRT_CUDA_TRY(driver, cuEventSynchronize, done[slot]);
  return Status();
}

Result<UploadRate> UploadRing::run(char *target, uint64_t bytes,
                                   const std::vector<UploadPiece> &pieces,
                                   const Reporter &report) {
  constexpr int maxThreads = 16;
  constexpr int64_t grain = 1 << 20;
  ThreadTeam team(std::min(ThreadTeam::availableCores(), maxThreads));
  Progress progress(bytes, report);
  const Clock::time_point begin = Clock::now();
  int slot = 0;
  size_t first = 0;
  for (uint64_t at = 0; at < bytes; at += slotBytes, slot ^= 1) {
    const uint64_t size = std::min(slotBytes, bytes - at);
    while (first < pieces.size() &&
           pieces[first].offset + pieces[first].bytes <= at)
      ++first;
    DSRT_TRY(waitFor(slot));
    Window window = {pieces, first, at, buffers[slot]};
    team.run(fillPart, &window, static_cast<int64_t>(size), grain);
    DSRT_CUDA_TRY(driver, cuMemcpyHtoDAsync_v2,
                  reinterpret_cast<CUdeviceptr>(target + at), buffers[slot],
                  size, stream);
    DSRT_CUDA_TRY(driver, cuEventRecord, done[slot], stream);
    used[slot] = true;
    progress.reached(at + size);
  }
  for (int last = 0; last < kSlots; ++last)
    DSRT_TRY(waitFor(last));
  return UploadRate{bytes, secondsSince(begin)};
}

} // namespace dsrt::cuda
