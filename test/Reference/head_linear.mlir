// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Two heads; head 1 swaps and doubles.
func.func @plain() {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  %w = arith.constant dense<[[[1.0, 10.0]], [[0.0, 2.0]]]> : tensor<2x1x2xf32>
  %y = deepseek.head_linear %x, %w : (tensor<1x2x2xf32>, tensor<2x1x2xf32>) -> tensor<1x2x1xf32>
  %e = arith.constant dense<[[[21.0], [8.0]]]> : tensor<1x2x1xf32>
  check.expect_eq %y, %e : tensor<1x2x1xf32>
  return
}

// Transposed, w is [N, I, O].
func.func @transposed() {
  %x = arith.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
  %w = arith.constant dense<[[[1.0, 0.0, 5.0], [0.0, 1.0, 6.0]]]> : tensor<1x2x3xf32>
  %y = deepseek.head_linear %x, %w {transposed} : (tensor<2x1x2xf32>, tensor<1x2x3xf32>) -> tensor<2x1x3xf32>
  %e = arith.constant dense<[[[1.0, 2.0, 17.0]], [[3.0, 4.0, 39.0]]]> : tensor<2x1x3xf32>
  check.expect_eq %y, %e : tensor<2x1x3xf32>
  return
}
