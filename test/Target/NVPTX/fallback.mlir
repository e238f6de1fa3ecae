// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_90a emitters=any_fallback},nvptx-emit-kernels{chips=sm_90a}))" | FileCheck %s
// RUN: not ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_90a emitters=any_fast}))" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: unknown emitter 'any_fast'

// A CTA a row: the sum of squares by thread 0, then the row by all threads.

module {
  module @kernels {
    // CHECK: func.func @norm
    // CHECK: call @dsrt_launch
    // CHECK-NOT: call @dsrt_launch
    // CHECK: return
    func.func @norm(%x: tensor<?x256xbf16>, %gamma: tensor<256xbf16>, %out: tensor<?x256xbf16>) -> tensor<?x256xbf16> {
      %y = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6 : f64} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
      return %y : tensor<?x256xbf16>
    }

    // Sorting is one CTA; the rows are moved by one CTA each.
    // CHECK: func.func @dispatch
    // CHECK-COUNT-2: call @dsrt_launch
    // CHECK-NOT: call @dsrt_launch
    // CHECK: return
    func.func @dispatch(%x: tensor<?x256xbf16>, %indices: tensor<?x4xi32>, %rows: tensor<?x256xbf16>, %offsets: tensor<17xi32>, %source: tensor<?xi32>) -> (tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>) {
      %r, %o, %s = deepseek.moe_dispatch %x, %indices {num_experts = 16 : i64} : (tensor<?x256xbf16>, tensor<?x4xi32>) -> (tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>)
      return %r, %o, %s : tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>
    }

    // CHECK: gpu.module @sm_90a
    // CHECK: llvm.func @norm_part0(%{{.*}}: !llvm.ptr<1>, %{{.*}}: i64, %{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %{{.*}}: i64) attributes
    // CHECK: nvvm.read.ptx.sreg.ctaid.x
    // CHECK: nvvm.barrier
    // CHECK: llvm.func @dispatch_part0
    // CHECK: llvm.func @dispatch_part1
  }
}
