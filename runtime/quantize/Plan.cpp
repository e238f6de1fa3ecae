//===- Plan.cpp - What becomes of each tensor of a checkpoint -------------===//
//
// A file keeps its tensors, and the scales of a weight lie in the file of the
// weight. Within it they are ordered as the format's own writer does it: by
// type, the widest first, then by name, which aligns them all.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/Plan.h"

#include "runtime/quantize/ModelFiles.h"
#include "runtime/text/Json.h"
#include "runtime/weights/AlignedBuffer.h"
#include "runtime/weights/Quote.h"
#include "runtime/weights/Scales.h"
#include "runtime/weights/safetensors/Writer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

namespace dsrt {

namespace fs = std::filesystem;

namespace {

class Planner {
public:
  Planner(const Checkpoint &checkpoint, Direction direction, ScaleFormat format)
      : checkpoint(checkpoint), direction(direction) {
    plan.format = format;
  }

  Result<Plan> run();

private:
  Status changeConfig();
  Status addTensor(const CheckpointTensor &entry);
  Status quantize(TensorPlan &tensor);
  Status dequantize(TensorPlan &tensor);
  Status placeTensors(ShardPlan &shard);
  Status checkIndex() const;
  Status changeIndex();
  Status checkFileScales() const;
  Status listFiles();
  std::string path(const char *name) const {
    return checkpoint.folder() + "/" + name;
  }

  const Checkpoint &checkpoint;
  const Direction direction;
  Plan plan;
  std::set<const Tensor *> usedScales;
  std::map<std::string, std::string> weightMap; // of the new checkpoint
  uint64_t dataBytes = 0;                       // of it
};

} // namespace

static bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         text.substr(text.size() - end.size()) == end;
}

static bool isScale(const Tensor &tensor) {
  return endsWith(tensor.name,
                  std::string(".weight") += std::string(kScaleSuffix));
}

Status Planner::changeConfig() {
  const std::string file = path(kConfigName);
  Result<std::string> text = readTextFile(file);
  if (!text.ok())
    return text.status();
  if (direction == Direction::Quantize) {
    Result<std::string> config = quantizedConfig(*text, file, plan.format);
    if (!config.ok())
      return config.status();
    plan.config = std::move(*config);
    return Status();
  }
  Result<DequantizedConfig> config = dequantizedConfig(*text, file);
  if (!config.ok())
    return config.status();
  plan.config = std::move(config->text);
  plan.format = config->format;
  return Status();
}

Status Planner::quantize(TensorPlan &tensor) {
  const Tensor &source = *tensor.source;
  if (source.dtype == DataType::F8_E4M3 || isScale(source))
    return error(DSRT_INVALID_ARGUMENT,
                 "tensor {} is {}: the checkpoint is in FP8 already; "
                 "--dequantize makes BF16 of it",
                 quote(source.name), source.typeText());
  if (!isQuantizedWeight(source.name))
    return Status();
  const bool isFloat = source.dtype == DataType::BF16 ||
                       source.dtype == DataType::F16 ||
                       source.dtype == DataType::F32;
  if (!isFloat || source.shape.size() != 2)
    return error(DSRT_UNSUPPORTED,
                 "tensor {}: expected a matrix of bf16, f16 or f32, found {}",
                 quote(source.name), source.typeText());
  tensor.change = Change::Quantize;
  return Status();
}

Status Planner::dequantize(TensorPlan &tensor) {
  const Tensor &source = *tensor.source;
  if (source.dtype != DataType::F8_E4M3)
    return Status();
  const std::string scaleName = source.name + std::string(kScaleSuffix);
  tensor.scale = checkpoint.find(scaleName).tensor;
  if (!tensor.scale)
    return error(DSRT_NOT_FOUND,
                 "tensor {} is {}, but its scales {} are missing",
                 quote(source.name), source.typeText(), quote(scaleName));
  if (source.shape.size() != 2)
    return error(DSRT_UNSUPPORTED, "tensor {}: expected a matrix, found {}",
                 quote(source.name), source.typeText());
  const std::vector<int64_t> shape = {blocksOf(source.shape[0]),
                                      blocksOf(source.shape[1])};
  if (tensor.scale->dtype != DataType::F32 || tensor.scale->shape != shape)
    return error(DSRT_MALFORMED, "scale {}: expected f32 {} for {}, found {}",
                 quote(scaleName), shapeText(shape), source.typeText(),
                 tensor.scale->typeText());
  tensor.change = Change::Dequantize;
  usedScales.insert(tensor.scale);
  return Status();
}

