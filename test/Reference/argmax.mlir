// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// The lowest index wins a tie.
func.func @ties() {
  %logits = arith.constant dense<[[1.0, 3.0, 3.0], [-1.0, -2.0, -1.0], [0.0, 0.0, 0.5]]> : tensor<3x3xf32>
  %y = deepseek.argmax %logits : (tensor<3x3xf32>) -> tensor<3xi32>
  %e = arith.constant dense<[1, 0, 2]> : tensor<3xi32>
  check.expect_eq %y, %e : tensor<3xi32>
  return
}
