// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/router.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.route against the golden values: the experts and their order exactly, also
// of ties and of keys that are all negative.

module attributes {deepseek.source = ""} {
  deepseek.weight @real_logits from "real.logits" : tensor<33x16xf32>
  deepseek.weight @real_bias from "real.bias" : tensor<16xf32>
  deepseek.weight @real_experts from "real.idx" : tensor<33x4xi32>
  deepseek.weight @real_weights from "real.w" : tensor<33x4xf32>
  deepseek.weight @ties_logits from "ties.logits" : tensor<12x16xf32>
  deepseek.weight @ties_bias from "ties.bias" : tensor<16xf32>
  deepseek.weight @ties_experts from "ties.idx" : tensor<12x4xi32>
  deepseek.weight @ties_weights from "ties.w" : tensor<12x4xf32>
  deepseek.weight @ties_bias_logits from "ties_bias.logits" : tensor<12x16xf32>
  deepseek.weight @ties_bias_bias from "ties_bias.bias" : tensor<16xf32>
  deepseek.weight @ties_bias_experts from "ties_bias.idx" : tensor<12x4xi32>
  deepseek.weight @ties_bias_weights from "ties_bias.w" : tensor<12x4xf32>
  deepseek.weight @negbias_logits from "negbias.logits" : tensor<12x16xf32>
  deepseek.weight @negbias_bias from "negbias.bias" : tensor<16xf32>
  deepseek.weight @negbias_experts from "negbias.idx" : tensor<12x4xi32>
  deepseek.weight @negbias_weights from "negbias.w" : tensor<12x4xf32>

  func.func @route_real() {
    %logits = deepseek.get_weight @real_logits : tensor<33x16xf32>
    %bias = deepseek.get_weight @real_bias : tensor<16xf32>
    %experts = deepseek.get_weight @real_experts : tensor<33x4xi32>
    %weights = deepseek.get_weight @real_weights : tensor<33x4xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 4 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize, scale = 2.5 : f64}
        : (tensor<33x16xf32>, tensor<16xf32>) -> (tensor<33x4xf32>, tensor<33x4xi32>)
    check.expect_eq %i, %experts : tensor<33x4xi32>
    check.expect_close %w, %weights {atol = 1.0e-6 : f64} : tensor<33x4xf32>
    return
  }

  func.func @route_ties() {
    %logits = deepseek.get_weight @ties_logits : tensor<12x16xf32>
    %bias = deepseek.get_weight @ties_bias : tensor<16xf32>
    %experts = deepseek.get_weight @ties_experts : tensor<12x4xi32>
    %weights = deepseek.get_weight @ties_weights : tensor<12x4xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 4 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize, scale = 2.5 : f64}
        : (tensor<12x16xf32>, tensor<16xf32>) -> (tensor<12x4xf32>, tensor<12x4xi32>)
    check.expect_eq %i, %experts : tensor<12x4xi32>
    check.expect_close %w, %weights {atol = 1.0e-6 : f64} : tensor<12x4xf32>
    return
  }

  func.func @route_ties_bias() {
    %logits = deepseek.get_weight @ties_bias_logits : tensor<12x16xf32>
    %bias = deepseek.get_weight @ties_bias_bias : tensor<16xf32>
    %experts = deepseek.get_weight @ties_bias_experts : tensor<12x4xi32>
    %weights = deepseek.get_weight @ties_bias_weights : tensor<12x4xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 4 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize, scale = 2.5 : f64}
        : (tensor<12x16xf32>, tensor<16xf32>) -> (tensor<12x4xf32>, tensor<12x4xi32>)
    check.expect_eq %i, %experts : tensor<12x4xi32>
    check.expect_close %w, %weights {atol = 1.0e-6 : f64} : tensor<12x4xf32>
    return
  }

  func.func @route_negbias() {
    %logits = deepseek.get_weight @negbias_logits : tensor<12x16xf32>
    %bias = deepseek.get_weight @negbias_bias : tensor<16xf32>
    %experts = deepseek.get_weight @negbias_experts : tensor<12x4xi32>
    %weights = deepseek.get_weight @negbias_weights : tensor<12x4xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 4 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize, scale = 2.5 : f64}
        : (tensor<12x16xf32>, tensor<16xf32>) -> (tensor<12x4xf32>, tensor<12x4xi32>)
    check.expect_eq %i, %experts : tensor<12x4xi32>
    check.expect_close %w, %weights {atol = 1.0e-6 : f64} : tensor<12x4xf32>
    return
  }
}
