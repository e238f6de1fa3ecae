//===- Machine.cpp - The limits of this machine, measured -----------------===//
//
// Read bandwidth: all threads add up several buffers that together are much
// larger than the last cache, the best of some rounds.
//
// Matrix peak: independent chains of the widest multiply-add that takes bf16
// operands, from registers alone; without such an instruction the widest f32
// multiply-add. No product can be faster.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Machine.h"

#include "runtime/core/Memory.h"
#include "runtime/serve/Application.h"

#include <algorithm>
#include <atomic>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dsrt {

namespace {

constexpr int rounds = 5;

/// Written so that the compiler cannot drop what was computed.
std::atomic<uint64_t> sink;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

constexpr int64_t blockBytes = 1 << 20;

inline __attribute__((always_inline)) uint64_t addUp(const uint64_t *words) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < blockBytes / 8; ++i)
    sum += words[i];
  return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) uint64_t addUpAvx512(const uint64_t *words) {
  return addUp(words);
}
__attribute__((target("avx2"))) uint64_t addUpAvx2(const uint64_t *words) {
  return addUp(words);
}
#endif
uint64_t addUpPlain(const uint64_t *words) { return addUp(words); }

struct ReadWork {
  uint64_t (*addUp)(const uint64_t *);
  const char *data;
};

void readBlocks(void *context, int64_t begin, int64_t end) {
  const ReadWork &work = *static_cast<ReadWork *>(context);
  uint64_t sum = 0;
  for (int64_t block = begin; block < end; ++block)
    sum += work.addUp(
        reinterpret_cast<const uint64_t *>(work.data + block * blockBytes));
  sink.fetch_add(sum, std::memory_order_relaxed);
}

void touchBlocks(void *context, int64_t begin, int64_t end) {
  char *data = static_cast<char *>(context);
  std::fill(data + begin * blockBytes, data + end * blockBytes, 1);
}

double measureRead(ThreadTeam &team) {
  const int64_t cache = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  const int64_t wanted = std::max<int64_t>(256 << 20, 4 * cache);
  const int64_t room = static_cast<int64_t>(availableMemory() / 4);
  const int64_t blocks =
      std::max<int64_t>(std::min(wanted, room) / blockBytes, 1);
  Result<Memory> memory =
      Memory::reserve(hostDevice(), static_cast<uint64_t>(blocks * blockBytes),
                      "measuring bandwidth");
  if (!memory.ok())
    return 0;
  ReadWork work = {addUpPlain, static_cast<const char *>(memory->data())};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    work.addUp = addUpAvx512;
  else if (__builtin_cpu_supports("avx2"))
    work.addUp = addUpAvx2;
#endif
  team.run(touchBlocks, memory->data(), blocks, 1);
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    const double begin = now();
    team.run(readBlocks, &work, blocks, 1);
    best = std::max(best,
                    static_cast<double>(blocks * blockBytes) / (now() - begin));
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Multiplying
//===----------------------------------------------------------------------===//

// Enough chains to hide the latency of any of the instructions.
constexpr int chains = 16;
constexpr int64_t stepsPerPiece = 200000;

struct MultiplyKernel {
  const char *name;
  void (*run)();
  double operationsPerStep;
};

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) void multiplyAvx512Bf16() {
  __m512 sums[chains] = {};
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80);
  for (int64_t step = 0; step < stepsPerPiece; ++step)
#pragma clang loop unroll(full)
    for (int i = 0; i < chains; ++i) {
      sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
      asm volatile("" : "+v"(sums[i])); // keep the chain as written
    }
  for (int i = 1; i < chains; ++i)
    sums[0] = _mm512_add_ps(sums[0], sums[i]);
  sink.fetch_add(static_cast<uint64_t>(_mm512_reduce_add_ps(sums[0])));
}

__attribute__((target("avx512f"))) void multiplyAvx512() {
  __m512 sums[chains] = {};
  const __m512 a = _mm512_set1_ps(1.0f);
  for (int64_t step = 0; step < stepsPerPiece; ++step)
#pragma clang loop unroll(full)
    for (int i = 0; i < chains; ++i) {
      sums[i] = _mm512_fmadd_ps(a, a, sums[i]);
      asm volatile("" : "+v"(sums[i]));
    }
  for (int i = 1; i < chains; ++i)
    sums[0] = _mm512_add_ps(sums[0], sums[i]);
  sink.fetch_add(static_cast<uint64_t>(_mm512_reduce_add_ps(sums[0])));
}

__attribute__((target("avx2,fma"))) void multiplyAvx2() {
  // Sixteen registers hold twelve chains and the operand.
  constexpr int avx2Chains = 12;
  __m256 sums[avx2Chains] = {};
  const __m256 a = _mm256_set1_ps(1.0f);
  for (int64_t step = 0; step < stepsPerPiece; ++step)
#pragma clang loop unroll(full)
    for (int i = 0; i < avx2Chains; ++i) {
      sums[i] = _mm256_fmadd_ps(a, a, sums[i]);
      asm volatile("" : "+x"(sums[i]));
    }
  float lanes[8];
  for (int i = 1; i < avx2Chains; ++i)
    sums[0] = _mm256_add_ps(sums[0], sums[i]);
  _mm256_storeu_ps(lanes, sums[0]);
  sink.fetch_add(static_cast<uint64_t>(lanes[0]));
}
#endif

void multiplyPlain() {
  float sums[chains] = {};
  volatile float operand = 1.0f;
  const float a = operand;
  for (int64_t step = 0; step < stepsPerPiece; ++step)
    for (int i = 0; i < chains; ++i)
      sums[i] = sums[i] * a + a;
  float total = 0;
  for (float sum : sums)
    total += sum;
  sink.fetch_add(static_cast<uint64_t>(total));
}

MultiplyKernel chooseKernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16"))
    return {"bf16 dot product, AVX512_BF16", multiplyAvx512Bf16, chains * 64.0};
  if (__builtin_cpu_supports("avx512f"))
    return {"f32 multiply-add, AVX-512", multiplyAvx512, chains * 32.0};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"f32 multiply-add, AVX2", multiplyAvx2, 12 * 16.0};
#endif
  return {"f32 multiply-add", multiplyPlain, chains * 2.0};
}

void multiplyPieces(void *context, int64_t begin, int64_t end) {
  for (int64_t piece = begin; piece < end; ++piece)
    static_cast<MultiplyKernel *>(context)->run();
}

} // namespace

MachineLimits measureMachine(ThreadTeam &team) {
  MachineLimits limits;
  limits.readBytesPerSecond = measureRead(team);
  MultiplyKernel kernel = chooseKernel();
  limits.instruction = kernel.name;
  const int64_t pieces = team.size() * 8;
  for (int round = 0; round < rounds; ++round) {
    const double begin = now();
    team.run(multiplyPieces, &kernel, pieces, 1);
    const double operations = static_cast<double>(pieces) *
                              static_cast<double>(stepsPerPiece) *
                              kernel.operationsPerStep;
    limits.operationsPerSecond =
        std::max(limits.operationsPerSecond, operations / (now() - begin));
  }
  return limits;
}

} // namespace dsrt
