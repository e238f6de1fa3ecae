//===- BlockTests.cpp - The arithmetic of FP8 blocks ----------------------===//
//
// The definition here shares nothing with what it checks: codes are found by a
// search among the values of all codes, in f64.
//
//===----------------------------------------------------------------------===//

#include "Tests.h"
#include "dsrt/abi.h"
#include "runtime/core/ElementTypes.h"
#include "runtime/quantize/Fp8Blocks.h"
#include "runtime/quantize/Progress.h"
#include "runtime/weights/safetensors/Reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dsrt::test {

//===----------------------------------------------------------------------===//
// Goldens
//===----------------------------------------------------------------------===//

namespace {
class Goldens {
public:
  explicit Goldens(SafetensorsFile file) : file(std::move(file)) {}

  const Tensor &tensor(const char *name) const {
    const Tensor *found = file.find(name);
    if (found)
      return *found;
    fmt::print("FAIL no tensor {}\n", name);
    std::exit(1);
  }
  const float *floats(const char *name) const {
    return reinterpret_cast<const float *>(tensor(name).data);
  }
  const uint8_t *bytes(const char *name) const { return tensor(name).data; }

private:
  SafetensorsFile file;
};
} // namespace

static Goldens openGoldens(const std::string &path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (file.ok())
    return Goldens(std::move(*file));
  fmt::print("FAIL {}\n", file.status().message());
  std::exit(1);
}

template <typename T>
static size_t countDifferent(const T *a, const T *b, size_t count) {
  size_t different = 0;
  for (size_t i = 0; i < count; ++i)
    different += std::memcmp(a + i, b + i, sizeof(T)) != 0;
  return different;
}

template <typename T>
static bool expectEqual(const std::string &name, const T *expected,
                        const T *actual, size_t count) {
  const size_t different = countDifferent(expected, actual, count);
  return expect(different == 0 && count > 0,
                fmt::format("{}: {} of {} differ", name, different, count));
}

static bool testConvert(const Goldens &goldens) {
  const size_t count = goldens.tensor("codes").bytes();
  std::vector<uint8_t> codes(count);
  for (size_t i = 0; i < count; ++i)
    codes[i] = toE4M3(goldens.floats("f32")[i]);
  bool good = expectEqual("e4m3_convert codes", goldens.bytes("codes"),
                          codes.data(), count);
  size_t different = 0;
  for (int code = 0; code < 256; ++code) {
    const float expected = goldens.floats("decode_table")[code],
                actual = fromE4M3(static_cast<uint8_t>(code));
    different += std::isnan(expected) ? !std::isnan(actual)
                                      : std::memcmp(&expected, &actual, 4) != 0;
  }
  good &= expect(different == 0, fmt::format("e4m3_convert table: {} of 256 "
                                             "differ",
                                             different));
  return good;
}

static bool testWeights(const Goldens &goldens, Kernel kernel) {
  const Tensor &w = goldens.tensor("w");
  const BlockGrid grid = {w.shape[0], w.shape[1]};
  const auto count = static_cast<size_t>(grid.rows * grid.columns),
             blocks = static_cast<size_t>(grid.blocks());
  std::vector<uint8_t> codes(count);
  std::vector<float> scales(blocks);
  std::vector<uint16_t> values(count);
  const std::string label =
      fmt::format("weight_quant, kernel {}", static_cast<int>(kernel));
  bool good =
      expect(quantizeBlocks(kernel, grid, DataType::F32, w.data,
                            ScaleFormat::Any, codes.data(), scales.data()),
             label);
  good &=
      expectEqual(label + " codes", goldens.bytes("q"), codes.data(), count);
  good &= expectEqual(label + " scales", goldens.floats("scale_inv"),
                      scales.data(), blocks);
  good &= expect(dequantizeBlocks(kernel, grid, codes.data(), scales.data(),
                                  values.data()),
                 label + " back");
  good &= expectEqual(
      label + " bf16",
      reinterpret_cast<const uint16_t *>(goldens.bytes("dequant_bf16")),
      values.data(), count);
  return good;
}

