// RUN: ds-opt %s -verify-diagnostics -split-input-file

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_append_c1(%cache: tensor<?x64x12xf32>, %latent: tensor<?x8xf32>, %rope: tensor<?x4xf32>, %slots: tensor<?xi32>) {
  // expected-error @below {{expected a cache with a #deepseek.latent_cache encoding, got 'tensor<?x64x12xf32>'}}
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots
      : (tensor<?x64x12xf32>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x64x12xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_append_c2(%cache: !pages, %latent: tensor<?x4xf32>, %rope: tensor<?x8xf32>, %slots: tensor<?xi32>) {
  // expected-error @below {{expected shape(latent) = [T, C] with C = 8, got [?, 4]}}
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<?x4xf32>, tensor<?x8xf32>, tensor<?xi32>) -> !pages
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_append_c2(%cache: !pages, %latent: tensor<3x8xf32>, %rope: tensor<?x4xf32>, %slots: tensor<4xi32>) {
  // expected-error @below {{expected shape(slots) = [T] with T = 3, got [4]}}
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<3x8xf32>, tensor<?x4xf32>, tensor<4xi32>) -> !pages
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_append_c3(%cache: !pages, %latent: tensor<?x8xf32>, %rope: tensor<?x4xf32>, %slots: tensor<?xi32>) {
  // expected-error @below {{expected a result with the element type and encoding of cache, }}
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x64x12xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_append_c3(%cache: !pages, %latent: tensor<?x8xf32>, %rope: tensor<?x4xf32>, %slots: tensor<?xi32>) {
  // expected-error @below {{expected shape(result) = [?, 64, 12], got [?, 32, 12]}}
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots
      : (!pages, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x32x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
  return
}

// -----

func.func @cache_gather_c1(%cache: tensor<?x64x12xf32>, %table: tensor<?x?xi32>, %cu_kv: tensor<?xi32>, %total: index) {
  // expected-error @below {{expected a cache with a #deepseek.latent_cache encoding, got 'tensor<?x64x12xf32>'}}
  %0 = deepseek.cache_gather %cache, %table, %cu_kv, %total : (tensor<?x64x12xf32>, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x12xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_gather_c2(%cache: !pages, %table: tensor<2x?xi32>, %cu_kv: tensor<2xi32>, %total: index) {
  // expected-error @below {{expected shape(cu_kv_lens) = [B + 1] with B + 1 = 3, got [2]}}
  %0 = deepseek.cache_gather %cache, %table, %cu_kv, %total : (!pages, tensor<2x?xi32>, tensor<2xi32>, index) -> tensor<?x12xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @cache_gather_c3(%cache: !pages, %table: tensor<2x?xi32>, %cu_kv: tensor<3xi32>, %total: index) {
  // expected-error @below {{expected shape(result) = [_, C + R] with C + R = 12, got [?, 8]}}
  %0 = deepseek.cache_gather %cache, %table, %cu_kv, %total : (!pages, tensor<2x?xi32>, tensor<3xi32>, index) -> tensor<?x8xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c1(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x3x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected shape(q_rope) = [T, N, R] with N = 2, got [?, 3, 4]}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x3x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @mla_c2(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: tensor<?x64x12xf32>, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected a cache with a #deepseek.latent_cache encoding, got 'tensor<?x64x12xf32>'}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x64x12xf32>, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c2(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x6xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected shape(q_rope) = [T, N, R] with R = 4, got [?, 2, 6]}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x6xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c3(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x12x8xf32>) {
  // expected-error @below {{expected shape(kv_b) = [N, D + Dv, C] with D + Dv = 11, got [2, 12, 8]}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x12x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c4(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected shape(result) = [T, N, Dv] with N = 2, got [?, 4, 5]}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>) -> tensor<?x4x5xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c5(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<2x?xi32>, %cu: tensor<2xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected shape(cu_q_lens) = [B + 1] with B + 1 = 3, got [2]}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<2x?xi32>, tensor<2xi32>, tensor<2xi32>, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @mla_c6(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) {
  // expected-error @below {{expected a finite, positive scale, got NaN}}
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu, %cu, %total, %kv_b {scale = 0x7FF8000000000000 : f64}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c1(%q_nope: tensor<3x2x6xf32>, %q_rope: tensor<4x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected shape(q_rope) = [T, N, R] with T = 3, got [4, 2, 4]}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.5}
      : (tensor<3x2x6xf32>, tensor<4x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c2(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x10xf32>, %k_rope: tensor<?x4xf32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected shape(kv) = [S, N, D + Dv] with D + Dv = 11, got [?, 2, 10]}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x10xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c2(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<9x2x11xf32>, %k_rope: tensor<8x4xf32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected shape(k_rope) = [S, R] with S = 9, got [8, 4]}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<9x2x11xf32>, tensor<8x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c3(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected a static Dv, got a result of type 'tensor<?x2x?xf32>'}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x?xf32>
  return
}

// -----

func.func @attention_c4(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>, %cu_q: tensor<3xi32>, %cu_kv: tensor<2xi32>) {
  // expected-error @below {{expected shape(cu_kv_lens) = [B + 1] with B + 1 = 3, got [2]}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<3xi32>, tensor<2xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c4(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>, %cu: tensor<0xi32>) {
  // expected-error @below {{expected shape(cu_q_lens) = [B + 1], got [0]}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<0xi32>, tensor<0xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @attention_c5(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected a finite, positive scale, got 0}}
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.0}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @latent_attention_c1(%q: tensor<?x2x8xf32>, %q_rope: tensor<?x2x4xf32>, %cache: tensor<?x64x12xf32>, %table: tensor<?x?xi32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected a cache with a #deepseek.latent_cache encoding, got 'tensor<?x64x12xf32>'}}
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu, %cu {scale = 0.5}
      : (tensor<?x2x8xf32>, tensor<?x2x4xf32>, tensor<?x64x12xf32>, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @latent_attention_c2(%q: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected shape(q_latent) = [T, N, C] with C = 8, got [?, 2, 6]}}
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu, %cu {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @latent_attention_c3(%q: tensor<?x2x8xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected shape(result) = [T, N, C] with C = 8, got [?, 2, 12]}}
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu, %cu {scale = 0.5}
      : (tensor<?x2x8xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x12xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @latent_attention_c4(%q: tensor<?x2x8xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<4x?xi32>, %cu: tensor<3xi32>) {
  // expected-error @below {{expected shape(cu_q_lens) = [B + 1] with B + 1 = 5, got [3]}}
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu, %cu {scale = 0.5}
      : (tensor<?x2x8xf32>, tensor<?x2x4xf32>, !pages, tensor<4x?xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
func.func @latent_attention_c5(%q: tensor<?x2x8xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>) {
  // expected-error @below {{expected a finite, positive scale, got +Inf}}
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu, %cu {scale = 0x7FF0000000000000 : f64}
      : (tensor<?x2x8xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x8xf32>
  return
}
