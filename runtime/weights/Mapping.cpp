//===- Mapping.cpp - A file mapped for reading ----------------------------===//
//
// The descriptor is closed at once; the mapping keeps the file.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Mapping.h"

#include "runtime/weights/Quote.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dsrt {

Mapping::~Mapping() {
  if (address)
    ::munmap(const_cast<uint8_t *>(address), bytes);
}

Mapping::Mapping(Mapping &&other) noexcept { *this = std::move(other); }

Mapping &Mapping::operator=(Mapping &&other) noexcept {
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

void Mapping::release() const {
  if (address)
    ::madvise(const_cast<uint8_t *>(address), bytes, MADV_DONTNEED);
}

Result<Mapping> Mapping::open(const std::string &path) {
  // O_NONBLOCK: a pipe of that name must not be waited for.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    bool absent = errno == ENOENT || errno == ENOTDIR;
    return error(absent ? DSRT_NOT_FOUND : DSRT_IO_ERROR, "cannot open {}: {}",
                 quote(path), std::strerror(errno));
  }
  struct stat information;
  Mapping mapping;
  Status status;
  if (::fstat(descriptor, &information) != 0) {
    status = error(DSRT_IO_ERROR, "cannot read {}: {}", quote(path),
                   std::strerror(errno));
  } else if (!S_ISREG(information.st_mode)) {
    status =
        error(DSRT_INVALID_ARGUMENT, "{} is not a regular file", quote(path));
  } else if (information.st_size > 0) {
    uint64_t size = static_cast<uint64_t>(information.st_size);
    void *address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) {
      status = error(DSRT_IO_ERROR, "cannot map {} ({} bytes): {}", quote(path),
                     size, std::strerror(errno));
    } else {
      mapping.address = static_cast<const uint8_t *>(address);
      mapping.bytes = size;
    }
  }
  ::close(descriptor);
  if (!status.ok())
    return status;
  return mapping;
}

} // namespace dsrt