Status Planner::addTensor(const CheckpointTensor &entry) {
  if (plan.shards.empty() || plan.shards.back().source != entry.file) {
    ShardPlan shard;
    shard.name = fs::path(entry.file->path()).filename().string();
    shard.source = entry.file;
    plan.shards.push_back(std::move(shard));
  }
  if (direction == Direction::Dequantize && isScale(*entry.tensor))
    return Status();
  TensorPlan tensor = {entry.tensor, Change::Copy};
  DSRT_TRY(direction == Direction::Quantize ? quantize(tensor)
                                            : dequantize(tensor));
  ++plan.tensorCount;
  plan.changedCount += tensor.change != Change::Copy;
  plan.shards.back().tensors.push_back(tensor);
  return Status();
}

/// A tensor that no index lists would be lost.
Status Planner::checkIndex() const {
  for (const ShardPlan &shard : plan.shards)
    for (const Tensor &tensor : shard.source->tensors())
      if (checkpoint.find(tensor.name).tensor != &tensor)
        return error(DSRT_MALFORMED,
                     "{} holds tensor {}, which {} does not place there",
                     quote(shard.source->path()), quote(tensor.name),
                     quote(path(kIndexName)));
  return Status();
}

/// Decides where each tensor of the new file lies, and writes its header.
Status Planner::placeTensors(ShardPlan &shard) {
  struct Placed {
    TensorToWrite tensor;
    uint64_t *target;
  };
  std::vector<Placed> placed;
  for (TensorPlan &plan : shard.tensors) {
    TensorToWrite tensor = {plan.source->name, plan.source->dtype,
                            plan.source->shape};
    if (plan.change == Change::Dequantize)
      tensor.dtype = DataType::BF16;
    if (plan.change == Change::Quantize) {
      tensor.dtype = DataType::F8_E4M3;
      placed.push_back(
          {{tensor.name + std::string(kScaleSuffix),
            DataType::F32,
            {blocksOf(tensor.shape[0]), blocksOf(tensor.shape[1])}},
           &plan.scaleTarget});
    }
    placed.push_back({std::move(tensor), &plan.target});
  }
  std::sort(placed.begin(), placed.end(), [](const Placed &a, const Placed &b) {
    return a.tensor.dtype != b.tensor.dtype ? a.tensor.dtype > b.tensor.dtype
                                            : a.tensor.name < b.tensor.name;
  });
  std::vector<TensorToWrite> tensors;
  for (Placed &entry : placed)
    tensors.push_back(std::move(entry.tensor));
  std::vector<uint64_t> sizes;
  Result<std::string> header =
      makeSafetensorsHeader(tensors, shard.source->metadata(), sizes);
  if (!header.ok())
    return header.status();
  shard.header = std::move(*header);
  shard.bytes = shard.header.size();
  for (size_t i = 0; i < placed.size(); ++i) {
    *placed[i].target = shard.bytes;
    shard.bytes += sizes[i];
    weightMap[tensors[i].name] = shard.name;
  }
  dataBytes += shard.bytes - shard.header.size();
  return Status();
}

Status Planner::changeIndex() {
  const std::string file = path(kIndexName);
  std::error_code code;
  if (!fs::exists(file, code))
    return Status();
  Result<std::string> text = readTextFile(file);
  if (!text.ok())
    return text.status();
  Result<std::string> index = changedIndex(*text, file, weightMap, dataBytes);
  if (!index.ok())
    return index.status();
  plan.index = std::move(*index);
  return Status();
}

