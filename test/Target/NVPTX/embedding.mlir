// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a,sm_80 stop-after=device" | FileCheck %s

// One launcher with the kernel ABI, one image a chip; the row of 512 bytes is
// 32 threads of 16 bytes.

func.func @main(%tokens: tensor<?xi32> {deepseek.dims = ["tokens"], deepseek.name = "tokens"},
                %table: tensor<2048x256xbf16>) -> tensor<?x256xbf16> {
  %y = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<2048x256xbf16>) -> tensor<?x256xbf16>
  return %y : tensor<?x256xbf16>
}

// CHECK: deepseek.target = "nvptx:sm_90a,sm_80"
// CHECK: module @kernels
// CHECK-SAME: block = array<i64: 32, 1, 1>
// CHECK-SAME: image = 0 : i64
// CHECK-SAME: embedding.mlir:8:8 embedding_2048x256_bf16
// CHECK-SAME: image = 1 : i64
// CHECK-SAME: chip = "sm_90a"
// CHECK-SAME: .target sm_90a
// CHECK-SAME: ld.global.nc.v4.b32
// CHECK-SAME: st.global.v4.b32
// CHECK-SAME: chip = "sm_80"
// CHECK-SAME: .target sm_80
// CHECK: llvm.func @embedding_2048x256_bf16(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64
// CHECK: llvm.call @dsrt_loaded_image
// CHECK: llvm.call @dsrt_launch
// CHECK: llvm.call @dsrt_launch
