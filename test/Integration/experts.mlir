// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// A mixture of 4 experts for 3 tokens, as one op, in its parts, and token by token
// with every expert computed. Expert 2 gets no token.

!w8 = tensor<4x48x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!d8 = tensor<4x160x48xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!w5 = tensor<5x48x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!d5 = tensor<5x160x48xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!s8 = tensor<48x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!sd8 = tensor<160x48xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<3x160xf32>
  deepseek.weight @shared from "shared" : tensor<3x160xf32>
  deepseek.weight @gate from "experts.*.gate_proj.weight" : !w8
  deepseek.weight @gate_s from "experts.*.gate_proj.weight_scale_inv" : tensor<4x1x2xf32>
  deepseek.weight @up from "experts.*.up_proj.weight" : !w8
  deepseek.weight @up_s from "experts.*.up_proj.weight_scale_inv" : tensor<4x1x2xf32>
  deepseek.weight @down from "experts.*.down_proj.weight" : !d8
  deepseek.weight @down_s from "experts.*.down_proj.weight_scale_inv" : tensor<4x2x1xf32>

  func.func @mixture() {
    %x = deepseek.get_weight @x : tensor<3x160xf32>
    %shared = deepseek.get_weight @shared : tensor<3x160xf32>
    %gq = deepseek.get_weight @gate : !w8
    %gs = deepseek.get_weight @gate_s : tensor<4x1x2xf32>
    %uq = deepseek.get_weight @up : !w8
    %us = deepseek.get_weight @up_s : tensor<4x1x2xf32>
    %dq = deepseek.get_weight @down : !d8
    %ds = deepseek.get_weight @down_s : tensor<4x2x1xf32>
    %gate = deepseek.dequantize %gq, %gs : (!w8, tensor<4x1x2xf32>) -> tensor<4x48x160xf32>
    %up = deepseek.dequantize %uq, %us : (!w8, tensor<4x1x2xf32>) -> tensor<4x48x160xf32>
    %down = deepseek.dequantize %dq, %ds : (!d8, tensor<4x2x1xf32>) -> tensor<4x160x48xf32>
    %indices = arith.constant dense<[[3, 0], [1, 3], [0, 1]]> : tensor<3x2xi32>
    %scores = arith.constant dense<[[0.75, 0.25], [0.5, 0.5], [2.0, -1.0]]> : tensor<3x2xf32>

    %y = deepseek.experts %x, %scores, %indices, %gate, %up, %down, %shared
        : (tensor<3x160xf32>, tensor<3x2xf32>, tensor<3x2xi32>, tensor<4x48x160xf32>, tensor<4x48x160xf32>, tensor<4x160x48xf32>, tensor<3x160xf32>) -> tensor<3x160xf32>

    // The same in its parts: the same sums in the same order, bit for bit.
    %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 4 : i64}
        : (tensor<3x160xf32>, tensor<3x2xi32>) -> (tensor<6x160xf32>, tensor<5xi32>, tensor<6xi32>)
    %expected_offsets = arith.constant dense<[0, 2, 4, 4, 6]> : tensor<5xi32>
    %expected_source = arith.constant dense<[1, 4, 2, 5, 0, 3]> : tensor<6xi32>
    check.expect_eq %offsets, %expected_offsets : tensor<5xi32>
    check.expect_eq %source, %expected_source : tensor<6xi32>
    %g = deepseek.grouped_linear %rows, %gate, %offsets : (tensor<6x160xf32>, tensor<4x48x160xf32>, tensor<5xi32>) -> tensor<6x48xf32>
    %u = deepseek.grouped_linear %rows, %up, %offsets : (tensor<6x160xf32>, tensor<4x48x160xf32>, tensor<5xi32>) -> tensor<6x48xf32>
    %a = deepseek.swiglu %g, %u : (tensor<6x48xf32>, tensor<6x48xf32>) -> tensor<6x48xf32>
    %o = deepseek.grouped_linear %a, %down, %offsets : (tensor<6x48xf32>, tensor<4x160x48xf32>, tensor<5xi32>) -> tensor<6x160xf32>
    %parts = deepseek.moe_combine %o, %source, %scores, %shared : (tensor<6x160xf32>, tensor<6xi32>, tensor<3x2xf32>, tensor<3x160xf32>) -> tensor<3x160xf32>
    check.expect_eq %y, %parts : tensor<3x160xf32>

    // Token 2 by hand: 2 * expert 0 - expert 1 + shared.
    %x2 = tensor.extract_slice %x[2, 0] [1, 160] [1, 1] : tensor<3x160xf32> to tensor<1x160xf32>
    %gate0 = tensor.extract_slice %gate[0, 0, 0] [1, 48, 160] [1, 1, 1] : tensor<4x48x160xf32> to tensor<48x160xf32>
    %gate1 = tensor.extract_slice %gate[1, 0, 0] [1, 48, 160] [1, 1, 1] : tensor<4x48x160xf32> to tensor<48x160xf32>
    %up0 = tensor.extract_slice %up[0, 0, 0] [1, 48, 160] [1, 1, 1] : tensor<4x48x160xf32> to tensor<48x160xf32>
    %up1 = tensor.extract_slice %up[1, 0, 0] [1, 48, 160] [1, 1, 1] : tensor<4x48x160xf32> to tensor<48x160xf32>
    %down0 = tensor.extract_slice %down[0, 0, 0] [1, 160, 48] [1, 1, 1] : tensor<4x160x48xf32> to tensor<160x48xf32>
    %down1 = tensor.extract_slice %down[1, 0, 0] [1, 160, 48] [1, 1, 1] : tensor<4x160x48xf32> to tensor<160x48xf32>
    %g0 = deepseek.linear %x2, %gate0 : (tensor<1x160xf32>, tensor<48x160xf32>) -> tensor<1x48xf32>
    %u0 = deepseek.linear %x2, %up0 : (tensor<1x160xf32>, tensor<48x160xf32>) -> tensor<1x48xf32>
    %a0 = deepseek.swiglu %g0, %u0 : (tensor<1x48xf32>, tensor<1x48xf32>) -> tensor<1x48xf32>
    %e0 = deepseek.linear %a0, %down0 : (tensor<1x48xf32>, tensor<160x48xf32>) -> tensor<1x160xf32>
    %g1 = deepseek.linear %x2, %gate1 : (tensor<1x160xf32>, tensor<48x160xf32>) -> tensor<1x48xf32>
    %u1 = deepseek.linear %x2, %up1 : (tensor<1x160xf32>, tensor<48x160xf32>) -> tensor<1x48xf32>
    %a1 = deepseek.swiglu %g1, %u1 : (tensor<1x48xf32>, tensor<1x48xf32>) -> tensor<1x48xf32>
    %e1 = deepseek.linear %a1, %down1 : (tensor<1x48xf32>, tensor<160x48xf32>) -> tensor<1x160xf32>
    %twice = arith.addf %e0, %e0 : tensor<1x160xf32>
    %difference = arith.subf %twice, %e1 : tensor<1x160xf32>
    %shared2 = tensor.extract_slice %shared[2, 0] [1, 160] [1, 1] : tensor<3x160xf32> to tensor<1x160xf32>
    %hand = arith.addf %difference, %shared2 : tensor<1x160xf32>
    %y2 = tensor.extract_slice %y[2, 0] [1, 160] [1, 1] : tensor<3x160xf32> to tensor<1x160xf32>
    check.expect_close %y2, %hand {atol = 1.0e-6 : f64, rtol = 1.0e-6 : f64} : tensor<1x160xf32>
    return
  }

  // The shared expert as a fifth group, whose tensors are last in the stacks: the same
  // bits as the shared MLP by itself, added last.
  deepseek.weight @gate5 from "experts.*.gate_proj.weight" then "shared.gate_proj.weight" : !w5
  deepseek.weight @gate5_s from "experts.*.gate_proj.weight_scale_inv" then "shared.gate_proj.weight_scale_inv" : tensor<5x1x2xf32>
  deepseek.weight @down5 from "experts.*.down_proj.weight" then "shared.down_proj.weight" : !d5
  deepseek.weight @down5_s from "experts.*.down_proj.weight_scale_inv" then "shared.down_proj.weight_scale_inv" : tensor<5x2x1xf32>
  deepseek.weight @sgate from "shared.gate_proj.weight" : !s8
  deepseek.weight @sgate_s from "shared.gate_proj.weight_scale_inv" : tensor<1x2xf32>
  deepseek.weight @sdown from "shared.down_proj.weight" : !sd8
  deepseek.weight @sdown_s from "shared.down_proj.weight_scale_inv" : tensor<2x1xf32>

  func.func @shared_group() {
    %x = deepseek.get_weight @x : tensor<3x160xf32>
    %gq = deepseek.get_weight @gate : !w8
    %gs = deepseek.get_weight @gate_s : tensor<4x1x2xf32>
    %dq = deepseek.get_weight @down : !d8
    %ds = deepseek.get_weight @down_s : tensor<4x2x1xf32>
    %sgq = deepseek.get_weight @sgate : !s8
    %sgs = deepseek.get_weight @sgate_s : tensor<1x2xf32>
    %sdq = deepseek.get_weight @sdown : !sd8
    %sds = deepseek.get_weight @sdown_s : tensor<2x1xf32>
    %gate = deepseek.dequantize %gq, %gs : (!w8, tensor<4x1x2xf32>) -> tensor<4x48x160xf32>
    %down = deepseek.dequantize %dq, %ds : (!d8, tensor<4x2x1xf32>) -> tensor<4x160x48xf32>
    %sgate = deepseek.dequantize %sgq, %sgs : (!s8, tensor<1x2xf32>) -> tensor<48x160xf32>
    %sdown = deepseek.dequantize %sdq, %sds : (!sd8, tensor<2x1xf32>) -> tensor<160x48xf32>
    %indices = arith.constant dense<[[3, 0], [1, 3], [0, 1]]> : tensor<3x2xi32>
    %scores = arith.constant dense<[[0.75, 0.25], [0.5, 0.5], [2.0, -1.0]]> : tensor<3x2xf32>

    %sg = deepseek.linear %x, %sgate : (tensor<3x160xf32>, tensor<48x160xf32>) -> tensor<3x48xf32>
    %sa = deepseek.swiglu %sg, %sg : (tensor<3x48xf32>, tensor<3x48xf32>) -> tensor<3x48xf32>
    %shared = deepseek.linear %sa, %sdown : (tensor<3x48xf32>, tensor<160x48xf32>) -> tensor<3x160xf32>
    %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 4 : i64}
        : (tensor<3x160xf32>, tensor<3x2xi32>) -> (tensor<6x160xf32>, tensor<5xi32>, tensor<6xi32>)
    %g = deepseek.grouped_linear %rows, %gate, %offsets : (tensor<6x160xf32>, tensor<4x48x160xf32>, tensor<5xi32>) -> tensor<6x48xf32>
    %a = deepseek.swiglu %g, %g : (tensor<6x48xf32>, tensor<6x48xf32>) -> tensor<6x48xf32>
    %o = deepseek.grouped_linear %a, %down, %offsets : (tensor<6x48xf32>, tensor<4x160x48xf32>, tensor<5xi32>) -> tensor<6x160xf32>
    %apart = deepseek.moe_combine %o, %source, %scores, %shared : (tensor<6x160xf32>, tensor<6xi32>, tensor<3x2xf32>, tensor<3x160xf32>) -> tensor<3x160xf32>

    %gq5 = deepseek.get_weight @gate5 : !w5
    %gs5 = deepseek.get_weight @gate5_s : tensor<5x1x2xf32>
    %dq5 = deepseek.get_weight @down5 : !d5
    %ds5 = deepseek.get_weight @down5_s : tensor<5x2x1xf32>
    %gate5 = deepseek.dequantize %gq5, %gs5 : (!w5, tensor<5x1x2xf32>) -> tensor<5x48x160xf32>
    %down5 = deepseek.dequantize %dq5, %ds5 : (!d5, tensor<5x2x1xf32>) -> tensor<5x160x48xf32>
    %rows5, %offsets5, %source5 = deepseek.moe_dispatch %x, %indices {num_experts = 5 : i64, shared_group}
        : (tensor<3x160xf32>, tensor<3x2xi32>) -> (tensor<9x160xf32>, tensor<6xi32>, tensor<9xi32>)
    %g5 = deepseek.grouped_linear %rows5, %gate5, %offsets5 : (tensor<9x160xf32>, tensor<5x48x160xf32>, tensor<6xi32>) -> tensor<9x48xf32>
    %a5 = deepseek.swiglu %g5, %g5 : (tensor<9x48xf32>, tensor<9x48xf32>) -> tensor<9x48xf32>
    %o5 = deepseek.grouped_linear %a5, %down5, %offsets5 : (tensor<9x48xf32>, tensor<5x160x48xf32>, tensor<6xi32>) -> tensor<9x160xf32>
    %together = deepseek.moe_combine %o5, %source5, %scores {shared_group} : (tensor<9x160xf32>, tensor<9xi32>, tensor<3x2xf32>) -> tensor<3x160xf32>
    check.expect_eq %together, %apart : tensor<3x160xf32>
    return
  }
}
