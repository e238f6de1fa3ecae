//===- FaultTests.cpp - Kernels that must be stopped ----------------------===//
//
// Prints what is said of each. After a fault the context is lost, so each case
// begins with a new one.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <fmt/format.h>
#include <random>

namespace dsrt::test {

static std::string file;

/// Launches a kernel of faults.ptx that gets 64 bytes, the first 'written' of
/// which have values, and a number; prints the result and what the simulator
/// says.
static void run(const std::string &label, const std::string &kernel, uint32_t n,
                unsigned threads = 1, size_t written = 64) {
  CUresult result = CUDA_SUCCESS, later = CUDA_SUCCESS;
  {
    PtxModule module(file);
    Buffer data(64);
    driver().cuMemsetD8_v2(data.address, 1, written);
    result = launch(module.function(kernel), 1, threads, {&data.address, &n});
    later = driver().cuCtxSynchronize();
  }
  driver().cuDevicePrimaryCtxReset_v2(0);
  fmt::print("{}: {}{}{}\n", label, nameOf(result),
             later == result ? "" : ", which did not last",
             result == CUDA_SUCCESS
                 ? ""
                 : fmt::format(": {}", driver().dsrtSimulatorError()));
}

static void useAfterFree() {
  uint32_t n = 0;
  CUdeviceptr freed = 0;
  CUresult result = CUDA_SUCCESS;
  {
    PtxModule module(file);
    driver().cuMemAlloc_v2(&freed, 64);
    driver().cuMemFree_v2(freed);
    result = launch(module.function("global_read"), 1, 1, {&freed, &n});
  }
  driver().cuDevicePrimaryCtxReset_v2(0);
  fmt::print("use after free: {}: {}\n", nameOf(result),
             driver().dsrtSimulatorError());
}

/// What is said to a text that is not accepted.
static void refuse(const std::string &label, const std::string &body) {
  std::string text =
      ".version 8.0\n.target sm_90a\n.address_size 64\n"
      ".visible .entry k(.param .u64 p) {\n"
      ".reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n.reg .pred %p<2>;\n" +
      body + "\nret;\n}\n";
  std::string log(1024, 0);
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  CUmodule module = nullptr;
  CUresult result =
      driver().cuModuleLoadDataEx(&module, text.c_str(), 2, options, values);
  fmt::print("{}: {}: {}\n", label, nameOf(result), log.c_str());
}

static void testTexts() {
  refuse("opcode", "fancy.b32 %r1, %r2;");
  refuse("modifier", "add.cc.s32 %r1, %r2, %r3;");
  refuse("type", "mul.lo.b64x2 %rd1, %rd2, %rd3;");
  refuse("rounding", "cvt.f16.f32 %r1, %r2;");
  refuse("width", "add.s32 %r1, %r2, %rd3;");
  refuse("register", "mov.b32 %r1, %r9;");
  refuse("special register", "mov.u32 %r1, %clock;");
  refuse("tcgen05", "tcgen05.wait::ld.sync.aligned;");
  refuse("copy of a form",
         "cp.async.bulk.tensor.2d.global.shared::cta.im2col_no_offs.bulk_group "
         "[%rd1, {%r1, %r2}], [%r3];");
  refuse("copy in a direction", "cp.async.bulk.shared::cta.global.bulk_group "
                                "[%r1], [%rd1], %r2;");
  refuse("coordinates", "cp.async.bulk.tensor.3d.global.shared::cta.bulk_group "
                        "[%rd1, {%r1, %r2}], [%r3];");
  refuse("depth", "wgmma.mma_async.sync.aligned.m64n8k16.f32.e4m3.e4m3 "
                  "{%r1, %r2, %r3, %r1}, %rd1, %rd2, %p1, 1, 1;");
  refuse("columns", "wgmma.mma_async.sync.aligned.m64n12k32.f32.e4m3.e4m3 "
                    "{%r1, %r2, %r3, %r1}, %rd1, %rd2, %p1, 1, 1;");
  refuse("flag", "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 "
                 "{%r0, %r1, %r2, %r3}, %rd1, %rd2, %p1, 1, 2;");
  refuse("registers", "setmaxnreg.inc.sync.aligned.u32 100;");
  refuse("label", "bra nowhere;");
  refuse("count", "add.s32 %r1, %r2;");
  refuse("count", "add.s32 %r1, %r2, %r3, %r1;");
  refuse("predicate", "@%r1 add.s32 %r1, %r2, %r3;");
  refuse("address", "ld.global.u32 %r1, %rd1;");
  refuse("semicolon", "add.s32 %r1, %r2, %r3\nadd.s32 %r1, %r2, %r3;");
  refuse("number", "mov.b32 %r1, 0x1ffffffffffffffff;");
  refuse("constant", "mul.f32 %r1, %r2, 3;");
  refuse("function", "call.uni somewhere;");
  refuse("twice", ".reg .b32 %r<4>;\n.reg .b32 %r<4>;");
  refuse("brace", "{");
  refuse("character", "`");
}

/// Truncated and changed texts are accepted or refused, but do no harm.
static void testDamage(const std::string &text) {
  std::mt19937 random(1);
  unsigned refused = 0, tried = 0;
  auto load = [&](const std::string &damaged) {
    CUmodule module = nullptr;
    CUresult result = driver().cuModuleLoadDataEx(&module, damaged.c_str(), 0,
                                                  nullptr, nullptr);
    ++tried;
    if (result == CUDA_SUCCESS)
      driver().cuModuleUnload(module);
    else
      refused += result == CUDA_ERROR_INVALID_PTX;
  };
  for (size_t length = 0; length < text.size(); length += 7)
    load(text.substr(0, length));
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = text;
    for (int k = 0; k < 3; ++k)
      damaged[random() % text.size()] = static_cast<char>(32 + random() % 95);
    load(damaged);
  }
  fmt::print("most damaged texts are refused: {}\n", 2 * refused > tried);
}

