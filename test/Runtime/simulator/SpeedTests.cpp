//===- SpeedTests.cpp - How fast the simulator is -------------------------===//
//
// Kernels whose inner loops are those that the compiler emits. Figures are per
// second of processor time, so neither other programs nor threads change them.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <ctime>
#include <fmt/format.h>

namespace dsrt::test {

/// A kernel that runs 'body' 'n' times for CTAs of its own rows of W.
static std::string kernel(const std::string &name, const std::string &begin,
                          const std::string &body, const std::string &end) {
  return ".visible .entry " + name +
         "(.param .u64 w, .param .u64 y, "
         ".param .u32 n) {\n"
         ".reg .pred %p<4>; .reg .b16 %h<8>; .reg .b32 %r<64>; "
         ".reg .f32 %f<64>; .reg .b64 %rd<8>;\n"
         "ld.param.u64 %rd1, [w]; ld.param.u64 %rd2, [y]; "
         "ld.param.u32 %r1, [n];\n"
         "mov.u32 %r2, %tid.x; mov.u32 %r3, 0; mov.b32 %f1, 0f00000000;\n" +
         begin + "loop:\n" + body +
         "add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, %r1;\n"
         "@%p1 bra loop;\n" +
         end + "ret;\n}\n";
}

/// 16 weights of FP8 from global memory by activations from shared memory.
static std::string matrixVector() {
  std::string body = "ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%rd1];\n"
                     "add.u64 %rd1, %rd1, 512;\n";
  for (unsigned k = 0; k < 4; ++k) {
    body += fmt::format("mov.b32 {{%h1, %h2}}, %r{};\n", 10 + k);
    body += fmt::format("ld.shared.v4.f32 {{%f10, %f11, %f12, %f13}}, "
                        "[%r4+{}];\n",
                        512 * k);
    for (unsigned half = 0; half < 2; ++half) {
      body += fmt::format("cvt.rn.f16x2.e4m3x2 %r20, %h{};\n", 1 + half);
      body += "mov.b32 {%h3, %h4}, %r20;\n"
              "cvt.f32.f16 %f20, %h3;\ncvt.f32.f16 %f21, %h4;\n";
      body += fmt::format("fma.rn.f32 %f1, %f20, %f{}, %f1;\n", 10 + 2 * half);
      body += fmt::format("fma.rn.f32 %f1, %f21, %f{}, %f1;\n", 11 + 2 * half);
    }
  }
  std::string begin = "shl.b32 %r4, %r2, 4; and.b32 %r4, %r4, 511;\n"
                      "mov.u32 %r5, tile; add.u32 %r4, %r4, %r5;\n"
                      "setp.lt.u32 %p2, %r2, 32;\n";
  for (unsigned k = 0; k < 4; ++k)
    begin += fmt::format(
        "@%p2 st.shared.v4.f32 [%r4+{}], {{%f1, %f1, %f1, %f1}};\n", 512 * k);
  begin += "bar.sync 0;\nshl.b32 %r6, %r2, 4; cvt.u64.u32 %rd3, %r6;\n"
           "add.u64 %rd1, %rd1, %rd3;\n";
  return kernel("matrix_vector", begin, body,
                "mul.wide.u32 %rd4, %r2, 4; add.u64 %rd2, %rd2, %rd4;\n"
                "st.global.f32 [%rd2], %f1;\n");
}

/// Fragments by ldmatrix and their products.
static std::string products() {
  std::string begin = "shl.b32 %r4, %r2, 4;\nmov.u32 %r5, tile;\n"
                      "add.u32 %r4, %r4, %r5; mov.b32 %r6, 0x38383838;\n";
  for (unsigned k = 0; k < 8; ++k)
    begin += fmt::format("st.shared.v4.b32 [%r4+{}], {{%r6, %r6, %r6, %r6}};\n"
                         "mov.b32 %f{}, 0f00000000;\n",
                         2048 * k, 10 + k);
  begin += "bar.sync 0;\n";
  std::string body =
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, "
      "[%r4];\n"
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r14, %r15, %r16, %r17}, "
      "[%r4+2048];\n";
  for (unsigned k = 0; k < 2; ++k)
    body += fmt::format(
        "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
        "{{%f{0}, %f{1}, %f{2}, %f{3}}}, {{%r10, %r11, %r12, %r13}}, "
        "{{%r{4}, %r{5}}}, {{%f{0}, %f{1}, %f{2}, %f{3}}};\n",
        10 + 4 * k, 11 + 4 * k, 12 + 4 * k, 13 + 4 * k, 14 + 2 * k, 15 + 2 * k);
  return kernel("products", begin, body,
                "mul.wide.u32 %rd4, %r2, 4; add.u64 %rd2, %rd2, %rd4;\n"
                "st.global.f32 [%rd2], %f10;\n");
}

/// Sums over a block: shuffles, a word of each warp, a barrier.
static std::string reduction() {
  std::string body = "mov.b32 %f2, 0f3F800000;\n";
  for (unsigned by : {16, 8, 4, 2, 1})
    body += fmt::format("shfl.sync.bfly.b32 %f3, %f2, {}, 31, -1;\n"
                        "add.f32 %f2, %f2, %f3;\n",
                        by);
  body += "and.b32 %r5, %r2, 31; setp.eq.u32 %p2, %r5, 0;\n"
          "shr.u32 %r6, %r2, 3; mov.u32 %r7, tile; add.u32 %r6, %r6, %r7;\n"
          "@%p2 st.shared.f32 [%r6], %f2;\nbar.sync 0;\n"
          "ld.shared.v4.f32 {%f4, %f5, %f6, %f7}, [tile];\n"
          "add.f32 %f4, %f4, %f5; add.f32 %f6, %f6, %f7;\n"
          "add.f32 %f4, %f4, %f6; add.f32 %f1, %f1, %f4;\nbar.sync 0;\n";
  return kernel("reduction", "", body,
                "mul.wide.u32 %rd4, %r2, 4; add.u64 %rd2, %rd2, %rd4;\n"
                "st.global.f32 [%rd2], %f1;\n");
}

void testSpeed() {
  PtxModule module(".version 8.4\n.target sm_90a\n.address_size 64\n"
                   ".shared .align 128 .b8 tile[16384];\n" +
                   matrixVector() + products() + reduction());
  struct Case {
    const char *name;
    uint32_t count;
    unsigned perLoop; // instructions
  } cases[] = {{"matrix_vector", 1000, 5 + 4 * 14},
               {"products", 1000, 7},
               {"reduction", 2500, 26}};
  Buffer weights(std::vector<uint8_t>(512 * 1004, 0x38));
  for (const Case &speed : cases) {
    Buffer results(128 * 4);
    uint32_t count = speed.count;
    std::clock_t begin = std::clock();
    expectSuccess(launch(module.function(speed.name), 8, 128,
                         {&weights.address, &results.address, &count}),
                  speed.name);
    double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;
    double lanes = 8.0 * 128 * speed.count * speed.perLoop;
    fmt::print("{}: {:.0f} million lane instructions per second of a core\n",
               speed.name, lanes / seconds / 1e6);
  }
}

} // namespace dsrt::test
