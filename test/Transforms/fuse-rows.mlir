// RUN: ds-opt %s --ds-form-kernels --ds-fuse-rows --split-input-file | FileCheck %s
// RUN: ds-opt %s --ds-form-kernels --ds-fuse-rows --remarks-filter=kernel --split-input-file 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

!fp8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<64x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// Residual add, norm, quantize: one kernel for both layers. Its rows are one
// number; the sum and the quantized rows are results that others need, the norm
// is a result that nobody needs.
// CHECK-LABEL: func.func @residual
// CHECK: %[[H:.*]], %{{.*}}, %[[Q:.*]], %[[S:.*]] = dsrt.dispatch @kernels::@add_rms_norm_quantize_256 ins(%[[X:.*]], %arg2 : {{.*}}) outs({{.*}}) -> tensor<?x256xbf16>, tensor<?x256xbf16>, {{.*}}
// CHECK-NEXT: tensor.empty
// CHECK-NEXT: dsrt.dispatch @kernels::@scaled_linear_64x256_f8 ins(%[[Q]], %[[S]],
// CHECK: %[[B:.*]] = dsrt.dispatch @kernels::@linear_256x64_bf16
// CHECK: dsrt.dispatch @kernels::@add_rms_norm_quantize_256 ins(%[[B]], %arg2 :
// CHECK-NOT: dsrt.dispatch
// CHECK: module @kernels
// CHECK-NOT: func.func @addf
// CHECK-NOT: func.func @rms_norm
// CHECK-NOT: func.func @quantize
// CHECK: func.func @add_rms_norm_quantize_256(%[[A:[^:]*]]: tensor<?x256xbf16> {dsrt.rows}, %[[G:[^:]*]]: tensor<256xbf16>, %{{.*}}: tensor<?x256xbf16> {dsrt.rows}, %{{.*}}: tensor<?x256xbf16> {dsrt.rows}, %{{.*}}: tensor<?x256xf8E4M3FN, {{.*}}> {dsrt.rows}, %{{.*}}: tensor<?x2xf32> {dsrt.rows})
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[A]], %[[A]]
// CHECK-NEXT: %[[N:.*]] = deepseek.rms_norm %[[SUM]], %[[G]]
// CHECK-NEXT: %[[Q:.*]], %[[S:.*]] = deepseek.quantize %[[N]]
// CHECK-NEXT: return %[[SUM]], %[[N]], %[[Q]], %[[S]]
// REMARK: 3 dispatches are add_rms_norm_quantize_256
func.func @residual(%in: tensor<?x64xbf16>, %up: tensor<256x64xbf16>, %g: tensor<256xbf16>,
                    %w: !w8, %ws: tensor<1x2xf32>)
    -> (tensor<?x256xbf16>, tensor<?x256xbf16>, !fp8, tensor<?x2xf32>) {
  %x = deepseek.linear %in, %up : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> tensor<?x256xbf16>
  %h = arith.addf %x, %x : tensor<?x256xbf16>
  %n = deepseek.rms_norm %h, %g {epsilon = 1.0e-6} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
  %q, %s = deepseek.quantize %n : (tensor<?x256xbf16>) -> (!fp8, tensor<?x2xf32>)
  %y = deepseek.scaled_linear %q, %s, %w, %ws : (!fp8, tensor<?x2xf32>, !w8, tensor<1x2xf32>) -> tensor<?x64xbf16>
  %b = deepseek.linear %y, %up : (tensor<?x64xbf16>, tensor<256x64xbf16>) -> tensor<?x256xbf16>
  %h2 = arith.addf %b, %b : tensor<?x256xbf16>
  %n2 = deepseek.rms_norm %h2, %g {epsilon = 1.0e-6} : (tensor<?x256xbf16>, tensor<256xbf16>) -> tensor<?x256xbf16>
  %q2, %s2 = deepseek.quantize %n2 : (tensor<?x256xbf16>) -> (!fp8, tensor<?x2xf32>)
  return %h, %h2, %q2, %s2 : tensor<?x256xbf16>, tensor<?x256xbf16>, !fp8, tensor<?x2xf32>
}

// -----

!pages = tensor<?x64x24xbf16, #deepseek.latent_cache<latent = 16, rope = 8>>

