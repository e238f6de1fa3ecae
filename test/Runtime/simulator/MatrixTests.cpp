//===- MatrixTests.cpp - Copies, mbarriers and matrices -------------------===//
//
// The kernels of async.ptx, and products of fragments as the documentation of
// PTX lays them out.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <random>

namespace dsrt::test {

template <typename T>
static void check(const std::string &label, const std::vector<T> &got,
                  const std::vector<T> &expected) {
  for (size_t i = 0; i < expected.size(); ++i)
    if (got[i] != expected[i])
      return report(
          label, false,
          fmt::format("expected {} at {}, got {}", expected[i], i, got[i]));
  report(label, true, "");
}

static void testCopies(const PtxModule &module) {
  std::vector<uint32_t> rows(8 * 128), sums(128);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<uint32_t>(i * i);
    sums[i % 128] += rows[i];
  }
  Buffer in(rows), out(512);
  expectSuccess(
      launch(module.function("ring"), 1, 32, {&in.address, &out.address}),
      "ring");
  check("a ring of copies", out.read<uint32_t>(), sums);

  std::vector<uint8_t> bytes(17 * 16), filled(17 * 16);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i + 1);
    filled[i] = i % 16 < i / 16 ? bytes[i] : 0;
  }
  Buffer some(bytes), result(bytes.size());
  expectSuccess(
      launch(module.function("fill"), 1, 17, {&some.address, &result.address}),
      "fill");
  check("copies filled with zeros", result.read<uint8_t>(), filled);
}

static void testMbarriers(const PtxModule &module) {
  Buffer out(128);
  expectSuccess(launch(module.function("handover"), 1, 64, {&out.address}),
                "handover");
  std::vector<uint32_t> sums;
  for (uint32_t i = 0; i < 32; ++i)
    sums.push_back(4500 + 10 * i);
  check("a buffer handed over", out.read<uint32_t>(), sums);
  expectSuccess(launch(module.function("phases"), 1, 1, {&out.address}),
                "phases");
  check<uint32_t>("phases of an mbarrier", out.read<uint32_t>(), {8 + 16});
}

static void testFragments(const PtxModule &module) {
  std::vector<uint16_t> values(32 * 8);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<uint16_t>(i);
  Buffer in(values), out(1536);
  expectSuccess(
      launch(module.function("matrices"), 1, 32, {&in.address, &out.address}),
      "matrices");
  std::vector<uint16_t> expected(768, 0), got = out.read<uint16_t>();
  for (uint16_t lane = 0; lane < 32; ++lane) {
    for (uint16_t half = 0; half < 2; ++half) {
      auto row = static_cast<uint16_t>(lane / 4);
      auto column = static_cast<uint16_t>(2 * (lane % 4) + half);
      for (uint16_t matrix = 0; matrix < 4; ++matrix)
        expected[lane * 8 + matrix * 2 + half] =
            static_cast<uint16_t>(matrix * 64 + row * 8 + column);
      // Each lane's 8 bytes lie where its 16 would.
      for (uint16_t matrix = 0; matrix < 2; ++matrix)
        expected[256 + lane * 8 + matrix * 2 + half] =
            static_cast<uint16_t>(matrix * 64 + column * 8 + row);
    }
  }
  for (size_t i = 0; i < 256; ++i) {
    size_t matrix = i / 64, row = i / 8 % 8, column = i % 8;
    expected[512 + i] = static_cast<uint16_t>(matrix * 64 + column * 8 + row);
    if (i % 8 >= 4)
      expected[256 + i] = got[256 + i]; // not written
  }
  check("ldmatrix and stmatrix", got, expected);
}

//===----------------------------------------------------------------------===//
// mma
//===----------------------------------------------------------------------===//

namespace {
struct ElementType {
  const char *name;
  unsigned bits;
  unsigned exponentBits;
  unsigned mantissaBits;
};
} // namespace

/// A code's number; codes of NaNs and infinities are not used.
static double decode(const ElementType &type, uint32_t code) {
  if (type.bits == 32)
    code >>= 13; // tf32
  uint32_t mantissa = code & ((1u << type.mantissaBits) - 1);
  uint32_t field = code >> type.mantissaBits & ((1u << type.exponentBits) - 1);
  bool negative = code >> (type.mantissaBits + type.exponentBits) & 1;
  int bias = (1 << (type.exponentBits - 1)) - 1;
  double significand = mantissa + (field ? 1u << type.mantissaBits : 0);
  double value =
      std::ldexp(significand, static_cast<int>(field ? field : 1) - bias -
                                  static_cast<int>(type.mantissaBits));
  return negative ? -value : value;
}

/// A code of a number of moderate size.
static uint32_t makeCode(const ElementType &type, std::mt19937 &random) {
  uint32_t bias = (1u << (type.exponentBits - 1)) - 1;
  uint32_t field = bias - 2 + random() % 5;
  uint32_t code = (random() & 1) << (type.mantissaBits + type.exponentBits) |
                  field << type.mantissaBits |
                  (random() & ((1u << type.mantissaBits) - 1));
  return type.bits == 32 ? code << 13 : code;
}

