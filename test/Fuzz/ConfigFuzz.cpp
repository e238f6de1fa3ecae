//===- ConfigFuzz.cpp - Any bytes as a config.json ------------------------===//
//
// Gives arbitrary bytes to the reader of config.json: it must answer with a
// config or with an error of one line. What the builder relies on is checked
// here, so that a config that slips through is found without building it.
//
// From the root of the project, as one line; test/Import/configs has seeds:
//
//   clang++-22 -std=c++17 -O1 -g -fsanitize=fuzzer,address,undefined
//     -fno-sanitize-recover=undefined -fno-rtti -I. -Iinclude
//     $(llvm-config-22 --cppflags --ldflags --libs) -o config-fuzz
//     lib/Import/{ModelConfig,FieldReader}.cpp test/Fuzz/ConfigFuzz.cpp
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/ModelConfig.h"

#include <cmath>
#include <cstdlib>

using namespace mlir::deepseek;

/// A failed check, to the fuzzer, is a crash.
static void require(bool holds) {
  if (!holds)
    std::abort();
}

static void checkConfig(const ModelConfig &config) {
  require(config.numLayers >= 1 && config.hiddenSize >= 1);
  require(config.ropeHeadSize % 2 == 0);
  require(std::isfinite(config.softmaxScale()) && config.softmaxScale() > 0);
  require(config.bosToken < config.vocabSize);
  for (int64_t id : config.eosTokens)
    require(id >= 0 && id < config.vocabSize);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    require(config.isMoELayer(layer) ? config.expertIntermediateSize > 0
                                     : config.intermediateSize > 0);
  if (config.numExperts == 0)
    return;
  require(config.numExperts % config.groups == 0);
  require(config.topGroups >= 1 && config.topGroups <= config.groups);
  require(config.topK >= 1 &&
          config.topK <= config.topGroups * config.numExperts / config.groups);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  llvm::Expected<ModelConfig> config = parseModelConfig(text, "config.json");
  if (config) {
    checkConfig(*config);
    return 0;
  }
  std::string error = llvm::toString(config.takeError());
  require(llvm::StringRef(error).starts_with("config.json: "));
  require(error.find('\n') == std::string::npos);
  return 0;
}
