//===- ScaleTests.cpp - Scales of FP8 weights -----------------------------===//
//
// Scales that are no scales; checkpoints whose scales fit their weights by type
// and shape and are wrong all the same; how fast the check is.
//
//===----------------------------------------------------------------------===//

#include "Tests.h"
#include "runtime/weights/Parallel.h"
#include "runtime/weights/Scales.h"
#include "runtime/weights/safetensors/Writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace dsrt::test {

using Tensors = std::vector<TensorToWrite>;

static Status bindTo(const std::string &folder, const Tensors &tensors,
                     WeightTableBuilder &builder) {
  DSRT_TRY(writeSafetensors(folder + "/model.safetensors", tensors));
  return Weights::bind(builder.table(), folder).status();
}

//===----------------------------------------------------------------------===//
// Bad numbers
//===----------------------------------------------------------------------===//

static void oneScale(const std::string &folder, const char *label, float value,
                     bool powerOfTwo, int64_t position = 401) {
  static const std::vector<uint8_t> codes(64 * 64);
  std::vector<float> values(30 * 20, 0.5f);
  values[static_cast<size_t>(position)] = value;
  WeightTableBuilder builder;
  // The order of rows does not matter.
  builder.add("w_scale_inv", DSRT_F32, {30, 20}, powerOfTwo);
  builder.add("w", DSRT_F8E4M3, {64, 64});
  report(label,
         bindTo(folder,
                {{"w", DataType::F8_E4M3, {64, 64}, codes.data()},
                 {"w_scale_inv", DataType::F32, {30, 20}, values.data()}},
                builder));
}

/// Scales stored as exponents, for a program that has them in f32 or as they
/// are.
static void exponents(const std::string &folder, const char *label,
                      int64_t dtype, uint8_t exponent) {
  static const std::vector<uint8_t> codes(64 * 64);
  std::vector<uint8_t> values(30 * 20, 127);
  values[401] = exponent;
  WeightTableBuilder builder;
  builder.add("w", DSRT_F8E4M3, {64, 64});
  builder.add("w_scale_inv", dtype, {30, 20}, /*powerOfTwo=*/true);
  Tensors tensors = {
      {"w", DataType::F8_E4M3, {64, 64}, codes.data()},
      {"w_scale_inv", DataType::F8_E8M0, {30, 20}, values.data()}};
  report(label, bindTo(folder, tensors, builder));
  Result<std::unique_ptr<Weights>> weights =
      Weights::bind(builder.table(), folder);
  if (!weights.ok() || dtype != DSRT_F32)
    return;
  const float *scales = static_cast<const float *>((*weights)->addresses()[1]);
  fmt::print("  as f32: {:a} {:a}\n", scales[400], scales[401]);
}

/// The first bad one of 600,000 scales in two tensors.
static void manyScales(const std::string &folder, const char *label,
                       std::vector<int64_t> positions) {
  std::vector<float> values(600000, 0.5f);
  for (int64_t position : positions)
    values[static_cast<size_t>(position)] = 0;
  WeightTableBuilder builder;
  Tensors tensors;
  static const uint8_t code = 0;
  for (const char *name : {"a", "b"}) {
    std::string scale = name + std::string("_scale_inv");
    builder.add(name, DSRT_F8E4M3, {1, 1});
    builder.add(scale, DSRT_F32, {600, 500});
    tensors.push_back({name, DataType::F8_E4M3, {1, 1}, &code});
    tensors.push_back({scale,
                       DataType::F32,
                       {600, 500},
                       values.data() + (*name == 'a' ? 0 : 300000)});
  }
  report(label, bindTo(folder, tensors, builder));
}

/// Those of the last stacked tensor: of which weight they are, and which kind.
static void lastScale(const std::string &folder, const char *label, float value,
                      bool present) {
  static const uint8_t codes[4] = {};
  const float one = 1;
  Tensors tensors = {{"shared", DataType::F8_E4M3, {2, 2}, codes},
                     {"e.0", DataType::F8_E4M3, {2, 2}, codes},
                     {"e.0_scale_inv", DataType::F32, {1, 1}, &one}};
  if (present)
    tensors.push_back({"shared_scale_inv", DataType::F32, {1, 1}, &value});
  WeightTableBuilder builder;
  builder.add("e.*", DSRT_F8E4M3, {2, 2, 2}, false, "shared");
  builder.add("e.*_scale_inv", DSRT_F32, {2, 1, 1}, true, "shared_scale_inv");
  report(label, bindTo(folder, tensors, builder));
}

