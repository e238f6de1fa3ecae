//===- SafetensorsFuzz.cpp - Any bytes as a safetensors file --------------===//
//
// Opens arbitrary bytes as a safetensors file and as the index of a checkpoint.
// What opens is used: every byte of every tensor is read, every tensor is found
// by its name. What does not must say so in one line.
//
// From the project's root:
//
//   clang++-22 -std=c++17 -O1 -g -fsanitize=fuzzer,address,undefined
//     -fno-sanitize-recover=undefined -DFMT_HEADER_ONLY -I. -Iruntime/include
//     -o safetensors-fuzz test/Fuzz/SafetensorsFuzz.cpp
//     runtime/weights/{CheckpointIndex,DataType,Mapping,Quote}.cpp
//     runtime/weights/safetensors/{Header,Reader}.cpp
//   ./safetensors-fuzz -max_total_time=60 test/Fuzz/corpus/safetensors
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/CheckpointIndex.h"
#include "runtime/weights/safetensors/Reader.h"

#include <cstdio>
#include <cstdlib>

using namespace dsrt;

static void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "expected %s\n", what);
  std::abort();
}

static void requireMessage(const Status &status) {
  require(!status.message().empty(), "a message");
  require(status.message().size() < 4096, "a message of readable length");
  for (char c : status.message())
    require(static_cast<unsigned char>(c) >= 0x20, "a message of one line");
}

static void useFile(const SafetensorsFile &file, const uint8_t *data,
                    size_t size) {
  volatile uint8_t sink = 0;
  for (const Tensor &tensor : file.tensors()) {
    require(file.find(tensor.name) == &tensor, "to find each tensor");
    require(tensor.data >= data && tensor.data + tensor.bytes() <= data + size,
            "tensors inside of the file");
    for (uint64_t i = 0; i < tensor.bytes(); ++i)
      sink = sink ^ tensor.data[i];
    require(!tensor.typeText().empty(), "a type");
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Result<SafetensorsFile> file = SafetensorsFile::parse(data, size, "input");
  if (file.ok())
    useFile(*file, data, size);
  else
    requireMessage(file.status());

  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<CheckpointIndex> index = parseCheckpointIndex(text, "input");
  if (!index.ok()) {
    requireMessage(index.status());
    return 0;
  }
  for (const CheckpointIndex::Entry &entry : index->entries)
    require(entry.file < index->files.size(), "a file of each tensor");
  for (const std::string &name : index->files)
    require(!name.empty() && name != ".." &&
                name.find('/') == std::string::npos,
            "files of this folder only");
  return 0;
}
