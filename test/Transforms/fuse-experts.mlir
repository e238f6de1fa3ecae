// RUN: ds-opt %s --ds-fuse-experts --split-input-file --verify-diagnostics | FileCheck %s
// RUN: ds-opt %s --ds-fuse-experts=shared=false --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=APART
// RUN: not ds-opt %s --ds-fuse-experts --split-input-file --remarks-filter=moe 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Operands that are no weights of the checkpoint: no concatenation, which would copy.

// CHECK-LABEL: @experts
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x32xbf16>, %[[SCORES:[^:]+]]: tensor<?x2xf32>, %[[INDICES:[^:]+]]: tensor<?x2xi32>, %[[GATE:[^:]+]]: {{[^,]+}}, %[[UP:[^:]+]]: {{[^,]+}}, %[[DOWN:[^:]+]]: {{[^,]+}}, %[[SHARED:[^:]+]]:
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]], %[[SOURCE:.*]] = deepseek.moe_dispatch %[[X]], %[[INDICES]] {num_experts = 4 : i64} : {{.*}} -> (tensor<?x32xbf16>, tensor<5xi32>, tensor<?xi32>)
// CHECK: %[[G:.*]] = deepseek.grouped_linear %[[ROWS]], %[[GATE]], %[[OFFSETS]] : {{.*}} -> tensor<?x48xbf16>
// CHECK: %[[U:.*]] = deepseek.grouped_linear %[[ROWS]], %[[UP]], %[[OFFSETS]]
// CHECK: %[[A:.*]] = deepseek.swiglu %[[G]], %[[U]]
// CHECK: %[[D:.*]] = deepseek.grouped_linear %[[A]], %[[DOWN]], %[[OFFSETS]] : {{.*}} -> tensor<?x32xbf16>
// CHECK: deepseek.moe_combine %[[D]], %[[SOURCE]], %[[SCORES]], %[[SHARED]]
// CHECK-NOT: deepseek.experts
func.func @experts(%x: tensor<?x32xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %g: tensor<4x48x32xbf16>,
                   %u: tensor<4x48x32xbf16>, %d: tensor<4x32x48xbf16>, %shared: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %y = deepseek.experts %x, %s, %i, %g, %u, %d, %shared : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// Known sizes stay known.
// CHECK-LABEL: @static_rows
// CHECK: deepseek.moe_dispatch {{.*}} -> (tensor<6x32xbf16>, tensor<5xi32>, tensor<6xi32>)
func.func @static_rows(%x: tensor<3x32xbf16>, %s: tensor<3x2xf32>, %i: tensor<3x2xi32>, %g: tensor<4x48x32xbf16>,
                       %u: tensor<4x48x32xbf16>, %d: tensor<4x32x48xbf16>) -> tensor<3x32xbf16> {
  %y = deepseek.experts %x, %s, %i, %g, %u, %d : (tensor<3x32xbf16>, tensor<3x2xf32>, tensor<3x2xi32>,
      tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>) -> tensor<3x32xbf16>
  return %y : tensor<3x32xbf16>
}

// REMARK: remark: [Missed] shared-not-fused | Category:moe | Function=experts | Reason="it is not a SwiGLU MLP of the same tokens with no other use"
// REMARK: remark: [Missed] gate-and-up-not-fused | Category:moe | Function=experts | Reason="they are not two weights stored in the same way"
// REMARK: remark: [Passed] fused | Category:moe | Function=experts | groups=4, shared=apart

// -----

// A shared expert of a routed one's size is the last group, in #deepseek.block_scaled<[128, 128]> with its scales. Two
// entries share the new stacks; the weights they replace are gone, those with another
// use are not.

// CHECK-NOT: deepseek.weight @gate {{.*}}tensor<4x
// CHECK: deepseek.weight @gate_and_shared from "experts.*.gate.weight" then "shared.gate.weight" : tensor<5x256x256xf8E4M3FN, #block_scaled>
// CHECK-NEXT: deepseek.weight @gate_s_and_shared from "experts.*.gate.weight_scale_inv" then "shared.gate.weight_scale_inv" : tensor<5x2x2xf32>
// CHECK-NEXT: deepseek.weight @up_and_shared
// CHECK-NEXT: deepseek.weight @up_s_and_shared
// CHECK-NEXT: deepseek.weight @down_and_shared
// CHECK-NEXT: deepseek.weight @down_s_and_shared
// CHECK-NEXT: deepseek.weight @sdown_s
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x256xbf16>, %[[SCORES:[^:]+]]: tensor<?x2xf32>, %[[INDICES:[^:]+]]: tensor<?x2xi32>)
// CHECK-NOT: deepseek.linear
// CHECK-DAG: %[[GQ:.*]] = deepseek.get_weight @gate_and_shared
// CHECK-DAG: %[[GS:.*]] = deepseek.get_weight @gate_s_and_shared
// CHECK-DAG: %[[G:.*]] = deepseek.dequantize %[[GQ]], %[[GS]] : {{.*}} -> tensor<5x256x256xbf16>
// CHECK-DAG: %[[UQ:.*]] = deepseek.get_weight @up_and_shared
// CHECK-DAG: %[[U:.*]] = deepseek.dequantize %[[UQ]]
// CHECK-DAG: %[[DQ:.*]] = deepseek.get_weight @down_and_shared
// CHECK-DAG: %[[D:.*]] = deepseek.dequantize %[[DQ]]
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]], %[[SOURCE:.*]] = deepseek.moe_dispatch %[[X]], %[[INDICES]] {num_experts = 5 : i64, shared_group}
// CHECK: %[[W:.*]] = tensor.concat dim(1) %[[G]], %[[U]] : {{.*}} -> tensor<5x512x256xbf16>
// CHECK: %[[P:.*]] = deepseek.grouped_linear %[[ROWS]], %[[W]], %[[OFFSETS]] : {{.*}} -> tensor<?x512xbf16>
// CHECK: %[[GATE:.*]] = tensor.extract_slice %[[P]][0, 0] [%{{.*}}, 256] [1, 1]
// CHECK: %[[UP:.*]] = tensor.extract_slice %[[P]][0, 256] [%{{.*}}, 256] [1, 1]
// CHECK: %[[A:.*]] = deepseek.swiglu %[[GATE]], %[[UP]]
// CHECK: %[[O:.*]] = deepseek.grouped_linear %[[A]], %[[D]], %[[OFFSETS]]
// CHECK: %[[Y:.*]] = deepseek.moe_combine %[[O]], %[[SOURCE]], %[[SCORES]] {shared_group} :
// CHECK: return %[[Y]]
// CHECK-LABEL: func.func @decode
// CHECK: deepseek.get_weight @gate_and_shared
// CHECK: deepseek.moe_combine {{.*}} {shared_group}
// REMARK: remark: [Passed] fused | Category:moe | Function=prefill | groups=5, shared="a group"

