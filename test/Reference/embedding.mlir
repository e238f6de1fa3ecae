// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Rows of the table; the result's type rounds once: 1.00390625 is a tie in bf16.
func.func @rows() {
  %table = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [1.00390625, 1.01171875]]> : tensor<3x2xf32>
  %tokens = arith.constant dense<[2, 0, 2]> : tensor<3xi32>
  %y = deepseek.embedding %tokens, %table : (tensor<3xi32>, tensor<3x2xf32>) -> tensor<3x2xbf16>
  %e = arith.constant dense<[[1.0, 1.015625], [1.0, 2.0], [1.0, 1.015625]]> : tensor<3x2xbf16>
  check.expect_eq %y, %e : tensor<3x2xbf16>
  return
}
