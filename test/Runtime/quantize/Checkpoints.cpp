//===- Checkpoints.cpp - Checkpoints made and compared --------------------===//

#include "Tests.h"
#include "runtime/quantize/ModelFiles.h"
#include "runtime/weights/Checkpoint.h"
#include "runtime/weights/safetensors/Writer.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace dsrt::test {

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

/// Bits of BF16 numbers from 2^-16 to 1, and now and then a zero.
static void fillNumbers(std::vector<uint16_t> &numbers, uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (uint16_t &number : numbers) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    number = static_cast<uint16_t>((state & 0x8000) |
                                   (0x3780 + (state >> 16 & 0x7ff)));
  }
}

/// A file of square weights, one embedding, and one norm.
static Status makeShard(const std::string &path, int64_t layer,
                        const std::vector<std::vector<int64_t>> &shapes,
                        bool zeros, nlohmann::json &weightMap) {
  const std::string name = std::filesystem::path(path).filename().string();
  std::vector<TensorToWrite> tensors;
  for (size_t i = 0; i < shapes.size(); ++i)
    tensors.push_back({fmt::format("model.layers.{}.mlp.experts.{}.up_proj."
                                   "weight",
                                   layer, i),
                       DataType::BF16, shapes[i]});
  tensors.push_back(
      {fmt::format("model.layers.{}.input_layernorm.weight", layer),
       DataType::BF16,
       {128}});
  std::vector<uint64_t> sizes;
  Result<std::string> header =
      makeSafetensorsHeader(tensors, {{"format", "pt"}}, sizes);
  if (!header.ok())
    return header.status();
  std::ofstream file(path, std::ios::binary);
  file << *header;
  uint64_t end = header->size();
  std::vector<uint16_t> numbers(1 << 20);
  for (size_t i = 0; i < tensors.size(); ++i) {
    weightMap[tensors[i].name] = name;
    end += sizes[i];
    for (uint64_t at = 0; !zeros && at < sizes[i]; at += 2 << 20) {
      fillNumbers(numbers, static_cast<uint64_t>(layer) << 40 |
                               static_cast<uint64_t>(i) << 32 | at >> 21);
      file.write(reinterpret_cast<const char *>(numbers.data()),
                 static_cast<std::streamsize>(
                     std::min<uint64_t>(sizes[i] - at, 2 << 20)));
    }
  }
  file.close();
  std::error_code code;
  std::filesystem::resize_file(path, end, code);
  if (!file || code)
    return error(DSRT_IO_ERROR, "cannot write {}", path);
  return Status();
}

int makeCheckpoint(const std::vector<std::string> &arguments) {
  const std::string &folder = arguments[1];
  const int64_t bytes = std::atoll(arguments[2].c_str()) * 1'000'000;
  const int64_t files = std::atoll(arguments[3].c_str());
  const bool zeros = arguments.size() > 4;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  nlohmann::json index = {{"metadata", {{"total_size", 0}}}};
  // Experts as V3's; the last file, three times as large, is one weight with
  // rows of which no buffer holds 128.
  const std::vector<int64_t> expert = {2048, 7168};
  const int64_t expertBytes = expert[0] * expert[1] * 2;
  for (int64_t i = 0; i < files; ++i) {
    const int64_t count =
        std::max<int64_t>(bytes / (files + 2) / expertBytes, 1);
    std::vector<std::vector<int64_t>> shapes(static_cast<size_t>(count),
                                             expert);
    if (i == files - 1)
      shapes = {{200, 3 * count * expertBytes / 400}};
    const std::string name =
        fmt::format("model-{:05}-of-{:06}.safetensors", i + 1, files);
    Status status =
        makeShard(folder + "/" + name, i, shapes, zeros, index["weight_map"]);
    if (!status.ok()) {
      fmt::print(stderr, "ds-test-quantize: error: {}\n", status.message());
      return 1;
    }
  }
  std::ofstream(folder + "/" + kIndexName) << index.dump(2) << "\n";
  std::ofstream(folder + "/" + kConfigName)
      << "{\n  \"model_type\": \"deepseek_v3\"\n}\n";
  return 0;
}

/// Scales rounded up to powers of two, as no one should without the codes.
static std::vector<float> roundedScales(const Tensor &tensor) {
  std::vector<float> scales(tensor.bytes() / sizeof(float));
  std::memcpy(scales.data(), tensor.data, tensor.bytes());
  for (float &scale : scales)
    scale = scaleOfBlock(448 * scale, ScaleFormat::PowerOfTwo);
  return scales;
}

