//===- SyntheticTests.cpp - Made-up weights -------------------------------===//

#include "Tests.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dsrt::test {

static float fromBf16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

static double fromE4M3(uint8_t code) {
  int exponent = (code >> 3) & 15, mantissa = code & 7;
  double value = exponent ? std::ldexp(1 + mantissa / 8.0, exponent - 7)
                          : std::ldexp(mantissa, -9);
  return code & 0x80 ? -value : value;
}

namespace {
struct Statistics {
  double sum = 0, squares = 0, count = 0, least = HUGE_VAL, most = -HUGE_VAL;
  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return sum / count; }
  double deviation() const {
    return std::sqrt(squares / count - mean() * mean());
  }
};
} // namespace

static Statistics statistics(const void *data, int64_t dtype, int64_t count) {
  Statistics result;
  for (int64_t i = 0; i < count; ++i)
    result.add(dtype == DSRT_F32
                   ? static_cast<const float *>(data)[i]
                   : fromBf16(static_cast<const uint16_t *>(data)[i]));
  return result;
}

/// An FP8 weight [rows, columns] times its scales.
static Statistics dequantized(const void *weight, const void *scales,
                              int64_t rows, int64_t columns) {
  Statistics result;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      result.add(
          fromE4M3(static_cast<const uint8_t *>(weight)[i * columns + j]) *
          static_cast<const float *>(
              scales)[i / 128 * ((columns + 127) / 128) + j / 128]);
  return result;
}

static void addRows(WeightTableBuilder &builder) {
  builder.add("a.weight", DSRT_BF16, {256, 1024});
  builder.add("b.weight", DSRT_F32, {64, 256});
  builder.add("w.weight", DSRT_F8E4M3, {512, 1024});
  builder.add("w.weight_scale_inv", DSRT_F32, {4, 8});
  builder.add("p.weight", DSRT_F8E4M3, {512, 1024});
  builder.add("p.weight_scale_inv", DSRT_F32, {4, 8}, /*powerOfTwo=*/true);
  builder.add("in_norm.weight", DSRT_BF16, {4096});
  builder.add("gate.e_score_correction_bias", DSRT_F32, {4096});
  builder.add("experts.*.up", DSRT_BF16, {2, 16, 64});
  builder.add("large.weight", DSRT_BF16, {40000, 1024}); // more than a pool
  builder.add("large.w8", DSRT_F8E4M3, {2000, 1024});
}

static std::unique_ptr<Weights> make(const std::string &source) {
  WeightTableBuilder builder;
  addRows(builder);
  Result<std::unique_ptr<Weights>> weights =
      Weights::bind(builder.table(), source);
  if (!weights.ok())
    fmt::print("{}: {}\n", source, weights.status().message());
  return weights.ok() ? std::move(*weights) : nullptr;
}

static void printStatistics(const char *label, const Statistics &values) {
  fmt::print("{}: mean {:.3f} deviation {:.4f}\n", label, values.mean(),
             values.deviation());
}

static uint64_t hashOf(const void *data, uint64_t bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint64_t i = 0; i < bytes; ++i)
    hash = (hash ^ static_cast<const uint8_t *>(data)[i]) * 0x100000001b3u;
  return hash;
}

