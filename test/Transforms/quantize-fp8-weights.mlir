// RUN: ds-opt %s --ds-quantize-fp8=quantize-weights | FileCheck %s
// RUN: ds-opt %s --ds-quantize-fp8="quantize-weights scales=power_of_two" | FileCheck %s --check-prefix=POWER
// RUN: ds-opt %s --ds-quantize-fp8="quantize-weights activations=fp8" | FileCheck %s --check-prefix=FP8
// RUN: ds-opt %s --ds-quantize-fp8="scales=power_of_two activations=fp8" | FileCheck %s --check-prefix=AGAIN
// RUN: ds-opt %s --ds-quantize-fp8="scales=any activations=fp8" | FileCheck %s --check-prefix=KEPT

// Weights that are marked are read quantized by all their users, in blocks of 128 x 128;
// others stay.
deepseek.weight @w from "w" {deepseek.quantizable} : tensor<256x192xbf16>
deepseek.weight @router from "router" : tensor<4x192xbf16>

// CHECK-LABEL: func.func @plain(
// CHECK: %[[W:.*]] = deepseek.get_weight @w
// CHECK: %[[Q:.*]], %[[S:.*]] = deepseek.quantize %[[W]] : (tensor<256x192xbf16>) -> (tensor<256x192xf8E4M3FN, #block_scaled>, tensor<2x2xf32>)
// CHECK: %[[P:.*]] = deepseek.dequantize %[[Q]], %[[S]]
// CHECK: %[[R:.*]] = deepseek.get_weight @router
// CHECK: deepseek.linear %arg0, %[[P]]
// CHECK: deepseek.linear %arg0, %[[R]]

// POWER: #[[POWER:.*]] = #deepseek.block_scaled<[128, 128], power_of_two>
// POWER-LABEL: func.func @plain(
// POWER: deepseek.quantize %{{.*}} -> (tensor<256x192xf8E4M3FN, #[[POWER]]>, tensor<2x2xf32>)

// FP8-LABEL: func.func @plain(
// FP8: %[[Q:.*]], %[[S:.*]] = deepseek.quantize %w
// FP8: deepseek.scaled_linear %{{.*}}, %{{.*}}, %[[Q]], %[[S]]
// FP8: deepseek.linear %arg0, %router

// AGAIN: #[[AGAIN:.*]] = #deepseek.block_scaled<[128, 128], power_of_two>
// AGAIN-LABEL: func.func @plain(
// AGAIN-NOT: deepseek.scaled_linear
func.func @plain(%x: tensor<?x192xbf16>) -> (tensor<?x256xbf16>, tensor<?x4xf32>) {
  %w = deepseek.get_weight @w : tensor<256x192xbf16>
  %r = deepseek.get_weight @router : tensor<4x192xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x192xbf16>, tensor<256x192xbf16>) -> tensor<?x256xbf16>
  %z = deepseek.linear %x, %r : (tensor<?x192xbf16>, tensor<4x192xbf16>) -> tensor<?x4xf32>
  return %y, %z : tensor<?x256xbf16>, tensor<?x4xf32>
}

// An FP8 weight whose scales are any numbers gets powers of two if that is asked for.
!q = tensor<128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
deepseek.weight @q from "q" : !q
deepseek.weight @s from "q_scale_inv" : tensor<1x1xf32>

// AGAIN-LABEL: func.func @fp8(
// AGAIN: %[[Q:.*]], %[[S:.*]] = deepseek.requantize %{{.*}}, %s : {{.*}} -> (tensor<128x128xf8E4M3FN, #[[AGAIN]]>, tensor<1x1xf32>)
// AGAIN: deepseek.scaled_linear %{{.*}}, %{{.*}}, %[[Q]], %[[S]]
// KEPT-LABEL: func.func @fp8(
// KEPT-NOT: deepseek.requantize
// KEPT: %[[Q:.*]] = deepseek.get_weight @q :
// KEPT: deepseek.scaled_linear %{{.*}}, %{{.*}}, %[[Q]], %s
func.func @fp8(%x: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
  %q = deepseek.get_weight @q : !q
  %s = deepseek.get_weight @s : tensor<1x1xf32>
  %w = deepseek.dequantize %q, %s : (!q, tensor<1x1xf32>) -> tensor<128x128xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x128xbf16>, tensor<128x128xbf16>) -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}