int splitCheckpoint(const std::string &from, const std::string &folder,
                    bool rounded) {
  Result<Checkpoint> checkpoint = Checkpoint::open(from);
  if (!checkpoint.ok())
    return expect(false, checkpoint.status().message()) ? 0 : 1;
  std::filesystem::create_directories(folder);
  nlohmann::json index = {{"metadata", {{"total_size", 0}}}};
  std::vector<TensorToWrite> files[2];
  std::vector<std::vector<float>> kept;
  for (const CheckpointTensor &entry : checkpoint->tensors()) {
    const Tensor &tensor = *entry.tensor;
    const bool isScale = tensor.name.find(kScaleSuffix) != std::string::npos;
    files[isScale].push_back(
        {tensor.name, tensor.dtype, tensor.shape, tensor.data});
    if (isScale && rounded) {
      kept.push_back(roundedScales(tensor));
      files[1].back().data = kept.back().data();
    }
    index["weight_map"][tensor.name] =
        fmt::format("model-{:05}-of-000002.safetensors", isScale + 1);
  }
  for (int i : {0, 1}) {
    const std::string path =
        fmt::format("{}/model-{:05}-of-000002.safetensors", folder, i + 1);
    Status status = writeSafetensors(path, files[i]);
    if (!status.ok())
      return expect(false, status.message()) ? 0 : 1;
  }
  std::ofstream(folder + "/" + kIndexName) << index.dump(2) << "\n";
  return 0;
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

namespace {
struct Differences {
  uint64_t codes = 0, differentCodes = 0, tensors = 0;
  double scale = 0; // the largest, of its value

  bool add(const Tensor &a, const Tensor &b);
};
} // namespace

/// False if the tensors differ beyond codes and scales.
bool Differences::add(const Tensor &a, const Tensor &b) {
  ++tensors;
  if (a.dtype != b.dtype || a.shape != b.shape)
    return false;
  if (a.dtype == DataType::F8_E4M3) {
    codes += a.bytes();
    for (uint64_t i = 0; i < a.bytes(); ++i)
      differentCodes += a.data[i] != b.data[i];
    return true;
  }
  if (a.name.find("_scale_inv") == std::string::npos)
    return std::memcmp(a.data, b.data, a.bytes()) == 0;
  for (uint64_t i = 0; i < a.bytes(); i += 4) {
    float x, y;
    std::memcpy(&x, a.data + i, 4);
    std::memcpy(&y, b.data + i, 4);
    scale = std::max(scale, std::fabs(static_cast<double>(y) / x - 1));
  }
  return true;
}

int compareCheckpoints(const std::vector<std::string> &arguments) {
  Result<Checkpoint> expected = Checkpoint::open(arguments[1]),
                     actual = Checkpoint::open(arguments[2]);
  for (const Result<Checkpoint> *checkpoint : {&expected, &actual})
    if (!checkpoint->ok())
      return expect(false, checkpoint->status().message()) ? 0 : 1;
  const bool bounds = arguments.size() > 4;
  const double mostCodes = bounds ? std::atof(arguments[3].c_str()) : 0;
  const double mostScale = bounds ? std::atof(arguments[4].c_str()) : 0;
  bool good =
      expect(expected->tensors().size() == actual->tensors().size(),
             fmt::format("{} and {} tensors", expected->tensors().size(),
                         actual->tensors().size()));
  Differences differences;
  for (const CheckpointTensor &entry : expected->tensors()) {
    const Tensor *other = actual->find(entry.tensor->name).tensor;
    if (!other || !differences.add(*entry.tensor, *other))
      good &= expect(false, fmt::format("{}: {}", entry.tensor->name,
                                        other ? "differs" : "is missing"));
  }
  const double codes = static_cast<double>(differences.codes);
  good &= expect(static_cast<double>(differences.differentCodes) <=
                     mostCodes * codes,
                 fmt::format("{} of {} codes differ",
                             differences.differentCodes, differences.codes));
  good &= expect(differences.scale <= mostScale,
                 fmt::format("scales differ by at most {:.3g} of their value",
                             differences.scale));
  return good ? 0 : 1;
}

} // namespace dsrt::test
