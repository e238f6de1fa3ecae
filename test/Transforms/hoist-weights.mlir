// RUN: ds-opt %s --ds-hoist-weights --split-input-file | FileCheck %s
// RUN: ds-opt %s --ds-hoist-weights=dequantize --split-input-file | FileCheck %s --check-prefix=PLAIN
// RUN: ds-opt %s --ds-hoist-weights --split-input-file --remarks-filter=memory 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Two entries share what is computed from a weight. The view on it stays.
!q = tensor<256x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// CHECK: deepseek.weight @w from "w"
// CHECK-NEXT: deepseek.weight @w_quantize derived : tensor<256x128xf8E4M3FN, #block_scaled>
// CHECK-NEXT: deepseek.weight @w_quantize_scale derived : tensor<2x1xf32>
deepseek.weight @w from "w" : tensor<256x128xbf16>

// REMARK: hoisted | Category:memory | Function=prefill | {{.*}}bytes=32768, weight=w_quantize
// REMARK: hoisted | Category:memory | Function=prefill | {{.*}}bytes=8, weight=w_quantize_scale

// CHECK-LABEL: func.func @prefill(
// CHECK-DAG: %[[Q:.*]] = deepseek.get_weight @w_quantize :
// CHECK-DAG: %[[S:.*]] = deepseek.get_weight @w_quantize_scale :
// CHECK-NOT: deepseek.quantize
// CHECK: %[[W:.*]] = deepseek.dequantize %[[Q]], %[[S]]
// CHECK: deepseek.linear %{{.*}}, %[[W]]
func.func @prefill(%x: tensor<?x128xbf16>) -> tensor<?x256xbf16> {
  %w = deepseek.get_weight @w : tensor<256x128xbf16>
  %q, %s = deepseek.quantize %w : (tensor<256x128xbf16>) -> (!q, tensor<2x1xf32>)
  %plain = deepseek.dequantize %q, %s : (!q, tensor<2x1xf32>) -> tensor<256x128xbf16>
  %y = deepseek.linear %x, %plain : (tensor<?x128xbf16>, tensor<256x128xbf16>) -> tensor<?x256xbf16>
  return %y : tensor<?x256xbf16>
}

// CHECK-LABEL: func.func @decode(
// CHECK-NOT: deepseek.quantize
// CHECK: deepseek.linear
func.func @decode(%x: tensor<?x128xbf16>) -> tensor<?x256xbf16> {
  %w = deepseek.get_weight @w : tensor<256x128xbf16>
  %q, %s = deepseek.quantize %w : (tensor<256x128xbf16>) -> (!q, tensor<2x1xf32>)
  %plain = deepseek.dequantize %q, %s : (!q, tensor<2x1xf32>) -> tensor<256x128xbf16>
  %y = deepseek.linear %x, %plain : (tensor<?x128xbf16>, tensor<256x128xbf16>) -> tensor<?x256xbf16>
  return %y : tensor<?x256xbf16>
}

// CHECK: func.func @prepare() -> ({{.*}} {deepseek.name = "w_quantize"}, {{.*}} {deepseek.name = "w_quantize_scale"}) attributes {deepseek.entry}
// CHECK-NEXT: %[[W:.*]] = deepseek.get_weight @w :
// CHECK-NEXT: %[[Q:.*]], %[[S:.*]] = deepseek.quantize %[[W]]
// CHECK-NEXT: return %[[Q]], %[[S]]

// -----

// kv_b, split by head: the product with heads has no FP8 form and gets its half
// dequantized, with the option; the linear product reads the FP8 weight in any case.
!q = tensor<512x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
deepseek.weight @kv_b from "kv_b" : !q
deepseek.weight @kv_b_scale from "kv_b_scale_inv" : tensor<4x1xf32>