/// All scales, before hours are spent on the first of them.
Status Planner::checkFileScales() const {
  for (const ShardPlan &shard : plan.shards) {
    std::vector<AlignedBuffer> copies;
    std::vector<ScaleTensor> scales;
    for (const Tensor &tensor : shard.source->tensors()) {
      if (!usedScales.count(&tensor))
        continue;
      copies.push_back(allocateAligned(tensor.bytes()));
      if (!copies.back())
        return error(DSRT_OUT_OF_MEMORY, "no memory for scale {} ({} bytes)",
                     quote(tensor.name), tensor.bytes());
      std::memcpy(copies.back().get(), tensor.data, tensor.bytes());
      scales.push_back({&tensor, shard.source, copies.back().get(),
                        tensor.dtype, plan.format == ScaleFormat::PowerOfTwo});
    }
    DSRT_TRY(checkScales(scales));
    shard.source->release();
  }
  if (plan.format == ScaleFormat::Any || direction == Direction::Quantize)
    return Status();
  std::vector<PowerOfTwoWeight> weights;
  for (const ShardPlan &shard : plan.shards)
    for (const TensorPlan &tensor : shard.tensors)
      if (tensor.change == Change::Dequantize)
        weights.push_back({tensor.source, tensor.scale, shard.source});
  return checkCodesAreRequantized(weights);
}

/// Everything else in the folder, but not the records of git and of
/// downloads.
Status Planner::listFiles() {
  std::set<std::string> written = {kConfigName, kIndexName};
  for (const ShardPlan &shard : plan.shards)
    written.insert(shard.name);
  std::vector<std::string> pending = {""};
  while (!pending.empty()) {
    const std::string folder = std::move(pending.back());
    pending.pop_back();
    std::error_code code;
    fs::directory_iterator it(checkpoint.folder() + "/" + folder, code), end;
    for (; !code && it != end; it.increment(code)) {
      const std::string file = it->path().filename().string();
      const std::string name = folder.empty() ? file : folder + "/" + file;
      if (it->is_directory(code) && !it->is_symlink()) {
        if (file[0] == '.')
          continue;
        plan.folders.push_back(name);
        pending.push_back(name);
      } else if (!it->is_regular_file(code)) {
        return error(DSRT_UNSUPPORTED,
                     "{}: expected a file or a folder to copy, found neither; "
                     "remove it",
                     quote(it->path().string()));
      } else if (!written.count(name)) {
        plan.files.push_back(name);
      }
    }
    if (code)
      return error(DSRT_IO_ERROR, "cannot list {}: {}",
                   quote(checkpoint.folder() + "/" + folder), code.message());
  }
  std::sort(plan.folders.begin(), plan.folders.end());
  std::sort(plan.files.begin(), plan.files.end());
  return Status();
}

Result<Plan> Planner::run() {
  DSRT_TRY(changeConfig());
  for (const CheckpointTensor &entry : checkpoint.tensors())
    DSRT_TRY(addTensor(entry));
  DSRT_TRY(checkIndex());
  if (plan.changedCount == 0)
    return error(
        DSRT_INVALID_ARGUMENT,
        direction == Direction::Quantize
            ? "expected weights named as "
              "model.layers.0.self_attn.o_proj.weight in {}, found none"
            : "expected weights in f8_e4m3 in {}, found none: nothing "
              "is to be dequantized",
        quote(checkpoint.folder()));
  for (const CheckpointTensor &entry : checkpoint.tensors())
    if (isScale(*entry.tensor) && !usedScales.count(entry.tensor))
      return error(DSRT_MALFORMED, "scale {} belongs to no weight in f8_e4m3",
                   quote(entry.tensor->name));
  for (ShardPlan &shard : plan.shards)
    DSRT_TRY(placeTensors(shard));
  DSRT_TRY(changeIndex());
  DSRT_TRY(checkFileScales());
  DSRT_TRY(listFiles());
  // A file that held nothing but scales is not needed any more.
  plan.shards.erase(std::remove_if(plan.shards.begin(), plan.shards.end(),
                                   [](const ShardPlan &shard) {
                                     return shard.tensors.empty();
                                   }),
                    plan.shards.end());
  return std::move(plan);
}

Result<Plan> makePlan(const Checkpoint &checkpoint, Direction direction,
                      ScaleFormat format) {
  return Planner(checkpoint, direction, format).run();
}

} // namespace dsrt
