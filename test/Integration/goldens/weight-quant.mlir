// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/weight_quant.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: ds-opt %s --ds-compile="target=host chip=x86-64-v2" | ds-translate --chip=x86-64-v2 --emit=shared -o %t.v2.so && ds-run %t.v2.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.quantize and dequantize of a weight in blocks of 128 x 128, ragged in both
// dimensions, against the golden values bit for bit. The scale of the one block of zeros
// is left out: the file's producer has no lower bound for it, and writes 1.

!w8 = tensor<300x200xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!g8 = tensor<300x200xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>
!p8 = tensor<300x200xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
!r8 = tensor<300x200xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>

module attributes {deepseek.source = ""} {
  deepseek.weight @w from "w" : tensor<300x200xf32>
  deepseek.weight @q from "q" : !w8
  deepseek.weight @s from "scale_inv" : tensor<3x2xf32>
  deepseek.weight @dequant from "dequant" : tensor<300x200xf32>
  deepseek.weight @dequant_bf16 from "dequant_bf16" : tensor<300x200xbf16>

  func.func @quantize() {
    %w = deepseek.get_weight @w : tensor<300x200xf32>
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<3x2xf32>
    %actual, %scale = deepseek.quantize %w : (tensor<300x200xf32>) -> (!w8, tensor<3x2xf32>)
    check.expect_eq %actual, %q : !w8
    %left = tensor.extract_slice %scale[0, 0] [3, 1] [1, 1] : tensor<3x2xf32> to tensor<3xf32>
    %left_s = tensor.extract_slice %s[0, 0] [3, 1] [1, 1] : tensor<3x2xf32> to tensor<3xf32>
    check.expect_eq %left, %left_s : tensor<3xf32>
    %right = tensor.extract_slice %scale[0, 1] [2, 1] [2, 1] : tensor<3x2xf32> to tensor<2xf32>
    %right_s = tensor.extract_slice %s[0, 1] [2, 1] [2, 1] : tensor<3x2xf32> to tensor<2xf32>
    check.expect_eq %right, %right_s : tensor<2xf32>
    return
  }

  func.func @dequantize() {
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<3x2xf32>
    %f32 = deepseek.get_weight @dequant : tensor<300x200xf32>
    %bf16 = deepseek.get_weight @dequant_bf16 : tensor<300x200xbf16>
    %0 = deepseek.dequantize %q, %s : (!w8, tensor<3x2xf32>) -> tensor<300x200xf32>
    check.expect_eq %0, %f32 : tensor<300x200xf32>
    %1 = deepseek.dequantize %q, %s : (!w8, tensor<3x2xf32>) -> tensor<300x200xbf16>
    check.expect_eq %1, %bf16 : tensor<300x200xbf16>
    %gq, %gs = deepseek.requantize %q, %s : (!w8, tensor<3x2xf32>) -> (!g8, tensor<2x3xf32>)
    %2 = deepseek.dequantize %gq, %gs : (!g8, tensor<2x3xf32>) -> tensor<300x200xf32>
    check.expect_eq %2, %f32 : tensor<300x200xf32>
    return
  }

  // To powers of two, and to blocks of one row: what quantizing the values gives.
  func.func @requantize() {
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<3x2xf32>
    %f32 = deepseek.get_weight @dequant : tensor<300x200xf32>
    %q0, %s0 = deepseek.requantize %q, %s : (!w8, tensor<3x2xf32>) -> (!p8, tensor<3x2xf32>)
    %e0, %t0 = deepseek.quantize %f32 : (tensor<300x200xf32>) -> (!p8, tensor<3x2xf32>)
    check.expect_eq %q0, %e0 : !p8
    check.expect_eq %s0, %t0 : tensor<3x2xf32>
    %q1, %s1 = deepseek.requantize %q, %s : (!w8, tensor<3x2xf32>) -> (!r8, tensor<300x2xf32>)
    %e1, %t1 = deepseek.quantize %f32 : (tensor<300x200xf32>) -> (!r8, tensor<300x2xf32>)
    check.expect_eq %q1, %e1 : !r8
    check.expect_eq %s1, %t1 : tensor<300x2xf32>
    // And back to large blocks.
    %q2, %s2 = deepseek.requantize %q1, %s1 : (!r8, tensor<300x2xf32>) -> (!w8, tensor<3x2xf32>)
    %f2 = deepseek.dequantize %q1, %s1 : (!r8, tensor<300x2xf32>) -> tensor<300x200xf32>
    %e2, %t2 = deepseek.quantize %f2 : (tensor<300x200xf32>) -> (!w8, tensor<3x2xf32>)
    check.expect_eq %q2, %e2 : !w8
    check.expect_eq %s2, %t2 : tensor<3x2xf32>
    return
  }
}
