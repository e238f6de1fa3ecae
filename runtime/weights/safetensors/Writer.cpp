//===- Writer.cpp - Writes a safetensors file -----------------------------===//
//
// Into a file beside the wanted one, which then takes its name.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/safetensors/Writer.h"

#include "runtime/weights/Quote.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace dsrt {

static Result<uint64_t> bytesOf(const TensorToWrite &tensor) {
  uint64_t bits = dataTypeBits(tensor.dtype);
  bool fits = bits > 0;
  for (int64_t size : tensor.shape)
    fits = fits && size >= 0 &&
           !__builtin_mul_overflow(bits, static_cast<uint64_t>(size), &bits);
  if (!fits || bits % 8 != 0)
    return error(DSRT_INVALID_ARGUMENT, "cannot write tensor {}: {} {}",
                 quote(tensor.name), dataTypeText(tensor.dtype),
                 shapeText(tensor.shape));
  return bits / 8;
}

static std::string jsonString(const std::string &text) {
  // Invalid UTF-8 becomes U+FFFD instead of an exception.
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
}

Result<std::string>
makeSafetensorsHeader(const std::vector<TensorToWrite> &tensors,
                      const std::map<std::string, std::string> &metadata,
                      std::vector<uint64_t> &sizes) {
  std::string text = "{";
  auto separate = [&] { text += text.size() > 1 ? "," : ""; };
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (auto it = metadata.begin(); it != metadata.end(); ++it)
      text += (it == metadata.begin() ? "" : ",") + jsonString(it->first) +
              ":" + jsonString(it->second);
    text += "}";
  }
  uint64_t offset = 0;
  std::set<std::string> names;
  for (const TensorToWrite &tensor : tensors) {
    Result<uint64_t> bytes = bytesOf(tensor);
    if (!bytes.ok())
      return bytes.status();
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return error(DSRT_INVALID_ARGUMENT,
                   "cannot write tensor {}: the name is taken",
                   quote(tensor.name));
    separate();
    text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],"
                        "\"data_offsets\":[{},{}]}}",
                        jsonString(tensor.name), dataTypeName(tensor.dtype),
                        fmt::join(tensor.shape, ","), offset, offset + *bytes);
    offset += *bytes;
    sizes.push_back(*bytes);
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i)
    length += static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  return length + text;
}

static bool writeAll(int descriptor, const void *data, uint64_t bytes) {
  const char *position = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written = ::write(descriptor, position, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    position += written;
    bytes -= static_cast<uint64_t>(written);
  }
  return true;
}

Status writeSafetensors(const std::string &path,
                        const std::vector<TensorToWrite> &tensors,
                        const std::map<std::string, std::string> &metadata) {
  std::vector<uint64_t> sizes;
  Result<std::string> header = makeSafetensorsHeader(tensors, metadata, sizes);
  if (!header.ok())
    return header.status();

  // Taking the name of a device or a folder would destroy it, or fail late.
  struct stat information;
  if (::stat(path.c_str(), &information) == 0 && !S_ISREG(information.st_mode))
    return error(DSRT_IO_ERROR, "cannot write {}: it is not a regular file",
                 quote(path));
  auto failed = [&] {
    return error(DSRT_IO_ERROR, "cannot write {}: {}", quote(path),
                 std::strerror(errno));
  };
  std::string partial = fmt::format("{}.{}.partial", path, ::getpid());
  int descriptor =
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return failed();
  bool written = writeAll(descriptor, header->data(), header->size());
  for (size_t i = 0; i < tensors.size() && written; ++i)
    written = writeAll(descriptor, tensors[i].data, sizes[i]);
  Status status = written ? Status() : failed();
  if (::close(descriptor) != 0 && status.ok())
    status = failed();
  if (status.ok() && ::rename(partial.c_str(), path.c_str()) != 0)
    status = failed();
  if (!status.ok())
    ::unlink(partial.c_str());
  return status;
}

} // namespace dsrt
