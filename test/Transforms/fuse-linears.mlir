// RUN: ds-opt %s --ds-fuse-linears | FileCheck %s
// RUN: ds-opt %s --ds-fuse-linears --remarks-filter=kernel -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:

!x = tensor<?x256xbf16>
!a = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!b = tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
deepseek.weight @a from "a.weight" : !a
deepseek.weight @a_s from "a.weight_scale_inv" : tensor<2x2xf32>
deepseek.weight @b from "b.weight" : !b
deepseek.weight @b_s from "b.weight_scale_inv" : tensor<2x2xf32>
deepseek.weight @plain from "plain.weight" : tensor<64x256xbf16>
deepseek.weight @gate from "gate.weight" : tensor<64x256xbf16>
deepseek.weight @up from "up.weight" : tensor<64x256xbf16>
deepseek.weight @other from "other.weight" : tensor<32x256xbf16>

// In the order of the program; each keeps its rows. A weight is read where the product
// is, which is before the second one's was.
// CHECK-LABEL: func.func @same_input
// CHECK-SAME: %[[X:.*]]: tensor<?x256xbf16>
// CHECK-DAG: %[[AQ:.*]] = deepseek.get_weight @a :
// CHECK-DAG: %[[AS:.*]] = deepseek.get_weight @a_s :
// CHECK-DAG: %[[A:.*]] = deepseek.dequantize %[[AQ]], %[[AS]]
// CHECK-DAG: %[[BQ:.*]] = deepseek.get_weight @b :
// CHECK-DAG: %[[BS:.*]] = deepseek.get_weight @b_s :
// CHECK-DAG: %[[B:.*]] = deepseek.dequantize %[[BQ]], %[[BS]]
// CHECK: %[[W:.*]] = tensor.concat dim(0) %[[A]], %[[B]] : {{.*}} -> tensor<448x256xbf16>
// CHECK: %[[Y:.*]] = deepseek.linear %[[X]], %[[W]] : {{.*}} -> tensor<?x448xbf16>
// CHECK: %[[YA:.*]] = tensor.extract_slice %[[Y]][0, 0] [%{{.*}}, 256] [1, 1]
// CHECK: %[[YB:.*]] = tensor.extract_slice %[[Y]][0, 256] [%{{.*}}, 192] [1, 1]
// CHECK-NOT: deepseek.linear
// CHECK: return %[[YA]], %[[YB]]
// REMARK: remark: [Passed] fused | Category:kernel | Function=same_input | products=2, rows=448
func.func @same_input(%x: !x) -> (!x, tensor<?x192xbf16>) {
  %aq = deepseek.get_weight @a : !a
  %as = deepseek.get_weight @a_s : tensor<2x2xf32>
  %a = deepseek.dequantize %aq, %as : (!a, tensor<2x2xf32>) -> tensor<256x256xbf16>
  %ya = deepseek.linear %x, %a : (!x, tensor<256x256xbf16>) -> !x
  %bq = deepseek.get_weight @b : !b
  %bs = deepseek.get_weight @b_s : tensor<2x2xf32>
  %b = deepseek.dequantize %bq, %bs : (!b, tensor<2x2xf32>) -> tensor<192x256xbf16>
  %yb = deepseek.linear %x, %b : (!x, tensor<192x256xbf16>) -> tensor<?x192xbf16>
  return %ya, %yb : !x, tensor<?x192xbf16>
}

// 192 rows end within a block of 128: fused, and the remark says what FP8 activations
// do to it.
// CHECK-LABEL: func.func @ragged
// CHECK: tensor.concat dim(0) {{.*}} -> tensor<448x256xbf16>
// REMARK: remark: [Passed] fused | Category:kernel | Function=ragged | Remark="a part ends within an FP8 block: ds-quantize-fp8 takes the product apart", products=2, rows=448
func.func @ragged(%x: !x) -> (!x, tensor<?x192xbf16>) {
  %aq = deepseek.get_weight @a : !a
  %as = deepseek.get_weight @a_s : tensor<2x2xf32>
  %a = deepseek.dequantize %aq, %as : (!a, tensor<2x2xf32>) -> tensor<256x256xbf16>
  %bq = deepseek.get_weight @b : !b
  %bs = deepseek.get_weight @b_s : tensor<2x2xf32>
  %b = deepseek.dequantize %bq, %bs : (!b, tensor<2x2xf32>) -> tensor<192x256xbf16>
  %yb = deepseek.linear %x, %b : (!x, tensor<192x256xbf16>) -> tensor<?x192xbf16>
  %ya = deepseek.linear %x, %a : (!x, tensor<256x256xbf16>) -> !x
  return %ya, %yb : !x, tensor<?x192xbf16>
}

