// RUN: ds-eval %s

// The same cache and numbers as in mla.mlir, absorbed: the query is [2, 0] in the
// latent's space, and the result is the weighted latent, before the value projection.
!cache = tensor<3x1x4xf32, #deepseek.latent_cache<latent = 2, rope = 2>>
func.func @two_rows() {
  %q_latent = arith.constant dense<[[[2.0, 0.0]]]> : tensor<1x1x2xf32>
  %q_rope = arith.constant dense<[[[1.0, 0.0]]]> : tensor<1x1x2xf32>
  %cache = arith.constant dense<[[[1.0, 8.0, 0.19722458, 7.0]], [[99.0, 99.0, 99.0, 99.0]], [[0.0, 4.0, 0.0, 5.0]]]> : !cache
  %table = arith.constant dense<[[2, 0]]> : tensor<1x2xi32>
  %cu_q = arith.constant dense<[0, 1]> : tensor<2xi32>
  %cu_kv = arith.constant dense<[0, 2]> : tensor<2xi32>
  %y = deepseek.latent_attention %q_latent, %q_rope, %cache, %table, %cu_q, %cu_kv {scale = 0.5}
      : (tensor<1x1x2xf32>, tensor<1x1x2xf32>, !cache, tensor<1x2xi32>, tensor<2xi32>, tensor<2xi32>)
      -> tensor<1x1x2xf32>
  // 1/4 [0, 4] + 3/4 [1, 8]
  %e = arith.constant dense<[[[0.75, 7.0]]]> : tensor<1x1x2xf32>
  check.expect_close %y, %e {atol = 1.0e-5} : tensor<1x1x2xf32>
  return
}