// The norms of the two latents, slices of one product, are neighbours; what
// follows the second one moves up with it, and the cache is updated in place.
// The rotation of the query waits for its product, so it is alone.
// CHECK-LABEL: func.func @latents
// CHECK: %[[P:.*]] = dsrt.dispatch @kernels::@linear_56x32_bf16
// CHECK: %[[N:.*]], %{{.*}}, %{{.*}}, %[[NEW:.*]] = dsrt.dispatch @kernels::@rms_norm_rms_norm_rope_cache_append_32 ins(%[[P]], %{{.*}}, %{{.*}}, %arg1, %arg2 : {{.*}}) outs({{.*}}, %arg0 :
// CHECK: %[[QB:.*]] = dsrt.dispatch @kernels::@linear_8x32_bf16 ins(%[[N]],
// CHECK: dsrt.dispatch @kernels::@rope_8_bf16 ins(%[[QB]]
// CHECK-NOT: dsrt.dispatch
// CHECK: return %[[NEW]],
// CHECK: func.func @rms_norm_rms_norm_rope_cache_append_32({{.*}}, %[[C:.*]]: tensor<?x64x24xbf16, {{[^,]*}}, rope = 8>>)
// CHECK: deepseek.rms_norm
// CHECK: %[[L:.*]] = deepseek.rms_norm
// CHECK: %[[R:.*]] = deepseek.rope
// CHECK: deepseek.cache_append %[[C]], %[[L]], %[[R]]
// REMARK: 4 dispatches are rms_norm_rms_norm_rope_cache_append_32
// REMARK: rope_8_bf16 is not fused: nothing that works row by row computes what it needs
func.func @latents(%cache: !pages, %positions: tensor<?xi32>, %slots: tensor<?xi32>, %x: tensor<?x32xbf16>,
                   %w: tensor<56x32xbf16>, %qb: tensor<8x32xbf16>, %g: tensor<32xbf16>, %k: tensor<16xbf16>)
    -> (!pages, tensor<?x8xbf16>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x32xbf16>
  %p = deepseek.linear %x, %w : (tensor<?x32xbf16>, tensor<56x32xbf16>) -> tensor<?x56xbf16>
  %qa = tensor.extract_slice %p[0, 0] [%t, 32] [1, 1] : tensor<?x56xbf16> to tensor<?x32xbf16>
  %qn = deepseek.rms_norm %qa, %g {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
  %q = deepseek.linear %qn, %qb : (tensor<?x32xbf16>, tensor<8x32xbf16>) -> tensor<?x8xbf16>
  %qr = deepseek.rope %q, %positions {theta = 1.0e4} : (tensor<?x8xbf16>, tensor<?xi32>) -> tensor<?x8xbf16>
  %ka = tensor.extract_slice %p[0, 32] [%t, 16] [1, 1] : tensor<?x56xbf16> to tensor<?x16xbf16>
  %l = deepseek.rms_norm %ka, %k {epsilon = 1.0e-6} : (tensor<?x16xbf16>, tensor<16xbf16>) -> tensor<?x16xbf16>
  %ra = tensor.extract_slice %p[0, 48] [%t, 8] [1, 1] : tensor<?x56xbf16> to tensor<?x8xbf16>
  %r = deepseek.rope %ra, %positions {theta = 1.0e4} : (tensor<?x8xbf16>, tensor<?xi32>) -> tensor<?x8xbf16>
  %new = deepseek.cache_append %cache, %l, %r, %slots : (!pages, tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?xi32>) -> !pages
  return %new, %qr : !pages, tensor<?x8xbf16>
}

// -----

// Routing and dispatch, which ends its group; combine with the residual add and
// the next layer's norm.
// CHECK-LABEL: func.func @experts
// CHECK: %[[E:.*]], %[[EN:.*]] = dsrt.dispatch @kernels::@embedding_rms_norm_8
// CHECK: %[[L:.*]] = dsrt.dispatch @kernels::@linear_4x8_bf16
// CHECK: %[[SCORES:.*]], %{{.*}}, %[[ROWS:.*]], %[[OFFSETS:.*]], %[[SOURCE:.*]] = dsrt.dispatch @kernels::@route_moe_dispatch_8 ins(%[[L]], %[[EN]] :
// CHECK: %[[D:.*]] = dsrt.dispatch @kernels::@grouped_linear_4x8x8_bf16 ins(%[[ROWS]], %{{.*}}, %[[OFFSETS]] :
// CHECK: dsrt.dispatch @kernels::@moe_combine_add_rms_norm_8 ins(%[[D]], %[[SOURCE]], %[[SCORES]], %[[E]], %arg2 :
// CHECK-NOT: dsrt.dispatch
// REMARK: 2 dispatches are embedding_rms_norm_8
// REMARK: 2 dispatches are route_moe_dispatch_8
// REMARK: 3 dispatches are moe_combine_add_rms_norm_8
func.func @experts(%tokens: tensor<?xi32>, %table: tensor<16x8xbf16>, %g: tensor<8xbf16>,
                   %router: tensor<4x8xbf16>, %w: tensor<4x8x8xbf16>) -> tensor<?x8xbf16> {
  %x = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<16x8xbf16>) -> tensor<?x8xbf16>
  %n = deepseek.rms_norm %x, %g {epsilon = 1.0e-6} : (tensor<?x8xbf16>, tensor<8xbf16>) -> tensor<?x8xbf16>
  %logits = deepseek.linear %n, %router : (tensor<?x8xbf16>, tensor<4x8xbf16>) -> tensor<?x4xf32>
  %scores, %chosen = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 2, groups = 1, top_groups = 1, scale = 1.0}
      : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  %rows, %offsets, %source = deepseek.moe_dispatch %n, %chosen {num_experts = 4}
      : (tensor<?x8xbf16>, tensor<?x2xi32>) -> (tensor<?x8xbf16>, tensor<5xi32>, tensor<?xi32>)
  %d = deepseek.grouped_linear %rows, %w, %offsets : (tensor<?x8xbf16>, tensor<4x8x8xbf16>, tensor<5xi32>) -> tensor<?x8xbf16>
  %c = deepseek.moe_combine %d, %source, %scores : (tensor<?x8xbf16>, tensor<?xi32>, tensor<?x2xf32>) -> tensor<?x8xbf16>
  %h = arith.addf %x, %c : tensor<?x8xbf16>
  %out = deepseek.rms_norm %h, %g {epsilon = 1.0e-6} : (tensor<?x8xbf16>, tensor<8xbf16>) -> tensor<?x8xbf16>
  return %out : tensor<?x8xbf16>
}