// APART-LABEL: func.func @prefill
// APART: deepseek.swiglu
// APART: %[[S:.*]] = deepseek.linear {{.*}} -> tensor<?x256xbf16>
// APART: deepseek.moe_dispatch {{.*}} {num_experts = 4 : i64} :
// APART: tensor.concat dim(1) {{.*}} -> tensor<4x512x256xbf16>
// APART: deepseek.moe_combine {{.*}}, {{.*}}, {{.*}}, %[[S]] :
!e = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!s = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!x = tensor<?x256xbf16>
!w = tensor<256x256xbf16>
!ws = tensor<4x256x256xbf16>
deepseek.weight @gate from "experts.*.gate.weight" : !e
deepseek.weight @gate_s from "experts.*.gate.weight_scale_inv" : tensor<4x2x2xf32>
deepseek.weight @up from "experts.*.up.weight" : !e
deepseek.weight @up_s from "experts.*.up.weight_scale_inv" : tensor<4x2x2xf32>
deepseek.weight @down from "experts.*.down.weight" : !e
deepseek.weight @down_s from "experts.*.down.weight_scale_inv" : tensor<4x2x2xf32>
deepseek.weight @sgate from "shared.gate.weight" : !s
deepseek.weight @sgate_s from "shared.gate.weight_scale_inv" : tensor<2x2xf32>
deepseek.weight @sup from "shared.up.weight" : !s
deepseek.weight @sup_s from "shared.up.weight_scale_inv" : tensor<2x2xf32>
deepseek.weight @sdown from "shared.down.weight" : !s
deepseek.weight @sdown_s from "shared.down.weight_scale_inv" : tensor<2x2xf32>
func.func @prefill(%x: !x, %scores: tensor<?x2xf32>, %indices: tensor<?x2xi32>) -> !x {
  %gq = deepseek.get_weight @gate : !e
  %gs = deepseek.get_weight @gate_s : tensor<4x2x2xf32>
  %uq = deepseek.get_weight @up : !e
  %us = deepseek.get_weight @up_s : tensor<4x2x2xf32>
  %dq = deepseek.get_weight @down : !e
  %ds = deepseek.get_weight @down_s : tensor<4x2x2xf32>
  %gate = deepseek.dequantize %gq, %gs : (!e, tensor<4x2x2xf32>) -> !ws
  %up = deepseek.dequantize %uq, %us : (!e, tensor<4x2x2xf32>) -> !ws
  %down = deepseek.dequantize %dq, %ds : (!e, tensor<4x2x2xf32>) -> !ws
  %sgq = deepseek.get_weight @sgate : !s
  %sgs = deepseek.get_weight @sgate_s : tensor<2x2xf32>
  %suq = deepseek.get_weight @sup : !s
  %sus = deepseek.get_weight @sup_s : tensor<2x2xf32>
  %sdq = deepseek.get_weight @sdown : !s
  %sds = deepseek.get_weight @sdown_s : tensor<2x2xf32>
  %sgate = deepseek.dequantize %sgq, %sgs : (!s, tensor<2x2xf32>) -> !w
  %sup = deepseek.dequantize %suq, %sus : (!s, tensor<2x2xf32>) -> !w
  %sdown = deepseek.dequantize %sdq, %sds : (!s, tensor<2x2xf32>) -> !w
  %0 = deepseek.linear %x, %sgate : (!x, !w) -> !x
  %1 = deepseek.linear %x, %sup : (!x, !w) -> !x
  %2 = deepseek.swiglu %0, %1 : (!x, !x) -> !x
  %shared = deepseek.linear %2, %sdown : (!x, !w) -> !x
  %y = deepseek.experts %x, %scores, %indices, %gate, %up, %down, %shared
      : (!x, tensor<?x2xf32>, tensor<?x2xi32>, !ws, !ws, !ws, !x) -> !x
  return %y : !x
}
func.func @decode(%x: !x, %scores: tensor<?x2xf32>, %indices: tensor<?x2xi32>) -> !x {
  %gq = deepseek.get_weight @gate : !e
  %gs = deepseek.get_weight @gate_s : tensor<4x2x2xf32>
  %uq = deepseek.get_weight @up : !e
  %us = deepseek.get_weight @up_s : tensor<4x2x2xf32>
  %dq = deepseek.get_weight @down : !e
  %ds = deepseek.get_weight @down_s : tensor<4x2x2xf32>
  %gate = deepseek.dequantize %gq, %gs : (!e, tensor<4x2x2xf32>) -> !ws
  %up = deepseek.dequantize %uq, %us : (!e, tensor<4x2x2xf32>) -> !ws
  %down = deepseek.dequantize %dq, %ds : (!e, tensor<4x2x2xf32>) -> !ws
  %sgq = deepseek.get_weight @sgate : !s
  %sgs = deepseek.get_weight @sgate_s : tensor<2x2xf32>
  %suq = deepseek.get_weight @sup : !s
  %sus = deepseek.get_weight @sup_s : tensor<2x2xf32>
  %sdq = deepseek.get_weight @sdown : !s
  %sds = deepseek.get_weight @sdown_s : tensor<2x2xf32>
  %sgate = deepseek.dequantize %sgq, %sgs : (!s, tensor<2x2xf32>) -> !w
  %sup = deepseek.dequantize %suq, %sus : (!s, tensor<2x2xf32>) -> !w
  %sdown = deepseek.dequantize %sdq, %sds : (!s, tensor<2x2xf32>) -> !w
  %0 = deepseek.linear %x, %sgate : (!x, !w) -> !x
  %1 = deepseek.linear %x, %sup : (!x, !w) -> !x
  %2 = deepseek.swiglu %0, %1 : (!x, !x) -> !x
  %shared = deepseek.linear %2, %sdown : (!x, !w) -> !x
  %y = deepseek.experts %x, %scores, %indices, %gate, %up, %down, %shared
      : (!x, tensor<?x2xf32>, tensor<?x2xi32>, !ws, !ws, !ws, !x) -> !x
  return %y : !x
}
func.func @other() -> tensor<2x2xf32> {
  %0 = deepseek.get_weight @sdown_s : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----

// Two shared experts in one MLP stay an MLP (V2-Lite); plain weights.
// CHECK-LABEL: func.func @twice_as_wide
// CHECK: %[[S:.*]] = deepseek.linear {{.*}} -> tensor<?x64xbf16>
// CHECK: deepseek.moe_dispatch {{.*}} {num_experts = 4 : i64} :
// CHECK: tensor.concat dim(1) {{.*}} -> tensor<4x96x64xbf16>
// CHECK: deepseek.moe_combine {{.*}}, {{.*}}, {{.*}}, %[[S]] :
// REMARK: remark: [Missed] shared-not-fused | Category:moe | Function=twice_as_wide | Reason="a weight of it is tensor<96x64xbf16>, that of an expert is tensor<48x64xbf16>"
// REMARK: remark: [Passed] fused | Category:moe | Function=twice_as_wide | groups=4, shared=apart
deepseek.weight @gate from "experts.*.gate.weight" : tensor<4x48x64xbf16>
deepseek.weight @up from "experts.*.up.weight" : tensor<4x48x64xbf16>
deepseek.weight @down from "experts.*.down.weight" : tensor<4x64x48xbf16>
deepseek.weight @sgate from "shared.gate.weight" : tensor<96x64xbf16>
deepseek.weight @sup from "shared.up.weight" : tensor<96x64xbf16>
deepseek.weight @sdown from "shared.down.weight" : tensor<64x96xbf16>
func.func @twice_as_wide(%x: tensor<?x64xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>) -> tensor<?x64xbf16> {
  %gate = deepseek.get_weight @gate : tensor<4x48x64xbf16>
  %up = deepseek.get_weight @up : tensor<4x48x64xbf16>
  %down = deepseek.get_weight @down : tensor<4x64x48xbf16>
  %sgate = deepseek.get_weight @sgate : tensor<96x64xbf16>
  %sup = deepseek.get_weight @sup : tensor<96x64xbf16>
  %sdown = deepseek.get_weight @sdown : tensor<64x96xbf16>
  %0 = deepseek.linear %x, %sgate : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xbf16>
  %1 = deepseek.linear %x, %sup : (tensor<?x64xbf16>, tensor<96x64xbf16>) -> tensor<?x96xbf16>
  %2 = deepseek.swiglu %0, %1 : (tensor<?x96xbf16>, tensor<?x96xbf16>) -> tensor<?x96xbf16>
  %shared = deepseek.linear %2, %sdown : (tensor<?x96xbf16>, tensor<64x96xbf16>) -> tensor<?x64xbf16>
  %y = deepseek.experts %x, %s, %i, %gate, %up, %down, %shared : (tensor<?x64xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<4x48x64xbf16>, tensor<4x48x64xbf16>, tensor<4x64x48xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

// The shared expert's gate is stored in another way: all of it stays apart.
// CHECK-LABEL: func.func @other_form
// CHECK: deepseek.moe_dispatch {{.*}} {num_experts = 4 : i64} :
// REMARK: remark: [Missed] shared-not-fused | Category:moe | Function=other_form | Reason="its weights are stored in another way than those of the experts"
deepseek.weight @gate from "experts.*.gate.weight" : tensor<4x48x64xbf16>
deepseek.weight @down from "experts.*.down.weight" : tensor<4x64x48xbf16>
deepseek.weight @sgate from "shared.gate.weight" : tensor<48x64xf32>
deepseek.weight @sdown from "shared.down.weight" : tensor<64x48xbf16>
func.func @other_form(%x: tensor<?x64xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>) -> tensor<?x64xbf16> {
  %gate = deepseek.get_weight @gate : tensor<4x48x64xbf16>
  %down = deepseek.get_weight @down : tensor<4x64x48xbf16>
  %sgate = deepseek.get_weight @sgate : tensor<48x64xf32>
  %sdown = deepseek.get_weight @sdown : tensor<64x48xbf16>
  %0 = deepseek.linear %x, %sgate : (tensor<?x64xbf16>, tensor<48x64xf32>) -> tensor<?x48xbf16>
  %1 = deepseek.linear %x, %sgate : (tensor<?x64xbf16>, tensor<48x64xf32>) -> tensor<?x48xbf16>
  %2 = deepseek.swiglu %0, %1 : (tensor<?x48xbf16>, tensor<?x48xbf16>) -> tensor<?x48xbf16>
  %shared = deepseek.linear %2, %sdown : (tensor<?x48xbf16>, tensor<64x48xbf16>) -> tensor<?x64xbf16>
  %y = deepseek.experts %x, %s, %i, %gate, %gate, %down, %shared : (tensor<?x64xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<4x48x64xbf16>, tensor<4x48x64xbf16>, tensor<4x64x48xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @dynamic_experts(%x: tensor<?x32xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %g: tensor<?x48x32xbf16>,
                           %u: tensor<?x48x32xbf16>, %d: tensor<?x32x48xbf16>) -> tensor<?x32xbf16> {
  // expected-error @+1 {{expected weights of static sizes, got gate}}
  %y = deepseek.experts %x, %s, %i, %g, %u, %d : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<?x48x32xbf16>, tensor<?x48x32xbf16>, tensor<?x32x48xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
