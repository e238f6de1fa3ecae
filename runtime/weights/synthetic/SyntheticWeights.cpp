//===- SyntheticWeights.cpp - Weights without a checkpoint ----------------===//
//
// The random numbers are a hash of a stream's number and a counter, so that any
// part of a tensor can be made by any thread. Only operations that IEEE 754
// rounds exactly are used between the hash and the value.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/synthetic/SyntheticWeights.h"

#include "runtime/weights/Parallel.h"
#include "runtime/weights/Quote.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace dsrt {

//===----------------------------------------------------------------------===//
// Source
//===----------------------------------------------------------------------===//

static constexpr std::string_view kSeed = "seed:", kSplat = "splat:";

bool SyntheticSource::matches(std::string_view source) {
  return source.substr(0, kSeed.size()) == kSeed ||
         source.substr(0, kSplat.size()) == kSplat;
}

template <typename T>
static bool parseNumber(std::string_view text, T &value) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && rest == end;
}

Result<SyntheticSource> SyntheticSource::parse(const std::string &source) {
  SyntheticSource result;
  std::string_view text = source;
  result.isSplat = text.substr(0, kSplat.size()) == kSplat;
  text.remove_prefix(
      std::min(text.size(), result.isSplat ? kSplat.size() : kSeed.size()));
  if (!result.isSplat) {
    if (!parseNumber(text, result.seed))
      return error(DSRT_INVALID_ARGUMENT,
                   "expected seed:N with N from 0 to 2^64 - 1, found {}",
                   quote(source));
    return result;
  }
  // The limits leave room for products of scales and codes.
  double value = 0;
  if (!parseNumber(text, value) || !std::isfinite(value) ||
      std::fabs(value) > 1e30 || (value != 0 && std::fabs(value) < 1e-30))
    return error(DSRT_INVALID_ARGUMENT,
                 "expected splat:X with X = 0 or |X| from 1e-30 to 1e30, found "
                 "{}",
                 quote(source));
  result.value = static_cast<float>(value);
  return result;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// splitmix64's finalizer.
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// The number of the stream of a name: FNV-1a.
static uint64_t streamOf(uint64_t seed, std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char c : name)
    hash = (hash ^ c) * 0x100000001b3u;
  return mix(hash + mix(seed + 0x9e3779b97f4a7c15u));
}

static uint64_t draw(uint64_t stream, uint64_t counter) {
  return mix(stream + (counter + 1) * 0x9e3779b97f4a7c15u);
}

/// Rounds to nearest, ties to even; for finite values.
static uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// A finite E4M3 code of eight random bits.
static uint8_t toCode(uint8_t bits) {
  return (bits & 0x7f) == 0x7f ? bits ^ 0x40 : bits;
}

static double decodeE4M3(uint8_t code) {
  int exponent = (code >> 3) & 15, mantissa = code & 7;
  double magnitude = exponent ? std::ldexp(8 + mantissa, exponent - 10)
                              : std::ldexp(mantissa, -9);
  return code & 0x80 ? -magnitude : magnitude;
}

/// The standard deviation of toCode of uniform bits.
static double codeDeviation() {
  double sum = 0;
  for (int bits = 0; bits < 256; ++bits) {
    double value = decodeE4M3(toCode(static_cast<uint8_t>(bits)));
    sum += value * value;
  }
  return std::sqrt(sum / 256);
}

namespace {
/// What a tensor holds.
struct Values {
  enum class Kind { Uniform, Codes, PowersOfTwo, Constant };
  Kind kind = Kind::Constant;
  float center = 0;    // of Uniform; the value of Constant
  float halfWidth = 0; // of Uniform
  int exponent = 0;    // of PowersOfTwo: 2^exponent or half of it
  uint8_t code = 0;    // of Constant, for FP8

  /// Enough to tell pools apart.
  std::string text(DataType type) const {
    return fmt::format("{} {} {:a} {:a} {}", dataTypeName(type),
                       static_cast<int>(kind), center, halfWidth, code);
  }
};
} // namespace