int testScales(const std::string &temp) {
  std::string folder = makeFolder(temp);
  oneScale(folder, "good", 0.3f, false);
  oneScale(folder, "smallest", std::numeric_limits<float>::denorm_min(), false);
  oneScale(folder, "largest", std::numeric_limits<float>::max(), false);
  oneScale(folder, "nan", std::nanf(""), false);
  oneScale(folder, "negative nan", -std::nanf(""), false);
  oneScale(folder, "zero", 0, false, 0);
  oneScale(folder, "negative zero", -0.0f, false);
  oneScale(folder, "negative", -1, false, 599);
  oneScale(folder, "infinite", INFINITY, false);
  oneScale(folder, "no power of two", 0.3f, true);
  oneScale(folder, "power of two", 0.25f, true);
  oneScale(folder, "2^-127", std::ldexp(1.0f, -127), true);
  oneScale(folder, "2^-128, below ue8m0", std::ldexp(1.0f, -128), true);
  oneScale(folder, "3 * 2^-128", std::ldexp(3.0f, -128), true);
  oneScale(folder, "zero for a power of two", 0, true);
  exponents(folder, "exponents", DSRT_F32, 130);
  exponents(folder, "smallest exponent", DSRT_F32, 0);
  exponents(folder, "exponents as they are", DSRT_F8E8M0, 254);
  exponents(folder, "nan exponent", DSRT_F32, 255);
  exponents(folder, "nan exponent as it is", DSRT_F8E8M0, 255);
  manyScales(folder, "end of the first piece", {262143});
  manyScales(folder, "second piece", {262144});
  manyScales(folder, "second tensor", {300000});
  manyScales(folder, "last", {599999});
  manyScales(folder, "the first of several", {599999, 262144, 524288});

  lastScale(folder, "shared, good", 0.5f, true);
  lastScale(folder, "shared, no power of two", 0.3f, true);
  lastScale(folder, "shared, missing", 0.5f, false);

  // Without a weight that they belong to they are just numbers.
  WeightTableBuilder builder;
  builder.add("w_scale_inv", DSRT_F32, {1});
  float zero = 0;
  report("not of a weight",
         bindTo(folder, {{"w_scale_inv", DataType::F32, {1}, &zero}}, builder));
  return 0;
}

//===----------------------------------------------------------------------===//
// Silent failures of other engines
//===----------------------------------------------------------------------===//

/// E4M3, to nearest even; |x| <= 448.
static uint8_t encode(float x) {
  int exponent = std::max(std::ilogb(std::max(std::fabs(x), 1e-30f)), -6);
  float steps = std::nearbyint(std::ldexp(std::fabs(x), 3 - exponent));
  int code = steps == 0 ? 0 : (exponent + 6) * 8 + static_cast<int>(steps);
  return static_cast<uint8_t>(code | (std::signbit(x) ? 0x80 : 0));
}

namespace {

/// How a checkpoint came to its scales.
enum class Scaling { Any, Requantized, RoundedUp, RoundedDown };

struct QuantizedWeight {
  QuantizedWeight(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), codes(rows * columns),
        blockRows((rows + 127) / 128), blockColumns((columns + 127) / 128),
        scales(blockRows * blockColumns) {}

  void quantize(const std::vector<float> &values, Scaling scaling);

  int64_t rows, columns;
  std::vector<uint8_t> codes;
  int64_t blockRows, blockColumns;
  std::vector<float> scales;
};

} // namespace

