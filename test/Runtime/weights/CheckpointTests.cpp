//===- CheckpointTests.cpp - Folders with one or many files ---------------===//

#include "Tests.h"

#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace dsrt::test {

static std::string tensorJson(const std::string &name, uint64_t begin,
                              uint64_t bytes) {
  return fmt::format(
      R"("{}":{{"dtype":"I8","shape":[{}],"data_offsets":[{},{}]}})", name,
      bytes, begin, begin + bytes);
}

static std::string oneTensor(const std::string &name) {
  return makeFile("{" + tensorJson(name, 0, 4) + "}", 4);
}

/// A folder with the shards x (tensor a) and y (tensor b), and this index.
static void withIndex(const std::string &temp, const char *label,
                      const std::string &index) {
  std::string folder = makeFolder(temp);
  writeFile(folder + "/x", oneTensor("a"));
  writeFile(folder + "/y", oneTensor("b"));
  writeFile(folder + "/model.safetensors.index.json", index);
  report(label, Checkpoint::open(folder).status());
}

static void testIndexes(const std::string &temp) {
  auto map = [&](const char *label, const std::string &entries) {
    withIndex(temp, label, R"({"weight_map":{)" + entries + "}}");
  };
  map("two shards", R"("a":"x","b":"y")");
  map("not all tensors", R"("a":"x")");
  withIndex(temp, "other keys",
            R"({"metadata":{"weight_map":[1]},"weight_map":{"a":"x"},"z":[]})");
  map("missing shard", R"("a":"x","b":"model-00002-of-000163.safetensors")");
  map("tensor not in its shard", R"("a":"y")");
  map("tensor twice", R"("a":"x","a":"x")");
  map("parent folder", R"("a":"../x")");
  map("absolute", R"("a":"/etc/passwd")");
  map("sub-folder", R"("a":"sub/x")");
  map("the parent itself", R"("a":"..")");
  map("no file name", R"("a":"")");
  map("backslash", R"("a":"..\\x")");
  map("file is a number", R"("a":1)");
  map("file is an object", R"("a":{"weight_map":"x"})");
  map("file is an array", R"("a":["x"])");
  withIndex(temp, "no weight_map", R"({"metadata":{}})");
  withIndex(temp, "weight_map is a string", R"({"weight_map":"x"})");
  withIndex(temp, "weight_map is an array", R"({"weight_map":[]})");
  withIndex(temp, "weight_map twice", R"({"weight_map":{},"weight_map":{}})");
  withIndex(temp, "bad JSON", R"({"weight_map":{"a":"x",}})");
  withIndex(temp, "no index text", "");
  withIndex(temp, "array", "[]");
  withIndex(temp, "zero byte", std::string("{}\0", 3));
}

int testCheckpoints(const std::string &temp) {
  report("no folder", Checkpoint::open(temp + "/absent").status());
  std::string folder = makeFolder(temp);
  report("nothing in it", Checkpoint::open(folder).status());
  writeFile(folder + "/weights.safetensors", oneTensor("a"));
  report("one of another name", Checkpoint::open(folder).status());
  report("a file", Checkpoint::open(folder + "/weights.safetensors").status());
  writeFile(folder + "/more.safetensors", oneTensor("b"));
  report("two of other names", Checkpoint::open(folder).status());
  writeFile(folder + "/model.safetensors", oneTensor("c"));
  report("model.safetensors", Checkpoint::open(folder).status());
  testIndexes(temp);

  folder = makeFolder(temp);
  writeFile(folder + "/x", oneTensor("a"));
  writeFile(folder + "/y", oneTensor("b").substr(0, 60));
  writeFile(folder + "/model.safetensors.index.json",
            R"({"weight_map":{"b":"y","a":"x"}})");
  report("broken shard", Checkpoint::open(folder).status());
  writeFile(folder + "/y", oneTensor("b"));
  Result<Checkpoint> checkpoint = Checkpoint::open(folder);
  for (const CheckpointTensor &entry : checkpoint->tensors())
    fmt::print("tensor {} in {}\n", entry.tensor->name,
               std::filesystem::path(entry.file->path()).filename().string());
  fmt::print("find b: {}, find c: {}\n", bool(checkpoint->find("b")),
             bool(checkpoint->find("c")));
  return 0;
}

//===----------------------------------------------------------------------===//
// As many tensors as V3 has
//===----------------------------------------------------------------------===//

/// The file, with nothing written where the data is: it takes no space.
static bool writeSparse(const std::string &path, const std::string &header,
                        uint64_t dataBytes) {
  std::string start = makeFile(header, 0);
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  bool ok =
      file >= 0 &&
      ::write(file, start.data(), start.size()) ==
          static_cast<ssize_t>(start.size()) &&
      ::ftruncate(file, static_cast<off_t>(start.size() + dataBytes)) == 0;
  if (file >= 0)
    ::close(file);
  return ok;
}

int testLarge(const std::string &temp) {
  constexpr int kTensors = 91991, kShards = 163;
  std::string folder = makeFolder(temp), index = R"({"weight_map":{)";
  int next = 0;
  for (int shard = 0; shard < kShards; ++shard) {
    std::string file =
        fmt::format("model-{:05}-of-{:06}.safetensors", shard + 1, kShards);
    std::string header = "{";
    uint64_t offset = 0;
    for (int end = kTensors * (shard + 1) / kShards; next < end; ++next) {
      std::string name =
          fmt::format("model.layers.{}.mlp.experts.{}.{}_proj.weight{}",
                      next / 1536, next / 6 % 256,
                      next % 3 == 0   ? "gate"
                      : next % 3 == 1 ? "up"
                                      : "down",
                      next % 6 < 3 ? "" : "_scale_inv");
      uint64_t bytes = next % 6 < 3 ? 14680064 : 3584;
      header += (offset ? "," : "") + tensorJson(name, offset, bytes);
      index += (next ? ",\"" : "\"") + name + "\":\"" + file + "\"";
      offset += bytes;
    }
    if (!writeSparse(folder + "/" + file, header + "}", offset)) {
      fmt::print("cannot write the files\n");
      return 1;
    }
  }
  writeFile(folder + "/model.safetensors.index.json", index + "}}");

  double start = now();
  Result<Checkpoint> checkpoint = Checkpoint::open(folder);
  double seconds = secondsSince(start);
  report("large", checkpoint.status());
  if (checkpoint.ok())
    fmt::print("{} tensors in {} files, opened in {:.3f} s\n",
               checkpoint->tensors().size(), kShards, seconds);
  makeFolder(temp);
  return 0;
}

} // namespace dsrt::test