void testFaults(const std::string &folder) {
  file = readFile(folder + "/faults.ptx");
  run("read behind the end", "global_read", 64);
  run("one thread of many", "global_read", 0, 17);
  run("read far away", "global_read", 0x40000000);
  run("misaligned read", "global_read", 2);
  run("uninitialised read", "global_read", 32, 1, 32);
  run("read within bounds", "global_read", 60);
  run("write behind the end", "global_write", 64);
  run("write over the end", "global_write", 60);
  run("misaligned vector", "global_write", 4);
  useAfterFree();
  run("shared read behind the end", "shared_read", 128);
  run("uninitialised shared read", "shared_read", 4);
  run("shared read before the begin", "shared_read", 0xfffffffc);
  run("local write behind the end", "local_write", 16);
  run("parameter read behind the end", "parameter_read", 12);
  run("write to a constant", "constant_write", 0);
  run("trap", "stops", 33, 64);
  run("no trap", "stops", 64, 64);
  run("polling", "polls", 0);
  file = readFile(folder + "/barrier_faults.ptx");
  run("divergent barrier", "divergent", 0, 64);
  run("a barrier that one warp misses", "missing", 2, 96);
  run("a barrier that all come to", "missing", 3, 96);
  run("crossed barriers", "crossed", 0, 64);
  run("count that is no multiple of a warp", "count", 48, 64);
  run("each warp at a barrier of its own", "count", 32, 64);
  run("counts that differ", "counts", 0, 64);
  run("diverged shuffle", "shuffle", 20, 32);
  run("shuffle of all", "shuffle", 32, 32);
  run("shuffle from a lane that left", "absent", 0, 32);
  run("wait without arrive", "cluster_wait", 0, 32);
  file = readFile(folder + "/async_faults.ptx");
  run("copy that is not waited for", "early", 1);
  run("copy that is waited for", "early", 0);
  run("copy from behind the end", "outside", 64);
  run("copy from a misaligned address", "outside", 8);
  run("too few arrivals", "arrivals", 1, 64);
  run("arrivals as expected", "arrivals", 2, 64);
  run("too many arrivals", "arrivals", 5, 64);
  run("too many bytes expected", "bytes", 32);
  run("bytes as expected", "bytes", 16);
  run("mbarrier without init", "uninitialized", 0);
  run("misaligned row of a matrix", "row", 8, 32);
  file = readFile(folder + "/tma_faults.ptx");
  run("bulk copy that is not waited for", "load", 0);
  run("bulk copy that is waited for", "load", 1);
  run("write below a bulk copy", "load", 2);
  run("two bulk copies to the same bytes", "load", 3);
  run("end before a bulk copy has come", "load", 4);
  run("bulk copy over a write without a fence", "load", 5);
  run("mbarrier without a fence", "barrier", 0);
  run("bulk copy of 24 bytes", "barrier", 24);
  run("bulk copy to a misaligned address", "barrier", 8 * 256 + 64);
  run("store without a proxy fence", "store", 0, 16);
  run("store that is waited for", "store", 1, 16);
  run("write below a store", "store", 2, 16);
  run("read behind a store", "store", 3, 16);
  run("end before a store has read", "store", 4, 16);
  run("copy without a map", "map", 0);
  run("product", "product", 0, 128);
  run("product without a proxy fence", "product", 1, 128);
  run("product without wgmma.fence", "product", 2, 128);
  run("product of a register just used", "product", 4, 128);
  run("product that is not waited for", "product", 8, 128);
  run("write below a product", "product", 16, 128);
  run("warps with different products", "product", 32, 128);
  run("matrix in the middle of a pattern", "product", 64, 128);
  run("end before a product", "product", 128, 128);
  run("product of three warps of four", "product", 256, 128);
  run("product into some registers of another", "product", 512, 128);
  run("product of three warps", "product", 0, 96);
  testTexts();
  testDamage(readFile(folder + "/faults.ptx"));
  testDamage(readFile(folder + "/functions.ptx"));
  testDamage(readFile(folder + "/memory.ptx"));
}

} // namespace dsrt::test
