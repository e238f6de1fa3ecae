//===- ApiMemory.cpp - Driver interface: memory ---------------------------===//
//
// Copies check their device side when they are asked for. Pinned host memory is
// read and written when the stream gets there; other host memory at once, as
// the driver does, which then waits.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"
#include "runtime/simulator/driver/Device.h"

#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  return guarded([&](Device &device) {
    if (bytes == 0)
      return CUDA_ERROR_INVALID_VALUE;
    *address = device.memory->allocate(bytes);
    return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
  });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  return guarded([&](Device &device) {
    device.scheduler->runAll();
    return address == 0 || device.memory->release(address)
               ? CUDA_SUCCESS
               : CUDA_ERROR_INVALID_VALUE;
  });
}

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
  return guarded([&](Device &device) {
    *available = device.memory->available();
    *total = device.memory->total();
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  return guarded([&](Device &device) {
    if (bytes == 0)
      return CUDA_ERROR_INVALID_VALUE;
    *memory = std::malloc(bytes);
    if (!*memory)
      return CUDA_ERROR_OUT_OF_MEMORY;
    device.pinned[reinterpret_cast<uint64_t>(*memory)] = bytes;
    return CUDA_SUCCESS;
  });
}

CUresult cuMemFreeHost(void *memory) {
  return guarded([&](Device &device) {
    device.scheduler->runAll();
    if (!device.pinned.erase(reinterpret_cast<uint64_t>(memory)))
      return CUDA_ERROR_INVALID_VALUE;
    std::free(memory);
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

static bool isPinned(const Device &device, const void *memory) {
  auto address = reinterpret_cast<uint64_t>(memory);
  auto next = device.pinned.upper_bound(address);
  if (next == device.pinned.begin())
    return false;
  --next;
  return address - next->first < next->second;
}

/// The device side of a copy lies in one allocation.
static bool isValid(Device &device, CUdeviceptr address, size_t bytes) {
  if (device.memory->find(address, bytes))
    return true;
  device.report(fmt::format("expected {} bytes inside of an allocation, got "
                            "0x{:x}, {}",
                            bytes, address, device.memory->describe(address)));
  return false;
}

static void write(Device &device, CUdeviceptr to, const void *from,
                  size_t bytes) {
  const Allocation *allocation = device.memory->find(to, bytes);
  if (!allocation)
    throw Fault(FaultKind::IllegalAddress,
                "copy to memory that was freed before the copy ran");
  std::memmove(reinterpret_cast<void *>(to), from, bytes);
  allocation->initialized->set(to - allocation->address, bytes);
}

/// Puts work into the stream; 'waits': and runs it.
static CUresult enqueue(Device &device, Stream *stream, bool waits,
                        std::function<void()> run) {
  if (waits && stream->capture)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  device.scheduler->enqueue(stream, {std::move(run), nullptr});
  if (waits)
    device.scheduler->runUntil([&] { return stream->pending.empty(); });
  return CUDA_SUCCESS;
}

static CUresult copyIn(CUdeviceptr to, const void *from, size_t bytes,
                       CUstream handle, bool waits) {
  return guarded([&](Device &device) {
    Stream *stream = device.streamOf(handle);
    if (!stream || !isValid(device, to, bytes))
      return CUDA_ERROR_INVALID_VALUE;
    if (isPinned(device, from) || waits)
      return enqueue(device, stream, waits, [&device, to, from, bytes] {
        write(device, to, from, bytes);
      });
    const auto *begin = static_cast<const uint8_t *>(from);
    std::vector<uint8_t> copy(begin, begin + bytes);
    return enqueue(device, stream, false, [&device, to, copy] {
      write(device, to, copy.data(), copy.size());
    });
  });
}

static CUresult copyOut(void *to, CUdeviceptr from, size_t bytes,
                        CUstream handle, bool waits) {
  return guarded([&](Device &device) {
    Stream *stream = device.streamOf(handle);
    if (!stream || !isValid(device, from, bytes))
      return CUDA_ERROR_INVALID_VALUE;
    waits |= !isPinned(device, to) && !stream->capture;
    return enqueue(device, stream, waits, [to, from, bytes] {
      std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    });
  });
}

static CUresult copyInside(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                           CUstream handle, bool waits) {
  return guarded([&](Device &device) {
    Stream *stream = device.streamOf(handle);
    if (!stream || !isValid(device, to, bytes) || !isValid(device, from, bytes))
      return CUDA_ERROR_INVALID_VALUE;
    return enqueue(device, stream, waits, [&device, to, from, bytes] {
      write(device, to, reinterpret_cast<const void *>(from), bytes);
    });
  });
}

template <typename T>
static CUresult fill(CUdeviceptr to, T value, size_t count, CUstream handle,
                     bool waits) {
  return guarded([&](Device &device) {
    Stream *stream = device.streamOf(handle);
    if (!stream || to % sizeof(T) || !isValid(device, to, count * sizeof(T)))
      return CUDA_ERROR_INVALID_VALUE;
    return enqueue(device, stream, waits, [&device, to, value, count] {
      std::vector<T> values(count, value);
      write(device, to, values.data(), count * sizeof(T));
    });
  });
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  return copyIn(to, from, bytes, nullptr, true);
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  return copyOut(to, from, bytes, nullptr, true);
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copyInside(to, from, bytes, nullptr, true);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream stream) {
  return copyIn(to, from, bytes, stream, false);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  return copyOut(to, from, bytes, stream, false);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  return copyInside(to, from, bytes, stream, false);
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill<uint8_t>(to, value, count, nullptr, true);
}
CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  return fill<uint32_t>(to, value, count, nullptr, true);
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count,
                         CUstream stream) {
  return fill<uint8_t>(to, value, count, stream, false);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count,
                          CUstream stream) {
  return fill<uint32_t>(to, value, count, stream, false);
}
