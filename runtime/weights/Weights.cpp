//===- Weights.cpp - The addresses of a program's weights -----------------===//
//
// The tensors that the table asks for, in its order, each get one address;
// stacked rows point into that list.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Weights.h"

#include "runtime/weights/Quote.h"
#include "runtime/weights/Scales.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_set>

namespace dsrt {

Result<std::unique_ptr<Weights>> Weights::bind(const WeightTable &table,
                                               const std::string &source) {
  Result<std::vector<WantedTensor>> wanted = expandTable(table);
  if (!wanted.ok())
    return wanted.status();
  auto weights = std::make_unique<Weights>();
  if (SyntheticSource::matches(source)) {
    Result<SyntheticSource> parsed = SyntheticSource::parse(source);
    if (!parsed.ok())
      return parsed.status();
    Result<SyntheticWeights> made = SyntheticWeights::create(*parsed, *wanted);
    if (!made.ok())
      return made.status();
    weights->tensors = made->addresses();
    weights->synthetic = std::move(*made);
  } else {
    Result<Checkpoint> opened = Checkpoint::open(source);
    if (!opened.ok())
      return opened.status();
    weights->checkpoint = std::move(*opened);
    if (Status status = weights->bindCheckpoint(*wanted); !status.ok())
      return status;
  }
  weights->fillRows(table);
  return weights;
}

void Weights::fillRows(const WeightTable &table) {
  size_t next = 0;
  for (uint64_t i = 0; i < table.count; ++i) {
    const dsrt_weight &row = table.rows[i];
    if (row.derived) {
      rowAddresses.push_back(nullptr);
    } else if (row.stacked) {
      rowAddresses.push_back(tensors.data() + next);
      next += static_cast<size_t>(row.shape[0]);
    } else {
      rowAddresses.push_back(tensors[next++]);
    }
  }
}

//===----------------------------------------------------------------------===//
// From a checkpoint
//===----------------------------------------------------------------------===//

/// What is stored in fewer bits and has the same values: the checkpoints of V3
/// exist with the routing bias in either type, others with their scales.
static bool isWidened(const WantedTensor &wanted, const Tensor &found) {
  if (wanted.dtype != DataType::F32)
    return false;
  if (wanted.scaleOf >= 0)
    return found.dtype == DataType::F8_E8M0;
  return found.dtype == DataType::BF16 && wanted.shape.size() <= 1;
}

static bool isInteger(DataType type) {
  std::string_view name = dataTypeName(type);
  return name[0] == 'I' || name[0] == 'U';
}

/// What a tensor that does not fit may be, and what to do.
static std::string adviceFor(const WantedTensor &wanted, const Tensor &found) {
  if (wanted.dtype == DataType::F8_E4M3 && found.bytes() == wanted.bytes &&
      (isInteger(found.dtype) || found.shape.size() != wanted.shape.size()))
    return "as many bytes in another form are packed for the kernel of another "
           "engine; use the checkpoint as it was published";
  if (wanted.scaleOf >= 0 && found.shape.size() == wanted.shape.size() &&
      found.dtype == wanted.dtype) {
    std::vector<int64_t> transposed(wanted.shape.rbegin(), wanted.shape.rend());
    if (found.shape == transposed)
      return "these are group-major, as some kernels read them; a checkpoint "
             "stores scales in the order of their weight's rows and columns";
    for (size_t i = 0; i < found.shape.size(); ++i)
      if (found.shape[i] == wanted.shape[i] - 1)
        return "the last block of a dimension has scales, too, when it is "
               "shorter than the others";
  }
  return "the model was compiled for another checkpoint";
}

static Status checkTensor(const WantedTensor &wanted,
                          const CheckpointTensor &found) {
  const Tensor &tensor = *found.tensor;
  if (tensor.shape == wanted.shape &&
      (tensor.dtype == wanted.dtype || isWidened(wanted, tensor)))
    return Status();
  return error(
      DSRT_INVALID_ARGUMENT, "{}: tensor {}: expected {} {}, found {}; {}",
      quote(found.file->path()), quote(wanted.name), dataTypeText(wanted.dtype),
      shapeText(wanted.shape), tensor.typeText(), adviceFor(wanted, tensor));
}

/// One message for all that is missing.
static Status missingTensors(const std::vector<const WantedTensor *> &missing,
                             const std::vector<WantedTensor> &wanted,
                             const std::string &folder) {
  constexpr size_t kShown = 3;
  std::string names;
  for (size_t i = 0; i < missing.size() && i < kShown; ++i) {
    names += (i ? ", " : "") + quote(missing[i]->name);
    if (missing[i]->scaleOf < 0)
      continue;
    // Stacked scales belong to the tensor at the same place of their weight.
    std::string_view scale = missing[i]->name;
    auto ofRow = [&](const WantedTensor &other) {
      return other.row == static_cast<uint64_t>(missing[i]->scaleOf) &&
             scale.substr(0, other.name.size()) == other.name;
    };
    auto weight = std::find_if(wanted.begin(), wanted.end(), ofRow);
    names += weight != wanted.end()
                 ? fmt::format(" (the scales of {})", quote(weight->name))
                 : " (scales)";
  }
  if (missing.size() > kShown)
    names += fmt::format(" and {} more", missing.size() - kShown);
  return error(DSRT_NOT_FOUND,
               "{} lacks {} of {} tensors that the model needs: {}",
               quote(folder), missing.size(), wanted.size(), names);
}

Status Weights::findTensors(const std::vector<WantedTensor> &wanted,
                            std::vector<CheckpointTensor> &found) const {
  std::vector<const WantedTensor *> missing;
  for (const WantedTensor &tensor : wanted) {
    found.push_back(checkpoint->find(tensor.name));
    if (!found.back())
      missing.push_back(&tensor);
    else
      DSRT_TRY(checkTensor(tensor, found.back()));
  }
  if (!missing.empty())
    return missingTensors(missing, wanted, checkpoint->folder());
  return Status();
}

/// The f32 of the same value as the element at `data`.
static uint32_t widened(DataType type, const uint8_t *data) {
  if (type == DataType::BF16) {
    uint16_t upper;
    std::memcpy(&upper, data, sizeof(upper));
    return static_cast<uint32_t>(upper) << 16;
  }
  // F8_E8M0: an exponent; 255 is NaN, and 2^-127 is a subnormal f32.
  uint32_t exponent = *data;
  if (exponent == 255)
    return 0x7fc00000;
  return exponent == 0 ? 0x00400000 : exponent << 23;
}

/// Sets the next of `tensors`: in place, or a copy where that cannot be.
Status Weights::place(const WantedTensor &wanted, const CheckpointTensor &found,
                      uint64_t &copiedBytes) {
  const Tensor &tensor = *found.tensor;
  bool widen = tensor.dtype != wanted.dtype;
  uint64_t alignment = std::max(1u, dataTypeBits(wanted.dtype) / 8);
  if (!widen && reinterpret_cast<uintptr_t>(tensor.data) % alignment == 0) {
    tensors.push_back(tensor.data);
    return Status();
  }
  AlignedBuffer copy = allocateAligned(wanted.bytes);
  if (!copy)
    return error(DSRT_OUT_OF_MEMORY, "out of memory: {} bytes for tensor {}",
                 wanted.bytes, quote(wanted.name));
  if (widen) {
    uint64_t size = dataTypeBits(tensor.dtype) / 8;
    for (uint64_t i = 0; i < wanted.bytes / 4; ++i) {
      uint32_t bits = widened(tensor.dtype, tensor.data + size * i);
      std::memcpy(copy.get() + 4 * i, &bits, sizeof(bits));
    }
  } else {
    std::memcpy(copy.get(), tensor.data, wanted.bytes);
    copiedBytes += wanted.bytes;
  }
  tensors.push_back(copy.get());
  copies.push_back(std::move(copy));
  return Status();
}

Status Weights::bindCheckpoint(const std::vector<WantedTensor> &wanted) {
  std::vector<CheckpointTensor> found;
  found.reserve(wanted.size());
  DSRT_TRY(findTensors(wanted, found));
  uint64_t copiedBytes = 0;
  for (size_t i = 0; i < wanted.size(); ++i)
    DSRT_TRY(place(wanted[i], found[i], copiedBytes));
  DSRT_TRY(checkQuantized(wanted, found));
  if (copiedBytes > 0)
    messages.push_back(fmt::format(
        "copied {} bytes of tensors that are not aligned in their files",
        copiedBytes));
  noteUnused(wanted, found);
  return Status();
}

Status
Weights::checkQuantized(const std::vector<WantedTensor> &wanted,
                        const std::vector<CheckpointTensor> &found) const {
  std::vector<size_t> firstOfRow; // rows are in order
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i].row >= firstOfRow.size())
      firstOfRow.resize(wanted[i].row + 1, i);
  std::vector<ScaleTensor> scales;
  std::vector<PowerOfTwoWeight> weights;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].scaleOf < 0)
      continue;
    scales.push_back({found[i].tensor, found[i].file, tensors[i],
                      wanted[i].dtype, wanted[i].powerOfTwo});
    // Stacked scales belong to the tensor at the same place of their weight.
    uint64_t row = static_cast<uint64_t>(wanted[i].scaleOf);
    if (!wanted[i].powerOfTwo || row >= firstOfRow.size())
      continue;
    size_t owner = firstOfRow[row] + (i - firstOfRow[wanted[i].row]);
    if (owner < wanted.size() && wanted[owner].row == row)
      weights.push_back(
          {found[owner].tensor, found[i].tensor, found[owner].file});
  }
  DSRT_TRY(checkScales(scales));
  return checkCodesAreRequantized(weights);
}

