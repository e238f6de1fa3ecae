// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Row [3, 4]: mean of squares 12.5; row [0, 0] stays zero by epsilon.
func.func @rows() {
  %x = arith.constant dense<[[3.0, 4.0], [0.0, 0.0]]> : tensor<2x2xf32>
  %gamma = arith.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %y = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  %e = arith.constant dense<[[0.84852810, 0.56568540], [0.0, 0.0]]> : tensor<2x2xf32>
  check.expect_close %y, %e {atol = 1.0e-6} : tensor<2x2xf32>
  return
}

// Epsilon stands under the root: 1 / sqrt(1 + 3) with x = 1.
func.func @epsilon() {
  %x = arith.constant dense<1.0> : tensor<1x2x4xbf16>
  %gamma = arith.constant dense<[1.0, 2.0, 4.0, 3.0]> : tensor<4xbf16>
  %y = deepseek.rms_norm %x, %gamma {epsilon = 3.0} : (tensor<1x2x4xbf16>, tensor<4xbf16>) -> tensor<1x2x4xbf16>
  %e = arith.constant dense<[[[0.5, 1.0, 2.0, 1.5], [0.5, 1.0, 2.0, 1.5]]]> : tensor<1x2x4xbf16>
  check.expect_eq %y, %e : tensor<1x2x4xbf16>
  return
}