// -----

// The rows of %y are others than those of %n, and %p's are not known to be.
// CHECK-LABEL: func.func @selected
// CHECK: dsrt.dispatch @kernels::@rms_norm_8_f32
// CHECK: dsrt.dispatch @kernels::@embedding_8_f32
// CHECK: dsrt.dispatch @kernels::@rms_norm_8_f32
// CHECK-NOT: dsrt.rows
// REMARK: embedding_8_f32 is not fused: it works on other rows
func.func @selected(%x: tensor<?x8xf32>, %g: tensor<8xf32>, %rows: tensor<?xi32>, %p: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %n = deepseek.rms_norm %x, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %y = deepseek.embedding %rows, %n : (tensor<?xi32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = deepseek.rms_norm %p, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %y, %m : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// All rows of a table are needed for one row of an embedding.
// CHECK-LABEL: func.func @all_rows
// CHECK: dsrt.dispatch @kernels::@rms_norm_4x8_f32
// CHECK: dsrt.dispatch @kernels::@embedding_4x8_f32
// REMARK: embedding_4x8_f32 is not fused: it needs all rows of what the kernel before it computes
func.func @all_rows(%x: tensor<4x8xf32>, %g: tensor<8xf32>, %rows: tensor<4xi32>) -> tensor<4x8xf32> {
  %n = deepseek.rms_norm %x, %g {epsilon = 1.0e-6} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  %y = deepseek.embedding %rows, %n : (tensor<4xi32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

!pages = tensor<?x64x24xf32, #deepseek.latent_cache<latent = 16, rope = 8>>

// The cache as it was before has a reader: the append must stay behind it.
// CHECK-LABEL: func.func @old_cache
// CHECK: dsrt.dispatch @kernels::@rms_norm_16_f32
// CHECK: dsrt.dispatch @kernels::@cache_append_64x24_f32
// REMARK: cache_append_64x24_f32 is not fused: what it updates has other readers
func.func @old_cache(%cache: !pages, %x: tensor<?x16xf32>, %g: tensor<16xf32>, %r: tensor<?x8xf32>, %slots: tensor<?xi32>) -> (!pages, !pages) {
  %l = deepseek.rms_norm %x, %g {epsilon = 1.0e-6} : (tensor<?x16xf32>, tensor<16xf32>) -> tensor<?x16xf32>
  %new = deepseek.cache_append %cache, %l, %r, %slots : (!pages, tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi32>) -> !pages
  return %new, %cache : !pages, !pages
}

// -----

// The second sum waits for a product of the first.
// CHECK-LABEL: func.func @in_between
// CHECK: dsrt.dispatch @kernels::@addf_8_f32
// CHECK: dsrt.dispatch @kernels::@linear_8x8_f32
// CHECK: dsrt.dispatch @kernels::@addf_8_f32
// REMARK: addf_8_f32_1 is not fused: what else it needs is computed in between
func.func @in_between(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %h = arith.addf %x, %x : tensor<?x8xf32>
  %y = deepseek.linear %h, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %z = arith.addf %h, %y : tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// -----

// A group of at most 16.
// CHECK-LABEL: func.func @long
// CHECK: dsrt.dispatch @kernels::@rms_norm_rms_norm_
// CHECK: dsrt.dispatch @kernels::@rms_norm_8_f32
// CHECK-NOT: dsrt.dispatch
// REMARK: 16 dispatches are
// REMARK: rms_norm_8_f32 is not fused: the kernel is large enough
func.func @long(%0: tensor<?x8xf32>, %g: tensor<8xf32>) -> tensor<?x8xf32> {
  %1 = deepseek.rms_norm %0, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %2 = deepseek.rms_norm %1, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %3 = deepseek.rms_norm %2, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %4 = deepseek.rms_norm %3, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %5 = deepseek.rms_norm %4, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %6 = deepseek.rms_norm %5, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %7 = deepseek.rms_norm %6, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %8 = deepseek.rms_norm %7, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %9 = deepseek.rms_norm %8, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %10 = deepseek.rms_norm %9, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %11 = deepseek.rms_norm %10, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %12 = deepseek.rms_norm %11, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %13 = deepseek.rms_norm %12, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %14 = deepseek.rms_norm %13, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %15 = deepseek.rms_norm %14, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %16 = deepseek.rms_norm %15, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %17 = deepseek.rms_norm %16, %g {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %17 : tensor<?x8xf32>
}
