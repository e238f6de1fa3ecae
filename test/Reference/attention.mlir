// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// One head, D = 1, R = 1, Dv = 1. Sequence 0 has two cached rows and two new tokens,
// sequence 1 three rows and one new token. Scores are ln 3 or 0, so that the softmax
// has weights 3/4 and 1/4.
func.func @causal() {
  %q_nope = arith.constant dense<[[[1.0]], [[1.0]], [[0.0]]]> : tensor<3x1x1xf32>
  %q_rope = arith.constant dense<[[[0.0]], [[1.0]], [[0.0]]]> : tensor<3x1x1xf32>
  // [key, value] of each row
  %kv = arith.constant dense<[[[0.0, 8.0]], [[0.54930615, 16.0]], [[1.0, 3.0]], [[2.0, 6.0]], [[3.0, 9.0]]]> : tensor<5x1x2xf32>
  %k_rope = arith.constant dense<[[0.0], [0.54930615], [0.0], [0.0], [0.0]]> : tensor<5x1xf32>
  %cu_q = arith.constant dense<[0, 2, 3]> : tensor<3xi32>
  %cu_kv = arith.constant dense<[0, 2, 5]> : tensor<3xi32>
  %y = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 1.0}
      : (tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<5x1x2xf32>, tensor<5x1xf32>, tensor<3xi32>, tensor<3xi32>)
      -> tensor<3x1x1xf32>
  // Token 0 sees row 0 alone; token 1 both: 8/4 + 16*3/4; token 2 all three equally.
  %e = arith.constant dense<[[[8.0]], [[14.0]], [[6.0]]]> : tensor<3x1x1xf32>
  check.expect_close %y, %e {atol = 1.0e-5} : tensor<3x1x1xf32>
  return
}
