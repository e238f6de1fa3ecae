//===- TensorTests.cpp - Tensor maps and copies of boxes ------------------===//
//
// Boxes of tensors of 1 to 5 dimensions, in all swizzles, partly out of bounds,
// and the kernels of tma.ptx. Where an element must lie is computed here from
// the documentation's pictures: rows of 128 bytes in which blocks of 16 change
// places.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <functional>

namespace dsrt::test {

namespace {
struct Tensor {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_UINT8;
  unsigned elementBytes = 1;
  std::vector<uint64_t> sizes;
  std::vector<uint64_t> strides; // bytes, from the second dimension on
  std::vector<uint32_t> box;
  std::vector<uint32_t> steps;
  unsigned swizzle = 0; // 0 to 3

  size_t bytes() const {
    return sizes.size() == 1 ? sizes[0] * elementBytes
                             : strides.back() * sizes.back();
  }
  unsigned boxElements(size_t k) const {
    return k == 0 ? box[0] : (box[k] + steps[k] - 1) / steps[k];
  }
  unsigned rowBytes() const { return box[0] * elementBytes; }
  unsigned boxBytes() const {
    unsigned bytes = rowBytes();
    for (size_t k = 1; k < box.size(); ++k)
      bytes *= boxElements(k);
    return bytes;
  }
};
} // namespace

/// Strides without gaps but 16 bytes after each row.
static Tensor makeTensor(unsigned elementBytes, std::vector<uint64_t> sizes,
                         std::vector<uint32_t> box, unsigned swizzle) {
  constexpr CUtensorMapDataType types[] = {
      CU_TENSOR_MAP_DATA_TYPE_UINT8, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
      CU_TENSOR_MAP_DATA_TYPE_FLOAT32, CU_TENSOR_MAP_DATA_TYPE_INT64};
  Tensor tensor;
  tensor.elementBytes = elementBytes;
  tensor.type = types[elementBytes == 8 ? 3 : elementBytes / 2];
  uint64_t stride = (sizes[0] * elementBytes + 15) / 16 * 16 + 16;
  for (size_t k = 1; k < sizes.size(); ++k) {
    tensor.strides.push_back(stride);
    stride *= sizes[k];
  }
  tensor.steps.assign(sizes.size(), 1);
  tensor.sizes = std::move(sizes);
  tensor.box = std::move(box);
  tensor.swizzle = swizzle;
  return tensor;
}

static CUresult encode(CUtensorMap &map, const Tensor &tensor,
                       CUdeviceptr address) {
  return driver().cuTensorMapEncodeTiled(
      &map, tensor.type, static_cast<uint32_t>(tensor.sizes.size()),
      reinterpret_cast<void *>(address), tensor.sizes.data(),
      tensor.strides.data(), tensor.box.data(), tensor.steps.data(),
      CU_TENSOR_MAP_INTERLEAVE_NONE,
      static_cast<CUtensorMapSwizzle>(tensor.swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

static void refuse(const std::string &label,
                   const std::function<void(Tensor &)> &change,
                   CUdeviceptr address = 0x10000) {
  Tensor tensor = makeTensor(2, {64, 8, 4}, {32, 4, 2}, 2);
  change(tensor);
  CUtensorMap map;
  CUresult result = encode(map, tensor, address);
  report("map with " + label, result == CUDA_ERROR_INVALID_VALUE,
         nameOf(result));
}

static void testMaps() {
  CUtensorMap map;
  Tensor good = makeTensor(2, {64, 8, 4}, {32, 4, 2}, 2);
  report("a map", encode(map, good, 0x10000) == CUDA_SUCCESS, "refused");
  refuse(
      "an address of 8 bytes", [](Tensor &) {}, 0x10008);
  refuse("no dimension", [](Tensor &t) { t.sizes.clear(); });
  refuse("six dimensions", [](Tensor &t) { t.sizes.resize(6, 1); });
  refuse("an empty dimension", [](Tensor &t) { t.sizes[1] = 0; });
  refuse("a large dimension", [](Tensor &t) { t.sizes[0] = 0x100000001; });
  refuse("a stride of 8 bytes", [](Tensor &t) { t.strides[0] += 8; });
  refuse("a large stride", [](Tensor &t) { t.strides[1] = 1ll << 40; });
  refuse("an empty box", [](Tensor &t) { t.box[1] = 0; });
  refuse("a large box", [](Tensor &t) { t.box[1] = 257; });
  refuse("rows of 8 bytes", [](Tensor &t) { t.box[0] = 4; });
  refuse("rows longer than the swizzle", [](Tensor &t) { t.box[0] = 40; });
  refuse("no step", [](Tensor &t) { t.steps[1] = 0; });
  refuse("a large step", [](Tensor &t) { t.steps[2] = 9; });
  refuse("no such type",
         [](Tensor &t) { t.type = static_cast<CUtensorMapDataType>(14); });
}

//===----------------------------------------------------------------------===//
// Boxes
//===----------------------------------------------------------------------===//

/// Where byte 'offset' of a box lies after the swizzle of its blocks.
static unsigned swizzled(unsigned offset, unsigned swizzle) {
  unsigned row = offset / 128, block = offset % 128 / 16;
  unsigned blocksOfSpan = 1u << swizzle; // 1, 2, 4, 8
  block ^= row % blocksOfSpan;
  return row * 128 + block * 16 + offset % 16;
}

/// Calls 'body' with the bytes of each element of a box in shared memory, and
/// of the tensor if it is inside.
static void forElements(const Tensor &tensor, const std::vector<int> &at,
                        const std::function<void(unsigned, int64_t)> &body) {
  for (unsigned e = 0; e < tensor.boxBytes() / tensor.elementBytes; ++e) {
    unsigned rest = e;
    int64_t offset = 0;
    bool inside = true;
    for (size_t k = 0; k < tensor.sizes.size(); ++k) {
      unsigned index = rest % tensor.boxElements(k);
      rest /= tensor.boxElements(k);
      int64_t x = at[k] + static_cast<int64_t>(index * tensor.steps[k]);
      inside &= x >= 0 && x < static_cast<int64_t>(tensor.sizes[k]);
      offset += x * static_cast<int64_t>(k ? tensor.strides[k - 1]
                                           : tensor.elementBytes);
    }
    body(swizzled(e * tensor.elementBytes, tensor.swizzle),
         inside ? offset : -1);
  }
}

/// A kernel that moves a box at the coordinates between a tensor and shared
/// memory, and all of shared memory to or from 'raw'.
static std::string boxKernel(const Tensor &tensor, bool loads,
                             const std::string &to) {
  size_t rank = tensor.sizes.size();
  std::string text =
      ".version 8.6\n.target sm_90a\n.address_size 64\n"
      ".shared .align 1024 .b8 tile[32768];\n.shared .align 8 .b64 full;\n"
      ".visible .entry box(.param .align 64 .b8 map[128], .param .u64 raw, "
      ".param .align 4 .b8 at[20]) {\n"
      ".reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .b32 %c<5>;\n"
      ".reg .b64 %rd<8>;\n"
      "mov.b64 %rd1, map;\ncvta.param.u64 %rd1, %rd1;\n"
      "ld.param.u64 %rd2, [raw];\n"
      "mov.u32 %r1, %tid.x;\nsetp.ne.u32 %p1, %r1, 0;\nmov.u32 %r2, tile;\n";
  std::string coordinates;
  for (size_t k = 0; k < rank; ++k) {
    text += fmt::format("ld.param.u32 %c{}, [at+{}];\n", k, 4 * k);
    coordinates += fmt::format("{}%c{}", k ? ", " : "", k);
  }
  std::string copy =
      fmt::format("prefetch.tensormap [%rd1];\n"
                  "cp.async.bulk.prefetch.tensor.{}d.L2.global.tile [%rd1, "
                  "{{{}}}];\n",
                  rank, coordinates);
  if (loads)
    copy += fmt::format(
        "mbarrier.init.shared.b64 [full], 1;\nfence.proxy.async;\n"
        "mbarrier.arrive.expect_tx.shared.b64 %rd4, [full], {};\n"
        "cp.async.bulk.tensor.{}d.{}.global.tile"
        ".mbarrier::complete_tx::bytes [%r2], [%rd1, {{{}}}], [full];\n"
        "wait: mbarrier.try_wait.parity.shared.b64 %p2, [full], 0;\n"
        "@!%p2 bra wait;\n",
        tensor.boxBytes(), rank, to, coordinates);
  else
    copy += fmt::format(
        "cp.async.bulk.tensor.{}d.global.shared::cta.bulk_group "
        "[%rd1, {{{}}}], [%r2];\n"
        "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\n",
        rank, coordinates);
  copy = "@%p1 bra other;\n" + copy + "other:\nbar.sync 0;\n";
  std::string words = fmt::format(
      "shl.b32 %r3, %r1, 2;\nadd.u32 %r4, %r2, %r3;\n"
      "cvt.u64.u32 %rd3, %r3;\nadd.u64 %rd3, %rd2, %rd3;\n"
      "next: {}\nadd.u32 %r4, %r4, 512;\nadd.u64 %rd3, %rd3, 512;\n"
      "add.u32 %r3, %r3, 512;\nsetp.lt.u32 %p3, %r3, {};\n@%p3 bra next;\n",
      loads ? "ld.shared.u32 %r5, [%r4]; st.global.u32 [%rd3], %r5;"
            : "ld.global.u32 %r5, [%rd3]; st.shared.u32 [%r4], %r5;",
      tensor.boxBytes());
  if (!loads)
    words += "fence.proxy.async.shared::cta;\nbar.sync 0;\n";
  return text + (loads ? copy + words : words + copy) + "ret;\n}\n";
}

/// Moves a box in and out and compares every byte. Its bytes must be a multiple
/// of 512, what 128 threads take at a time.
static void testBox(const std::string &label, const Tensor &tensor,
                    std::vector<int> at, const std::string &to) {
  std::vector<uint8_t> values(tensor.bytes());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<uint8_t>(i * 37 + i / 251 + 1);
  std::vector<uint8_t> expected(tensor.boxBytes());
  std::vector<uint8_t> image(tensor.boxBytes());
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = static_cast<uint8_t>(i * 13 + i / 256);
  std::vector<uint8_t> stored = values;
  forElements(tensor, at, [&](unsigned shared, int64_t global) {
    if (global < 0)
      return;
    std::memcpy(&expected[shared], &values[static_cast<size_t>(global)],
                tensor.elementBytes);
    std::memcpy(&stored[static_cast<size_t>(global)], &image[shared],
                tensor.elementBytes);
  });

  Buffer data(values), raw(image);
  CUtensorMap map;
  expectSuccess(encode(map, tensor, data.address), "cuTensorMapEncodeTiled");
  at.resize(5);
  std::vector<void *> arguments = {&map, &raw.address, at.data()};
  {
    PtxModule module(boxKernel(tensor, /*loads=*/false, to));
    expectSuccess(launch(module.function("box"), 1, 128, arguments), label);
    report(label + ", stored", data.read<uint8_t>() == stored, "other bytes");
  }
  Buffer again(values);
  expectSuccess(encode(map, tensor, again.address), "cuTensorMapEncodeTiled");
  PtxModule module(boxKernel(tensor, /*loads=*/true, to));
  expectSuccess(launch(module.function("box"), 1, 128, arguments), label);
  report(label + ", loaded", raw.read<uint8_t>() == expected, "other bytes");
}

static void testBoxes() {
  const std::string cta = "shared::cta", cluster = "shared::cluster";
  testBox("1 dimension", makeTensor(4, {1000}, {128}, 0), {100}, cta);
  testBox("2 dimensions", makeTensor(2, {100, 50}, {64, 16}, 0), {16, 8}, cta);
  testBox("3 dimensions", makeTensor(1, {64, 9, 7}, {32, 4, 4}, 0), {16, 2, 1},
          cluster);
  testBox("4 dimensions", makeTensor(8, {8, 9, 7, 5}, {4, 2, 4, 2}, 0),
          {2, 1, 3, 0}, cta);
  testBox("5 dimensions", makeTensor(4, {8, 5, 6, 7, 3}, {4, 2, 2, 4, 2}, 0),
          {1, 2, 0, 3, 1}, cluster);
  testBox("swizzle of 32 bytes", makeTensor(2, {64, 64}, {16, 32}, 1), {8, 3},
          cluster);
  testBox("swizzle of 64 bytes", makeTensor(4, {64, 64}, {16, 32}, 2), {8, 3},
          cta);
  testBox("swizzle of 128 bytes", makeTensor(1, {300, 64}, {128, 32}, 3),
          {77, 3}, cta);
  testBox("behind the end", makeTensor(2, {70, 20}, {64, 16}, 3), {40, 10},
          cta);
  testBox("before the begin", makeTensor(2, {70, 20}, {64, 16}, 3), {-13, -5},
          cta);
  testBox("outside", makeTensor(2, {70, 20}, {64, 16}, 0), {-64, 0}, cta);
  Tensor steps = makeTensor(4, {64, 20, 10}, {32, 7, 4}, 0);
  steps.steps = {1, 2, 4};
  testBox("every other row", steps, {1, 3, 1}, cta);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static CUresult launchCluster(CUfunction function, unsigned size,
                              unsigned threads, std::vector<void *> arguments) {
  CUlaunchAttribute attributes[2] = {};
  attributes[0].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attributes[0].value.clusterDim = {size, 1, 1};
  attributes[1].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attributes[1].value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig config = {size, 1, 1,       threads,    1,
                           1,    0, nullptr, attributes, 2};
  CUresult result =
      driver().cuLaunchKernelEx(&config, function, arguments.data(), nullptr);
  return result == CUDA_SUCCESS ? driver().cuCtxSynchronize() : result;
}

static void testBytes(const std::string &folder) {
  PtxModule module(readFile(folder + "/tma.ptx"));
  std::vector<uint32_t> numbers(256), expected;
  for (uint32_t i = 0; i < 256; ++i)
    numbers[i] = i * i;
  Buffer in(numbers), out(4096);
  expectSuccess(
      launch(module.function("increment"), 1, 256, {&in.address, &out.address}),
      "increment");
  for (uint32_t number : numbers)
    expected.push_back(number + 1);
  std::vector<uint32_t> got = out.read<uint32_t>();
  got.resize(256);
  report("bytes in and out", got == expected, "other bytes");

  expectSuccess(launchCluster(module.function("share"), 4, 256,
                              {&in.address, &out.address}),
                "share");
  expected.clear();
  for (unsigned k = 0; k < 4; ++k)
    expected.insert(expected.end(), numbers.begin(), numbers.end());
  report("multicast", out.read<uint32_t>() == expected, "other bytes");

  Buffer swapped(256);
  expectSuccess(
      launchCluster(module.function("exchange"), 2, 32, {&swapped.address}),
      "exchange");
  expected.clear();
  for (uint32_t i = 0; i < 64; ++i)
    expected.push_back(i < 32 ? 100 + i : i - 32);
  report("from CTA to CTA", swapped.read<uint32_t>() == expected,
         "other bytes");

  // As the seed says; on a GPU not in any.
  constexpr unsigned ctas = 64;
  Buffer first(ctas * 4);
  expectSuccess(
      launch(module.function("order"), ctas, 1, {&in.address, &first.address}),
      "order");
  unsigned counts[4] = {};
  for (uint32_t which : first.read<uint32_t>())
    ++counts[which & 3];
  report("copies end in any order", counts[1] && counts[2] && counts[3],
         fmt::format("{} in order, {} not, {} at once", counts[1], counts[2],
                     counts[3]));
}

void testTensors(const std::string &folder) {
  testMaps();
  testBoxes();
  testBytes(folder);
}

} // namespace dsrt::test
