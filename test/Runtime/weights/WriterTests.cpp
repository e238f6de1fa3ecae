//===- WriterTests.cpp - Files written and read back ----------------------===//

#include "Tests.h"
#include "runtime/weights/safetensors/Writer.h"

#include <cstring>
#include <filesystem>

namespace dsrt::test {

static void testRoundTrip(const std::string &path) {
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  const uint16_t halves[2] = {0x3f80, 0x4000};
  const uint8_t codes[3] = {0, 0x38, 0xff};
  std::vector<TensorToWrite> tensors = {
      {"codes", DataType::F8_E4M3, {3}, codes},
      {"a \"quoted\"\nname", DataType::F32, {2, 3}, numbers},
      {"halves", DataType::BF16, {2}, halves},
      {"none", DataType::I64, {0, 5}, nullptr},
      {"scalar", DataType::F32, {}, numbers}};
  report("write", writeSafetensors(path, tensors, {{"format", "pt"}}));
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  report("read back", file.status());
  for (const auto &[key, value] : file->metadata())
    fmt::print("metadata {} = {}\n", key, value);
  for (const TensorToWrite &tensor : tensors) {
    const Tensor *read = file->find(tensor.name);
    fmt::print("{}: {}, same bytes: {}\n", tensor.name.size(), read->typeText(),
               read->bytes() == 0 ||
                   std::memcmp(read->data, tensor.data, read->bytes()) == 0);
  }
  report("no tensors", writeSafetensors(path, {}));
  fmt::print("{} bytes\n", std::filesystem::file_size(path));
}

int testWriter(const std::string &temp) {
  std::string folder = makeFolder(temp), path = folder + "/out.safetensors";
  testRoundTrip(path);
  float one = 1;
  auto write = [&](const char *label, const std::string &file,
                   std::vector<TensorToWrite> tensors) {
    report(label, writeSafetensors(file, tensors));
  };
  std::vector<TensorToWrite> good = {{"a", DataType::F32, {1}, &one}};
  write("unwritable folder", folder + "/absent/out.safetensors", good);
  write("a folder", folder, good);
  write("a device", "/dev/null", good);
  write("full disk", "/dev/full/x", good);
  write("name twice", path, {good[0], good[0]});
  write("reserved name", path, {{"__metadata__", DataType::F32, {1}, &one}});
  write("negative size", path, {{"a", DataType::F32, {-1}, &one}});
  write("half a byte", path, {{"a", DataType::F4, {1}, &one}});
  write("invalid UTF-8", path, {{"a\xff", DataType::F32, {1}, &one}});
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    files += entry.exists();
  fmt::print("files left: {}\n", files);
  return 0;
}

} // namespace dsrt::test
