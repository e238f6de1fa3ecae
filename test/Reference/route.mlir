// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Sigmoid with bias: sigmoid(0) = 0.5 for every expert, so the bias alone chooses, and
// the weights know nothing of it. Groups {0, 1} and {2, 3} tie at 1.375: group 0
// stays, although expert 3 has the largest key of all.
func.func @sigmoid_groups() {
  %logits = arith.constant dense<0.0> : tensor<1x4xf32>
  %bias = arith.constant dense<[0.125, 0.25, 0.0, 0.375]> : tensor<4xf32>
  %scores, %indices = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>,
      top_k = 2, groups = 2, top_groups = 1, normalize, scale = 2.5}
      : (tensor<1x4xf32>, tensor<4xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
  %es = arith.constant dense<1.25> : tensor<1x2xf32>
  %ei = arith.constant dense<[[1, 0]]> : tensor<1x2xi32>
  check.expect_eq %scores, %es : tensor<1x2xf32>
  check.expect_eq %indices, %ei : tensor<1x2xi32>
  return
}

// Excluded groups get -inf, not 0: with negative keys the kept group still wins.
func.func @negative_keys() {
  %logits = arith.constant dense<0.0> : tensor<1x4xf32>
  %bias = arith.constant dense<[-2.0, -3.0, -9.0, -9.0]> : tensor<4xf32>
  %scores, %indices = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>,
      top_k = 2, groups = 2, top_groups = 1}
      : (tensor<1x4xf32>, tensor<4xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
  %es = arith.constant dense<0.5> : tensor<1x2xf32>
  %ei = arith.constant dense<[[0, 1]]> : tensor<1x2xi32>
  check.expect_eq %scores, %es : tensor<1x2xf32>
  check.expect_eq %indices, %ei : tensor<1x2xi32>
  return
}

// Softmax over all experts before any is excluded, no bias: a group is as good as its
// best expert. Logits ln 1, ln 2, ln 3, ln 2.
func.func @softmax_groups() {
  %logits = arith.constant dense<[[0.0, 0.69314718, 1.0986123, 0.69314718]]> : tensor<1x4xf32>
  %scores, %indices = deepseek.route %logits {scoring = #deepseek.scoring<softmax>,
      top_k = 2, groups = 2, top_groups = 1, scale = 16.0}
      : (tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
  %es = arith.constant dense<[[6.0, 4.0]]> : tensor<1x2xf32>
  %ei = arith.constant dense<[[2, 3]]> : tensor<1x2xi32>
  check.expect_close %scores, %es {atol = 1.0e-5} : tensor<1x2xf32>
  check.expect_eq %indices, %ei : tensor<1x2xi32>
  return
}

// Ties of experts go to the lowest index.
func.func @ties() {
  %logits = arith.constant dense<[[1.0, 1.0, 1.0, 2.0]]> : tensor<1x4xf32>
  %scores, %indices = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 3}
      : (tensor<1x4xf32>) -> (tensor<1x3xf32>, tensor<1x3xi32>)
  %ei = arith.constant dense<[[3, 0, 1]]> : tensor<1x3xi32>
  check.expect_eq %indices, %ei : tensor<1x3xi32>
  return
}
