//===- ModelTests.cpp - A whole checkpoint, bound in place ----------------===//

#include "Tests.h"

#include <map>

namespace dsrt::test {

static int64_t abiType(DataType type) {
  for (int64_t dtype = DSRT_F32; dtype <= DSRT_I8; ++dtype)
    if (dataTypeOfAbi(dtype) == type)
      return dtype;
  return -1;
}

/// "a.experts.7.b" -> "a.experts.*.b".
static std::string stackedKey(std::string name) {
  const std::string marker = ".experts.";
  size_t begin = name.find(marker);
  if (begin == std::string::npos)
    return name;
  begin += marker.size();
  return name.replace(begin, name.find('.', begin) - begin, "*");
}

int testModel(const std::string &folder) {
  Result<Checkpoint> checkpoint = Checkpoint::open(folder);
  report("open", checkpoint.status());
  if (!checkpoint.ok())
    return 1;
  std::map<std::string, const Tensor *> keys;
  std::map<std::string, int64_t> counts;
  uint64_t bytes = 0;
  for (const CheckpointTensor &entry : checkpoint->tensors()) {
    std::string key = stackedKey(entry.tensor->name);
    keys[key] = entry.tensor;
    ++counts[key];
    bytes += entry.tensor->bytes();
  }
  WeightTableBuilder builder;
  for (const auto &[key, tensor] : keys) {
    std::vector<int64_t> shape = tensor->shape;
    if (key.find('*') != std::string::npos)
      shape.insert(shape.begin(), counts[key]);
    builder.add(key, abiType(tensor->dtype), shape);
  }

  double start = now();
  Result<std::unique_ptr<Weights>> weights =
      Weights::bind(builder.table(), folder);
  double seconds = secondsSince(start);
  report("bind", weights.status());
  if (!weights.ok())
    return 1;
  fmt::print("{} tensors, {} rows, {} notes\n", checkpoint->tensors().size(),
             keys.size(), (*weights)->notes().size());
  fmt::print("{} bytes, bound in {:.2f} ms\n", bytes, seconds * 1e3);
  return 0;
}

} // namespace dsrt::test