// The products of a SwiGLU are one, gate first, and no third joins them; f32 logits and
// a weight in FP8 stay by themselves.
// CHECK-LABEL: func.func @apart
// CHECK: %[[W:.*]] = tensor.concat dim(0) %other{{.*}}, %plain{{.*}} : {{.*}} -> tensor<96x256xbf16>
// CHECK: %[[Y:.*]] = deepseek.linear %{{.*}}, %[[W]] : {{.*}} -> tensor<?x96xbf16>
// CHECK: %[[YO:.*]] = tensor.extract_slice %[[Y]][0, 0] [%{{.*}}, 32]
// CHECK: %[[YP:.*]] = tensor.extract_slice %[[Y]][0, 32] [%{{.*}}, 64]
// CHECK: deepseek.linear {{.*}} -> tensor<?x32xf32>
// CHECK: deepseek.linear {{.*}} -> tensor<?x256xbf16>
// CHECK: %[[W2:.*]] = tensor.concat dim(0) %gate{{.*}}, %up{{.*}} :
// CHECK: %[[Y2:.*]] = deepseek.linear %{{.*}}, %[[W2]] : {{.*}} -> tensor<?x128xbf16>
// CHECK: %[[GATE:.*]] = tensor.extract_slice %[[Y2]][0, 0]
// CHECK: %[[UP:.*]] = tensor.extract_slice %[[Y2]][0, 64]
// CHECK: deepseek.swiglu %[[GATE]], %[[UP]]
// REMARK: remark: [Missed] not-fused | Category:kernel | Function=apart | Reason="its result is f32, that of another product of the same input bf16"
// REMARK: remark: [Missed] not-fused | Category:kernel | Function=apart | Reason="its weight is stored in another way than that of another product of the same input"
// REMARK: remark: [Passed] fused | Category:kernel | Function=apart | products=2, rows=96
// REMARK: remark: [Passed] fused | Category:kernel | Function=apart | products=2, rows=128
func.func @apart(%x: !x) -> (tensor<?x32xbf16>, tensor<?x64xbf16>, tensor<?x32xf32>, !x, tensor<?x64xbf16>) {
  %other = deepseek.get_weight @other : tensor<32x256xbf16>
  %plain = deepseek.get_weight @plain : tensor<64x256xbf16>
  %aq = deepseek.get_weight @a : !a
  %as = deepseek.get_weight @a_s : tensor<2x2xf32>
  %a = deepseek.dequantize %aq, %as : (!a, tensor<2x2xf32>) -> tensor<256x256xbf16>
  %0 = deepseek.linear %x, %other : (!x, tensor<32x256xbf16>) -> tensor<?x32xbf16>
  %1 = deepseek.linear %x, %plain : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  %logits = deepseek.linear %x, %other : (!x, tensor<32x256xbf16>) -> tensor<?x32xf32>
  %2 = deepseek.linear %x, %a : (!x, tensor<256x256xbf16>) -> !x
  %wup = deepseek.get_weight @up : tensor<64x256xbf16>
  %up = deepseek.linear %x, %wup : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  %wgate = deepseek.get_weight @gate : tensor<64x256xbf16>
  %gate = deepseek.linear %x, %wgate : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  %3 = deepseek.swiglu %gate, %up : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %0, %1, %logits, %2, %3 : tensor<?x32xbf16>, tensor<?x64xbf16>, tensor<?x32xf32>, !x, tensor<?x64xbf16>
}

// A computed weight would have to be copied; other inputs are other products.
// CHECK-LABEL: func.func @not_weights
// CHECK-NOT: tensor.concat
// CHECK: return
func.func @not_weights(%x: !x, %y: !x, %w: tensor<64x256xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %plain = deepseek.get_weight @plain : tensor<64x256xbf16>
  %0 = deepseek.linear %x, %w : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  %1 = deepseek.linear %x, %plain : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  %2 = deepseek.linear %y, %plain : (!x, tensor<64x256xbf16>) -> tensor<?x64xbf16>
  return %0, %1, %2 : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>
}
