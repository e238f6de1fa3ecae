//===- VectorsTest.cpp - The reference against model_vectors.json ---------===//
//
// Rotary frequencies, E4M3, activation quantization and routing: bit for bit
// where the vectors give bits.
//
//===----------------------------------------------------------------------===//

#include "Cases.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <cstring>

using namespace mlir::deepseek::reference;
using namespace llvm;

static std::vector<float> getFloats(const json::Object &object, StringRef key) {
  std::vector<float> values;
  if (const json::Array *array = object.getArray(key))
    for (const json::Value &value : *array)
      values.push_back(static_cast<float>(value.getAsNumber().value_or(NAN)));
  return values;
}

static std::vector<int64_t> getInts(const json::Object &object, StringRef key) {
  std::vector<int64_t> values;
  if (const json::Array *array = object.getArray(key))
    for (const json::Value &value : *array)
      values.push_back(value.getAsInteger().value_or(-1));
  return values;
}

static float decodeHex(StringRef text) {
  uint32_t bits = 0;
  text.getAsInteger(16, bits);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static std::vector<float> getHex(const json::Object &object, StringRef key) {
  std::vector<float> values;
  if (const json::Array *array = object.getArray(key))
    for (const json::Value &value : *array)
      values.push_back(decodeHex(value.getAsString().value_or("")));
  return values;
}

static Tensor makeFloats(ArrayRef<int64_t> shape, ArrayRef<float> values) {
  return Tensor::fromFloats(ElementType::F32, shape, values);
}

static void runFrequencies(Cases &cases, StringRef name,
                           const json::Object &object) {
  std::optional<YarnParameters> yarn;
  if (object.get("factor"))
    yarn = YarnParameters{
        *object.getNumber("factor"),
        *object.getInteger("original_max_position_embeddings"),
        *object.getNumber("beta_fast"), *object.getNumber("beta_slow")};
  int64_t width = *object.getInteger("dim");
  std::vector<float> actual =
      ropeFrequencies(width, *object.getNumber("base"), yarn);
  std::vector<float> expected = getHex(object, "inv_freq_f32_hex");
  double error = actual.size() == expected.size() ? 0 : NAN;
  for (size_t j = 0; j < actual.size() && j < expected.size(); ++j)
    error = std::max(error, std::fabs(double(actual[j]) / expected[j] - 1));
  // Their power function is not correctly rounded: two units in the last place.
  cases.expect(("frequencies, relative: " + name).str(), error,
               std::ldexp(1.0, -22));
}

static void runE4M3(Cases &cases, const json::Object &root) {
  std::vector<float> table = getFloats(root, "e4m3_table");
  int wrong = 0;
  for (int code = 0; code < 256; ++code) {
    float value = getFloat8Table(ElementType::F8E4M3FN)[code];
    bool isNan = std::isnan(value) && std::isnan(table[code]);
    wrong += !isNan && std::memcmp(&value, &table[code], sizeof(value)) != 0;
  }
  cases.expect("e4m3 decode: 256 codes, wrong ones", wrong, 0);
  wrong = 0;
  const json::Array *encodes = root.getArray("e4m3_encode");
  for (const json::Value &value : *encodes) {
    const json::Object &object = *value.getAsObject();
    auto x = static_cast<float>(*object.getNumber("x"));
    wrong +=
        encodeFloat8(ElementType::F8E4M3FN, x) != *object.getInteger("sat");
  }
  cases.expect("e4m3 encode: " + std::to_string(encodes->size()) +
                   " values, wrong ones",
               wrong, 0);
}

static void runQuantize(Cases &cases, const json::Object &object) {
  std::string name = object.getString("name")->str();
  std::vector<float> x;
  for (const json::Value &value : *object.getArray("x_bf16_hex")) {
    uint16_t bits = 0;
    value.getAsString()->getAsInteger(16, bits);
    x.push_back(decodeBFloat16(bits));
  }
  auto width = static_cast<int64_t>(x.size());
  for (bool powerOfTwo : {false, true}) {
    std::string prefix = powerOfTwo ? "ue8m0_" : "";
    BlockFormat format{{1, 128}, powerOfTwo};
    auto actual = quantize(makeFloats({1, width}, x), format,
                           ElementType::F8E4M3FN, ElementType::F32);
    if (!actual)
      return cases.fail(name, toString(actual.takeError()));
    float scale =
        decodeHex(*object.getString(powerOfTwo ? "ue8m0_hex" : "scale_hex"));
    cases.expectClose("quantize " + prefix + "scale: " + name, actual->scale,
                      makeFloats({1, 1}, {scale}), 0);
    std::vector<int64_t> codes = getInts(object, prefix + "q");
    int wrong = 0;
    for (int64_t i = 0; i < width; ++i)
      wrong += static_cast<uint8_t>(actual->q.data()[i]) != codes[i];
    cases.expect("quantize " + prefix + "codes: " + name, wrong, 0);
  }
}

static void runRoute(Cases &cases, const json::Object &object) {
  std::string name = object.getString("name")->str();
  int64_t E = *object.getInteger("E"), K = *object.getInteger("k");
  RouteParameters parameters;
  parameters.sigmoid = object.getString("kind") == StringRef("v3");
  parameters.topK = K;
  parameters.groups = *object.getInteger("n_group");
  parameters.topGroups = *object.getInteger("topk_group");
  parameters.normalize = *object.getBoolean("norm");
  parameters.scale = *object.getNumber("scale");
  Tensor logits = makeFloats({1, E}, getFloats(object, "logits"));
  std::vector<float> biases = getFloats(object, "bias");
  Tensor bias = makeFloats({static_cast<int64_t>(biases.size())}, biases);
  auto actual = route(logits, biases.empty() ? nullptr : &bias, parameters);
  if (!actual)
    return cases.fail(name, toString(actual.takeError()));
  cases.expectClose(
      "route experts: " + name, actual->indices,
      Tensor::fromInts(ElementType::I32, {1, K}, getInts(object, "experts")),
      0);
  // The vectors' exp differs from libm's in the last bit: a few units of 2^-24
  // relative to the largest weight.
  std::vector<float> weights = getHex(object, "weights_hex");
  double largest = *std::max_element(weights.begin(), weights.end());
  cases.expectClose("route weights: " + name, actual->scores,
                    makeFloats({1, K}, weights), 4e-7 * largest);
}

void runVectors(Cases &cases, const std::string &path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!file)
    return cases.fail(path, file.getError().message());
  Expected<json::Value> value = json::parse((*file)->getBuffer());
  if (!value)
    return cases.fail(path, toString(value.takeError()));
  const json::Object &root = *value->getAsObject();
  for (const auto &[name, object] : *root.getObject("yarn"))
    runFrequencies(cases, name, *object.getAsObject());
  runE4M3(cases, root);
  for (const json::Value &object : *root.getArray("act_quant"))
    runQuantize(cases, *object.getAsObject());
  for (const json::Value &object : *root.getArray("routing"))
    runRoute(cases, *object.getAsObject());
}
