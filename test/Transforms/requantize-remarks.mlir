// RUN: ds-opt %s --ds-verify-stage=stage=quantize --remarks-filter=fp8 2>&1 >/dev/null | FileCheck %s
// RUN: ds-opt %s --ds-verify-stage=stage=fuse --remarks-filter=fp8 2>&1 >/dev/null | FileCheck %s --check-prefix=BEFORE --allow-empty

// What a change of scaling can add to the error, once formats are final.
// BEFORE-NOT: remark

!any = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!group_major = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!power_of_two = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>
!wide_range = tensor<4x256xf8E5M2, #deepseek.block_scaled<[1, 128]>>
!wide_range_2 = tensor<4x256xf8E5M2, #deepseek.block_scaled<[1, 128], power_of_two>>

func.func @changes(%q: !any, %s: tensor<4x2xf32>, %r: !wide_range) -> (!group_major, !power_of_two, !wide_range_2) {
  // CHECK: [[# @LINE + 1]]:10: remark: [Passed] requantize | Category:fp8 | Function=changes | error="none, codes are copied"
  %0:2 = deepseek.requantize %q, %s : (!any, tensor<4x2xf32>) -> (!group_major, tensor<2x4xf32>)
  // CHECK: [[# @LINE + 1]]:10: remark: [Passed] requantize | Category:fp8 | Function=changes | error_below_normal_codes="2^-10 * new_scale", relative_error=2^-4
  %1:2 = deepseek.requantize %q, %s : (!any, tensor<4x2xf32>) -> (!power_of_two, tensor<4x2xf32>)
  // CHECK: [[# @LINE + 1]]:10: remark: [Passed] requantize | Category:fp8 | Function=changes | error_below_normal_codes="2^-17 * new_scale", relative_error=2^-3
  %2:2 = deepseek.requantize %r, %s : (!wide_range, tensor<4x2xf32>) -> (!wide_range_2, tensor<4x2xf32>)
  return %0#0, %1#0, %2#0 : !group_major, !power_of_two, !wide_range_2
}
