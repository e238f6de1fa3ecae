// RUN: ds-eval %s

// One head with D = 1, R = 2, Dv = 2, C = 2. A cached row is [c0, c1, r0, r1]. The key is
// c0 * 1 + c1 * 0, the value [c1, c0 + c1]. Pages hold one row and are out of order.
!cache = tensor<3x1x4xf32, #deepseek.latent_cache<latent = 2, rope = 2>>
func.func @two_rows() {
  %q_nope = arith.constant dense<[[[2.0]]]> : tensor<1x1x1xf32>
  %q_rope = arith.constant dense<[[[1.0, 0.0]]]> : tensor<1x1x2xf32>
  // Row 0 of the sequence is page 2, row 1 is page 0; page 1 belongs to nobody.
  // Scores: (2 * 0 + 0) * 0.5 = 0 and (2 * 1 + 0.19722458) * 0.5 = ln 3.
  %cache = arith.constant dense<[[[1.0, 8.0, 0.19722458, 7.0]], [[99.0, 99.0, 99.0, 99.0]], [[0.0, 4.0, 0.0, 5.0]]]> : !cache
  %table = arith.constant dense<[[2, 0]]> : tensor<1x2xi32>
  %cu_q = arith.constant dense<[0, 1]> : tensor<2xi32>
  %cu_kv = arith.constant dense<[0, 2]> : tensor<2xi32>
  %total = arith.constant 2 : index
  %kv_b = arith.constant dense<[[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]> : tensor<1x3x2xf32>
  %y = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu_q, %cu_kv, %total, %kv_b {scale = 0.5}
      : (tensor<1x1x1xf32>, tensor<1x1x2xf32>, !cache, tensor<1x2xi32>, tensor<2xi32>, tensor<2xi32>, index, tensor<1x3x2xf32>)
      -> tensor<1x1x2xf32>
  // 1/4 [4, 4] + 3/4 [8, 9]
  %e = arith.constant dense<[[[7.0, 7.75]]]> : tensor<1x1x2xf32>
  check.expect_close %y, %e {atol = 1.0e-5} : tensor<1x1x2xf32>
  return
}
