// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// w is [out, in].
func.func @product() {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<[[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]]> : tensor<3x2xf32>
  %y = deepseek.linear %x, %w : (tensor<2x2xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  %e = arith.constant dense<[[1.0, -2.0, 4.0], [3.0, -4.0, 10.0]]> : tensor<2x3xf32>
  check.expect_eq %y, %e : tensor<2x3xf32>
  return
}

// The sum is f32 and is rounded to bf16 once: 256 + 1 + 1 is 258, where a bf16 sum
// would stay at 256.
func.func @rounds_once() {
  %x = arith.constant dense<[[256.0, 1.0, 1.0]]> : tensor<1x3xbf16>
  %w = arith.constant dense<1.0> : tensor<1x3xbf16>
  %y = deepseek.linear %x, %w : (tensor<1x3xbf16>, tensor<1x3xbf16>) -> tensor<1x1xbf16>
  %e = arith.constant dense<258.0> : tensor<1x1xbf16>
  check.expect_eq %y, %e : tensor<1x1xbf16>
  return
}

// Ascending order of the inner index: (1e8 + 1) - 1e8 loses the one.
func.func @ascending() {
  %x = arith.constant dense<[[1.0e8, 1.0, -1.0e8]]> : tensor<1x3xf32>
  %w = arith.constant dense<1.0> : tensor<33x3xf32>
  %y = deepseek.linear %x, %w : (tensor<1x3xf32>, tensor<33x3xf32>) -> tensor<1x33xf32>
  %e = arith.constant dense<0.0> : tensor<1x33xf32>
  check.expect_eq %y, %e : tensor<1x33xf32>
  return
}
