//===- DenseGoldens.cpp - Goldens of norm, rope, routing and FP8 ----------===//

#include "Cases.h"

#include <cmath>

using namespace mlir::deepseek::reference;

static constexpr ElementType f32 = ElementType::F32;
static const BlockFormat kActivations{{1, 128}, false};
static const BlockFormat kWeights{{128, 128}, false};

static void runRmsNorm(Cases &cases, TensorMap t) {
  // Rows up to 1e4, normalized: values up to about 10.
  cases.expectClose("rms_norm", rmsNorm(t["x"], t["weight"], 1e-6, f32), t["y"],
                    1e-5);
  cases.expectClose("rms_norm against f64",
                    rmsNorm(t["x"], t["weight"], 1e-6, f32), t["y_f64"], 1e-5);
  cases.expectClose("rms_norm, width 192",
                    rmsNorm(t["x2"], t["weight2"], 1e-6, f32), t["y2"], 1e-5);
}

static void runRope(Cases &cases, TensorMap t) {
  YarnParameters yarn = {4, 256, 32, 1};
  std::vector<float> frequencies = ropeFrequencies(32, 10000, yarn);
  cases.expectClose("rope frequencies, yarn",
                    Tensor::fromFloats(f32, {16}, frequencies), t["inv_freq"],
                    0);
  frequencies = ropeFrequencies(32, 10000, std::nullopt);
  cases.expectClose("rope frequencies, plain",
                    Tensor::fromFloats(f32, {16}, frequencies),
                    t["inv_freq_plain"], 0);
  cases.expectClose("rope", rope(t["x"], t["positions"], 10000, yarn, f32),
                    t["y"], 1e-6);
}

static void runRouter(Cases &cases, TensorMap t) {
  for (std::string name : {"real", "ties", "ties_bias", "negbias"}) {
    cases.expectClose("router " + name + ": logits",
                      linear(t[name + ".x"], t[name + ".gate"], f32),
                      t[name + ".logits"], 1e-5);
    RouteParameters parameters;
    parameters.sigmoid = true;
    parameters.topK = 4;
    parameters.groups = 4;
    parameters.topGroups = 2;
    parameters.normalize = true;
    parameters.scale = 2.5;
    auto actual = route(t[name + ".logits"], &t[name + ".bias"], parameters);
    if (!actual) {
      cases.fail("router " + name, llvm::toString(actual.takeError()));
      continue;
    }
    cases.expectClose("router " + name + ": experts", actual->indices,
                      t[name + ".idx"], 0);
    cases.expectClose("router " + name + ": weights", actual->scores,
                      t[name + ".w"], 1e-6);
  }
}

static void runConversions(Cases &cases, TensorMap t) {
  const Tensor &values = t["f32"], &codes = t["codes_f8"];
  int wrong = 0;
  for (int64_t i = 0; i < values.size(); ++i)
    wrong += encodeFloat8(ElementType::F8E4M3FN,
                          static_cast<float>(values.getFloat(i))) !=
             static_cast<uint8_t>(codes.data()[i]);
  cases.expect("e4m3 encode: 1033 values, wrong ones", wrong, 0);
  Tensor all(ElementType::F8E4M3FN, {256});
  for (int code = 0; code < 256; ++code)
    all.mutableData()[code] = static_cast<char>(code);
  cases.expectClose("e4m3 decode: table", all, t["decode_table"], 0);
}

static void expectQuantized(Cases &cases, const std::string &name,
                            llvm::Expected<Quantized> actual, const Tensor &q,
                            const Tensor &scale) {
  if (!actual)
    return cases.fail(name, llvm::toString(actual.takeError()));
  cases.expectClose(name + ": codes", actual->q, q, 0);
  cases.expectClose(name + ": scales", actual->scale, scale, 0);
}

static void runQuantize(Cases &cases, TensorMap t) {
  constexpr ElementType f8 = ElementType::F8E4M3FN;
  BlockFormat powerOfTwo{{1, 128}, true};
  expectQuantized(cases, "quantize", quantize(t["x"], kActivations, f8, f32),
                  t["q"], t["s"]);
  expectQuantized(cases, "quantize, power of two",
                  quantize(t["x"], powerOfTwo, f8, f32), t["q_ue8m0"],
                  t["s_ue8m0"]);
  expectQuantized(cases, "quantize, power of two, f8E8M0 scales",
                  quantize(t["x"], powerOfTwo, f8, ElementType::F8E8M0),
                  t["q_ue8m0"], t["s_ue8m0"]);
  expectQuantized(cases, "quantize, ragged",
                  quantize(t["ragged.x"], kActivations, f8, f32), t["ragged.q"],
                  t["ragged.s"]);
}

static void runWeights(Cases &cases, TensorMap t) {
  ScaledTensor w = {t["q"], t["scale_inv"], kWeights};
  cases.expectClose("dequantize", dequantize(w, f32), t["dequant"], 0);
  cases.expectClose("dequantize to bf16", dequantize(w, ElementType::BF16),
                    t["dequant_bf16"], 0);
  // The file's producer has no lower bound for an all-zero block: compare the
  // values, where the block's scale does not matter.
  auto actual = quantize(t["w"], kWeights, ElementType::F8E4M3FN, f32);
  if (!actual)
    return cases.fail("quantize weights", llvm::toString(actual.takeError()));
  cases.expectClose("quantize weights: codes", actual->q, t["q"], 0);
  cases.expectClose("quantize weights: values",
                    dequantize({actual->q, actual->scale, kWeights}, f32),
                    t["dequant"], 0);
}

static void runScaledLinear(Cases &cases, TensorMap t) {
  for (std::string name : {"aligned", "ragged", "wide", "tall"}) {
    auto actual =
        scaledLinear({t[name + ".a_q"], t[name + ".a_s"], kActivations},
                     {t[name + ".b_q"], t[name + ".b_s"], kWeights}, f32);
    if (!actual) {
      cases.fail("scaled_linear " + name, llvm::toString(actual.takeError()));
      continue;
    }
    // f32 sums in another order: relative to the largest result.
    const Tensor &exact = t[name + ".y_f64"];
    double largest = 0;
    for (int64_t i = 0; i < exact.size(); ++i)
      largest = std::max(largest, std::fabs(exact.getFloat(i)));
    cases.expectClose("scaled_linear " + name, *actual, t[name + ".y"],
                      2e-6 * largest);
    cases.expectClose("scaled_linear " + name + " against f64", *actual, exact,
                      2e-6 * largest);
  }
}

void runDenseGoldens(Cases &cases, const Reader &read) {
  runRmsNorm(cases, read("rms_norm"));
  runRope(cases, read("rope_yarn"));
  runRouter(cases, read("router"));
  runConversions(cases, read("e4m3_convert"));
  runQuantize(cases, read("act_quant"));
  runWeights(cases, read("weight_quant"));
  runScaledLinear(cases, read("fp8_gemm"));
}