/// Activations have blocks of one row and a floor, but codes and powers of two
/// are the same.
static bool testActivations(const Goldens &goldens, const char *x,
                            const char *s, const char *q, ScaleFormat format) {
  const int64_t rows = goldens.tensor(x).shape[0],
                columns = goldens.tensor(x).shape[1];
  std::vector<float> scales;
  std::vector<uint8_t> codes;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; j += kBlockSize) {
      const float *block = goldens.floats(x) + i * columns + j;
      const int64_t width = std::min(kBlockSize, columns - j);
      float largest = 1e-4f;
      for (int64_t k = 0; k < width; ++k)
        largest = std::max(largest, std::fabs(block[k]));
      scales.push_back(scaleOfBlock(largest, format));
      for (int64_t k = 0; k < width; ++k)
        codes.push_back(toE4M3(block[k] / scales.back()));
    }
  const bool good =
      expectEqual(fmt::format("act_quant {}", s), goldens.floats(s),
                  scales.data(), scales.size());
  return expectEqual(fmt::format("act_quant {}", q), goldens.bytes(q),
                     codes.data(), codes.size()) &&
         good;
}

int testGoldens(const std::string &folder) {
  bool good = testConvert(openGoldens(folder + "/e4m3_convert.safetensors"));
  const Goldens weights = openGoldens(folder + "/weight_quant.safetensors");
  for (Kernel kernel : usableKernels())
    good &= testWeights(weights, kernel);
  const Goldens activations = openGoldens(folder + "/act_quant.safetensors");
  good &= testActivations(activations, "x", "s", "q", ScaleFormat::Any);
  good &= testActivations(activations, "x", "s_ue8m0", "q_ue8m0",
                          ScaleFormat::PowerOfTwo);
  good &= testActivations(activations, "ragged.x", "ragged.s", "ragged.q",
                          ScaleFormat::Any);
  return good ? 0 : 1;
}

//===----------------------------------------------------------------------===//
// Kernels against the definition
//===----------------------------------------------------------------------===//

/// The nearest of all finite codes, of two equally near ones the even one.
static uint8_t definedCode(float x) {
  int best = 0;
  double least = INFINITY;
  for (int code = 0; code <= 0x7e; ++code) {
    const auto byte = static_cast<uint8_t>(code);
    const double distance = std::fabs(elementValue(DSRT_F8E4M3, &byte, 0) -
                                      std::fabs(static_cast<double>(x)));
    if (distance < least || (distance == least && code % 2 == 0)) {
      best = code;
      least = distance;
    }
  }
  return static_cast<uint8_t>(best | (std::signbit(x) ? 0x80 : 0));
}

/// f64 holds a product of two f32 exactly, so this rounds once.
static uint16_t definedBF16(double x) {
  const auto nearest = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &nearest, 4);
  uint16_t low = static_cast<uint16_t>(bits >> 16), best = low;
  double least = INFINITY;
  for (uint32_t candidate : {low + 0u, low + 1u}) {
    const auto half = static_cast<uint16_t>(candidate);
    const double distance = std::fabs(elementValue(DSRT_BF16, &half, 0) - x);
    if (distance < least || (distance == least && half % 2 == 0)) {
      best = half;
      least = distance;
    }
  }
  return best;
}

namespace {
struct Matrix {
  const char *name;
  DataType type;
  int64_t abiType;
  BlockGrid grid;
  std::vector<uint8_t> bytes;
};
} // namespace