void QuantizedWeight::quantize(const std::vector<float> &values,
                               Scaling scaling) {
  std::vector<float> largest(scales.size(), 1e-4f);
  auto block = [&](size_t i) {
    size_t row = i / columns / 128, column = i % columns / 128;
    return row * blockColumns + column;
  };
  for (size_t i = 0; i < values.size(); ++i)
    largest[block(i)] = std::max(largest[block(i)], std::fabs(values[i]));
  auto power = [](float x) { return std::exp2(std::ceil(std::log2(x))); };
  for (size_t b = 0; b < scales.size(); ++b) {
    scales[b] = largest[b] / 448;
    if (scaling == Scaling::Requantized)
      scales[b] = power(scales[b]);
  }
  for (size_t i = 0; i < values.size(); ++i)
    codes[i] = encode(values[i] / scales[block(i)]);
  for (float &scale : scales) {
    if (scaling == Scaling::RoundedUp)
      scale = power(scale);
    if (scaling == Scaling::RoundedDown)
      scale = power(scale) / 2;
  }
}

/// Binds `experts` weights, compiled for power-of-two scales or not.
static Status bindQuantized(const std::string &folder,
                            const std::vector<QuantizedWeight> &experts,
                            bool powerOfTwo) {
  const QuantizedWeight &first = experts.front();
  int64_t count = static_cast<int64_t>(experts.size());
  WeightTableBuilder builder;
  builder.add("experts.*.w", DSRT_F8E4M3, {count, first.rows, first.columns});
  builder.add("experts.*.w_scale_inv", DSRT_F32,
              {count, first.blockRows, first.blockColumns}, powerOfTwo);
  Tensors tensors;
  for (const QuantizedWeight &w : experts) {
    std::string name = fmt::format("experts.{}.w", tensors.size() / 2);
    tensors.push_back(
        {name, DataType::F8_E4M3, {w.rows, w.columns}, w.codes.data()});
    tensors.push_back({name + "_scale_inv",
                       DataType::F32,
                       {w.blockRows, w.blockColumns},
                       w.scales.data()});
  }
  return bindTo(folder, tensors, builder);
}

static void quantized(const std::string &folder, const char *label,
                      int64_t rows, int64_t columns, int64_t experts,
                      Scaling scaling) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<QuantizedWeight> weights;
  std::vector<float> values(rows * columns);
  for (int64_t e = 0; e < experts; ++e) {
    for (float &value : values)
      value = normal(random);
    weights.emplace_back(rows, columns).quantize(values, scaling);
  }
  report(label, bindQuantized(folder, weights, true));
}

/// One value everywhere: its code may well be 448.
static void constant(const std::string &folder, const char *label,
                     float value) {
  std::vector<QuantizedWeight> weights;
  weights.emplace_back(640, 640).quantize(std::vector<float>(640 * 640, value),
                                          Scaling::Requantized);
  report(label, bindQuantized(folder, weights, true));
}

/// A weight [300, 200] and its scales [3, 2], after `change`.
template <typename Change>
static void changed(const std::string &folder, const char *label,
                    Change change) {
  static const std::vector<uint8_t> codes(300 * 200);
  static const std::vector<float> ones(6, 1.0f);
  WeightTableBuilder builder;
  builder.add("w", DSRT_F8E4M3, {300, 200});
  builder.add("w_scale_inv", DSRT_F32, {3, 2});
  Tensors tensors = {{"w", DataType::F8_E4M3, {300, 200}, codes.data()},
                     {"w_scale_inv", DataType::F32, {3, 2}, ones.data()}};
  change(tensors);
  report(label, bindTo(folder, tensors, builder));
}

