//===- WarpgroupTests.cpp - Products of warpgroups ------------------------===//
//
// D = A * B + D in every type, several widths and all layouts of shared memory.
// The values are such that all sums are exact, so that any order of adding
// gives the same bits. Where they lie in shared memory is computed here from
// the documentation's pictures of the layouts.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <random>

namespace dsrt::test {

namespace {
struct ElementType {
  const char *name;
  unsigned bytes;
  unsigned exponentBits;
  unsigned mantissaBits;
  unsigned shift; // unused bits below
};

/// How a matrix of rows of 'depth' elements lies in shared memory.
struct Layout {
  unsigned swizzle; // 0, 32, 64, 128
  bool transposed;
};

struct Case {
  ElementType left, right;
  unsigned columns;
  unsigned steps; // instructions, each of 32 bytes of depth
  Layout leftLayout, rightLayout;
  bool leftInRegisters;
  int leftSign, rightSign;
  bool accumulates; // also at the first step
};
} // namespace

/// A code with one explicit bit of the mantissa at most: a sum of products is
/// exact.
static uint32_t makeCode(const ElementType &type, std::mt19937 &random) {
  uint32_t bias = (1u << (type.exponentBits - 1)) - 1;
  uint32_t field = bias - 1 + random() % 3;
  uint32_t code = (random() & 1) << (type.mantissaBits + type.exponentBits) |
                  field << type.mantissaBits |
                  (random() & 1) << (type.mantissaBits - 1);
  return code << type.shift;
}

static double decode(const ElementType &type, uint32_t code) {
  code >>= type.shift;
  uint32_t mantissa = code & ((1u << type.mantissaBits) - 1);
  uint32_t field = code >> type.mantissaBits & ((1u << type.exponentBits) - 1);
  int bias = (1 << (type.exponentBits - 1)) - 1;
  double value = std::ldexp(1 + std::ldexp(mantissa, -int(type.mantissaBits)),
                            int(field) - bias);
  return code >> (type.mantissaBits + type.exponentBits) & 1 ? -value : value;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// Bytes between groups of 8 rows, or of 8 k, and between the blocks or groups
/// of blocks beside each other.
struct Strides {
  unsigned group, beside;
};

/// In all layouts, units of 8 lines follow each other: lines of 'swizzle' bytes
/// (16 without), of a row each or of a k each. The whole matrix is made of
/// columns of units.
static Strides stridesOf(const Layout &layout, unsigned lines) {
  unsigned lineBytes = layout.swizzle ? layout.swizzle : 16;
  // A gap after each column shows if the two strides are exchanged.
  unsigned gap = layout.swizzle ? 1024 : 256;
  return {8 * lineBytes, lines * lineBytes + gap};
}

/// The byte of an element. Lines are rows, or k's if transposed; what lies
/// along a line is the other.
static unsigned placeOf(const Layout &layout, unsigned bytes, unsigned rows,
                        unsigned depth, unsigned row, unsigned k) {
  unsigned line = layout.transposed ? k : row;
  unsigned along = (layout.transposed ? row : k) * bytes;
  unsigned lineBytes = layout.swizzle ? layout.swizzle : 16;
  Strides strides = stridesOf(layout, layout.transposed ? depth : rows);
  unsigned block = along % lineBytes / 16;
  block ^= line % 8 * lineBytes / 128; // the row of 128 bytes; 0 without
  return line / 8 * strides.group + line % 8 * lineBytes +
         along / lineBytes * strides.beside + block * 16 + along % 16;
}

static unsigned sizeOfMatrix(const Layout &layout, unsigned bytes,
                             unsigned rows, unsigned depth) {
  unsigned lineBytes = layout.swizzle ? layout.swizzle : 16;
  unsigned along = (layout.transposed ? rows : depth) * bytes;
  Strides strides = stridesOf(layout, layout.transposed ? depth : rows);
  return (along + lineBytes - 1) / lineBytes * strides.beside;
}

/// The descriptor of the matrix, but for its address.
static uint64_t descriptorOf(const Layout &layout, unsigned rows,
                             unsigned depth) {
  Strides strides = stridesOf(layout, layout.transposed ? depth : rows);
  uint64_t leading = strides.beside, stride = strides.group;
  if (layout.transposed && layout.swizzle == 0)
    std::swap(leading, stride);
  uint64_t mode = layout.swizzle == 128  ? 1
                  : layout.swizzle == 64 ? 2
                  : layout.swizzle == 32 ? 3
                                         : 0;
  return leading / 16 << 16 | stride / 16 << 32 | mode << 62;
}

/// What is added to the address at each step.
static unsigned offsetOfStep(const Layout &layout, unsigned bytes,
                             unsigned rows, unsigned depth, unsigned step) {
  unsigned k = step * 32 / bytes;
  Strides strides = stridesOf(layout, layout.transposed ? depth : rows);
  if (layout.transposed)
    return k / 8 * strides.group;
  unsigned lineBytes = layout.swizzle ? layout.swizzle : 16;
  return step * 32 % lineBytes + step * 32 / lineBytes * strides.beside;
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static std::string numbered(const char *prefix, unsigned count) {
  std::string list;
  for (unsigned k = 0; k < count; ++k)
    list += fmt::format("{}{}{}", k ? ", " : "", prefix, k);
  return "{" + list + "}";
}

static std::string opcodeOf(const Case &c) {
  return fmt::format("wgmma.mma_async.sync.aligned.m64n{}k{}.f32.{}.{}",
                     c.columns, 32 / c.left.bytes, c.left.name, c.right.name);
}

/// Copies 'image' into shared memory, fills D with the thread's number, adds
/// the products, and writes D.
static std::string productKernel(const Case &c, unsigned imageBytes,
                                 unsigned rightOffset, unsigned depth) {
  unsigned results = c.columns / 2;
  std::string text = fmt::format(
      ".version 8.0\n.target sm_90a\n.address_size 64\n"
      ".shared .align 1024 .b8 tile[{}];\n"
      ".visible .entry product(.param .u64 in, .param .u64 fragments, "
      ".param .u64 out) {{\n"
      ".reg .pred %p<3>;\n.reg .b32 %r<8>;\n.reg .b32 %a<{}>;\n"
      ".reg .f32 %d<{}>;\n.reg .b64 %rd<12>;\n"
      "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [fragments];\n"
      "ld.param.u64 %rd3, [out];\n"
      "mov.u32 %r1, %tid.x;\nshl.b32 %r2, %r1, 2;\nmov.u32 %r3, tile;\n"
      "add.u32 %r4, %r3, %r2;\ncvt.u64.u32 %rd4, %r2;\n"
      "add.u64 %rd5, %rd1, %rd4;\nadd.u64 %rd2, %rd2, %rd4;\n"
      "add.u64 %rd3, %rd3, %rd4;\nmov.u32 %r5, %r2;\n"
      "next: ld.global.u32 %r6, [%rd5]; st.shared.u32 [%r4], %r6;\n"
      "add.u64 %rd5, %rd5, 512;\nadd.u32 %r4, %r4, 512;\n"
      "add.u32 %r5, %r5, 512;\nsetp.lt.u32 %p1, %r5, {};\n@%p1 bra next;\n"
      "cvt.rn.f32.u32 %d0, %r1;\n",
      imageBytes, 4 * c.steps, results, imageBytes);
  for (unsigned k = 1; k < results; ++k)
    text += fmt::format("add.f32 %d{0}, %d{1}, 0f3F800000;\n", k, k - 1);
  for (unsigned k = 0; c.leftInRegisters && k < 4 * c.steps; ++k)
    text += fmt::format("ld.global.b32 %a{}, [%rd2+{}];\n", k, 512 * k);
  text += fmt::format("fence.proxy.async.shared::cta;\nbar.sync 0;\n"
                      "cvt.u64.u32 %rd6, %r3;\nshr.u64 %rd6, %rd6, 4;\n"
                      "or.b64 %rd7, %rd6, {};\nadd.u64 %rd8, %rd6, {};\n"
                      "or.b64 %rd8, %rd8, {};\n"
                      "setp.eq.u32 %p2, {}, 1;\nwgmma.fence.sync.aligned;\n",
                      descriptorOf(c.leftLayout, 64, depth), rightOffset / 16,
                      descriptorOf(c.rightLayout, c.columns, depth),
                      c.accumulates ? 1 : 0);
  bool half = c.left.bytes == 2;
  for (unsigned s = 0; s < c.steps; ++s) {
    text += fmt::format(
        "add.u64 %rd9, %rd7, {};\nadd.u64 %rd10, %rd8, {};\n",
        offsetOfStep(c.leftLayout, c.left.bytes, 64, depth, s) / 16,
        offsetOfStep(c.rightLayout, c.right.bytes, c.columns, depth, s) / 16);
    if (s == 1)
      text += "setp.eq.u32 %p2, 1, 1;\n";
    std::string left = "%rd9";
    if (c.leftInRegisters)
      left = fmt::format("{{%a{}, %a{}, %a{}, %a{}}}", 4 * s, 4 * s + 1,
                         4 * s + 2, 4 * s + 3);
    text += fmt::format("{} {}, {}, %rd10, %p2, {}, {}", opcodeOf(c),
                        numbered("%d", results), left, c.leftSign, c.rightSign);
    if (half && !c.leftInRegisters)
      text += fmt::format(", {}", int(c.leftLayout.transposed));
    if (half)
      text += fmt::format(", {}", int(c.rightLayout.transposed));
    text += ";\n";
  }
  text += "wgmma.commit_group.sync.aligned;\n"
          "wgmma.wait_group.sync.aligned 0;\n";
  for (unsigned k = 0; k < results; ++k)
    text += fmt::format("st.global.f32 [%rd3+{}], %d{};\n", 512 * k, k);
  return text + "ret;\n}\n";
}

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

static void testProduct(const Case &c) {
  unsigned depth = c.steps * 32 / c.left.bytes;
  std::mt19937 random(c.columns + c.steps);
  unsigned rightOffset =
      c.leftInRegisters
          ? 0
          : (sizeOfMatrix(c.leftLayout, c.left.bytes, 64, depth) + 1023) /
                1024 * 1024;
  unsigned imageBytes = rightOffset + sizeOfMatrix(c.rightLayout, c.right.bytes,
                                                   c.columns, depth);
  imageBytes = (imageBytes + 511) / 512 * 512;
  std::vector<uint8_t> image(imageBytes, 0x7f); // gaps would give NaNs
  std::vector<uint32_t> fragments(c.steps * 4 * 128);
  std::vector<double> a(64 * depth), b(c.columns * depth);
  for (unsigned row = 0; row < 64; ++row) {
    for (unsigned k = 0; k < depth; ++k) {
      uint32_t code = makeCode(c.left, random);
      a[row * depth + k] = decode(c.left, code) * c.leftSign;
      if (!c.leftInRegisters) {
        std::memcpy(
            &image[placeOf(c.leftLayout, c.left.bytes, 64, depth, row, k)],
            &code, c.left.bytes);
        continue;
      }
      // The fragment of mma: 4 lanes have a row's 16 bytes.
      unsigned byte = k * c.left.bytes, step = byte / 32;
      unsigned thread = row / 16 * 32 + row % 8 * 4 + byte % 16 / 4;
      unsigned reg = step * 4 + row % 16 / 8 + byte % 32 / 16 * 2;
      fragments[reg * 128 + thread] |= code << (8 * (byte % 4));
    }
  }
  for (unsigned column = 0; column < c.columns; ++column) {
    for (unsigned k = 0; k < depth; ++k) {
      uint32_t code = makeCode(c.right, random);
      b[column * depth + k] = decode(c.right, code) * c.rightSign;
      std::memcpy(&image[rightOffset + placeOf(c.rightLayout, c.right.bytes,
                                               c.columns, depth, column, k)],
                  &code, c.right.bytes);
    }
  }
  PtxModule module(productKernel(c, imageBytes, rightOffset, depth));
  Buffer in(image), registers(fragments), out(c.columns / 2 * 512);
  std::string label = fmt::format(
      "{}, {} {}, {} {}{}", opcodeOf(c),
      c.leftInRegisters ? "registers" : std::to_string(c.leftLayout.swizzle),
      c.leftLayout.transposed, c.rightLayout.swizzle, c.rightLayout.transposed,
      c.accumulates ? ", added" : "");
  expectSuccess(launch(module.function("product"), 1, 128,
                       {&in.address, &registers.address, &out.address}),
                label);
  std::vector<float> got = out.read<float>();
  for (unsigned row = 0; row < 64; ++row) {
    for (unsigned column = 0; column < c.columns; ++column) {
      unsigned thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
      unsigned reg = column / 8 * 4 + row % 16 / 8 * 2 + column % 2;
      double sum = c.accumulates ? thread + reg : 0;
      for (unsigned k = 0; k < depth; ++k)
        sum += a[row * depth + k] * b[column * depth + k];
      float value = got[reg * 128 + thread];
      if (value != static_cast<float>(sum))
        return report(label, false,
                      fmt::format("expected {} in row {}, column {}, got {}",
                                  sum, row, column, value));
    }
  }
  report(label, true, "");
}

void testWarpgroups() {
  constexpr ElementType f16 = {"f16", 2, 5, 10, 0}, bf16 = {"bf16", 2, 8, 7, 0},
                        tf32 = {"tf32", 4, 8, 10, 13},
                        e4m3 = {"e4m3", 1, 4, 3, 0},
                        e5m2 = {"e5m2", 1, 5, 2, 0};
  constexpr Layout none = {0, false}, k32 = {32, false}, k64 = {64, false},
                   k128 = {128, false};
  // Every swizzle, of each matrix.
  testProduct({e4m3, e4m3, 128, 4, k128, k128, false, 1, 1, false});
  testProduct({e4m3, e5m2, 8, 2, k64, k32, false, 1, 1, true});
  testProduct({e5m2, e4m3, 24, 4, k32, k64, false, -1, 1, true});
  testProduct({e5m2, e5m2, 64, 3, none, none, false, 1, -1, false});
  testProduct({bf16, bf16, 256, 4, k128, k128, false, 1, 1, true});
  testProduct({f16, f16, 96, 2, k64, k128, false, -1, -1, true});
  testProduct({tf32, tf32, 40, 4, k128, k64, false, 1, 1, true});
  testProduct({tf32, tf32, 16, 1, none, k32, false, 1, 1, false});
  // The left matrix in registers.
  testProduct({e4m3, e4m3, 256, 4, none, k128, true, 1, 1, true});
  testProduct({bf16, bf16, 64, 4, none, k128, true, 1, 1, false});
  testProduct({f16, f16, 8, 1, none, none, true, -1, 1, true});
  testProduct({tf32, tf32, 32, 2, none, k64, true, 1, 1, true});
  // Transposed.
  for (unsigned swizzle : {0u, 32u, 64u, 128u}) {
    testProduct({bf16, bf16, 128, 3, k128, {swizzle, true}, false, 1, 1, true});
    testProduct({f16, f16, 64, 2, {swizzle, true}, k64, false, 1, 1, false});
    testProduct({bf16, bf16, 192, 4, none, {swizzle, true}, true, 1, 1, true});
  }
}

} // namespace dsrt::test
