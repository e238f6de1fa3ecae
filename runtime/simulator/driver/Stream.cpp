//===- Stream.cpp - Work in the order of streams --------------------------===//
//
// A stream's first piece of work may run when it is ready; of the streams that
// have one, the generator picks. Their order is that of their creation: one
// seed gives one order in every process.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Stream.h"

#include <algorithm>

using namespace dsrt::simulator;

Stream *Scheduler::create() {
  streams.push_back(std::make_unique<Stream>());
  return streams.back().get();
}

bool Scheduler::knows(Stream *stream) const {
  return std::any_of(streams.begin(), streams.end(),
                     [&](const auto &known) { return known.get() == stream; });
}

void Scheduler::destroy(Stream *stream) {
  runUntil([&] { return stream->pending.empty(); });
  streams.erase(
      std::find_if(streams.begin(), streams.end(),
                   [&](const auto &known) { return known.get() == stream; }));
}

void Scheduler::enqueue(Stream *stream, Operation operation) {
  if (stream->capture)
    stream->capture->operations.push_back(std::move(operation));
  else
    stream->pending.push_back(std::move(operation));
}

bool Scheduler::runOne() {
  std::vector<Stream *> able;
  for (const std::unique_ptr<Stream> &stream : streams)
    if (!stream->pending.empty()) {
      const Operation &first = stream->pending.front();
      if (!first.ready || first.ready())
        able.push_back(stream.get());
    }
  if (able.empty())
    return false;
  Stream *stream = able[random() % able.size()];
  Operation operation = std::move(stream->pending.front());
  stream->pending.pop_front();
  try {
    if (operation.run)
      operation.run();
  } catch (...) {
    for (const std::unique_ptr<Stream> &other : streams)
      other->pending.clear();
    throw;
  }
  return true;
}

void Scheduler::runUntil(const std::function<bool()> &done) {
  while (!done() && runOne())
    ;
}

void Scheduler::runAll() {
  while (runOne())
    ;
}

void Scheduler::endCapture(const std::shared_ptr<Graph> &graph) {
  for (const std::unique_ptr<Stream> &stream : streams)
    if (stream->capture == graph)
      stream->capture.reset();
}
