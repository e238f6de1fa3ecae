//===- Lanewise.cpp - One instruction against the host --------------------===//
//
// Operands of 16 bits take all values; others the corners, numbers near them,
// floats of moderate size, and any bits.
//
//===----------------------------------------------------------------------===//

#include "Lanewise.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <random>

namespace dsrt::test {

static uint64_t makeOperand(std::mt19937_64 &random, unsigned bytes) {
  uint64_t bits = random();
  switch (random() % 6) {
  case 0: // small
    return bits % 5 - 2;
  case 1: // near the sign bit
    return (uint64_t(1) << (8 * bytes - 1)) + bits % 5 - 2;
  case 2: // floats of moderate size
    return bytes == 4 ? (bits & 0x83ffffff) | 0x3c000000
                      : (bits & 0x803fffffffffffff) | 0x3fc0000000000000;
  default:
    return bits;
  }
}

static std::vector<uint8_t> makeOperands(size_t count, unsigned bytes,
                                         uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> memory(count * bytes);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = bytes == 2 ? i * (2 * seed + 1) + seed * 977
                               : makeOperand(random, bytes);
    std::memcpy(&memory[i * bytes], &bits, bytes);
  }
  return memory;
}

static uint64_t element(const std::vector<uint8_t> &memory, size_t index,
                        unsigned bytes) {
  uint64_t bits = 0;
  std::memcpy(&bits, &memory[index * bytes], bytes);
  return bits;
}

static std::string makeKernel(const std::string &instruction,
                              const std::vector<unsigned> &sizes) {
  std::string text = ".version 8.6\n.target sm_90a\n.address_size 64\n"
                     ".visible .entry test(.param .u64 r, .param .u64 a, "
                     ".param .u64 b, .param .u64 c) {\n"
                     ".reg .b64 %x<9>;\n.reg .b32 %i<9>;\n.reg .b32 %t<4>;\n"
                     ".reg .pred %p<4>;\n"
                     "mov.u32 %i0, %ctaid.x;\nmov.u32 %i1, %ntid.x;\n"
                     "mov.u32 %i2, %tid.x;\nmad.lo.u32 %i3, %i0, %i1, %i2;\n";
  constexpr char names[] = "rabc";
  for (size_t k = 0; k < sizes.size(); ++k) {
    text += fmt::format(".reg .b{0} %{1};\nld.param.u64 %x{2}, [{1}];\n"
                        "mul.wide.u32 %x8, %i3, {3};\n"
                        "add.u64 %x{2}, %x{2}, %x8;\n",
                        8 * sizes[k], names[k], k, sizes[k]);
    if (k > 0)
      text += fmt::format("ld.global.b{} %{}, [%x{}];\n", 8 * sizes[k],
                          names[k], k);
  }
  return text + instruction +
         fmt::format("\nst.global.b{} [%x0], %r;\nret;\n}}\n", 8 * sizes[0]);
}

void checkInstruction(const std::string &instruction,
                      const std::vector<unsigned> &sizes,
                      const HostFunction &expected) {
  constexpr unsigned threads = 128;
  bool all = *std::max_element(sizes.begin() + 1, sizes.end()) == 2;
  size_t count = all ? 65536 : 8192;
  PtxModule module(makeKernel(instruction, sizes));
  Buffer result(count * sizes[0]);
  std::vector<std::vector<uint8_t>> operands;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<CUdeviceptr> addresses = {result.address};
  for (size_t k = 1; k < sizes.size(); ++k) {
    operands.push_back(makeOperands(count, sizes[k], k));
    buffers.push_back(std::make_unique<Buffer>(operands.back()));
    addresses.push_back(buffers.back()->address);
  }
  addresses.resize(4);
  expectSuccess(
      launch(module.function("test"), static_cast<unsigned>(count) / threads,
             threads,
             {&addresses[0], &addresses[1], &addresses[2], &addresses[3]}),
      instruction);
  std::vector<uint8_t> results = result.read<uint8_t>();
  for (size_t i = 0; i < count; ++i) {
    uint64_t values[3] = {0, 0, 0};
    for (size_t k = 0; k < operands.size(); ++k)
      values[k] = element(operands[k], i, sizes[k + 1]);
    uint64_t got = element(results, i, sizes[0]), wanted = expected(values);
    if (got != wanted)
      return report(instruction, false,
                    fmt::format("expected 0x{:x}, got 0x{:x} of 0x{:x}, "
                                "0x{:x}, 0x{:x}",
                                wanted, got, values[0], values[1], values[2]));
  }
  report(instruction, true, "");
}

} // namespace dsrt::test
