// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// Routing as DeepSeek-V3 does it: scores by sigmoid, a bias that chooses but does not
// weigh, groups by the sum of their two best, ties to the lowest index.

module {
  // Experts 0..3 and 4..7 are two groups, one is kept. Group 0 has the best expert
  // (key 0.5 + 2.0) but group 1 the better two (2 * (0.5 + 1.5) against 2.5 + 0.5).
  // All scores are sigmoid(0) = 0.5, so the weights are equal.
  func.func @two_best_of_a_group() {
    %logits = arith.constant dense<0.0> : tensor<1x8xf32>
    %bias = arith.constant dense<[2.0, 0.0, 0.0, 0.0, 0.0, 1.5, 0.0, 1.5]> : tensor<8xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 2 : i64, groups = 2 : i64, top_groups = 1 : i64, normalize, scale = 2.5 : f64}
        : (tensor<1x8xf32>, tensor<8xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
    %indices = arith.constant dense<[[5, 7]]> : tensor<1x2xi32>
    %weights = arith.constant dense<1.25> : tensor<1x2xf32>
    check.expect_eq %i, %indices : tensor<1x2xi32>
    check.expect_close %w, %weights {rtol = 1.0e-6 : f64} : tensor<1x2xf32>
    return
  }

  // Negative keys: a masked group must not win because its keys were set to 0.
  func.func @negative_keys() {
    %logits = arith.constant dense<0.0> : tensor<1x4xf32>
    %bias = arith.constant dense<[-9.0, -9.0, -4.0, -5.0]> : tensor<4xf32>
    %w, %i = deepseek.route %logits, %bias
        {scoring = #deepseek.scoring<sigmoid>, top_k = 2 : i64, groups = 2 : i64, top_groups = 1 : i64}
        : (tensor<1x4xf32>, tensor<4xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
    %indices = arith.constant dense<[[2, 3]]> : tensor<1x2xi32>
    check.expect_eq %i, %indices : tensor<1x2xi32>
    return
  }

  // All equal: the lowest groups, and in them the lowest experts.
  func.func @ties() {
    %logits = arith.constant dense<1.0> : tensor<2x16xf32>
    %w, %i = deepseek.route %logits
        {scoring = #deepseek.scoring<sigmoid>, top_k = 6 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize}
        : (tensor<2x16xf32>) -> (tensor<2x6xf32>, tensor<2x6xi32>)
    %indices = arith.constant dense<[[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]> : tensor<2x6xi32>
    check.expect_eq %i, %indices : tensor<2x6xi32>
    return
  }

  // V2: softmax over all experts before the choice, groups by their best, weights
  // not divided by their sum. exp(ln 2) = 2: scores are 2/8, 1/8, ...; times 16.
  func.func @softmax() {
    %logits = arith.constant dense<[[0.0, 0.0, 0.69314718, 0.0, 0.0, 0.69314718]]> : tensor<1x6xf32>
    %w, %i = deepseek.route %logits
        {scoring = #deepseek.scoring<softmax>, top_k = 3 : i64, groups = 3 : i64, top_groups = 2 : i64, scale = 16.0 : f64}
        : (tensor<1x6xf32>) -> (tensor<1x3xf32>, tensor<1x3xi32>)
    %indices = arith.constant dense<[[2, 5, 3]]> : tensor<1x3xi32>
    %weights = arith.constant dense<[[4.0, 4.0, 2.0]]> : tensor<1x3xf32>
    check.expect_eq %i, %indices : tensor<1x3xi32>
    check.expect_close %w, %weights {rtol = 1.0e-5 : f64} : tensor<1x3xf32>
    return
  }

  // Loads move the bias by one speed, or not at all.
  func.func @balance() {
    %indices = arith.constant dense<[[0, 1], [0, 2], [0, 1]]> : tensor<3x2xi32>
    %load = deepseek.expert_load %indices {num_experts = 3 : i64} : (tensor<3x2xi32>) -> tensor<3xi32>
    %counts = arith.constant dense<[3, 2, 1]> : tensor<3xi32>
    check.expect_eq %load, %counts : tensor<3xi32>
    %bias = arith.constant dense<1.0> : tensor<3xf32>
    %new = deepseek.update_router_bias %bias, %load {speed = 0.25 : f64} : (tensor<3xf32>, tensor<3xi32>) -> tensor<3xf32>
    %expected = arith.constant dense<[0.75, 1.0, 1.25]> : tensor<3xf32>
    check.expect_eq %new, %expected : tensor<3xf32>
    return
  }
}
