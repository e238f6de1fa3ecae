//===- HeaderTests.cpp - Broken headers of safetensors files --------------===//

#include "Tests.h"

namespace dsrt::test {

/// Like an application that uses every tensor: touches each byte.
static uint64_t sumAll(const SafetensorsFile &file) {
  uint64_t sum = 0;
  for (const Tensor &tensor : file.tensors())
    for (uint64_t i = 0; i < tensor.bytes(); ++i)
      sum += tensor.data[i];
  return sum;
}

static Status parse(const std::string &bytes) {
  Result<SafetensorsFile> file =
      SafetensorsFile::parse(bytes.data(), bytes.size(), "f");
  if (file.ok())
    sumAll(*file);
  return file.status();
}

namespace {
struct HeaderCase {
  const char *label, *header;
  size_t dataBytes;
};
} // namespace

int testHeaders() {
  const HeaderCase cases[] = {
      {"good", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )",
       8},
      {"empty", "{}", 0},
      {"scalar", R"({"a":{"dtype":"I8","shape":[],"data_offsets":[0,1]}})", 1},
      {"no elements",
       R"({"a":{"dtype":"I8","shape":[0,4],"data_offsets":[0,0]}})", 0},
      {"metadata", R"({"__metadata__":{"format":"pt"}})", 0},
      {"other fields",
       R"({"a":{"x":{"y":[{}]},"z":[1,[2]],"w":1.5,"dtype":"I8","shape":[1],"data_offsets":[0,1]}})",
       1},
      {"unknown type",
       R"({"a":{"dtype":"F3","shape":[3],"data_offsets":[0,2]}})", 2},
      {"half bytes", R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})",
       2},
      {"not JSON", R"({"a":)", 0},
      {"single quotes", "{'a':1}", 0},
      {"text after", R"({} x)", 0},
      {"an array", "[]", 0},
      {"spaces before", " {}", 0},
      {"no header", "", 0},
      {"metadata number", R"({"__metadata__":1})", 0},
      {"metadata array", R"({"__metadata__":[]})", 0},
      {"metadata value", R"({"__metadata__":{"x":1}})", 0},
      {"metadata nested", R"({"__metadata__":{"x":{}}})", 0},
      {"metadata key twice", R"({"__metadata__":{"x":"1","x":"2"}})", 0},
      {"metadata twice", R"({"__metadata__":{},"__metadata__":{}})", 0},
      {"tensor is a string", R"({"a":"b"})", 0},
      {"tensor is an array", R"({"a":[]})", 0},
      {"tensor twice",
       R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
       2},
      {"no dtype", R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1},
      {"no shape", R"({"a":{"dtype":"I8","data_offsets":[0,1]}})", 1},
      {"no offsets", R"({"a":{"dtype":"I8","shape":[1]}})", 1},
      {"shape twice",
       R"({"a":{"dtype":"I8","shape":[1],"shape":[1],"data_offsets":[0,1]}})",
       1},
      {"dtype number", R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})",
       1},
      {"shape number", R"({"a":{"dtype":"I8","shape":1,"data_offsets":[0,1]}})",
       1},
      {"shape nested",
       R"({"a":{"dtype":"I8","shape":[[1]],"data_offsets":[0,1]}})", 1},
      {"negative size",
       R"({"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}})", 1},
      {"fractional size",
       R"({"a":{"dtype":"I8","shape":[1.0],"data_offsets":[0,1]}})", 1},
      {"huge size",
       R"({"a":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,1]}})",
       1},
      {"beyond 64 bits",
       R"({"a":{"dtype":"I8","shape":[99999999999999999999],"data_offsets":[0,1]}})",
       1},
      {"overflow",
       R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,1]}})",
       1},
      {"one offset", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0]}})",
       1},
      {"inverted offsets",
       R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[1,0]}})", 1},
      {"beyond the file",
       R"({"a":{"dtype":"I8","shape":[9],"data_offsets":[0,9]}})", 8},
      {"wrong size",
       R"({"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,8]}})", 8},
      {"odd bits",
       R"({"a":{"dtype":"F6_E2M3","shape":[3],"data_offsets":[0,2]}})", 2},
      {"overlap",
       R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[3,7]}})",
       7},
      {"hole",
       R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[6,10]}})",
       10},
      {"bytes after",
       R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 6},
      {"line break",
       R"({"a\nb":{"dtype":"I8","shape":[4],"data_offsets":[0,3]}})", 3},
  };
  for (const HeaderCase &test : cases)
    report(test.label, parse(makeFile(test.header, test.dataBytes)));
  report("zero byte", parse(makeFile(std::string("{}\0x", 4), 0)));
  report("deep nesting",
         parse(makeFile(R"({"a":{"x":)" + std::string(200000, '['), 0)));
  report("long name",
         parse(makeFile("{\"" + std::string(100000, 'n') + "\":1}", 0)));
  report("seven bytes", parse("1234567"));
  report("no bytes", parse(""));
  report("length beyond the file",
         parse(std::string("\x10\0\0\0\0\0\0\0{}", 10)));
  report("largest length", parse(std::string(8, '\xff') + "{}"));
  std::string large = makeFile("{}" + std::string(100'000'000, ' '), 0);
  report("more than 100 MB", parse(large));
  report("git-lfs pointer",
         parse("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"));
  report("no file", SafetensorsFile::open("/no/such/file").status());
  report("a folder", SafetensorsFile::open("/").status());
  report("a device", SafetensorsFile::open("/dev/null").status());
  return 0;
}

int testDamage() {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F8_E4M3","shape":[4,4],"data_offsets":[0,16]},"w_scale_inv":{"dtype":"F32","shape":[1,1],"data_offsets":[16,20]}})";
  const std::string whole = makeFile(header, 20);
  size_t refused = 0;
  for (size_t length = 0; length < whole.size(); ++length)
    refused += !parse(whole.substr(0, length)).ok();
  fmt::print("truncated: {} of {} refused\n", refused, whole.size());

  size_t bits = 8 * (whole.size() - 20), multiline = 0;
  refused = 0;
  for (size_t bit = 0; bit < bits; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    Status status = parse(damaged);
    refused += !status.ok();
    multiline += status.message().find('\n') != std::string::npos;
  }
  // A flipped bit in a name or in the metadata is another good file.
  fmt::print("flipped: {} of {} refused, {} messages of several lines\n",
             refused, bits, multiline);
  return 0;
}

} // namespace dsrt::test
