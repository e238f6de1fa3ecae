// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// The embedding comes first: the weight takes its normed channel 0 and the hidden
// state's channel 1, times ten.
func.func @mtp_project() {
  %hidden = arith.constant dense<[[2.0, -2.0]]> : tensor<1x2xf32>
  %embedding = arith.constant dense<[[3.0, 3.0]]> : tensor<1x2xf32>
  %hnorm = arith.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %enorm = arith.constant dense<[4.0, 1.0]> : tensor<2xf32>
  %w = arith.constant dense<[[1.0, 0.0, 0.0, 10.0], [0.0, 1.0, 1.0, 0.0]]> : tensor<2x4xf32>
  %y = deepseek.mtp_project %hidden, %embedding, %hnorm, %enorm, %w {epsilon = 1.0e-6}
      : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
  // normed embedding [4, 1], normed hidden [1, -0.5]
  %e = arith.constant dense<[[-1.0, 2.0]]> : tensor<1x2xf32>
  check.expect_close %y, %e {atol = 1.0e-5} : tensor<1x2xf32>
  return
}

// None, one, and all of the drafts are right.
func.func @mtp_verify() {
  %draft = arith.constant dense<[[5, 6], [7, 8], [1, 2]]> : tensor<3x2xi32>
  %choice = arith.constant dense<[[4, 6, 9], [7, 3, 9], [1, 2, 3]]> : tensor<3x3xi32>
  %accepted, %next = deepseek.mtp_verify %draft, %choice
      : (tensor<3x2xi32>, tensor<3x3xi32>) -> (tensor<3xi32>, tensor<3xi32>)
  %ea = arith.constant dense<[0, 1, 2]> : tensor<3xi32>
  %en = arith.constant dense<[4, 3, 3]> : tensor<3xi32>
  check.expect_eq %accepted, %ea : tensor<3xi32>
  check.expect_eq %next, %en : tensor<3xi32>
  return
}
