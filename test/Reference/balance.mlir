// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

func.func @expert_load() {
  %indices = arith.constant dense<[[2, 0], [0, 2], [2, 3]]> : tensor<3x2xi32>
  %load = deepseek.expert_load %indices {num_experts = 4 : i64} : (tensor<3x2xi32>) -> tensor<4xi32>
  %e = arith.constant dense<[2, 0, 3, 1]> : tensor<4xi32>
  check.expect_eq %load, %e : tensor<4xi32>
  return
}

// Mean 2: a load above loses the speed, below gains it, equal keeps its bias.
func.func @update_router_bias() {
  %bias = arith.constant dense<[1.0, 1.0, 1.0]> : tensor<3xf32>
  %load = arith.constant dense<[3, 2, 1]> : tensor<3xi32>
  %y = deepseek.update_router_bias %bias, %load {speed = 0.25} : (tensor<3xf32>, tensor<3xi32>) -> tensor<3xf32>
  %e = arith.constant dense<[0.75, 1.0, 1.25]> : tensor<3xf32>
  check.expect_eq %y, %e : tensor<3xf32>
  return
}