// CHECK-LABEL: func.func @heads(
// CHECK-NOT: func.func @prepare
// CHECK: deepseek.dequantize
// PLAIN: deepseek.weight @kv_b_extract_slice derived : tensor<4x32x128xbf16>
// PLAIN-LABEL: func.func @heads(
// PLAIN-DAG: %[[KEYS:.*]] = deepseek.get_weight @kv_b_extract_slice : tensor<4x32x128xbf16>
// PLAIN-DAG: %[[W:.*]] = deepseek.dequantize
// PLAIN: deepseek.head_linear %{{.*}}, %[[KEYS]] {transposed}
// PLAIN: deepseek.linear %{{.*}}, %[[W]]
// PLAIN: func.func @prepare()
// PLAIN: deepseek.dequantize
// PLAIN: tensor.expand_shape
// PLAIN: tensor.extract_slice
// REMARK: [Missed] not-hoisted | Category:memory | Function=heads | {{.*}}its weight is dequantized where it is read
func.func @heads(%x: tensor<?x4x32xbf16>, %l: tensor<?x128xbf16>) -> (tensor<?x4x128xbf16>, tensor<?x512xbf16>) {
  %q = deepseek.get_weight @kv_b : !q
  %s = deepseek.get_weight @kv_b_scale : tensor<4x1xf32>
  %w = deepseek.dequantize %q, %s : (!q, tensor<4x1xf32>) -> tensor<512x128xbf16>
  %heads = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 128, 128] : tensor<512x128xbf16> into tensor<4x128x128xbf16>
  %keys = tensor.extract_slice %heads[0, 0, 0] [4, 32, 128] [1, 1, 1] : tensor<4x128x128xbf16> to tensor<4x32x128xbf16>
  %y = deepseek.head_linear %x, %keys {transposed} : (tensor<?x4x32xbf16>, tensor<4x32x128xbf16>) -> tensor<?x4x128xbf16>
  %z = deepseek.linear %l, %w : (tensor<?x128xbf16>, tensor<512x128xbf16>) -> tensor<?x512xbf16>
  return %y, %z : tensor<?x4x128xbf16>, tensor<?x512xbf16>
}

// -----

// A chain moves as a whole; a stack of experts stays one in the runtime's tables.
!q = tensor<2x128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!p = tensor<2x128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
deepseek.weight @up from "experts.*.up" : tensor<2x128x128xbf16>
// CHECK: deepseek.weight @up_requantize derived {deepseek.stacked} : tensor<2x128x128xf8E4M3FN, #block_scaled{{.*}}>
// CHECK-LABEL: func.func @chain(
// CHECK-NOT: quantize %
// CHECK: func.func @prepare()
// CHECK: deepseek.quantize
// CHECK: deepseek.requantize
func.func @chain() -> (!p, tensor<2x1x1xf32>) {
  %w = deepseek.get_weight @up : tensor<2x128x128xbf16>
  %q, %s = deepseek.quantize %w : (tensor<2x128x128xbf16>) -> (!q, tensor<2x1x1xf32>)
  %p, %ps = deepseek.requantize %q, %s : (!q, tensor<2x1x1xf32>) -> (!p, tensor<2x1x1xf32>)
  return %p, %ps : !p, tensor<2x1x1xf32>
}

// -----

// More is added to an entry that is there; nothing is computed twice.
// CHECK: deepseek.weight @a_negf derived
// CHECK: deepseek.weight @b_negf derived
// CHECK: func.func @prepare() -> (tensor<4xf32> {deepseek.name = "a_negf"}, tensor<4xf32> {deepseek.name = "b_negf"})
// CHECK: arith.negf %a
// CHECK: arith.negf %b
// CHECK-NOT: negf
// CHECK: return
deepseek.weight @a from "a" : tensor<4xf32>
deepseek.weight @b from "b" : tensor<4xf32>
deepseek.weight @a_negf derived : tensor<4xf32>
func.func @prepare() -> (tensor<4xf32> {deepseek.name = "a_negf"}) attributes {deepseek.entry} {
  %a = deepseek.get_weight @a : tensor<4xf32>
  %0 = arith.negf %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @both(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = deepseek.get_weight @a : tensor<4xf32>
  %b = deepseek.get_weight @b : tensor<4xf32>
  %0 = arith.negf %a : tensor<4xf32>
  %1 = arith.negf %b : tensor<4xf32>
  %2 = arith.addf %x, %0 : tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A program that makes its own inputs is no preparation: not of inline values,
// and not where a product is taken.
// CHECK-LABEL: func.func @program(
// CHECK: arith.negf
// CHECK: deepseek.linear
// CHECK-NOT: @prepare
deepseek.weight @inline = dense<1.0> : tensor<4xf32> : tensor<4xf32>
deepseek.weight @square from "square" : tensor<4x4xf32>
func.func @program() -> (tensor<4xf32>, tensor<4x4xf32>) {
  %inline = deepseek.get_weight @inline : tensor<4xf32>
  %0 = arith.negf %inline : tensor<4xf32>
  %square = deepseek.get_weight @square : tensor<4x4xf32>
  %1 = deepseek.linear %square, %square : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4x4xf32>
}
