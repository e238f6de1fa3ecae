// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/rms_norm.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.rms_norm of rows up to 1e4 against the golden values: normalized up to
// about 10, sums in another order.

module attributes {deepseek.source = ""} {
  deepseek.weight @x from "x" : tensor<9x256xf32>
  deepseek.weight @gamma from "weight" : tensor<256xf32>
  deepseek.weight @y from "y" : tensor<9x256xf32>
  deepseek.weight @x2 from "x2" : tensor<5x192xf32>
  deepseek.weight @gamma2 from "weight2" : tensor<192xf32>
  deepseek.weight @y2 from "y2" : tensor<5x192xf32>

  func.func @rows_of_256() {
    %x = deepseek.get_weight @x : tensor<9x256xf32>
    %gamma = deepseek.get_weight @gamma : tensor<256xf32>
    %y = deepseek.get_weight @y : tensor<9x256xf32>
    %actual = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6 : f64} : (tensor<9x256xf32>, tensor<256xf32>) -> tensor<9x256xf32>
    check.expect_close %actual, %y {atol = 1.0e-5 : f64} : tensor<9x256xf32>
    return
  }

  func.func @rows_of_192() {
    %x = deepseek.get_weight @x2 : tensor<5x192xf32>
    %gamma = deepseek.get_weight @gamma2 : tensor<192xf32>
    %y = deepseek.get_weight @y2 : tensor<5x192xf32>
    %actual = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6 : f64} : (tensor<5x192xf32>, tensor<192xf32>) -> tensor<5x192xf32>
    check.expect_close %actual, %y {atol = 1.0e-5 : f64} : tensor<5x192xf32>
    return
  }
}
