// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t
// RUN: ds-opt %s --ds-compile=stop-after=kernels | FileCheck %s

// A product of gate and up that ends with swiglu, and with the quantization of that,
// in one kernel; beside it the same of equal values (x + 0), whose products have another
// reader and therefore stay by themselves. Both give the same bits: what is not stored
// is rounded as if it were. 3 rows are multiplied by 3 of a kind, 9 by weights that were
// dequantized first; 160 inputs are a whole block and a ragged one.

// CHECK-LABEL: func.func @dense
// CHECK: dsrt.dispatch @kernels::@linear_swiglu_256x160_f8
// CHECK: dsrt.dispatch @kernels::@linear_256x160_f8
// CHECK: dsrt.dispatch @kernels::@swiglu_
// CHECK-LABEL: func.func @grouped
// CHECK: dsrt.dispatch @kernels::@grouped_linear_swiglu_4x96x160_bf16
// CHECK-LABEL: func.func @scaled
// CHECK: dsrt.dispatch @kernels::@scaled_linear_swiglu_quantize_256x160_f8
// CHECK-LABEL: func.func @scaled_grouped
// CHECK: dsrt.dispatch @kernels::@scaled_grouped_linear_swiglu_quantize_4x256x160_f8

!w8 = tensor<256x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!e8 = tensor<4x256x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!x8 = tensor<9x160xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!y8 = tensor<9x128xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @few from "few" : tensor<3x160xbf16>
  deepseek.weight @x from "x" : tensor<9x160xbf16>
  deepseek.weight @w from "proj.weight" : !w8
  deepseek.weight @w_s from "proj.weight_scale_inv" : tensor<2x2xf32>
  deepseek.weight @e from "experts.*.proj.weight" : tensor<4x96x160xbf16>
  deepseek.weight @e8 from "experts.*.fp8.weight" : !e8
  deepseek.weight @e8_s from "experts.*.fp8.weight_scale_inv" : tensor<4x2x2xf32>

  func.func @dense() {
    %q = deepseek.get_weight @w : !w8
    %s = deepseek.get_weight @w_s : tensor<2x2xf32>
    %w = deepseek.dequantize %q, %s : (!w8, tensor<2x2xf32>) -> tensor<256x160xbf16>
    %a_x = deepseek.get_weight @few : tensor<3x160xbf16>
    %a = deepseek.linear %a_x, %w : (tensor<3x160xbf16>, tensor<256x160xbf16>) -> tensor<3x256xbf16>
    %a_gate = tensor.extract_slice %a[0, 0] [3, 128] [1, 1] : tensor<3x256xbf16> to tensor<3x128xbf16>
    %a_up = tensor.extract_slice %a[0, 128] [3, 128] [1, 1] : tensor<3x256xbf16> to tensor<3x128xbf16>
    %a_z = deepseek.swiglu %a_gate, %a_up : (tensor<3x128xbf16>, tensor<3x128xbf16>) -> tensor<3x128xbf16>
    %b_zero = arith.constant dense<0.0> : tensor<3x160xbf16>
    %b_x = arith.addf %a_x, %b_zero : tensor<3x160xbf16>
    %b = deepseek.linear %b_x, %w : (tensor<3x160xbf16>, tensor<256x160xbf16>) -> tensor<3x256xbf16>
    check.expect_eq %b, %b : tensor<3x256xbf16>
    %b_gate = tensor.extract_slice %b[0, 0] [3, 128] [1, 1] : tensor<3x256xbf16> to tensor<3x128xbf16>
    %b_up = tensor.extract_slice %b[0, 128] [3, 128] [1, 1] : tensor<3x256xbf16> to tensor<3x128xbf16>
    %b_z = deepseek.swiglu %b_gate, %b_up : (tensor<3x128xbf16>, tensor<3x128xbf16>) -> tensor<3x128xbf16>
    check.expect_eq %a_z, %b_z : tensor<3x128xbf16>
    %c_x = deepseek.get_weight @x : tensor<9x160xbf16>
    %c = deepseek.linear %c_x, %w : (tensor<9x160xbf16>, tensor<256x160xbf16>) -> tensor<9x256xbf16>
    %c_gate = tensor.extract_slice %c[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %c_up = tensor.extract_slice %c[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %c_z = deepseek.swiglu %c_gate, %c_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    %d_zero = arith.constant dense<0.0> : tensor<9x160xbf16>
    %d_x = arith.addf %c_x, %d_zero : tensor<9x160xbf16>
    %d = deepseek.linear %d_x, %w : (tensor<9x160xbf16>, tensor<256x160xbf16>) -> tensor<9x256xbf16>
    check.expect_eq %d, %d : tensor<9x256xbf16>
    %d_gate = tensor.extract_slice %d[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %d_up = tensor.extract_slice %d[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %d_z = deepseek.swiglu %d_gate, %d_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    check.expect_eq %c_z, %d_z : tensor<9x128xbf16>
    return
  }

  // Groups of 5, 0, 1 and 3 rows.
  func.func @grouped() {
    %w = deepseek.get_weight @e : tensor<4x96x160xbf16>
    %offsets = arith.constant dense<[0, 5, 5, 6, 9]> : tensor<5xi32>
    %a_x = deepseek.get_weight @x : tensor<9x160xbf16>
    %a = deepseek.grouped_linear %a_x, %w, %offsets : (tensor<9x160xbf16>, tensor<4x96x160xbf16>, tensor<5xi32>) -> tensor<9x96xbf16>
    %a_gate = tensor.extract_slice %a[0, 0] [9, 48] [1, 1] : tensor<9x96xbf16> to tensor<9x48xbf16>
    %a_up = tensor.extract_slice %a[0, 48] [9, 48] [1, 1] : tensor<9x96xbf16> to tensor<9x48xbf16>
    %a_z = deepseek.swiglu %a_gate, %a_up : (tensor<9x48xbf16>, tensor<9x48xbf16>) -> tensor<9x48xbf16>
    %b_zero = arith.constant dense<0.0> : tensor<9x160xbf16>
    %b_x = arith.addf %a_x, %b_zero : tensor<9x160xbf16>
    %b = deepseek.grouped_linear %b_x, %w, %offsets : (tensor<9x160xbf16>, tensor<4x96x160xbf16>, tensor<5xi32>) -> tensor<9x96xbf16>
    check.expect_eq %b, %b : tensor<9x96xbf16>
    %b_gate = tensor.extract_slice %b[0, 0] [9, 48] [1, 1] : tensor<9x96xbf16> to tensor<9x48xbf16>
    %b_up = tensor.extract_slice %b[0, 48] [9, 48] [1, 1] : tensor<9x96xbf16> to tensor<9x48xbf16>
    %b_z = deepseek.swiglu %b_gate, %b_up : (tensor<9x48xbf16>, tensor<9x48xbf16>) -> tensor<9x48xbf16>
    check.expect_eq %a_z, %b_z : tensor<9x48xbf16>
    return
  }

  func.func @scaled() {
    %w = deepseek.get_weight @w : !w8
    %s = deepseek.get_weight @w_s : tensor<2x2xf32>
    %a_x = deepseek.get_weight @x : tensor<9x160xbf16>
    %a_q, %a_s = deepseek.quantize %a_x : (tensor<9x160xbf16>) -> (!x8, tensor<9x2xf32>)
    %a = deepseek.scaled_linear %a_q, %a_s, %w, %s : (!x8, tensor<9x2xf32>, !w8, tensor<2x2xf32>) -> tensor<9x256xbf16>
    %a_gate = tensor.extract_slice %a[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %a_up = tensor.extract_slice %a[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %a_z = deepseek.swiglu %a_gate, %a_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    %a_c, %a_cs = deepseek.quantize %a_z : (tensor<9x128xbf16>) -> (!y8, tensor<9x1xf32>)
    %a_d = deepseek.dequantize %a_c, %a_cs : (!y8, tensor<9x1xf32>) -> tensor<9x128xf32>
    %b_zero = arith.constant dense<0.0> : tensor<9x160xbf16>
    %b_x = arith.addf %a_x, %b_zero : tensor<9x160xbf16>
    %b_q, %b_s = deepseek.quantize %b_x : (tensor<9x160xbf16>) -> (!x8, tensor<9x2xf32>)
    %b = deepseek.scaled_linear %b_q, %b_s, %w, %s : (!x8, tensor<9x2xf32>, !w8, tensor<2x2xf32>) -> tensor<9x256xbf16>
    check.expect_eq %b, %b : tensor<9x256xbf16>
    %b_gate = tensor.extract_slice %b[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %b_up = tensor.extract_slice %b[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %b_z = deepseek.swiglu %b_gate, %b_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    %b_c, %b_cs = deepseek.quantize %b_z : (tensor<9x128xbf16>) -> (!y8, tensor<9x1xf32>)
    %b_d = deepseek.dequantize %b_c, %b_cs : (!y8, tensor<9x1xf32>) -> tensor<9x128xf32>
    check.expect_eq %a_cs, %b_cs : tensor<9x1xf32>
    check.expect_eq %a_d, %b_d : tensor<9x128xf32>
    return
  }

  func.func @scaled_grouped() {
    %w = deepseek.get_weight @e8 : !e8
    %s = deepseek.get_weight @e8_s : tensor<4x2x2xf32>
    %offsets = arith.constant dense<[0, 5, 5, 6, 9]> : tensor<5xi32>
    %a_x = deepseek.get_weight @x : tensor<9x160xbf16>
    %a_q, %a_s = deepseek.quantize %a_x : (tensor<9x160xbf16>) -> (!x8, tensor<9x2xf32>)
    %a = deepseek.scaled_grouped_linear %a_q, %a_s, %w, %s, %offsets : (!x8, tensor<9x2xf32>, !e8, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<9x256xbf16>
    %a_gate = tensor.extract_slice %a[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %a_up = tensor.extract_slice %a[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %a_z = deepseek.swiglu %a_gate, %a_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    %a_c, %a_cs = deepseek.quantize %a_z : (tensor<9x128xbf16>) -> (!y8, tensor<9x1xf32>)
    %a_d = deepseek.dequantize %a_c, %a_cs : (!y8, tensor<9x1xf32>) -> tensor<9x128xf32>
    %b_zero = arith.constant dense<0.0> : tensor<9x160xbf16>
    %b_x = arith.addf %a_x, %b_zero : tensor<9x160xbf16>
    %b_q, %b_s = deepseek.quantize %b_x : (tensor<9x160xbf16>) -> (!x8, tensor<9x2xf32>)
    %b = deepseek.scaled_grouped_linear %b_q, %b_s, %w, %s, %offsets : (!x8, tensor<9x2xf32>, !e8, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<9x256xbf16>
    check.expect_eq %b, %b : tensor<9x256xbf16>
    %b_gate = tensor.extract_slice %b[0, 0] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %b_up = tensor.extract_slice %b[0, 128] [9, 128] [1, 1] : tensor<9x256xbf16> to tensor<9x128xbf16>
    %b_z = deepseek.swiglu %b_gate, %b_up : (tensor<9x128xbf16>, tensor<9x128xbf16>) -> tensor<9x128xbf16>
    %b_c, %b_cs = deepseek.quantize %b_z : (tensor<9x128xbf16>) -> (!y8, tensor<9x1xf32>)
    %b_d = deepseek.dequantize %b_c, %b_cs : (!y8, tensor<9x1xf32>) -> tensor<9x128xf32>
    check.expect_eq %a_cs, %b_cs : tensor<9x1xf32>
    check.expect_eq %a_d, %b_d : tensor<9x128xf32>
    return
  }
}
