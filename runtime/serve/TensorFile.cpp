//===- TensorFile.cpp - Writes a safetensors file -------------------------===//
//
// The format: the length of the header as 8 bytes little endian, the header as
// JSON padded with spaces to 8 bytes, the data without gaps.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/TensorFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace dsrt {

TensorFile::~TensorFile() {
  if (descriptor < 0)
    return;
  // Not closed: the file is incomplete. What is not a file stays.
  struct stat status;
  const bool isFile =
      ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  ::close(descriptor);
  if (isFile)
    ::unlink(writing.c_str());
}

Status TensorFile::failed(const char *action) {
  return error(DSRT_IO_ERROR, "cannot {} '{}': {}", action, path,
               std::strerror(errno));
}

/// Puts all bytes at `offset`.
Status TensorFile::writeAt(const char *bytes, uint64_t count, uint64_t offset) {
  while (count > 0) {
    errno = EIO; // where the system says no more than "nothing written"
    ssize_t written =
        ::pwrite(descriptor, bytes, count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return failed("write");
    bytes += written;
    offset += static_cast<uint64_t>(written);
    count -= static_cast<uint64_t>(written);
  }
  return Status();
}

size_t TensorFile::declare(const std::string &name, const char *type,
                           int64_t rows, int64_t columns) {
  tensors.push_back({name, type, rows, columns, dataBytes});
  dataBytes += static_cast<uint64_t>(rows) * static_cast<uint64_t>(columns) * 4;
  return tensors.size() - 1;
}

Status TensorFile::create(const std::string &file) {
  path = file;
  nlohmann::ordered_json header;
  for (const Tensor &tensor : tensors)
    header[tensor.name] = {
        {"dtype", tensor.type},
        {"shape", {tensor.rows, tensor.columns}},
        {"data_offsets",
         {tensor.offset,
          tensor.offset + static_cast<uint64_t>(tensor.rows) *
                              static_cast<uint64_t>(tensor.columns) * 4}}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char *>(&length), sizeof(length));
  dataStart = text.size();

  // A file that is there stays until the new one is whole; a device is written
  // as it is.
  struct stat status;
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && ::access(path.c_str(), W_OK) != 0)
    return failed("create");
  const bool replaces = !exists || S_ISREG(status.st_mode);
  writing = replaces ? path + ".incomplete" : path;
  descriptor = ::open(writing.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (descriptor < 0)
    return failed("create");
  DSRT_TRY(writeAt(text.data(), text.size(), 0));
  if (::ftruncate(descriptor, static_cast<off_t>(dataStart + dataBytes)) != 0)
    return failed("write");
  return Status();
}

Status TensorFile::writeRows(size_t index, int64_t row, int64_t count,
                             const void *data) {
  const Tensor &tensor = tensors[index];
  const uint64_t rowBytes = static_cast<uint64_t>(tensor.columns) * 4;
  return writeAt(
      static_cast<const char *>(data), static_cast<uint64_t>(count) * rowBytes,
      dataStart + tensor.offset + static_cast<uint64_t>(row) * rowBytes);
}

Status TensorFile::close() {
  const bool closed = ::close(std::exchange(descriptor, -1)) == 0;
  if (closed &&
      (writing == path || ::rename(writing.c_str(), path.c_str()) == 0))
    return Status();
  Status failure = failed("write");
  if (writing != path)
    ::unlink(writing.c_str());
  return failure;
}

} // namespace dsrt
