//===- WarpTests.cpp - Lanes, barriers and atomics ------------------------===//
//
// The kernels of warps.ptx.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dsrt::test {

using Words = std::vector<uint32_t>;

static void check(const std::string &label, const Words &got,
                  const Words &expected) {
  report(label, got == expected,
         fmt::format("expected {}, got {}", fmt::join(expected, " "),
                     fmt::join(got, " ")));
}

static void testShuffles(const PtxModule &module) {
  Buffer out(32 * 16);
  expectSuccess(launch(module.function("shuffles"), 1, 32, {&out.address}),
                "shuffles");
  Words expected;
  for (uint32_t i = 0; i < 32; ++i) {
    expected.push_back(32 * 33 / 2);
    expected.push_back(i % 8 ? i - 1 : 1000);
    expected.push_back(i % 8 + 3 < 8 ? i + 3 : 2000);
    expected.push_back(5);
  }
  check("shuffles", out.read<uint32_t>(), expected);
}

static void testVotes(const PtxModule &module) {
  Buffer out(Words(32 * 12, 7));
  expectSuccess(launch(module.function("votes"), 1, 32, {&out.address}),
                "votes");
  Words expected(32 * 12, 7);
  uint32_t sum = 0, parity = 0;
  for (uint32_t i = 8; i < 32; ++i) {
    sum += i;
    parity ^= i;
  }
  for (uint32_t i = 8; i < 32; ++i) {
    uint32_t same = (0x11111111u << i % 4) & 0xffffff00;
    Words row = {0xffff0000, 3,      same, 0,      sum,        uint32_t(-31),
                 31,         parity, 8,    i == 8, 0xffffff00, i % 4};
    std::copy(row.begin(), row.end(), expected.begin() + i * 12);
  }
  check("votes", out.read<uint32_t>(), expected);
}

static void testBarriers(const PtxModule &module) {
  Buffer out(256 * 4);
  expectSuccess(launch(module.function("reverse"), 1, 256, {&out.address}),
                "reverse");
  Words expected;
  for (uint32_t i = 0; i < 256; ++i)
    expected.push_back(255 - i);
  check("reverse", out.read<uint32_t>(), expected);

  Buffer taken(64 * 4);
  expectSuccess(launch(module.function("pipeline"), 1, 128, {&taken.address}),
                "pipeline");
  expected.clear();
  for (uint32_t i = 0; i < 64; ++i)
    expected.push_back(4500 + 10 * (i % 32));
  check("pipeline", taken.read<uint32_t>(), expected);
}

static void testAtomics(const PtxModule &module) {
  constexpr uint32_t ctas = 20, threads = 64, count = ctas * threads;
  Words start(16 + count, 0);
  start[2] = 1000000;
  start[7] = 3;
  start[11] = ~0u;
  Buffer out(start);
  expectSuccess(
      launch(module.function("counters"), ctas, threads, {&out.address}),
      "counters");
  Words got = out.read<uint32_t>(), expected(12);
  uint32_t wrapped = 3, parity = 0;
  for (uint32_t i = 0; i < count; ++i) {
    parity ^= i;
    wrapped = wrapped == 0 || wrapped > 6 ? 6 : wrapped - 1;
  }
  // 0.5 each; f16 stops counting at 2048, but there are only 1280.
  expected = {3 * count,  count - 1,  0,
              count % 10, 0x44200000, 0xffffffff,
              parity,     wrapped,    count * (count - 1) / 2,
              0,          0x65006500, ~0u - 4};
  check("atomics", Words(got.begin(), got.begin() + 12), expected);
  Words order(got.begin() + 16, got.end()), all;
  std::sort(order.begin(), order.end());
  for (uint32_t i = 0; i < count; ++i)
    all.push_back(i);
  report("old values are a permutation", order == all, "they are not");
}

static void testWaitingCtas(const PtxModule &module) {
  constexpr uint32_t ctas = 32;
  Buffer out(3 * ctas * 4), counter(Words(1, 0));
  expectSuccess(launch(module.function("grid_barrier"), ctas, 64,
                       {&out.address, &counter.address}),
                "grid_barrier");
  Words expected;
  for (uint32_t i = 0; i < ctas; ++i)
    expected.push_back(1 + i);
  for (uint32_t round = 1; round < 3; ++round)
    for (uint32_t i = 0; i < ctas; ++i)
      expected.push_back(expected[(round - 1) * ctas + (i + 1) % ctas] + i);
  check("CTAs wait for each other", out.read<uint32_t>(), expected);

  Buffer lock(Words{0, 0});
  expectSuccess(launch(module.function("lock"), 100, 1, {&lock.address}),
                "lock");
  check("a lock", lock.read<uint32_t>(), {0, 100});
}

static void testClusters(const PtxModule &module) {
  Buffer out(12 * 8);
  expectSuccess(launch(module.function("neighbours"), 12, 32, {&out.address}),
                "neighbours");
  Words expected;
  for (uint32_t i = 0; i < 12; ++i)
    for (uint32_t distance = 1; distance < 3; ++distance)
      expected.push_back(i / 4 << 8 | (i + distance) % 4);
  check("shared memory of a cluster", out.read<uint32_t>(), expected);
}

void testWarps(const std::string &folder) {
  PtxModule module(readFile(folder + "/warps.ptx"));
  testShuffles(module);
  testVotes(module);
  testBarriers(module);
  testAtomics(module);
  testWaitingCtas(module);
  testClusters(module);
}

} // namespace dsrt::test