/// Every number of a 16-bit type whose magnitude is below `bound`, in an order
/// that mixes magnitudes so that a block holds many of them.
static Matrix allNumbers(const char *name, DataType type, int64_t abiType,
                         uint16_t bound) {
  Matrix matrix = {name, type, abiType, {256, 256}, {}};
  for (uint32_t i = 0; i < 65536; ++i) {
    auto bits = static_cast<uint16_t>(i * 40503u);
    if ((bits & 0x7fff) >= bound)
      bits = static_cast<uint16_t>(i & 0x80ff);
    matrix.bytes.push_back(static_cast<uint8_t>(bits));
    matrix.bytes.push_back(static_cast<uint8_t>(bits >> 8));
  }
  return matrix;
}

/// Numbers whose magnitudes span 2^-span to 1; the first block is zero.
static Matrix randomNumbers(BlockGrid grid, double span) {
  Matrix matrix = {"f32", DataType::F32, DSRT_F32, grid, {}};
  uint64_t state = 1;
  auto next = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  };
  for (int64_t i = 0; i < grid.rows * grid.columns; ++i) {
    const double sign = next() < 0.5 ? -1 : 1;
    auto x = static_cast<float>(sign * std::exp2(-span * next()));
    if (i / grid.columns < kBlockSize && i % grid.columns < kBlockSize)
      x = 0;
    const size_t at = matrix.bytes.size();
    matrix.bytes.resize(at + 4);
    std::memcpy(&matrix.bytes[at], &x, 4);
  }
  return matrix;
}

static float definedScale(double largest, ScaleFormat format) {
  // The quotient in f64, rounded once: f64 has more than twice f32's digits.
  const auto scale = static_cast<float>(largest / 448);
  if (scale == 0)
    return 1;
  if (format == ScaleFormat::Any)
    return scale;
  float power = 0x1p-126f;
  while (power < scale)
    power *= 2;
  return power;
}

/// What the definition makes of the matrix.
static void define(const Matrix &matrix, ScaleFormat format,
                   std::vector<uint8_t> &codes, std::vector<float> &scales,
                   std::vector<uint16_t> &values) {
  const BlockGrid grid = matrix.grid;
  auto element = [&](int64_t i, int64_t j) {
    return elementValue(matrix.abiType, matrix.bytes.data(),
                        i * grid.columns + j);
  };
  scales.assign(static_cast<size_t>(grid.blocks()), 0);
  std::vector<double> largest(scales.size(), 0);
  auto block = [&](int64_t i, int64_t j) {
    return static_cast<size_t>(i / kBlockSize * grid.blockColumns() +
                               j / kBlockSize);
  };
  for (int64_t i = 0; i < grid.rows; ++i)
    for (int64_t j = 0; j < grid.columns; ++j)
      largest[block(i, j)] =
          std::max(largest[block(i, j)], std::fabs(element(i, j)));
  for (size_t i = 0; i < scales.size(); ++i)
    scales[i] = definedScale(largest[i], format);
  for (int64_t i = 0; i < grid.rows; ++i)
    for (int64_t j = 0; j < grid.columns; ++j) {
      const float scale = scales[block(i, j)];
      codes.push_back(
          definedCode(static_cast<float>(element(i, j) / double(scale))));
      values.push_back(definedBF16(static_cast<float>(
          elementValue(DSRT_F8E4M3, &codes.back(), 0) * double(scale))));
    }
}

static bool testMatrix(const Matrix &matrix, ScaleFormat format) {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  std::vector<uint16_t> values;
  define(matrix, format, codes, scales, values);
  bool good = true;
  for (Kernel kernel : usableKernels()) {
    std::vector<uint8_t> gotCodes(codes.size());
    std::vector<float> gotScales(scales.size());
    std::vector<uint16_t> gotValues(values.size());
    const std::string label = fmt::format(
        "{} [{}, {}]{}, kernel {}", matrix.name, matrix.grid.rows,
        matrix.grid.columns, format == ScaleFormat::PowerOfTwo ? " ue8m0" : "",
        static_cast<int>(kernel));
    good &= expect(quantizeBlocks(kernel, matrix.grid, matrix.type,
                                  matrix.bytes.data(), format, gotCodes.data(),
                                  gotScales.data()),
                   label);
    good &= expectEqual(label + " codes", codes.data(), gotCodes.data(),
                        codes.size());
    good &= expectEqual(label + " scales", scales.data(), gotScales.data(),
                        scales.size());
    good &= expect(dequantizeBlocks(kernel, matrix.grid, codes.data(),
                                    scales.data(), gotValues.data()),
                   label + " back");
    good &= expectEqual(label + " values", values.data(), gotValues.data(),
                        values.size());
  }
  return good;
}

