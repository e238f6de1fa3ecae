//===- BindTests.cpp - Weight tables against checkpoints ------------------===//

#include "Tests.h"
#include "runtime/weights/safetensors/Writer.h"

#include <cstring>

namespace dsrt::test {

static std::vector<char> memory(1 << 16);

static TensorToWrite tensor(const std::string &name, DataType type,
                            std::vector<int64_t> shape,
                            const void *data = memory.data()) {
  return {name, type, std::move(shape), data};
}

/// An FP8 weight w with scales, two experts, a norm, a routing bias.
static std::vector<TensorToWrite> goodTensors() {
  static const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  static const uint16_t bias[2] = {0x3f80, 0xc000}; // 1 and -2
  return {
      tensor("model.layers.0.w.weight", DataType::F8_E4M3, {256, 128}),
      tensor("model.layers.0.w.weight_scale_inv", DataType::F32, {2, 1}, ones),
      tensor("model.layers.0.experts.0.up", DataType::BF16, {2, 2}),
      tensor("model.layers.0.experts.1.up", DataType::BF16, {2, 2}),
      tensor("model.layers.0.shared.up", DataType::BF16, {2, 2}),
      tensor("model.layers.0.norm.weight", DataType::BF16, {4}),
      tensor("model.layers.0.gate.bias", DataType::BF16, {2}, bias)};
}

static void addGood(WeightTableBuilder &builder) {
  builder.add("model.layers.0.w.weight", DSRT_F8E4M3, {256, 128});
  builder.add("model.layers.0.w.weight_scale_inv", DSRT_F32, {2, 1});
  builder.add("model.layers.0.experts.*.up", DSRT_BF16, {3, 2, 2},
              /*powerOfTwo=*/false, "model.layers.0.shared.up");
  builder.add("model.layers.0.norm.weight", DSRT_BF16, {4});
  builder.add("model.layers.0.gate.bias", DSRT_F32, {2});
}

using BoundWeights = Result<std::unique_ptr<Weights>>;

static BoundWeights bindTo(const std::string &folder,
                           const std::vector<TensorToWrite> &tensors,
                           WeightTableBuilder &builder) {
  if (Status status = writeSafetensors(folder + "/model.safetensors", tensors);
      !status.ok())
    return status;
  return Weights::bind(builder.table(), folder);
}

static void show(const char *label, const BoundWeights &weights) {
  report(label, weights.status());
  if (weights.ok())
    for (const std::string &note : (*weights)->notes())
      fmt::print("  note: {}\n", note);
}

/// Binds the good table to the good tensors after `change`.
template <typename Change>
static void changed(const std::string &folder, const char *label,
                    Change change) {
  std::vector<TensorToWrite> tensors = goodTensors();
  WeightTableBuilder builder;
  addGood(builder);
  change(tensors);
  show(label, bindTo(folder, tensors, builder));
}

static void testGood(const std::string &folder) {
  WeightTableBuilder builder;
  addGood(builder);
  BoundWeights weights = bindTo(folder, goodTensors(), builder);
  show("good", weights);
  const void *const *rows = (*weights)->addresses();
  Result<Checkpoint> same = Checkpoint::open(folder);
  const void *const *experts = static_cast<const void *const *>(rows[2]);
  auto behindFirst = [&](int i) {
    return static_cast<const char *>(experts[i]) -
           static_cast<const char *>(experts[0]);
  };
  fmt::print("experts are {} bytes apart, the shared one {}\n", behindFirst(1),
             behindFirst(2));
  const Tensor *weight = same->find("model.layers.0.w.weight").tensor;
  fmt::print("same bytes: {}\n",
             std::memcmp(rows[0], weight->data, weight->bytes()) == 0);
  const float *bias = static_cast<const float *>(rows[4]);
  fmt::print("bias {} {}\n", bias[0], bias[1]);
}

static void testMisaligned(const std::string &folder) {
  // One byte before the others, and a header that is not padded.
  std::string header =
      R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  for (int padding = 0; padding < 2; ++padding) {
    writeFile(folder + "/model.safetensors",
              makeFile(header + std::string(padding, ' '), 9));
    WeightTableBuilder builder;
    builder.add("a", DSRT_I8, {1});
    builder.add("b", DSRT_F32, {2});
    BoundWeights weights = Weights::bind(builder.table(), folder);
    show("misaligned", weights);
    const void *b = (*weights)->addresses()[1];
    uint32_t bits;
    std::memcpy(&bits, b, sizeof(bits));
    fmt::print("  b is aligned: {}, begins with {:08x}\n",
               reinterpret_cast<uintptr_t>(b) % 4 == 0, bits);
  }
}

/// Tables that no compiler should write.
static void testTables(const std::string &folder) {
  auto table = [&](const char *label, auto change) {
    WeightTableBuilder builder;
    addGood(builder);
    WeightTable table = builder.table();
    std::vector<dsrt_weight> rows(table.rows, table.rows + table.count);
    change(rows);
    table.rows = rows.data();
    show(label, Weights::bind(table, folder));
  };
  using Rows = std::vector<dsrt_weight>;
  table("unknown type", [](Rows &rows) { rows[0].dtype = 77; });
  table("type index", [](Rows &rows) { rows[0].dtype = DSRT_INDEX; });
  table("rank 9", [](Rows &rows) { rows[0].rank = 9; });
  table("rank -1", [](Rows &rows) { rows[0].rank = -1; });
  table("negative size", [](Rows &rows) { rows[0].shape[1] = -1; });
  table("size overflow", [](Rows &rows) { rows[4].shape[0] = INT64_MAX; });
  table("stacked without a star", [](Rows &rows) { rows[0].stacked = 1; });
  table("star without stacked", [](Rows &rows) { rows[2].stacked = 0; });
  table("huge stack", [](Rows &rows) { rows[2].shape[0] = INT64_MAX; });
  table("last tensor of no stack", [](Rows &rows) { rows[0].last_key = 0; });
  table("last tensor before the strings",
        [](Rows &rows) { rows[2].last_key = -2; });
  table("scales of nothing", [](Rows &rows) { rows[1].scale_of = 99; });
}

int testBind(const std::string &temp) {
  std::string folder = makeFolder(temp);
  using Tensors = std::vector<TensorToWrite>;
  testGood(folder);
  changed(folder, "wrong type",
          [](Tensors &list) { list[0].dtype = DataType::I8; });
  changed(folder, "wrong shape", [](Tensors &list) {
    list[0].shape = {128, 256};
  });
  changed(folder, "wrong rank", [](Tensors &list) { list[5].shape = {2, 2}; });
  changed(folder, "bf16 matrix for f32 scales",
          [](Tensors &list) { list[1].dtype = DataType::BF16; });
  changed(folder, "missing",
          [](Tensors &list) { list.erase(list.begin() + 5); });
  changed(folder, "missing shared expert",
          [](Tensors &list) { list.erase(list.begin() + 4); });
  changed(folder, "missing expert",
          [](Tensors &list) { list.erase(list.begin() + 3); });
  changed(folder, "missing scale",
          [](Tensors &list) { list.erase(list.begin() + 1); });
  changed(folder, "missing all", [](Tensors &list) { list.clear(); });
  changed(folder, "unknown tensors", [](Tensors &list) {
    list.push_back(tensor("model.layers.0.extra", DataType::BF16, {1}));
    list.push_back(tensor("surprise", DataType::BF16, {1}));
  });
  changed(folder, "known unused tensors", [](Tensors &list) {
    for (const char *name :
         {"model.layers.1.eh_proj.weight", "model.layers.10.w.weight",
          "model.layers.0.self_attn.rotary_emb.inv_freq",
          "model.layers.0.shared_head.head.weight"})
      list.push_back(tensor(name, DataType::BF16, {1}));
  });
  changed(folder, "layer by its number, not by its prefix", [](Tensors &list) {
    for (const char *name : {"model.layers.0x.w", "model.layers.-1.w",
                             "model.layers.99999999999999999999.w"})
      list.push_back(tensor(name, DataType::BF16, {1}));
  });

  std::string header =
      R"({"a":{"dtype":"F9","shape":[2],"data_offsets":[0,9]}})";
  writeFile(folder + "/model.safetensors", makeFile(header, 9));
  WeightTableBuilder unknown;
  unknown.add("a", DSRT_F32, {2});
  show("type unknown to this version", Weights::bind(unknown.table(), folder));
  testMisaligned(folder);
  report("good again",
         writeSafetensors(folder + "/model.safetensors", goodTensors()));
  testTables(folder);
  return 0;
}

} // namespace dsrt::test
