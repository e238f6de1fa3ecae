// RUN: ds-opt %s --canonicalize | FileCheck %s

!stack = tensor<4x256x130xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// A cast that hides a static size is folded into the op.
// CHECK-LABEL: func @cast
// CHECK-SAME: (%[[X:.*]]: tensor<3x8xf32>, %[[W:.*]]: tensor<6x8xbf16>)
func.func @cast(%x: tensor<3x8xf32>, %w: tensor<6x8xbf16>) -> tensor<?x6xf32> {
  // CHECK-NOT: tensor.cast
  // CHECK: deepseek.linear %[[X]], %[[W]] : (tensor<3x8xf32>, tensor<6x8xbf16>) -> tensor<?x6xf32>
  %0 = tensor.cast %x : tensor<3x8xf32> to tensor<?x?xf32>
  %1 = tensor.cast %w : tensor<6x8xbf16> to tensor<6x?xbf16>
  %2 = deepseek.linear %0, %1 : (tensor<?x?xf32>, tensor<6x?xbf16>) -> tensor<?x6xf32>
  return %2 : tensor<?x6xf32>
}

// A cast that adds a static size says something that the operand does not.
// CHECK-LABEL: func @cast_that_adds
func.func @cast_that_adds(%x: tensor<?x?xf32>, %w: tensor<6x8xbf16>) -> tensor<?x6xf32> {
  // CHECK: %[[CAST:.*]] = tensor.cast
  // CHECK: deepseek.linear %[[CAST]]
  %0 = tensor.cast %x : tensor<?x?xf32> to tensor<?x8xf32>
  %1 = deepseek.linear %0, %w : (tensor<?x8xf32>, tensor<6x8xbf16>) -> tensor<?x6xf32>
  return %1 : tensor<?x6xf32>
}

// One expert's weight is cut out before it is dequantized.
// CHECK-LABEL: func @expert
// CHECK-SAME: (%[[Q:.*]]: tensor<4x256x130xf8E4M3FN, #[[ENC:.*]]>, %[[S:.*]]: tensor<4x2x2xf32>, %[[E:.*]]: index)
func.func @expert(%q: !stack, %s: tensor<4x2x2xf32>, %e: index) -> tensor<256x130xbf16> {
  // CHECK: %[[QE:.*]] = tensor.extract_slice %[[Q]][%[[E]], 0, 0] [1, 256, 130] [1, 1, 1] : {{.*}} to tensor<256x130xf8E4M3FN, #[[ENC]]>
  // CHECK: %[[SE:.*]] = tensor.extract_slice %[[S]][%[[E]], 0, 0] [1, 2, 2] [1, 1, 1] : tensor<4x2x2xf32> to tensor<2x2xf32>
  // CHECK: %[[W:.*]] = deepseek.dequantize %[[QE]], %[[SE]] : {{.*}} -> tensor<256x130xbf16>
  // CHECK: return %[[W]]
  %0 = deepseek.dequantize %q, %s : (!stack, tensor<4x2x2xf32>) -> tensor<4x256x130xbf16>
  %1 = tensor.extract_slice %0[%e, 0, 0] [1, 256, 130] [1, 1, 1] : tensor<4x256x130xbf16> to tensor<256x130xbf16>
  return %1 : tensor<256x130xbf16>
}

// The same for several experts, which stay a stack.
// CHECK-LABEL: func @experts
func.func @experts(%q: !stack, %s: tensor<4x2x2xf32>, %e: index) -> tensor<2x256x130xbf16> {
  // CHECK: tensor.extract_slice {{.*}} [2, 256, 130] [1, 1, 1] : {{.*}} to tensor<2x256x130xf8E4M3FN, #{{.*}}>
  // CHECK: tensor.extract_slice {{.*}} [2, 2, 2] [1, 1, 1] : tensor<4x2x2xf32> to tensor<2x2x2xf32>
  // CHECK: deepseek.dequantize {{.*}} -> tensor<2x256x130xbf16>
  %0 = deepseek.dequantize %q, %s : (!stack, tensor<4x2x2xf32>) -> tensor<4x256x130xbf16>
  %1 = tensor.extract_slice %0[%e, 0, 0] [2, 256, 130] [1, 1, 1] : tensor<4x256x130xbf16> to tensor<2x256x130xbf16>
  return %1 : tensor<2x256x130xbf16>
}