static std::string multiplyKernel(const std::string &opcode, unsigned aCount,
                                  unsigned bCount) {
  std::string text =
      ".version 8.4\n.target sm_90a\n.address_size 64\n"
      ".visible .entry multiply(.param .u64 in, .param .u64 out) {\n"
      ".reg .b32 %r<20>;\n.reg .b64 %rd<4>;\n"
      "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\n"
      "mov.u32 %r19, %laneid;\nmul.wide.u32 %rd3, %r19, 4;\n"
      "add.u64 %rd1, %rd1, %rd3;\nadd.u64 %rd2, %rd2, %rd3;\n";
  unsigned count = aCount + bCount + 4;
  std::vector<std::string> names;
  for (unsigned k = 0; k < count; ++k) {
    text += fmt::format("ld.global.b32 %r{}, [%rd1+{}];\n", k, 128 * k);
    names.push_back(fmt::format("%r{}", k));
  }
  auto list = [&](unsigned first, unsigned size) {
    std::string joined;
    for (unsigned k = first; k < first + size; ++k)
      joined += (k > first ? ", " : "") + names[k];
    return "{" + joined + "}";
  };
  unsigned c = aCount + bCount;
  text += opcode + " " + list(c, 4) + ", " + list(0, aCount) + ", " +
          list(aCount, bCount) + ", " + list(c, 4) + ";\n";
  for (unsigned k = 0; k < 4; ++k)
    text += fmt::format("st.global.b32 [%rd2+{}], %r{};\n", 128 * k, c + k);
  return text + "ret;\n}\n";
}

/// D = A * B + C with 16 x depth and depth x 8 values.
static void testMultiply(const ElementType &left, const ElementType &right,
                         unsigned depth) {
  std::string opcode =
      fmt::format("mma.sync.aligned.m16n8k{}.row.col.f32.{}.{}.f32", depth,
                  left.name, right.name);
  unsigned perRegister = 32 / left.bits;
  unsigned bCount = depth / (4 * perRegister), aCount = 2 * bCount;
  std::mt19937 random(depth);
  // By rows and columns of the matrices, and by registers and lanes.
  std::vector<std::vector<double>> a(16, std::vector<double>(depth)),
      b(depth, std::vector<double>(8));
  std::vector<uint32_t> fragments((aCount + bCount + 4) * 32);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned group = lane / 4, inGroup = lane % 4;
    for (unsigned q = 0; q < aCount + bCount; ++q) {
      for (unsigned t = 0; t < perRegister; ++t) {
        const ElementType &type = q < aCount ? left : right;
        uint32_t code = makeCode(type, random);
        fragments[q * 32 + lane] |= code << (t * type.bits);
        unsigned half = q < aCount ? q / 2 : q - aCount;
        unsigned k = inGroup * perRegister + t + half * 4 * perRegister;
        if (q < aCount)
          a[group + 8 * (q % 2)][k] = decode(type, code);
        else
          b[k][group] = decode(type, code);
      }
    }
    for (unsigned q = 0; q < 4; ++q) {
      auto value = static_cast<float>(lane) - static_cast<float>(q) * 0.37f;
      std::memcpy(&fragments[(aCount + bCount + q) * 32 + lane], &value, 4);
    }
  }
  PtxModule module(multiplyKernel(opcode, aCount, bCount));
  Buffer in(fragments), out(512);
  expectSuccess(
      launch(module.function("multiply"), 1, 32, {&in.address, &out.address}),
      opcode);
  std::vector<float> expected(128);
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned q = 0; q < 4; ++q) {
      unsigned row = lane / 4 + 8 * (q / 2), column = 2 * (lane % 4) + q % 2;
      float start;
      std::memcpy(&start, &fragments[(aCount + bCount + q) * 32 + lane], 4);
      double sum = 0;
      for (unsigned k = 0; k < depth; ++k)
        sum += a[row][k] * b[k][column];
      expected[q * 32 + lane] = static_cast<float>(sum + start);
    }
  }
  check(opcode, out.read<float>(), expected);
}

void testMatrices(const std::string &folder) {
  PtxModule module(readFile(folder + "/async.ptx"));
  testCopies(module);
  testMbarriers(module);
  testFragments(module);
  constexpr ElementType f16 = {"f16", 16, 5, 10}, bf16 = {"bf16", 16, 8, 7},
                        tf32 = {"tf32", 32, 8, 10}, e4m3 = {"e4m3", 8, 4, 3},
                        e5m2 = {"e5m2", 8, 5, 2};
  testMultiply(f16, f16, 16);
  testMultiply(f16, f16, 8);
  testMultiply(bf16, bf16, 16);
  testMultiply(bf16, bf16, 8);
  testMultiply(tf32, tf32, 8);
  testMultiply(tf32, tf32, 4);
  testMultiply(e4m3, e4m3, 32);
  testMultiply(e4m3, e5m2, 32);
}

} // namespace dsrt::test
