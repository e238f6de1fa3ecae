// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/act_quant.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: ds-opt %s --ds-compile="target=host chip=x86-64-v2" | ds-translate --chip=x86-64-v2 --emit=shared -o %t.v2.so && ds-run %t.v2.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.quantize of activations against the golden values, codes and scales bit for
// bit: by the reference, and compiled for this machine and for one without fused
// multiply-add.

!x8 = tensor<10x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!g8 = tensor<10x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!p8 = tensor<10x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>
!stack8 = tensor<2x5x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!ragged8 = tensor<4x192xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>

module attributes {deepseek.source = ""} {
  deepseek.weight @x from "x" : tensor<10x256xf32>
  deepseek.weight @q from "q" : !x8
  deepseek.weight @s from "s" : tensor<10x2xf32>
  deepseek.weight @q_ue8m0 from "q_ue8m0" : !p8
  deepseek.weight @s_ue8m0 from "s_ue8m0" : tensor<10x2xf32>
  deepseek.weight @ragged_x from "ragged.x" : tensor<4x192xf32>
  deepseek.weight @ragged_q from "ragged.q" : !ragged8
  deepseek.weight @ragged_s from "ragged.s" : tensor<4x2xf32>

  func.func @any() {
    %x = deepseek.get_weight @x : tensor<10x256xf32>
    %q = deepseek.get_weight @q : !x8
    %s = deepseek.get_weight @s : tensor<10x2xf32>
    %actual, %scale = deepseek.quantize %x : (tensor<10x256xf32>) -> (!x8, tensor<10x2xf32>)
    check.expect_eq %actual, %q : !x8
    check.expect_eq %scale, %s : tensor<10x2xf32>
    return
  }

  func.func @power_of_two() {
    %x = deepseek.get_weight @x : tensor<10x256xf32>
    %q = deepseek.get_weight @q_ue8m0 : !p8
    %s = deepseek.get_weight @s_ue8m0 : tensor<10x2xf32>
    %actual, %scale = deepseek.quantize %x : (tensor<10x256xf32>) -> (!p8, tensor<10x2xf32>)
    check.expect_eq %actual, %q : !p8
    check.expect_eq %scale, %s : tensor<10x2xf32>
    %actual8, %scale8 = deepseek.quantize %x : (tensor<10x256xf32>) -> (!p8, tensor<10x2xf8E8M0FNU>)
    %wide = arith.extf %scale8 : tensor<10x2xf8E8M0FNU> to tensor<10x2xf32>
    check.expect_eq %actual8, %q : !p8
    check.expect_eq %wide, %s : tensor<10x2xf32>
    return
  }

  func.func @ragged() {
    %x = deepseek.get_weight @ragged_x : tensor<4x192xf32>
    %q = deepseek.get_weight @ragged_q : !ragged8
    %s = deepseek.get_weight @ragged_s : tensor<4x2xf32>
    %actual, %scale = deepseek.quantize %x : (tensor<4x192xf32>) -> (!ragged8, tensor<4x2xf32>)
    check.expect_eq %actual, %q : !ragged8
    check.expect_eq %scale, %s : tensor<4x2xf32>
    return
  }

  // The scales in the other layout, and put back.
  func.func @group_major() {
    %x = deepseek.get_weight @x : tensor<10x256xf32>
    %q = deepseek.get_weight @q : !x8
    %s = deepseek.get_weight @s : tensor<10x2xf32>
    %actual, %scale = deepseek.quantize %x : (tensor<10x256xf32>) -> (!g8, tensor<2x10xf32>)
    %back, %scale_back = deepseek.requantize %actual, %scale : (!g8, tensor<2x10xf32>) -> (!x8, tensor<10x2xf32>)
    check.expect_eq %back, %q : !x8
    check.expect_eq %scale_back, %s : tensor<10x2xf32>
    %first = tensor.extract_slice %scale[0, 0] [1, 10] [1, 1] : tensor<2x10xf32> to tensor<10xf32>
    %first_s = tensor.extract_slice %s[0, 0] [10, 1] [1, 1] : tensor<10x2xf32> to tensor<10xf32>
    check.expect_eq %first, %first_s : tensor<10xf32>
    return
  }

  // As a stack of two.
  func.func @stack() {
    %x = deepseek.get_weight @x : tensor<10x256xf32>
    %s = deepseek.get_weight @s : tensor<10x2xf32>
    %q = deepseek.get_weight @q : !x8
    %stack = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 5, 256] : tensor<10x256xf32> into tensor<2x5x256xf32>
    %actual, %scale = deepseek.quantize %stack : (tensor<2x5x256xf32>) -> (!stack8, tensor<2x5x2xf32>)
    %flat = tensor.collapse_shape %scale [[0, 1], [2]] : tensor<2x5x2xf32> into tensor<10x2xf32>
    check.expect_eq %flat, %s : tensor<10x2xf32>
    %values = deepseek.dequantize %actual, %scale : (!stack8, tensor<2x5x2xf32>) -> tensor<2x5x256xf32>
    %flat_values = tensor.collapse_shape %values [[0, 1], [2]] : tensor<2x5x256xf32> into tensor<10x256xf32>
    %expected = deepseek.dequantize %q, %s : (!x8, tensor<10x2xf32>) -> tensor<10x256xf32>
    check.expect_eq %flat_values, %expected : tensor<10x256xf32>
    return
  }
}
