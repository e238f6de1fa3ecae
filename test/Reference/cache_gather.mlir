// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

!cache = tensor<3x2x2xf32, #deepseek.latent_cache<latent = 2, rope = 0>>

// Sequence 0 has three rows on pages 2 and 0, sequence 1 one row on page 1.
func.func @pages() {
  %cache = arith.constant dense<[[[0.0, 0.5], [1.0, 1.5]], [[2.0, 2.5], [3.0, 3.5]], [[4.0, 4.5], [5.0, 5.5]]]> : !cache
  %table = arith.constant dense<[[2, 0], [1, 7]]> : tensor<2x2xi32>
  %cu = arith.constant dense<[0, 3, 4]> : tensor<3xi32>
  %total = arith.constant 4 : index
  %y = deepseek.cache_gather %cache, %table, %cu, %total
      : (!cache, tensor<2x2xi32>, tensor<3xi32>, index) -> tensor<?x2xf32>
  %e = arith.constant dense<[[4.0, 4.5], [5.0, 5.5], [0.0, 0.5], [2.0, 2.5]]> : tensor<4x2xf32>
  %c = tensor.cast %y : tensor<?x2xf32> to tensor<4x2xf32>
  check.expect_eq %c, %e : tensor<4x2xf32>
  return
}
