// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80,sm_89}))" --remarks-filter=kernel 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80},nvptx-emit-kernels{chips=sm_80},canonicalize,cse))" | FileCheck %s --check-prefix=EMIT
// RUN: not ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_89,sm_90a},nvptx-emit-kernels{chips=sm_90a}))" 2>&1 | FileCheck %s --check-prefix=EDITED

// The expanded form of V3, its operands slices of arguments, and what gathers its
// cached rows.

// REMARK: sm_80: any_attention: 128 FLOP a byte of keys and values; 128 query rows a CTA; 2 stages of 64 cached rows in 134 of 163 KB
// REMARK: sm_89: any_attention: {{.*}} 2 stages of 32 cached rows in 92 of 99 KB
// REMARK: sm_80: any_cache_gather: memory bound; a warp copies a row of 1152 bytes

// 128 query rows are 8 warps; the queries are loaded once.
// EMIT: gpu.module @sm_80
// EMIT: llvm.func @expanded
// EMIT-SAME: nvvm.maxntid = array<i32: 256, 1, 1>
// EMIT-SAME: nvvm.minctasm = 1
// EMIT: nvvm.cp.async.shared.global
// EMIT: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3
// EMIT: scf.for
// EMIT: nvvm.cp.async.wait.group 0
// EMIT: llvm.nvvm.mma.m16n8k16.row.col.bf16
// EMIT: llvm.nvvm.ex2.approx.ftz.f
// EMIT: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3
// EMIT: llvm.nvvm.mma.m16n8k16.row.col.bf16

// EDITED: kernel 'expanded': expected 'rows' and 'tile' to be multiples of 16, got 100 and 64

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
module {
  module @kernels {
    // CHECK: @expanded
    // CHECK-SAME: sm_80 = {emitter = "any_attention", rows = 128 : i64, stages = 2 : i64, tile = 64 : i64}, sm_89 = {emitter = "any_attention", rows = 128 : i64, stages = 2 : i64, tile = 32 : i64}
    func.func @expanded(%q: tensor<?x24576xbf16>, %r: tensor<?x128x64xbf16>, %flat: tensor<?x32768xbf16>, %rows: tensor<?x576xbf16>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x128xbf16>) -> tensor<?x128x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "any_attention", rows = 100 : i64, stages = 2 : i64, tile = 64 : i64}}} {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %q, %c0 : tensor<?x24576xbf16>
      %s = tensor.dim %flat, %c0 : tensor<?x32768xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 128, 192] : tensor<?x24576xbf16> into tensor<?x128x192xbf16>
      %nope = tensor.extract_slice %heads[0, 0, 0] [%t, 128, 128] [1, 1, 1] : tensor<?x128x192xbf16> to tensor<?x128x128xbf16>
      %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%s, 128, 256] : tensor<?x32768xbf16> into tensor<?x128x256xbf16>
      %rope = tensor.extract_slice %rows[0, 512] [%s, 64] [1, 1] : tensor<?x576xbf16> to tensor<?x64xbf16>
      %y = deepseek.attention %nope, %r, %kv, %rope, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x128x128xbf16>, tensor<?x128x64xbf16>, tensor<?x128x256xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x128xbf16>
      return %y : tensor<?x128x128xbf16>
    }
    // CHECK: @gather
    // CHECK-SAME: sm_80 = {emitter = "any_cache_gather", warps = 4 : i64}
    func.func @gather(%cache: !pages, %table: tensor<?x?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x576xbf16>) -> tensor<?x576xbf16> {
      %c0 = arith.constant 0 : index
      %s = tensor.dim %out, %c0 : tensor<?x576xbf16>
      %y = deepseek.cache_gather %cache, %table, %cu_kv, %s : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x576xbf16>
      return %y : tensor<?x576xbf16>
    }
  }
}
