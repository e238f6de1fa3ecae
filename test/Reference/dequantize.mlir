// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Blocks of [2, 2] over [3, 3]: the last row and column have scales of their own.
func.func @ragged() {
  %q = arith.constant dense<1.5> : tensor<3x3xf8E4M3FN, #deepseek.block_scaled<[2, 2]>>
  %scale = arith.constant dense<[[1.0, 2.0], [4.0, 8.0]]> : tensor<2x2xf32>
  %y = deepseek.dequantize %q, %scale
      : (tensor<3x3xf8E4M3FN, #deepseek.block_scaled<[2, 2]>>, tensor<2x2xf32>) -> tensor<3x3xbf16>
  %e = arith.constant dense<[[1.5, 1.5, 3.0], [1.5, 1.5, 3.0], [6.0, 6.0, 12.0]]> : tensor<3x3xbf16>
  check.expect_eq %y, %e : tensor<3x3xbf16>
  return
}

// A leading dimension is a batch.
func.func @batch() {
  %q = arith.constant dense<2.0> : tensor<2x1x2xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>
  %scale = arith.constant dense<[[[0.5]], [[3.0]]]> : tensor<2x1x1xf32>
  %y = deepseek.dequantize %q, %scale
      : (tensor<2x1x2xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>, tensor<2x1x1xf32>) -> tensor<2x1x2xf32>
  %e = arith.constant dense<[[[1.0, 1.0]], [[6.0, 6.0]]]> : tensor<2x1x2xf32>
  check.expect_eq %y, %e : tensor<2x1x2xf32>
  return
}
