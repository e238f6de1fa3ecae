// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

!cache = tensor<2x2x3xf32, #deepseek.latent_cache<latent = 1, rope = 2>>

// Slot 3 is page 1, offset 1; a negative slot is skipped; other rows stay.
func.func @slots() {
  %zero = arith.constant dense<9.0> : !cache
  %latent = arith.constant dense<[[1.0], [3.0], [5.0]]> : tensor<3x1xf32>
  %rope = arith.constant dense<[[2.0, 0.5], [4.0, 0.25], [6.0, 0.125]]> : tensor<3x2xf32>
  %slots = arith.constant dense<[3, -1, 0]> : tensor<3xi32>
  %y = deepseek.cache_append %zero, %latent, %rope, %slots
      : (!cache, tensor<3x1xf32>, tensor<3x2xf32>, tensor<3xi32>) -> !cache
  %e = arith.constant dense<[[[5.0, 6.0, 0.125], [9.0, 9.0, 9.0]], [[9.0, 9.0, 9.0], [1.0, 2.0, 0.5]]]> : !cache
  check.expect_eq %y, %e : !cache
  // The operand is a value: it has not changed.
  %same = arith.constant dense<9.0> : !cache
  check.expect_eq %zero, %same : !cache
  return
}
