// RUN: ds-opt %s --ds-quantize-fp8=activations=fp8 --split-input-file | FileCheck %s
// RUN: ds-opt %s --ds-quantize-fp8 --split-input-file | FileCheck %s --check-prefix=BF16
// RUN: ds-opt %s --ds-quantize-fp8=activations=fp8 --split-input-file --remarks-filter=fp8 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// BF16-NOT: deepseek.quantize
// BF16-NOT: deepseek.scaled

// Two products of a value share its FP8 form; the plain weight's product stays.
!w = tensor<256x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// CHECK-LABEL: func.func @shared(
// CHECK-SAME: %[[X:.*]]: tensor<?x192xbf16>, %[[A:.*]]: tensor<256x192xf8E4M3FN, #block_scaled>, %[[S:.*]]: tensor<2x2xf32>
// CHECK-NEXT: %[[Q:.*]], %[[QS:.*]] = deepseek.quantize %[[X]] : (tensor<?x192xbf16>) -> (tensor<?x192xf8E4M3FN, #block_scaled1>, tensor<?x2xf32>)
// CHECK-NOT: deepseek.quantize
// CHECK: deepseek.scaled_linear %[[Q]], %[[QS]], %[[A]], %[[S]]
// CHECK-SAME: -> tensor<?x256xbf16>
// CHECK: deepseek.scaled_linear %[[Q]], %[[QS]], %[[A]], %[[S]]
// CHECK-SAME: -> tensor<?x256xf32>
// CHECK: deepseek.linear
// CHECK-NOT: deepseek.linear
// REMARK: quantized | Category:fp8 | Function=shared | {{.*}}both operands in FP8
// REMARK: quantized | Category:fp8 | Function=shared
// REMARK: [Missed] not-quantized | Category:fp8 | Function=shared | {{.*}}its weight is not in FP8
func.func @shared(%x: tensor<?x192xbf16>, %q: !w, %s: tensor<2x2xf32>, %p: tensor<4x192xbf16>)
    -> (tensor<?x256xbf16>, tensor<?x256xf32>, tensor<?x4xf32>) {
  %w = deepseek.dequantize %q, %s : (!w, tensor<2x2xf32>) -> tensor<256x192xbf16>
  %a = deepseek.linear %x, %w : (tensor<?x192xbf16>, tensor<256x192xbf16>) -> tensor<?x256xbf16>
  %b = deepseek.linear %x, %w : (tensor<?x192xbf16>, tensor<256x192xbf16>) -> tensor<?x256xf32>
  %c = deepseek.linear %x, %p : (tensor<?x192xbf16>, tensor<4x192xbf16>) -> tensor<?x4xf32>
  return %a, %b, %c : tensor<?x256xbf16>, tensor<?x256xf32>, tensor<?x4xf32>
}

// -----

// Powers of two in the checkpoint: activations get such scales too. Stacked weights.
!w = tensor<2x128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>

// CHECK: #[[ROWS:.*]] = #deepseek.block_scaled<[1, 128], power_of_two>
// CHECK-LABEL: func.func @grouped(
// CHECK: %[[Q:.*]], %[[QS:.*]] = deepseek.quantize %arg0 : (tensor<?x128xbf16>) -> (tensor<?x128xf8E4M3FN, #[[ROWS]]>, tensor<?x1xf32>)
// CHECK: deepseek.scaled_grouped_linear %[[Q]], %[[QS]], %arg1, %arg2, %arg3
func.func @grouped(%x: tensor<?x128xbf16>, %q: !w, %s: tensor<2x1x1xf32>, %o: tensor<3xi32>) -> tensor<?x128xbf16> {
  %w = deepseek.dequantize %q, %s : (!w, tensor<2x1x1xf32>) -> tensor<2x128x128xbf16>
  %y = deepseek.grouped_linear %x, %w, %o : (tensor<?x128xbf16>, tensor<2x128x128xbf16>, tensor<3xi32>) -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

// A fused weight whose first part ends with a block stays fused.
!a = tensor<128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!b = tensor<64x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// CHECK-LABEL: func.func @fused(
// CHECK: %[[W:.*]] = tensor.concat dim(0) %arg1, %arg3
// CHECK-SAME: -> tensor<192x128xf8E4M3FN, #block_scaled>
// CHECK: %[[S:.*]] = tensor.concat dim(0) %arg2, %arg4
// CHECK-SAME: -> tensor<2x1xf32>
// CHECK: deepseek.scaled_linear %{{.*}}, %{{.*}}, %[[W]], %[[S]]
func.func @fused(%x: tensor<?x128xbf16>, %a: !a, %as: tensor<1x1xf32>, %b: !b, %bs: tensor<1x1xf32>) -> tensor<?x192xbf16> {
  %wa = deepseek.dequantize %a, %as : (!a, tensor<1x1xf32>) -> tensor<128x128xbf16>
  %wb = deepseek.dequantize %b, %bs : (!b, tensor<1x1xf32>) -> tensor<64x128xbf16>
  %w = tensor.concat dim(0) %wa, %wb : (tensor<128x128xbf16>, tensor<64x128xbf16>) -> tensor<192x128xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x128xbf16>, tensor<192x128xbf16>) -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}

