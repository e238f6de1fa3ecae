// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// Loads of experts, the bias that balances them, and the check of drafted tokens.

module {
  func.func @expert_load() {
    %indices = arith.constant dense<[[0, 1], [0, 2], [4, 0], [2, 0]]> : tensor<4x2xi32>
    %load = deepseek.expert_load %indices {num_experts = 5 : i64} : (tensor<4x2xi32>) -> tensor<5xi32>
    %counts = arith.constant dense<[4, 1, 2, 0, 1]> : tensor<5xi32>
    check.expect_eq %load, %counts : tensor<5xi32>
    return
  }

  // The mean is 2: what has it stays.
  func.func @update_router_bias() {
    %bias = arith.constant dense<[1.0, -2.0, 0.5, 0.0, 4.0]> : tensor<5xf32>
    %load = arith.constant dense<[3, 1, 2, 4, 0]> : tensor<5xi32>
    %new = deepseek.update_router_bias %bias, %load {speed = 0.25 : f64} : (tensor<5xf32>, tensor<5xi32>) -> tensor<5xf32>
    %expected = arith.constant dense<[0.75, -1.75, 0.5, -0.25, 4.25]> : tensor<5xf32>
    check.expect_eq %new, %expected : tensor<5xf32>
    return
  }

  // All accepted; the second refused, although the third agrees; none.
  func.func @mtp_verify() {
    %draft = arith.constant dense<[[7, 8, 9], [7, 8, 9], [1, 8, 9]]> : tensor<3x3xi32>
    %choice = arith.constant dense<[[7, 8, 9, 5], [7, 6, 9, 5], [7, 8, 9, 5]]> : tensor<3x4xi32>
    %accepted, %next = deepseek.mtp_verify %draft, %choice : (tensor<3x3xi32>, tensor<3x4xi32>) -> (tensor<3xi32>, tensor<3xi32>)
    %m = arith.constant dense<[3, 1, 0]> : tensor<3xi32>
    %tokens = arith.constant dense<[5, 6, 7]> : tensor<3xi32>
    check.expect_eq %accepted, %m : tensor<3xi32>
    check.expect_eq %next, %tokens : tensor<3xi32>
    return
  }
}
