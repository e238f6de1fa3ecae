// RUN: ds-opt %s --convert-deepseek-to-dsrt | FileCheck %s

// The table of weights stays, and so does the encoding of the type.
// CHECK: deepseek.weight @w from "w"
// CHECK-LABEL: @entry
// CHECK: dsrt.get_weight @w : tensor<64x32xf8E4M3FN, #block_scaled>
// CHECK-NOT: deepseek.get_weight
!fp8 = tensor<64x32xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
deepseek.weight @w from "w" : !fp8
func.func @entry() -> !fp8 {
  %w = deepseek.get_weight @w : !fp8
  return %w : !fp8
}
