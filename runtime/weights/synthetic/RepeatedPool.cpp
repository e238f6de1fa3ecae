//===- RepeatedPool.cpp - A little memory that looks like a lot -----------===//
//
// One file in memory, mapped many times side by side.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/synthetic/RepeatedPool.h"

#include "runtime/weights/Parallel.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace dsrt {

RepeatedPool::~RepeatedPool() {
  if (address)
    ::munmap(address, bytes);
}

RepeatedPool::RepeatedPool(RepeatedPool &&other) noexcept {
  *this = std::move(other);
}

RepeatedPool &RepeatedPool::operator=(RepeatedPool &&other) noexcept {
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

/// Maps the file `repeats` times and fills it through the first mapping.
static bool mapAndFill(int descriptor, uint8_t *address, uint64_t repeats,
                       const RepeatedPool::Fill &fill) {
  for (uint64_t i = 0; i < repeats; ++i)
    if (::mmap(address + i * RepeatedPool::kBytes, RepeatedPool::kBytes,
               i == 0 ? PROT_READ | PROT_WRITE : PROT_READ,
               MAP_SHARED | MAP_FIXED, descriptor, 0) == MAP_FAILED)
      return false;
  parallelFor(RepeatedPool::kBytes / RepeatedPool::kPiece, [&](size_t i) {
    uint64_t offset = i * RepeatedPool::kPiece;
    fill(address + offset, offset);
  });
  return ::mprotect(address, RepeatedPool::kBytes, PROT_READ) == 0;
}

Result<RepeatedPool> RepeatedPool::create(uint64_t reach, const Fill &fill) {
  auto failed = [] {
    return error(DSRT_OUT_OF_MEMORY,
                 "cannot make {} bytes of values for weights: {}", kBytes,
                 std::strerror(errno));
  };
  uint64_t repeats = reach / kBytes + 2;
  if (repeats > (1ull << 47) / kBytes)
    return error(DSRT_OUT_OF_MEMORY,
                 "cannot make a weight of {} bytes: more than a process can "
                 "address",
                 reach);
  int descriptor = ::memfd_create("dsrt-weights", MFD_CLOEXEC);
  if (descriptor < 0)
    return failed();
  RepeatedPool pool;
  bool done = false;
  if (::ftruncate(descriptor, kBytes) == 0) {
    void *range = ::mmap(nullptr, repeats * kBytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range != MAP_FAILED) {
      pool.address = static_cast<uint8_t *>(range);
      pool.bytes = repeats * kBytes;
      done = mapAndFill(descriptor, pool.address, repeats, fill);
    }
  }
  Status status = done ? Status() : failed();
  ::close(descriptor);
  if (!status.ok())
    return status;
  return pool;
}

} // namespace dsrt
