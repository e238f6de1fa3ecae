// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

!x8 = tensor<?x200xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<130x200xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!e8 = tensor<4x130x200xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!g8 = tensor<?x200xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!packed8 = tensor<130x200xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two layout = group_major packing = "x">>
!p8 = tensor<?x200xf8E5M2, #deepseek.block_scaled<[1, 128], power_of_two>>

// CHECK-DAG: #[[GROUP_MAJOR:.*]] = #deepseek.block_scaled<[1, 128] layout = group_major>
// CHECK-DAG: #[[PACKED:.*]] = #deepseek.block_scaled<[128, 128], power_of_two layout = group_major packing = "x">

// CHECK-LABEL: func @quantize
func.func @quantize(%x: tensor<?x200xbf16>) -> (!x8, tensor<?x2xf32>, !p8, tensor<?x2xf8E8M0FNU>) {
  // CHECK: %q, %scale = deepseek.quantize %{{.*}} : (tensor<?x200xbf16>) -> (tensor<?x200xf8E4M3FN, #[[X:.*]]>, tensor<?x2xf32>)
  %0:2 = deepseek.quantize %x : (tensor<?x200xbf16>) -> (!x8, tensor<?x2xf32>)
  // CHECK: deepseek.quantize %{{.*}} : (tensor<?x200xbf16>) -> (tensor<?x200xf8E5M2, #[[P:.*]]>, tensor<?x2xf8E8M0FNU>)
  %1:2 = deepseek.quantize %x : (tensor<?x200xbf16>) -> (!p8, tensor<?x2xf8E8M0FNU>)
  return %0#0, %0#1, %1#0, %1#1 : !x8, tensor<?x2xf32>, !p8, tensor<?x2xf8E8M0FNU>
}

// CHECK-LABEL: func @dequantize
func.func @dequantize(%q: !w8, %scale: tensor<2x2xf32>, %stack: !e8, %scales: tensor<4x2x2xf32>) -> (tensor<130x200xbf16>, tensor<4x130x200xf32>) {
  // CHECK: %w = deepseek.dequantize %{{.*}} : (tensor<130x200xf8E4M3FN, #{{.*}}>, tensor<2x2xf32>) -> tensor<130x200xbf16>
  %0 = deepseek.dequantize %q, %scale : (!w8, tensor<2x2xf32>) -> tensor<130x200xbf16>
  // CHECK: deepseek.dequantize %{{.*}} : (tensor<4x130x200xf8E4M3FN, #{{.*}}>, tensor<4x2x2xf32>) -> tensor<4x130x200xf32>
  %1 = deepseek.dequantize %stack, %scales : (!e8, tensor<4x2x2xf32>) -> tensor<4x130x200xf32>
  return %0, %1 : tensor<130x200xbf16>, tensor<4x130x200xf32>
}

// CHECK-LABEL: func @scaled
func.func @scaled(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !w8, %w_scale: tensor<2x2xf32>, %e: !e8, %e_scale: tensor<4x2x2xf32>,
                  %offsets: tensor<5xi32>) -> (tensor<?x130xbf16>, tensor<?x130xf32>) {
  // CHECK: %linear = deepseek.scaled_linear %{{.*}} -> tensor<?x130xbf16>
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf32>, !w8, tensor<2x2xf32>) -> tensor<?x130xbf16>
  // CHECK: %grouped_linear = deepseek.scaled_grouped_linear %{{.*}} -> tensor<?x130xf32>
  %1 = deepseek.scaled_grouped_linear %x, %x_scale, %e, %e_scale, %offsets
      : (!x8, tensor<?x2xf32>, !e8, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<?x130xf32>
  return %0, %1 : tensor<?x130xbf16>, tensor<?x130xf32>
}

// CHECK-LABEL: func @layouts
// CHECK-SAME: tensor<130x200xf8E4M3FN, #[[PACKED]]>
func.func @layouts(%x: tensor<?x200xbf16>, %stack: tensor<4x130x200xf32>, %w: !w8, %w_scale: tensor<2x2xf32>, %packed: !packed8) -> (tensor<?x130xbf16>, !e8, tensor<4x2x2xf32>) {
  // CHECK: %q, %scale = deepseek.quantize %{{.*}} -> (tensor<?x200xf8E4M3FN, #[[GROUP_MAJOR]]>, tensor<2x?xf32>)
  %q:2 = deepseek.quantize %x : (tensor<?x200xbf16>) -> (!g8, tensor<2x?xf32>)
  %0 = deepseek.scaled_linear %q#0, %q#1, %w, %w_scale : (!g8, tensor<2x?xf32>, !w8, tensor<2x2xf32>) -> tensor<?x130xbf16>
  // CHECK: deepseek.quantize %{{.*}} : (tensor<4x130x200xf32>) -> (tensor<4x130x200xf8E4M3FN, #{{.*}}>, tensor<4x2x2xf32>)
  %1:2 = deepseek.quantize %stack : (tensor<4x130x200xf32>) -> (!e8, tensor<4x2x2xf32>)
  return %0, %1#0, %1#1 : tensor<?x130xbf16>, !e8, tensor<4x2x2xf32>
}

// CHECK-LABEL: func @requantize
func.func @requantize(%q: !x8, %scale: tensor<?x2xf32>) -> (!g8, tensor<2x?xf32>) {
  // CHECK: %q, %scale = deepseek.requantize %{{.*}}, %{{.*}} : (tensor<?x200xf8E4M3FN, #{{.*}}>, tensor<?x2xf32>) -> (tensor<?x200xf8E4M3FN, #[[GROUP_MAJOR]]>, tensor<2x?xf32>)
  %0:2 = deepseek.requantize %q, %scale : (!x8, tensor<?x2xf32>) -> (!g8, tensor<2x?xf32>)
  return %0#0, %0#1 : !g8, tensor<2x?xf32>
}