// -----

// One whose first part does not is split; what takes one part takes its product.
!a = tensor<64x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!b = tensor<128x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// CHECK-LABEL: func.func @split(
// CHECK: %[[A:.*]] = deepseek.scaled_linear %{{.*}}, %{{.*}}, %arg1, %arg2
// CHECK: %[[B:.*]] = deepseek.scaled_linear %{{.*}}, %{{.*}}, %arg3, %arg4
// CHECK-NOT: deepseek.linear
// CHECK: tensor.extract_slice %[[A]][0, 0] [%{{.*}}, 64] [1, 1]
// CHECK: tensor.extract_slice %[[B]][0, 32] [%{{.*}}, 96] [1, 1]
// CHECK-NOT: tensor.concat
// REMARK: split | Category:fp8 | Function=split | {{.*}}into a product per part of its weight, as a part of its weight ends within a block
func.func @split(%x: tensor<?x128xbf16>, %a: !a, %as: tensor<1x1xf32>, %b: !b, %bs: tensor<1x1xf32>, %t: index)
    -> (tensor<?x64xbf16>, tensor<?x96xbf16>) {
  %wa = deepseek.dequantize %a, %as : (!a, tensor<1x1xf32>) -> tensor<64x128xbf16>
  %wb = deepseek.dequantize %b, %bs : (!b, tensor<1x1xf32>) -> tensor<128x128xbf16>
  %w = tensor.concat dim(0) %wa, %wb : (tensor<64x128xbf16>, tensor<128x128xbf16>) -> tensor<192x128xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x128xbf16>, tensor<192x128xbf16>) -> tensor<?x192xbf16>
  %0 = tensor.extract_slice %y[0, 0] [%t, 64] [1, 1] : tensor<?x192xbf16> to tensor<?x64xbf16>
  %1 = tensor.extract_slice %y[0, 96] [%t, 96] [1, 1] : tensor<?x192xbf16> to tensor<?x96xbf16>
  return %0, %1 : tensor<?x64xbf16>, tensor<?x96xbf16>
}

// -----

// A slice of rows of a weight, from the beginning of a block on; one from within a
// block has no scales of its own.
!w = tensor<384x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// CHECK-LABEL: func.func @rows(
// CHECK: %[[W:.*]] = tensor.extract_slice %arg1[128, 0] [256, 128] [1, 1]
// CHECK: %[[S:.*]] = tensor.extract_slice %arg2[1, 0] [2, 1] [1, 1]
// CHECK: deepseek.scaled_linear %{{.*}}, %{{.*}}, %[[W]], %[[S]]
// CHECK: deepseek.linear
// REMARK: [Missed] not-quantized | Category:fp8 | Function=rows | {{.*}}a slice of its weight begins within a block
func.func @rows(%x: tensor<?x128xbf16>, %q: !w, %s: tensor<3x1xf32>) -> (tensor<?x256xbf16>, tensor<?x64xbf16>) {
  %w = deepseek.dequantize %q, %s : (!w, tensor<3x1xf32>) -> tensor<384x128xbf16>
  %a = tensor.extract_slice %w[128, 0] [256, 128] [1, 1] : tensor<384x128xbf16> to tensor<256x128xbf16>
  %b = tensor.extract_slice %w[64, 0] [64, 128] [1, 1] : tensor<384x128xbf16> to tensor<64x128xbf16>
  %y = deepseek.linear %x, %a : (tensor<?x128xbf16>, tensor<256x128xbf16>) -> tensor<?x256xbf16>
  %z = deepseek.linear %x, %b : (tensor<?x128xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
  return %y, %z : tensor<?x256xbf16>, tensor<?x64xbf16>
}