// A slice that cuts blocks stays where it is.
// CHECK-LABEL: func @rows_of_an_expert
func.func @rows_of_an_expert(%q: !stack, %s: tensor<4x2x2xf32>) -> tensor<100x130xbf16> {
  // CHECK: %[[W:.*]] = deepseek.dequantize
  // CHECK: tensor.extract_slice %[[W]]
  %0 = deepseek.dequantize %q, %s : (!stack, tensor<4x2x2xf32>) -> tensor<4x256x130xbf16>
  %1 = tensor.extract_slice %0[1, 0, 0] [1, 100, 130] [1, 1, 1] : tensor<4x256x130xbf16> to tensor<100x130xbf16>
  return %1 : tensor<100x130xbf16>
}

// Quantization loses bits: undoing it is not nothing.
// CHECK-LABEL: func @quantize_dequantize
func.func @quantize_dequantize(%x: tensor<?x256xbf16>) -> tensor<?x256xbf16> {
  // CHECK: deepseek.quantize
  // CHECK: deepseek.dequantize
  %q, %s = deepseek.quantize %x : (tensor<?x256xbf16>) -> (tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x2xf32>)
  %0 = deepseek.dequantize %q, %s : (tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x2xf32>) -> tensor<?x256xbf16>
  return %0 : tensor<?x256xbf16>
}

!any = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!any_group_major = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!any_wide = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 256]>>
!power_of_two = tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>

// CHECK-LABEL: func @requantize_to_the_same
func.func @requantize_to_the_same(%q: !any, %s: tensor<4x2xf32>) -> (!any, tensor<4x2xf32>) {
  // CHECK-NEXT: return %arg0, %arg1
  %0:2 = deepseek.requantize %q, %s : (!any, tensor<4x2xf32>) -> (!any, tensor<4x2xf32>)
  return %0#0, %0#1 : !any, tensor<4x2xf32>
}

// To another layout and back.
// CHECK-LABEL: func @requantize_there_and_back
func.func @requantize_there_and_back(%q: !any, %s: tensor<4x2xf32>) -> (!any, tensor<4x2xf32>) {
  // CHECK-NEXT: return %arg0, %arg1
  %0:2 = deepseek.requantize %q, %s : (!any, tensor<4x2xf32>) -> (!any_group_major, tensor<2x4xf32>)
  %1:2 = deepseek.requantize %0#0, %0#1 : (!any_group_major, tensor<2x4xf32>) -> (!any, tensor<4x2xf32>)
  return %1#0, %1#1 : !any, tensor<4x2xf32>
}

// An exact change goes into one that rounds.
// CHECK-LABEL: func @requantize_twice
func.func @requantize_twice(%q: !power_of_two, %s: tensor<4x2xf32>) -> (!any_wide, tensor<4x1xf32>) {
  // CHECK-NEXT: %[[Q:.*]], %[[S:.*]] = deepseek.requantize %arg0, %arg1
  // CHECK-NEXT: return %[[Q]], %[[S]]
  %0:2 = deepseek.requantize %q, %s : (!power_of_two, tensor<4x2xf32>) -> (!any, tensor<4x2xf32>)
  %1:2 = deepseek.requantize %0#0, %0#1 : (!any, tensor<4x2xf32>) -> (!any_wide, tensor<4x1xf32>)
  return %1#0, %1#1 : !any_wide, tensor<4x1xf32>
}

// What was rounded stays so.
// CHECK-LABEL: func @requantize_rounded
func.func @requantize_rounded(%q: !any, %s: tensor<4x2xf32>) -> (!any, tensor<4x2xf32>) {
  // CHECK-NEXT: deepseek.requantize
  // CHECK-NEXT: deepseek.requantize
  // CHECK-NEXT: return
  %0:2 = deepseek.requantize %q, %s : (!any, tensor<4x2xf32>) -> (!power_of_two, tensor<4x2xf32>)
  %1:2 = deepseek.requantize %0#0, %0#1 : (!power_of_two, tensor<4x2xf32>) -> (!any, tensor<4x2xf32>)
  return %1#0, %1#1 : !any, tensor<4x2xf32>
}

// Exact, and yet the second would quantize anew what the first copied.
// CHECK-LABEL: func @requantize_loosened
func.func @requantize_loosened(%q: !power_of_two, %s: tensor<4x2xf32>) -> (!power_of_two, tensor<4x2xf32>) {
  // CHECK-NEXT: deepseek.requantize
  // CHECK-NEXT: deepseek.requantize
  // CHECK-NEXT: return
  %0:2 = deepseek.requantize %q, %s : (!power_of_two, tensor<4x2xf32>) -> (!any, tensor<4x2xf32>)
  %1:2 = deepseek.requantize %0#0, %0#1 : (!any, tensor<4x2xf32>) -> (!power_of_two, tensor<4x2xf32>)
  return %1#0, %1#1 : !power_of_two, tensor<4x2xf32>
}
