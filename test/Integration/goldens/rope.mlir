// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/rope_yarn.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.rope with the frequencies of YaRN against the golden values.

#yarn = #deepseek.yarn<factor = 4.0 : f64, original_length = 256, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>

module attributes {deepseek.source = ""} {
  deepseek.weight @x from "x" : tensor<10x4x32xf32>
  deepseek.weight @positions from "positions" : tensor<10xi32>
  deepseek.weight @y from "y" : tensor<10x4x32xf32>

  func.func @yarn() {
    %x = deepseek.get_weight @x : tensor<10x4x32xf32>
    %positions = deepseek.get_weight @positions : tensor<10xi32>
    %y = deepseek.get_weight @y : tensor<10x4x32xf32>
    %actual = deepseek.rope %x, %positions {theta = 1.0e4 : f64, yarn = #yarn} : (tensor<10x4x32xf32>, tensor<10xi32>) -> tensor<10x4x32xf32>
    check.expect_close %actual, %y {atol = 1.0e-6 : f64} : tensor<10x4x32xf32>
    return
  }
}