//===----------------------------------------------------------------------===//
// Tensors that nobody asked for
//===----------------------------------------------------------------------===//

/// The N of "model.layers.N.", or -1.
static int64_t layerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "model.layers.";
  if (name.substr(0, kPrefix.size()) != kPrefix)
    return -1;
  name.remove_prefix(kPrefix.size());
  int64_t layer = -1;
  auto [end, code] =
      std::from_chars(name.data(), name.data() + name.size(), layer);
  bool whole = code == std::errc() && end != name.data() + name.size() &&
               *end == '.' && layer >= 0;
  return whole ? layer : -1;
}

static bool endsWith(std::string_view name, std::string_view end) {
  return name.size() >= end.size() &&
         name.substr(name.size() - end.size()) == end;
}

/// Tensors of published checkpoints that a program has good reason not to use.
static bool isExpectedUnused(std::string_view name, int64_t lastLayer) {
  int64_t layer = layerOf(name);
  if (layer > lastLayer || endsWith(name, "rotary_emb.inv_freq"))
    return true;
  // MTP modules repeat the embedding and the head of the model.
  return layer >= 0 && (endsWith(name, ".embed_tokens.weight") ||
                        endsWith(name, ".shared_head.head.weight"));
}

void Weights::noteUnused(const std::vector<WantedTensor> &wanted,
                         const std::vector<CheckpointTensor> &found) {
  int64_t lastLayer = -1;
  for (const WantedTensor &tensor : wanted)
    lastLayer = std::max(lastLayer, layerOf(tensor.name));
  std::unordered_set<const Tensor *> used;
  for (const CheckpointTensor &tensor : found)
    used.insert(tensor.tensor);
  size_t unused = 0;
  const Tensor *first = nullptr;
  for (const CheckpointTensor &entry : checkpoint->tensors()) {
    if (used.count(entry.tensor) ||
        isExpectedUnused(entry.tensor->name, lastLayer))
      continue;
    first = unused++ ? first : entry.tensor;
  }
  if (unused > 0)
    messages.push_back(fmt::format(
        "the model does not use {} of {} tensors in {}, the first is {}",
        unused, checkpoint->tensors().size(), quote(checkpoint->folder()),
        quote(first->name)));
}

} // namespace dsrt
