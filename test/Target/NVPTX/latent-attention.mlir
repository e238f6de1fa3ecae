// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80,sm_89,sm_90a}))" --remarks-filter=kernel 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_89},nvptx-emit-kernels{chips=sm_89},canonicalize,cse))" | FileCheck %s --check-prefix=EMIT

// The kernels of V3 (128 heads) and of a small model (4 heads). What fits decides:
// sm_89 has 99 KB of shared memory.

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
!small = tensor<?x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>

// REMARK: sm_80: any_latent_attention: 242 FLOP a byte of cache; 32 of 128 heads a CTA; 3 stages of 32 rows in 150 of 163 KB; split up to 27 query rows, chunks of 512
// REMARK: sm_89: any_latent_attention: 242 FLOP a byte of cache; 16 of 128 heads a CTA; 2 stages of 32 rows in 94 of 99 KB
// REMARK: sm_90a: any_latent_attention: 242 FLOP a byte of cache; 32 of 128 heads a CTA; 2 stages of 64 rows in 189 of 227 KB

// 16 heads a CTA are 4 warps; two launches for few query rows, one for many.
// EMIT: func.func @v3
// EMIT: dsrt_scratch
// EMIT: dsrt_launch
// EMIT: dsrt_launch
// EMIT: else
// EMIT: dsrt_launch

// EMIT: gpu.module @sm_89
// EMIT: llvm.func @v3_split
// EMIT-SAME: nvvm.maxntid = array<i32: 128, 1, 1>
// EMIT: nvvm.cp.async.shared.global
// EMIT: nvvm.cp.async.wait.group 0
// EMIT: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3
// EMIT: llvm.nvvm.mma.m16n8k16.row.col.bf16
// EMIT: llvm.nvvm.ex2.approx.ftz.f
// EMIT: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3
// EMIT: llvm.nvvm.mma.m16n8k16.row.col.bf16
// EMIT: llvm.func @v3_combine
// EMIT-SAME: nvvm.maxntid = array<i32: 128, 1, 1>
// EMIT: llvm.func @v3(
module {
  module @kernels {
    // CHECK: @v3
    // CHECK-SAME: sm_80 = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 32 : i64, partials = 508 : i64, split_rows = 27 : i64, stages = 3 : i64, tile = 32 : i64}
    // CHECK-SAME: sm_89 = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 16 : i64, partials = 508 : i64, split_rows = 17 : i64, stages = 2 : i64, tile = 32 : i64}
    // CHECK-SAME: sm_90a = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 32 : i64
    func.func @v3(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
    // CHECK: @small
    // CHECK-SAME: sm_80 = {chunk = 256 : i64, emitter = "any_latent_attention", heads = 16 : i64
    func.func @small(%q: tensor<?x4x128xbf16>, %r: tensor<?x4x32xbf16>, %cache: !small, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.13232112898211337 : f64} : (tensor<?x4x128xbf16>, tensor<?x4x32xbf16>, !small, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x128xbf16>
      return %y : tensor<?x4x128xbf16>
    }
  }
}