static float valueAt(const Values &values, uint64_t stream, uint64_t index) {
  if (values.kind == Values::Kind::Constant)
    return values.center;
  uint64_t bits = draw(stream, index);
  if (values.kind == Values::Kind::PowersOfTwo)
    return std::ldexp(1.0f, values.exponent - static_cast<int>(bits >> 63));
  // 24 bits, symmetric about zero: every step up to the product is exact.
  float unit =
      (static_cast<float>(bits >> 40) - 8388607.5f) * (1.0f / 8388608.0f);
  float offset = unit * values.halfWidth;
  return values.center + offset;
}

/// Makes `bytes` bytes of a tensor, which begin `offset` bytes (a multiple of
/// 8) into it.
static void fill(DataType type, const Values &values, uint64_t stream,
                 uint8_t *data, uint64_t offset, uint64_t bytes) {
  if (type == DataType::F8_E4M3) {
    if (values.kind == Values::Kind::Constant) {
      std::memset(data, values.code, bytes);
      return;
    }
    for (uint64_t i = 0; i < bytes; i += 8) {
      uint64_t bits = draw(stream, (offset + i) / 8);
      uint64_t end = std::min<uint64_t>(8, bytes - i);
      for (uint64_t j = 0; j < end; ++j)
        data[i + j] = toCode(static_cast<uint8_t>(bits >> (8 * j)));
    }
    return;
  }
  if (type == DataType::BF16) {
    uint16_t *elements = reinterpret_cast<uint16_t *>(data);
    for (uint64_t i = 0; i < bytes / 2; ++i)
      elements[i] = toBf16(valueAt(values, stream, offset / 2 + i));
    return;
  }
  float *elements = reinterpret_cast<float *>(data);
  for (uint64_t i = 0; i < bytes / 4; ++i)
    elements[i] = valueAt(values, stream, offset / 4 + i);
}

//===----------------------------------------------------------------------===//
// Which values a tensor has
//===----------------------------------------------------------------------===//

static bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         text.substr(text.size() - end.size()) == end;
}

/// |X| = 2^exponent * (1 + eighths / 8), rounded to E4M3's three bits.
static Values splatValues(const WantedTensor &tensor, float value) {
  Values values;
  values.center = value;
  float magnitude = std::fabs(value);
  int exponent = 0;
  if (magnitude > 0)
    exponent = std::ilogb(magnitude);
  int eighths = 0;
  if (magnitude > 0)
    eighths = static_cast<int>(
        std::lrint((std::ldexp(magnitude, -exponent) - 1) * 8));
  constexpr int kOne = 0x38; // and 0x38 + 8 is 2
  if (magnitude > 0)
    values.code =
        static_cast<uint8_t>((value < 0 ? 0x80 : 0) | (kOne + eighths));
  if (isScaleKey(tensor.name)) {
    values.center = std::ldexp(1.0f, exponent);
    if (!tensor.powerOfTwo && magnitude > 0)
      values.center = magnitude / (1 + static_cast<float>(eighths) / 8);
  }
  return values;
}

static Values seededValues(const WantedTensor &tensor) {
  Values values;
  values.kind = Values::Kind::Uniform;
  double fanIn =
      tensor.shape.empty() ? 1 : std::max<double>(1, tensor.shape.back());
  if (tensor.dtype == DataType::F8_E4M3) {
    values.kind = Values::Kind::Codes;
  } else if (isScaleKey(tensor.name)) {
    // A scale's last size counts blocks of 128.
    double scale = 1 / (std::sqrt(128 * fanIn) * codeDeviation());
    if (tensor.powerOfTwo) {
      values.kind = Values::Kind::PowersOfTwo;
      values.exponent = std::ilogb(scale) + 1;
    } else {
      values.center = static_cast<float>(scale);
      values.halfWidth = static_cast<float>(scale / 4);
    }
  } else if (tensor.shape.size() >= 2) {
    values.halfWidth = static_cast<float>(std::sqrt(3 / fanIn));
  } else if (endsWith(tensor.name, "norm.weight")) {
    values.center = 1;
    values.halfWidth = 0.1f;
  } else {
    values.halfWidth = 0.05f;
  }
  return values;
}

