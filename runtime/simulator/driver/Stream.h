//===- Stream.h - Work in the order of streams ------------------*- C++ -*-===//
//
// Work is put off as long as the host does not wait for it, and then the
// streams take turns in an order drawn from a seed: a wait that the host forgot
// shows.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DRIVER_STREAM_H
#define DSRT_SIMULATOR_DRIVER_STREAM_H

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace dsrt::simulator {

/// A piece of work. 'ready', if set, says whether it may run yet.
struct Operation {
  std::function<void()> run;
  std::function<bool()> ready;
};

/// What a stream records instead of queueing it.
struct Graph {
  std::vector<Operation> operations;
};

struct Stream {
  std::deque<Operation> pending;
  std::shared_ptr<Graph> capture; // while the stream is captured
  bool captureOrigin = false;
};

/// Counts records: a wait is for the record before it.
struct Event {
  uint64_t recorded = 0;
  uint64_t completed = 0;
  std::chrono::steady_clock::time_point time;
  std::weak_ptr<Graph> capture; // of the stream that recorded it last
};

class Scheduler {
public:
  explicit Scheduler(uint64_t seed) : random(seed) {}
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

  Stream *create();
  /// Runs what is pending in the stream first.
  void destroy(Stream *stream);
  bool knows(Stream *stream) const;

  /// Appends to the stream, or to the graph that it captures.
  void enqueue(Stream *stream, Operation operation);
  /// Runs work of all streams until 'done'. An exception of the work drops all
  /// that is pending and goes on to the caller.
  void runUntil(const std::function<bool()> &done);
  void runAll();
  /// No stream adds to the graph from now on.
  void endCapture(const std::shared_ptr<Graph> &graph);
  /// Runs one piece of work, if any can run: a host that polls sees progress.
  bool runOne();

private:
  std::vector<std::unique_ptr<Stream>> streams; // in the order of creation
  std::mt19937_64 random;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DRIVER_STREAM_H