int testSilentFailures(const std::string &temp) {
  std::string folder = makeFolder(temp);
  quantized(folder, "f32 scales as powers of two", 640, 640, 1, Scaling::Any);
  quantized(folder, "rounded up", 640, 640, 1, Scaling::RoundedUp);
  quantized(folder, "rounded down", 640, 640, 1, Scaling::RoundedDown);
  quantized(folder, "rounded, of ragged experts", 200, 150, 8,
            Scaling::RoundedUp);
  quantized(folder, "requantized", 640, 640, 1, Scaling::Requantized);
  quantized(folder, "requantized experts", 200, 150, 8, Scaling::Requantized);
  quantized(folder, "rounded, in too few blocks to tell", 384, 640, 1,
            Scaling::RoundedUp);
  constant(folder, "zeros", 0);
  constant(folder, "one value, whose code is 448", 0.4375f);

  changed(folder, "group-major scales", [](Tensors &list) {
    list[1].shape = {2, 3};
  });
  changed(folder, "scales of whole blocks only", [](Tensors &list) {
    list[1].shape = {2, 1};
  });
  changed(folder, "scales per row", [](Tensors &list) {
    list[1].shape = {1, 2};
  });
  changed(folder, "no scales", [](Tensors &list) { list.pop_back(); });
  changed(folder, "packed in words", [](Tensors &list) {
    list[0].dtype = DataType::I32;
    list[0].shape = {300, 50};
  });
  changed(folder, "codes of another format",
          [](Tensors &list) { list[0].dtype = DataType::F8_E5M2; });
  changed(folder, "packed in tiles", [](Tensors &list) {
    list[0].shape = {75, 4, 200};
  });
  return 0;
}

int roundScales(const std::string &model, const std::string &folder) {
  Result<Checkpoint> checkpoint = Checkpoint::open(model);
  if (!checkpoint.ok())
    return 1;
  Tensors tensors;
  std::vector<std::vector<float>> rounded;
  for (const CheckpointTensor &entry : checkpoint->tensors()) {
    const Tensor &tensor = *entry.tensor;
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data});
    if (!isScaleKey(tensor.name))
      continue;
    std::vector<float> scales(tensor.bytes() / sizeof(float));
    std::memcpy(scales.data(), tensor.data, tensor.bytes());
    for (float &scale : scales)
      scale = std::exp2(std::ceil(std::log2(scale)));
    rounded.push_back(std::move(scales));
    tensors.back().data = rounded.back().data();
  }
  return writeSafetensors(folder + "/model.safetensors", tensors).ok() ? 0 : 1;
}

//===----------------------------------------------------------------------===//
// Speed
//===----------------------------------------------------------------------===//

/// The sum of the words, in parallel: what reading costs.
static double secondsToRead(const std::vector<float> &values) {
  constexpr size_t kPiece = 1 << 18;
  std::vector<uint32_t> sums(values.size() / kPiece);
  double start = now();
  parallelFor(sums.size(), [&](size_t piece) {
    uint32_t sum = 0;
    for (size_t i = piece * kPiece; i < (piece + 1) * kPiece; ++i) {
      uint32_t bits;
      std::memcpy(&bits, &values[i], sizeof(bits));
      sum += bits;
    }
    sums[piece] = sum;
  });
  double seconds = secondsSince(start);
  // Printed, so that it is computed.
  fmt::print(stderr, "sum {}\n", sums.front() + sums.back());
  return seconds;
}

int testScaleSpeed(const std::string &temp) {
  std::string folder = makeFolder(temp);
  constexpr int64_t kRows = 1 << 13, kColumns = 1 << 12; // 128 MiB
  std::vector<float> values(kRows * kColumns, 0.5f);
  Tensor tensor;
  tensor.name = "w_scale_inv";
  tensor.dtype = DataType::F32;
  tensor.shape = {kRows, kColumns};
  tensor.end = values.size() * sizeof(float);
  SafetensorsFile file;
  std::vector<ScaleTensor> scales = {
      {&tensor, &file, values.data(), DataType::F32, true}};
  double check = 1e9, read = 1e9;
  // Other programs come and go: the two are compared round by round.
  std::vector<double> ratios;
  for (int round = 0; round < 25; ++round) {
    double start = now();
    if (Status status = checkScales(scales); !status.ok())
      return 1;
    double seconds = secondsSince(start), reading = secondsToRead(values);
    check = std::min(check, seconds);
    read = std::min(read, reading);
    ratios.push_back(reading / seconds);
  }
  std::sort(ratios.begin(), ratios.end());
  double median = ratios[ratios.size() / 2];
  double bytes = static_cast<double>(tensor.end);
  fmt::print(
      "checked at {:.1f} GB/s, read at {:.1f} GB/s, at best; {:.0f} % in "
      "the median round\n",
      bytes / check * 1e-9, bytes / read * 1e-9, median * 100);
  return 0;
}

} // namespace dsrt::test
