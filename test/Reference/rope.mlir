// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Pairs are interleaved. R = 4, theta = 10000: frequencies 1 and 0.01.
func.func @interleaved() {
  %x = arith.constant dense<[[[1.0, 0.0, 1.0, 0.0]], [[1.0, 2.0, 3.0, 4.0]]]> : tensor<2x1x4xf32>
  %positions = arith.constant dense<[1, 0]> : tensor<2xi32>
  %y = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<2x1x4xf32>, tensor<2xi32>) -> tensor<2x1x4xf32>
  // cos 1, sin 1, cos 0.01, sin 0.01; position 0 changes nothing.
  %e = arith.constant dense<[[[0.5403023, 0.8414710, 0.9999500, 0.0099998]], [[1.0, 2.0, 3.0, 4.0]]]> : tensor<2x1x4xf32>
  check.expect_close %y, %e {atol = 1.0e-6} : tensor<2x1x4xf32>
  return
}

// With original length 1 both corrections are negative, so low = 0 and high = 0.001:
// pair 0 keeps its frequency, every other pair is divided by the factor, here 100.
func.func @yarn() {
  %x = arith.constant dense<[[1.0, 0.0, 1.0, 0.0]]> : tensor<1x4xf32>
  %positions = arith.constant dense<[100]> : tensor<1xi32>
  %y = deepseek.rope %x, %positions {theta = 1.0e4,
      yarn = #deepseek.yarn<factor = 100.0 : f64, original_length = 1, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}
      : (tensor<1x4xf32>, tensor<1xi32>) -> tensor<1x4xf32>
  // cos 100, sin 100, then cos and sin of 100 * 0.01 / 100.
  %e = arith.constant dense<[[0.8623189, -0.5063656, 0.9999500, 0.0099998]]> : tensor<1x4xf32>
  check.expect_close %y, %e {atol = 1.0e-6} : tensor<1x4xf32>
  return
}
