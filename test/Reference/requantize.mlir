// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

!any = tensor<2x4xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>
!group_major = tensor<2x4xf8E4M3FN, #deepseek.block_scaled<[1, 2] layout = group_major>>
!power_of_two = tensor<2x4xf8E4M3FN, #deepseek.block_scaled<[1, 2], power_of_two>>
!large = tensor<2x4xf8E4M3FN, #deepseek.block_scaled<[2, 4]>>

// A scale of 3 becomes 4, and the codes are rounded anew: 448 * 3 / 4 = 336 lies
// between 320 and 352 and goes to the even 320. A scale of 1 is one already.
func.func @to_power_of_two() {
  %q = arith.constant dense<[[448.0, 4.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 448.0]]> : !any
  %scale = arith.constant dense<[[3.0, 1.0], [0.5, 0.125]]> : tensor<2x2xf32>
  %q2, %scale2 = deepseek.requantize %q, %scale : (!any, tensor<2x2xf32>) -> (!power_of_two, tensor<2x2xf8E8M0FNU>)
  %eq = arith.constant dense<[[320.0, 3.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 448.0]]> : !power_of_two
  %es = arith.constant dense<[[4.0, 1.0], [0.5, 0.125]]> : tensor<2x2xf8E8M0FNU>
  check.expect_eq %q2, %eq : !power_of_two
  check.expect_eq %scale2, %es : tensor<2x2xf8E8M0FNU>
  return
}

// Any number may be a power of two: nothing is computed, although the largest code of
// no block is 448.
func.func @to_any() {
  %q = arith.constant dense<[[1.0, 4.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 0.0]]> : !power_of_two
  %scale = arith.constant dense<[[4.0, 1.0], [0.5, 0.125]]> : tensor<2x2xf8E8M0FNU>
  %q2, %scale2 = deepseek.requantize %q, %scale : (!power_of_two, tensor<2x2xf8E8M0FNU>) -> (!any, tensor<2x2xf32>)
  %eq = arith.constant dense<[[1.0, 4.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 0.0]]> : !any
  %es = arith.constant dense<[[4.0, 1.0], [0.5, 0.125]]> : tensor<2x2xf32>
  check.expect_eq %q2, %eq : !any
  check.expect_eq %scale2, %es : tensor<2x2xf32>
  return
}

func.func @to_group_major() {
  %q = arith.constant dense<[[1.0, 4.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 0.0]]> : !any
  %scale = arith.constant dense<[[4.0, 1.0], [0.5, 0.125]]> : tensor<2x2xf32>
  %q2, %scale2 = deepseek.requantize %q, %scale : (!any, tensor<2x2xf32>) -> (!group_major, tensor<2x2xf32>)
  %eq = arith.constant dense<[[1.0, 4.0, 448.0, 13.0], [-448.0, 2.0, 0.0, 0.0]]> : !group_major
  %es = arith.constant dense<[[4.0, 0.5], [1.0, 0.125]]> : tensor<2x2xf32>
  check.expect_eq %q2, %eq : !group_major
  check.expect_eq %scale2, %es : tensor<2x2xf32>
  return
}

// One scale for all: 448 * 4 is the largest, so that it becomes 4 and the others shrink.
func.func @to_larger_blocks() {
  %q = arith.constant dense<[[448.0, 4.0, 448.0, 16.0], [-448.0, 2.0, 64.0, 0.0]]> : !group_major
  %scale = arith.constant dense<[[4.0, 0.5], [1.0, 0.125]]> : tensor<2x2xf32>
  %q2, %scale2 = deepseek.requantize %q, %scale : (!group_major, tensor<2x2xf32>) -> (!large, tensor<1x1xf32>)
  %eq = arith.constant dense<[[448.0, 4.0, 112.0, 4.0], [-56.0, 0.25, 2.0, 0.0]]> : !large
  %es = arith.constant dense<4.0> : tensor<1x1xf32>
  check.expect_eq %q2, %eq : !large
  check.expect_eq %scale2, %es : tensor<1x1xf32>
  return
}

// Smaller blocks share what was one scale.
func.func @to_smaller_blocks() {
  %q = arith.constant dense<[[448.0, 4.0, 224.0, 16.0], [-112.0, 2.0, 56.0, 0.0]]> : !large
  %scale = arith.constant dense<4.0> : tensor<1x1xf32>
  %q2, %scale2 = deepseek.requantize %q, %scale : (!large, tensor<1x1xf32>) -> (!group_major, tensor<2x2xf32>)
  %eq = arith.constant dense<[[448.0, 4.0, 448.0, 32.0], [-448.0, 8.0, 448.0, 0.0]]> : !group_major
  %es = arith.constant dense<[[4.0, 1.0], [2.0, 0.5]]> : tensor<2x2xf32>
  check.expect_eq %q2, %eq : !group_major
  check.expect_eq %scale2, %es : tensor<2x2xf32>
  return
}
