//===- ApiStream.cpp - Driver interface: streams, events and graphs -------===//
//
// A graph is the work of its streams in the order in which it was captured,
// which keeps to all waits among them.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"
#include "runtime/simulator/driver/Device.h"

using namespace dsrt::simulator;

static Event *eventOf(CUevent handle) {
  return reinterpret_cast<Event *>(handle);
}

/// Calls 'body' with the stream unless the handle is none of a stream.
template <typename F>
static CUresult withStream(CUstream handle, F body) {
  return guarded([&](Device &device) {
    Stream *stream = device.streamOf(handle);
    return stream ? body(device, *stream) : CUDA_ERROR_INVALID_HANDLE;
  });
}

CUresult cuStreamCreate(CUstream *handle, unsigned) {
  return guarded([&](Device &device) {
    *handle = reinterpret_cast<CUstream>(device.scheduler->create());
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  return withStream(handle, [](Device &device, Stream &stream) {
    if (&stream == device.defaultStream)
      return CUDA_ERROR_INVALID_HANDLE;
    device.scheduler->destroy(&stream);
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamSynchronize(CUstream handle) {
  return withStream(handle, [](Device &device, Stream &stream) {
    if (stream.capture)
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    device.scheduler->runUntil([&] { return stream.pending.empty(); });
    return stream.pending.empty() ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_TIMEOUT;
  });
}

CUresult cuStreamQuery(CUstream handle) {
  return withStream(handle, [](Device &device, Stream &stream) {
    if (stream.pending.empty())
      return CUDA_SUCCESS;
    device.scheduler->runOne();
    return CUDA_ERROR_NOT_READY;
  });
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned) {
  return withStream(handle, [&](Device &device, Stream &stream) {
    Event *event = eventOf(eventHandle);
    // Work that waits for captured work is captured with it.
    if (std::shared_ptr<Graph> graph = event->capture.lock()) {
      stream.capture = graph;
      return CUDA_SUCCESS;
    }
    uint64_t awaited = event->recorded;
    device.scheduler->enqueue(&stream, {nullptr, [event, awaited] {
                                          return event->completed >= awaited;
                                        }});
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

CUresult cuEventCreate(CUevent *handle, unsigned) {
  return guarded([&](Device &) {
    *handle = reinterpret_cast<CUevent>(new Event());
    return CUDA_SUCCESS;
  });
}

CUresult cuEventDestroy_v2(CUevent handle) {
  return guarded([&](Device &device) {
    device.scheduler->runAll(); // that may wait for it
    delete eventOf(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
  return withStream(streamHandle, [&](Device &device, Stream &stream) {
    Event *event = eventOf(handle);
    event->capture = stream.capture;
    if (stream.capture)
      return CUDA_SUCCESS;
    uint64_t record = ++event->recorded;
    device.scheduler->enqueue(
        &stream, {[event, record] {
                    event->completed = std::max(event->completed, record);
                    event->time = std::chrono::steady_clock::now();
                  },
                  nullptr});
    return CUDA_SUCCESS;
  });
}

CUresult cuEventQuery(CUevent handle) {
  return guarded([&](Device &device) {
    Event *event = eventOf(handle);
    if (event->completed >= event->recorded)
      return CUDA_SUCCESS;
    device.scheduler->runOne();
    return CUDA_ERROR_NOT_READY;
  });
}

CUresult cuEventSynchronize(CUevent handle) {
  return guarded([&](Device &device) {
    Event *event = eventOf(handle);
    auto done = [&] { return event->completed >= event->recorded; };
    device.scheduler->runUntil(done);
    return done() ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_TIMEOUT;
  });
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  return guarded([&](Device &) {
    for (Event *event : {eventOf(begin), eventOf(end)}) {
      if (event->recorded == 0)
        return CUDA_ERROR_INVALID_HANDLE;
      if (event->completed < event->recorded)
        return CUDA_ERROR_NOT_READY;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(
                        eventOf(end)->time - eventOf(begin)->time)
                        .count();
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

CUresult cuStreamBeginCapture_v2(CUstream handle, int) {
  return withStream(handle, [](Device &device, Stream &stream) {
    if (&stream == device.defaultStream || stream.capture)
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    stream.capture = std::make_shared<Graph>();
    stream.captureOrigin = true;
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  return withStream(handle, [&](Device &device, Stream &stream) {
    if (!stream.capture || !stream.captureOrigin)
      return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    std::shared_ptr<Graph> captured = stream.capture;
    stream.captureOrigin = false;
    device.scheduler->endCapture(captured);
    *graph = reinterpret_cast<CUgraph>(new Graph(std::move(*captured)));
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                                     unsigned long long) {
  return guarded([&](Device &) {
    *exec = reinterpret_cast<CUgraphExec>(
        new Graph(*reinterpret_cast<Graph *>(graph)));
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream handle) {
  return withStream(handle, [&](Device &device, Stream &stream) {
    for (const Operation &operation :
         reinterpret_cast<Graph *>(exec)->operations)
      device.scheduler->enqueue(&stream, operation);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  return guarded([&](Device &) {
    delete reinterpret_cast<Graph *>(exec);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphDestroy(CUgraph graph) {
  return guarded([&](Device &) {
    delete reinterpret_cast<Graph *>(graph);
    return CUDA_SUCCESS;
  });
}
