//===- Reader.cpp - One safetensors file ----------------------------------===//
//
// The format: the length of the header as 8 bytes little endian, the header,
// the data of the tensors.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/safetensors/Reader.h"

#include "runtime/weights/Quote.h"

namespace dsrt {

// The limit of the format's own reader.
static constexpr uint64_t kMaxHeaderBytes = 100'000'000;

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<Mapping> mapping = Mapping::open(path);
  if (!mapping.ok())
    return mapping.status();
  Result<SafetensorsFile> file = parse(mapping->data(), mapping->size(), path);
  if (file.ok())
    file->mapping = std::move(*mapping);
  return file;
}

/// The length of the header; the whole of it lies in the file.
static Result<uint64_t> headerLength(const uint8_t *bytes, uint64_t size,
                                     const std::string &path) {
  constexpr std::string_view kPointer = "version https://git-lfs";
  if (size >= kPointer.size() &&
      std::string_view(reinterpret_cast<const char *>(bytes),
                       kPointer.size()) == kPointer)
    return error(DSRT_MALFORMED,
                 "{} is a git-lfs pointer instead of the file itself; fetch it "
                 "with 'git lfs pull'",
                 quote(path));
  if (size < 8)
    return error(DSRT_MALFORMED,
                 "{}: expected a safetensors file, which begins with 8 bytes "
                 "for the length of its header, found {} bytes",
                 quote(path), size);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | bytes[i];
  if (length > size - 8)
    return error(
        DSRT_MALFORMED,
        "{}: the header is {} bytes long by its first 8 bytes, but "
        "only {} follow; the file is incomplete or no safetensors file",
        quote(path), length, size - 8);
  if (length > kMaxHeaderBytes)
    return error(DSRT_MALFORMED,
                 "{}: expected a header of at most {} bytes, found {}",
                 quote(path), kMaxHeaderBytes, length);
  return length;
}

Result<SafetensorsFile> SafetensorsFile::parse(const void *data, uint64_t bytes,
                                               const std::string &path) {
  const uint8_t *start = static_cast<const uint8_t *>(data);
  Result<uint64_t> length = headerLength(start, bytes, path);
  if (!length.ok())
    return length.status();
  std::string_view text(reinterpret_cast<const char *>(start) + 8, *length);
  Result<SafetensorsHeader> header =
      parseSafetensorsHeader(text, bytes - 8 - *length, path);
  if (!header.ok())
    return header.status();

  SafetensorsFile file;
  file.name = path;
  file.header = std::move(*header);
  file.dataStart = 8 + *length;
  std::vector<Tensor> &tensors = file.header.tensors;
  file.byName.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].data = start + file.dataStart + tensors[i].begin;
    if (!file.byName.emplace(tensors[i].name, i).second)
      return error(DSRT_MALFORMED, "{}: the header lists tensor {} twice",
                   quote(path), quote(tensors[i].name));
  }
  return file;
}

const Tensor *SafetensorsFile::find(std::string_view tensor) const {
  auto found = byName.find(tensor);
  return found == byName.end() ? nullptr : &header.tensors[found->second];
}

} // namespace dsrt
