// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

// CHECK: deepseek.weight @q_a from "layers.0.q_a_proj.weight" : tensor<256x128xf8E4M3FN, #block_scaled>
deepseek.weight @q_a from "layers.0.q_a_proj.weight" : tensor<256x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
// CHECK: deepseek.weight @up from "layers.3.experts.*.up_proj.weight" : tensor<8x16x32xbf16>
deepseek.weight @up from "layers.3.experts.*.up_proj.weight" : tensor<8x16x32xbf16>
// CHECK: deepseek.weight @up_and_shared from "layers.3.experts.*.up_proj.weight" then "layers.3.shared_experts.up_proj.weight" : tensor<9x16x32xbf16>
deepseek.weight @up_and_shared from "layers.3.experts.*.up_proj.weight" then "layers.3.shared_experts.up_proj.weight" : tensor<9x16x32xbf16>
// CHECK: deepseek.weight @inline = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32> : tensor<2xf32>
deepseek.weight @inline = dense<[1.0, 2.0]> : tensor<2xf32> : tensor<2xf32>
// CHECK: deepseek.weight @computed derived : tensor<2xf32>
deepseek.weight @computed derived : tensor<2xf32>

// CHECK-LABEL: func @get_weight
func.func @get_weight() -> tensor<8x16x32xbf16> {
  // CHECK: %up = deepseek.get_weight @up : tensor<8x16x32xbf16>
  %0 = deepseek.get_weight @up : tensor<8x16x32xbf16>
  return %0 : tensor<8x16x32xbf16>
}
