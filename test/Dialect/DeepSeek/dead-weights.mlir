// RUN: ds-opt %s --cse --canonicalize --symbol-dce | FileCheck %s

// Weights are private to their module, so the unused ones go; a weight that is
// fetched twice is one value.

// CHECK: deepseek.weight @used
deepseek.weight @used from "a" : tensor<2xf32>
// CHECK-NOT: @unused
deepseek.weight @unused from "b" : tensor<2xf32>
deepseek.weight @unused_after_all from "c" : tensor<2xf32>

// CHECK-LABEL: func @f
func.func @f() -> (tensor<2xf32>, tensor<2xf32>) {
  // CHECK-NEXT: %used = deepseek.get_weight @used
  // CHECK-NEXT: return %used, %used
  %0 = deepseek.get_weight @used : tensor<2xf32>
  %1 = deepseek.get_weight @used : tensor<2xf32>
  %2 = deepseek.get_weight @unused_after_all : tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}
