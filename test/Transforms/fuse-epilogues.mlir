// RUN: ds-opt %s --ds-form-kernels --ds-fuse-epilogues --split-input-file | FileCheck %s
// RUN: ds-opt %s --ds-form-kernels --ds-fuse-epilogues --remarks-filter=kernel --split-input-file 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Gate and up are inside: the kernel takes what the product takes and gives what
// swiglu gives. Both layers have the same one.
// CHECK-LABEL: func.func @layers
// CHECK: %[[E:.*]] = tensor.empty(%{{.*}}) : tensor<?x32xbf16>
// CHECK-NEXT: %[[A:.*]] = dsrt.dispatch @kernels::@linear_swiglu_64x32_bf16 ins(%arg0, %arg1 : {{.*}}) outs(%[[E]] :
// CHECK: dsrt.dispatch @kernels::@linear_swiglu_64x32_bf16 ins(%[[A]], %arg2 :
// CHECK-NOT: dsrt.dispatch
// CHECK: func.func @linear_swiglu_64x32_bf16(%[[X:.*]]: tensor<?x32xbf16>, %[[W:.*]]: tensor<64x32xbf16>, %{{.*}}: tensor<?x32xbf16>) -> tensor<?x32xbf16>
// CHECK: %[[Y:.*]] = deepseek.linear %[[X]], %[[W]]
// CHECK: %[[GATE:.*]] = tensor.extract_slice %[[Y]][0, 0]
// CHECK: %[[UP:.*]] = tensor.extract_slice %[[Y]][0, 32]
// CHECK: %[[Z:.*]] = deepseek.swiglu %[[GATE]], %[[UP]]
// CHECK: return %[[Z]] :
// CHECK-NOT: func.func
// CHECK: {{^.. -----$}}
// REMARK: swiglu_32_bf16 is the end of linear_swiglu_64x32_bf16
// REMARK: swiglu_32_bf16 is the end of linear_swiglu_64x32_bf16
func.func @layers(%x: tensor<?x32xbf16>, %w: tensor<64x32xbf16>, %v: tensor<64x32xbf16>) -> tensor<?x32xbf16> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x32xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%t, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
  %up = tensor.extract_slice %y[0, 32] [%t, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
  %a = deepseek.swiglu %gate, %up : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
  %y2 = deepseek.linear %a, %v : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
  %gate2 = tensor.extract_slice %y2[0, 0] [%t, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
  %up2 = tensor.extract_slice %y2[0, 32] [%t, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
  %z = deepseek.swiglu %gate2, %up2 : (tensor<?x32xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
  return %z : tensor<?x32xbf16>
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<4x512x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// With the quantization behind it.
// CHECK-LABEL: func.func @quantized
// CHECK: dsrt.dispatch @kernels::@scaled_grouped_linear_swiglu_quantize_4x512x256_f8 ins(%arg0, %arg1, %arg2, %arg3, %arg4 : {{.*}}) outs({{.*}}) -> tensor<?x256xf8E4M3FN, {{.*}}>, tensor<?x2xf32>
// CHECK-NOT: dsrt.dispatch
// REMARK: swiglu_256_bf16 is the end of scaled_grouped_linear_swiglu_quantize_4x512x256_f8
func.func @quantized(%x: !x8, %xs: tensor<?x2xf32>, %w: !w8, %ws: tensor<4x4x2xf32>, %o: tensor<5xi32>) -> (!x8, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : !x8
  %y = deepseek.scaled_grouped_linear %x, %xs, %w, %ws, %o : (!x8, tensor<?x2xf32>, !w8, tensor<4x4x2xf32>, tensor<5xi32>) -> tensor<?x512xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %up = tensor.extract_slice %y[0, 256] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %z = deepseek.swiglu %gate, %up : (tensor<?x256xbf16>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %q, %s = deepseek.quantize %z : (tensor<?x256xbf16>) -> (!x8, tensor<?x2xf32>)
  return %q, %s : !x8, tensor<?x2xf32>
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w64 = tensor<512x256xf8E4M3FN, #deepseek.block_scaled<[64, 128]>>

// A tile of 64 outputs has one scale, a block to quantize is wider.
// CHECK-LABEL: func.func @wide_blocks
// CHECK: dsrt.dispatch @kernels::@scaled_linear_swiglu_512x256_f8
// CHECK: dsrt.dispatch @kernels::@quantize_
// REMARK: the quantization of swiglu_256_bf16 is not fused: its blocks are not parts of the product's tiles
func.func @wide_blocks(%x: !x8, %xs: tensor<?x2xf32>, %w: !w64, %ws: tensor<8x2xf32>) -> (!x8, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : !x8
  %y = deepseek.scaled_linear %x, %xs, %w, %ws : (!x8, tensor<?x2xf32>, !w64, tensor<8x2xf32>) -> tensor<?x512xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %up = tensor.extract_slice %y[0, 256] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %z = deepseek.swiglu %gate, %up : (tensor<?x256xbf16>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %q, %s = deepseek.quantize %z : (tensor<?x256xbf16>) -> (!x8, tensor<?x2xf32>)
  return %q, %s : !x8, tensor<?x2xf32>
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<512x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// What is quantized is returned too.
// CHECK-LABEL: func.func @read_twice
// CHECK: dsrt.dispatch @kernels::@scaled_linear_swiglu_512x256_f8
// CHECK: dsrt.dispatch @kernels::@quantize_
// REMARK: the quantization of swiglu_256_bf16 is not fused: what is quantized has other readers
func.func @read_twice(%x: !x8, %xs: tensor<?x2xf32>, %w: !w8, %ws: tensor<4x2xf32>) -> (!x8, tensor<?x2xf32>, tensor<?x256xbf16>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : !x8
  %y = deepseek.scaled_linear %x, %xs, %w, %ws : (!x8, tensor<?x2xf32>, !w8, tensor<4x2xf32>) -> tensor<?x512xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %up = tensor.extract_slice %y[0, 256] [%t, 256] [1, 1] : tensor<?x512xbf16> to tensor<?x256xbf16>
  %z = deepseek.swiglu %gate, %up : (tensor<?x256xbf16>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %q, %s = deepseek.quantize %z : (tensor<?x256xbf16>) -> (!x8, tensor<?x2xf32>)
  return %q, %s, %z : !x8, tensor<?x2xf32>, tensor<?x256xbf16>
}

// -----

// Gate and up of two products; the wrong parts of one; a product that is read
// elsewhere; no product at all.
// CHECK-LABEL: func.func @missed
// CHECK-NOT: _swiglu_
// REMARK: swiglu_{{.*}} is not fused: its gate and up are not the halves of one tensor
// REMARK: swiglu_{{.*}} is not fused: its gate and up are not the halves of one tensor
// REMARK: swiglu_{{.*}} is not fused: gate and up have other readers
// REMARK: swiglu_{{.*}} is not fused: its gate and up are not computed by one product
func.func @missed(%x: tensor<2x32xbf16>, %w: tensor<64x32xbf16>, %v: tensor<64x32xbf16>, %u: tensor<2x32xbf16>)
    -> (tensor<2x64xbf16>, tensor<2x32xbf16>, tensor<2x32xbf16>, tensor<2x64xbf16>, tensor<2x16xbf16>) {
  %a = deepseek.linear %x, %w : (tensor<2x32xbf16>, tensor<64x32xbf16>) -> tensor<2x64xbf16>
  %b = deepseek.linear %x, %v : (tensor<2x32xbf16>, tensor<64x32xbf16>) -> tensor<2x64xbf16>
  %0 = deepseek.swiglu %a, %b : (tensor<2x64xbf16>, tensor<2x64xbf16>) -> tensor<2x64xbf16>
  %c = deepseek.linear %u, %w : (tensor<2x32xbf16>, tensor<64x32xbf16>) -> tensor<2x64xbf16>
  %first = tensor.extract_slice %c[0, 0] [2, 32] [1, 1] : tensor<2x64xbf16> to tensor<2x32xbf16>
  %second = tensor.extract_slice %c[0, 32] [2, 32] [1, 1] : tensor<2x64xbf16> to tensor<2x32xbf16>
  %1 = deepseek.swiglu %second, %first : (tensor<2x32xbf16>, tensor<2x32xbf16>) -> tensor<2x32xbf16>
  %d = deepseek.linear %u, %v : (tensor<2x32xbf16>, tensor<64x32xbf16>) -> tensor<2x64xbf16>
  %gate = tensor.extract_slice %d[0, 0] [2, 32] [1, 1] : tensor<2x64xbf16> to tensor<2x32xbf16>
  %up = tensor.extract_slice %d[0, 32] [2, 32] [1, 1] : tensor<2x64xbf16> to tensor<2x32xbf16>
  %2 = deepseek.swiglu %gate, %up : (tensor<2x32xbf16>, tensor<2x32xbf16>) -> tensor<2x32xbf16>
  %e = arith.addf %x, %u : tensor<2x32xbf16>
  %left = tensor.extract_slice %e[0, 0] [2, 16] [1, 1] : tensor<2x32xbf16> to tensor<2x16xbf16>
  %right = tensor.extract_slice %e[0, 16] [2, 16] [1, 1] : tensor<2x32xbf16> to tensor<2x16xbf16>
  %3 = deepseek.swiglu %left, %right : (tensor<2x16xbf16>, tensor<2x16xbf16>) -> tensor<2x16xbf16>
  return %0, %1, %2, %d, %3 : tensor<2x64xbf16>, tensor<2x32xbf16>, tensor<2x32xbf16>, tensor<2x64xbf16>, tensor<2x16xbf16>
}