//===----------------------------------------------------------------------===//
// SyntheticWeights
//===----------------------------------------------------------------------===//

static bool isWindow(const WantedTensor &tensor) {
  return tensor.bytes > (1u << 20) && tensor.shape.size() >= 2 &&
         !isScaleKey(tensor.name);
}

static Status checkTypes(const std::vector<WantedTensor> &tensors) {
  for (const WantedTensor &tensor : tensors)
    if (tensor.dtype != DataType::F32 && tensor.dtype != DataType::BF16 &&
        tensor.dtype != DataType::F8_E4M3)
      return error(DSRT_INVALID_ARGUMENT,
                   "cannot make up values for {}: expected f32, bf16 or "
                   "f8_e4m3, found {}; give a checkpoint folder",
                   quote(tensor.name), dataTypeText(tensor.dtype));
  return Status();
}

static Values valuesOf(const SyntheticSource &source,
                       const WantedTensor &tensor) {
  return source.isSplat ? splatValues(tensor, source.value)
                        : seededValues(tensor);
}

Status SyntheticWeights::makePools(const SyntheticSource &source,
                                   const std::vector<WantedTensor> &tensors) {
  std::map<std::string, uint64_t> reach; // of each pool
  for (const WantedTensor &tensor : tensors)
    if (isWindow(tensor)) {
      uint64_t &bytes = reach[valuesOf(source, tensor).text(tensor.dtype)];
      bytes = std::max(bytes, tensor.bytes);
    }
  for (const WantedTensor &tensor : tensors) {
    if (!isWindow(tensor))
      continue;
    Values values = valuesOf(source, tensor);
    std::string name = values.text(tensor.dtype);
    if (pools.count(name))
      continue;
    uint64_t stream = streamOf(source.seed, name);
    Result<RepeatedPool> pool =
        RepeatedPool::create(reach[name], [&](uint8_t *data, uint64_t offset) {
          fill(tensor.dtype, values, stream, data, offset,
               RepeatedPool::kPiece);
        });
    if (!pool.ok())
      return pool.status();
    pools.emplace(name, std::move(*pool));
  }
  return Status();
}

/// Sets the address of one tensor: null if there is no memory left.
void SyntheticWeights::makeTensor(const SyntheticSource &source,
                                  const WantedTensor &tensor, size_t index) {
  Values values = valuesOf(source, tensor);
  uint64_t stream = streamOf(source.seed, tensor.name);
  if (isWindow(tensor)) {
    // 64-byte aligned, somewhere in the first repeat.
    uint64_t offset = (stream % (RepeatedPool::kBytes / 64)) * 64;
    addressList[index] =
        pools.find(values.text(tensor.dtype))->second.data() + offset;
    return;
  }
  owned[index] = allocateAligned(tensor.bytes);
  addressList[index] = owned[index].get();
  if (owned[index])
    fill(tensor.dtype, values, stream, owned[index].get(), 0, tensor.bytes);
}

Result<SyntheticWeights>
SyntheticWeights::create(const SyntheticSource &source,
                         const std::vector<WantedTensor> &tensors) {
  if (Status status = checkTypes(tensors); !status.ok())
    return status;
  SyntheticWeights result;
  result.addressList.resize(tensors.size());
  result.owned.resize(tensors.size());
  if (Status status = result.makePools(source, tensors); !status.ok())
    return status;
  constexpr size_t kPiece = 64; // tensors
  parallelFor((tensors.size() + kPiece - 1) / kPiece, [&](size_t piece) {
    size_t end = std::min(tensors.size(), (piece + 1) * kPiece);
    for (size_t i = piece * kPiece; i < end; ++i)
      result.makeTensor(source, tensors[i], i);
  });
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!result.addressList[i])
      return error(DSRT_OUT_OF_MEMORY,
                   "out of memory: {} bytes for made-up values of {}",
                   tensors[i].bytes, quote(tensors[i].name));
  return result;
}

} // namespace dsrt