/// One bad element anywhere is found by every kernel.
static bool testNotFinite() {
  bool good = true;
  const BlockGrid grid = {130, 131};
  const auto count = static_cast<size_t>(grid.rows * grid.columns);
  std::vector<uint16_t> x(count, 0x3f80);
  std::vector<uint8_t> codes(count, 0x38);
  std::vector<float> scales(4, 1);
  size_t found = 0, foundBack = 0, foundLarge = 0;
  for (Kernel kernel : usableKernels()) {
    found = foundBack = foundLarge = 0;
    for (size_t at = 0; at < count; at += 97) {
      x[at] = at % 2 ? 0x7f80 : 0xffc0;
      found += !quantizeBlocks(kernel, grid, DataType::BF16, x.data(),
                               ScaleFormat::Any, codes.data(), scales.data()) &&
               findNotFinite(DataType::BF16, x.data(),
                             static_cast<int64_t>(count)) ==
                   static_cast<int64_t>(at);
      x[at] = 0x3f80;
      std::fill(codes.begin(), codes.end(), 0x38);
      std::fill(scales.begin(), scales.end(), 1.0f);
      std::vector<uint16_t> values(count);
      codes[at] = at % 2 ? 0x7f : 0xff;
      foundBack += !dequantizeBlocks(kernel, grid, codes.data(), scales.data(),
                                     values.data());
      codes[at] = 0xfe; // 448 times 2^120 is more than any number of BF16
      std::fill(scales.begin(), scales.end(), 0x1p120f);
      foundLarge += !dequantizeBlocks(kernel, grid, codes.data(), scales.data(),
                                      values.data());
    }
    const size_t tries = (count + 96) / 97;
    good &= expect(found == tries && foundBack == tries && foundLarge == tries,
                   fmt::format("not finite, kernel {}: {} and {} and {} of {} "
                               "found",
                               static_cast<int>(kernel), found, foundBack,
                               foundLarge, tries));
  }
  return good;
}

int testKernels() {
  bool good = true;
  for (ScaleFormat format : {ScaleFormat::Any, ScaleFormat::PowerOfTwo}) {
    // Below 2^127: codes of larger numbers may be rounded beyond BF16.
    good &= testMatrix(allNumbers("bf16", DataType::BF16, DSRT_BF16, 0x7f00),
                       format);
    good &=
        testMatrix(allNumbers("f16", DataType::F16, DSRT_F16, 0x7c00), format);
    for (BlockGrid grid : {BlockGrid{300, 200}, {1, 1}, {129, 7}, {5, 257}})
      for (double span : {20.0, 160.0})
        good &= testMatrix(randomNumbers(grid, span), format);
  }
  good &= testNotFinite();
  return good ? 0 : 1;
}

int testProgress() {
  fmt::print("{}\n", progressText(0, 2'000'000'000, 2));
  fmt::print("{}\n", progressText(1'000'000'000, 2'000'000'000, 2));
  fmt::print("{}\n", progressText(1'000'000'000, 700'000'000'000, 1));
  fmt::print("{}\n", progressText(1'000'000, 700'000'000'000, 2));
  fmt::print("{}\n", progressText(1, UINT64_MAX, 1e6));
  fmt::print("{}\n", progressText(2'000'000'000, 2'000'000'000, 4));
  fmt::print("{}\n", progressText(0, 0, 0));
  return 0;
}

} // namespace dsrt::test