static void testSeed() {
  std::unique_ptr<Weights> weights = make("seed:1"), again = make("seed:1"),
                           other = make("seed:2");
  const void *const *rows = weights->addresses();
  printStatistics("bf16", statistics(rows[0], DSRT_BF16, 256 * 1024));
  printStatistics("f32", statistics(rows[1], DSRT_F32, 64 * 256));
  printStatistics("fp8", dequantized(rows[2], rows[3], 512, 1024));
  printStatistics("fp8 ue8m0", dequantized(rows[4], rows[5], 512, 1024));
  printStatistics("norm", statistics(rows[6], DSRT_BF16, 4096));
  printStatistics("bias", statistics(rows[7], DSRT_F32, 4096));
  printStatistics("large", statistics(rows[9], DSRT_BF16, 40000 * 1024));
  auto *experts = static_cast<const void *const *>(rows[8]);
  fmt::print("experts differ: {}\n",
             std::memcmp(experts[0], experts[1], 16 * 64 * 2) != 0);
  bool powers = true;
  for (int i = 0; i < 32; ++i) {
    int exponent;
    powers &=
        std::frexp(static_cast<const float *>(rows[5])[i], &exponent) == 0.5f;
  }
  fmt::print("powers of two: {}\n", powers);
  bool finite = true;
  for (int i = 0; i < 2000 * 1024; ++i)
    finite &= (static_cast<const uint8_t *>(rows[10])[i] & 0x7f) != 0x7f;
  fmt::print("finite codes: {}\n", finite);
  fmt::print("same seed, same bytes: {}\n",
             std::memcmp(rows[9], again->addresses()[9], 40000 * 1024 * 2) ==
                     0 &&
                 std::memcmp(rows[0], again->addresses()[0], 1024) == 0);
  fmt::print("another seed, other bytes: {}\n",
             std::memcmp(rows[9], other->addresses()[9], 1024) != 0 &&
                 std::memcmp(rows[0], other->addresses()[0], 1024) != 0);
  // The values are fixed for ever: programs are compared by them.
  fmt::print("hashes {:016x} {:016x} {:016x} {:016x}\n",
             hashOf(rows[0], 256 * 1024 * 2), hashOf(rows[2], 512 * 1024),
             hashOf(rows[5], 32 * 4), hashOf(rows[9], 40000 * 1024 * 2));

  WeightTableBuilder alone;
  alone.add("large.weight", DSRT_BF16, {40000, 1024});
  alone.add("p.weight_scale_inv", DSRT_F32, {4, 8}, /*powerOfTwo=*/true);
  auto single = Weights::bind(alone.table(), "seed:1");
  fmt::print(
      "whatever else is asked for: {}\n",
      std::memcmp(rows[9], (*single)->addresses()[0], 40000 * 1024 * 2) == 0 &&
          std::memcmp(rows[5], (*single)->addresses()[1], 32 * 4) == 0);
}

static void testSplat(const std::string &source) {
  std::unique_ptr<Weights> weights = make(source);
  if (!weights)
    return;
  const void *const *rows = weights->addresses();
  Statistics matrix = statistics(rows[9], DSRT_BF16, 40000 * 1024);
  Statistics fp8 = dequantized(rows[2], rows[3], 512, 1024);
  Statistics powers = dequantized(rows[4], rows[5], 512, 1024);
  fmt::print("{}: bf16 {:.5f}, fp8 {:.5f}, ue8m0 {:.5f}, norm {:.5f}, all "
             "equal: {}\n",
             source, matrix.mean(), fp8.mean(), powers.mean(),
             statistics(rows[6], DSRT_BF16, 4096).mean(),
             matrix.least == matrix.most && fp8.least == fp8.most);
}

int testSynthetic() {
  testSeed();
  for (const char *source : {"splat:0.02", "splat:-1", "splat:0", "splat:1.99"})
    testSplat(source);
  for (const char *source :
       {"seed:", "seed:x", "seed:-1", "seed:1 ", "seed:99999999999999999999",
        "splat:", "splat:nan", "splat:inf", "splat:1e40", "splat:1e-40",
        "splat:0.5x"})
    make(source);
  WeightTableBuilder builder;
  builder.add("table", DSRT_I64, {4});
  report("integers", Weights::bind(builder.table(), "seed:1").status());
  builder = WeightTableBuilder();
  builder.add("w", DSRT_F8E4M3, {1 << 30, 1 << 30});
  report("beyond addresses", Weights::bind(builder.table(), "seed:1").status());
  return 0;
}

/// The rows of V3's weight table that its size lies in.
int testHuge() {
  WeightTableBuilder builder;
  builder.add("model.embed_tokens.weight", DSRT_BF16, {129280, 7168});
  builder.add("lm_head.weight", DSRT_BF16, {129280, 7168});
  for (int layer = 3; layer < 61; ++layer)
    for (const char *name : {"gate", "up", "down"}) {
      bool down = name[0] == 'd';
      std::string key = fmt::format(
          "model.layers.{}.mlp.experts.*.{}_proj.weight", layer, name);
      builder.add(key, DSRT_F8E4M3,
                  {256, down ? 7168 : 2048, down ? 2048 : 7168});
      builder.add(key + "_scale_inv", DSRT_F32,
                  {256, down ? 56 : 16, down ? 16 : 56});
    }
  double start = now();
  Result<std::unique_ptr<Weights>> weights =
      Weights::bind(builder.table(), "seed:1");
  double seconds = secondsSince(start);
  report("huge", weights.status());
  if (!weights.ok())
    return 1;
  // The last byte of the largest tensor is there.
  const void *embedding = (*weights)->addresses()[0];
  uint64_t elements = 129280ull * 7168;
  fmt::print("last value is finite: {}\n",
             std::isfinite(fromBf16(
                 static_cast<const uint16_t *>(embedding)[elements - 1])));
  fmt::print("made in {:.2f} s\n", seconds);
  return 0;
}

} // namespace dsrt::test
