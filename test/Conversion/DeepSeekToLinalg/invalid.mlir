// RUN: ds-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))'

func.func @experts(%x: tensor<?x64xf32>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %gate: tensor<4x32x64xf32>, %up: tensor<4x32x64xf32>,
                   %down: tensor<4x64x32xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{cannot be lowered to linalg: ds-fuse-experts has to split it first}}
  %y = deepseek.experts %x, %s, %i, %gate, %up, %down
      : (tensor<?x64xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x32x64xf32>, tensor<4x32x64xf32>, tensor<4x64x32xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

!pages = tensor<?x64x96xf32, #deepseek.latent_cache<latent = 64, rope = 32>>
func.func @mla(%q_nope: tensor<?x4x64xf32>, %q_rope: tensor<?x4x32xf32>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>,
               %cu_kv: tensor<?xi32>, %total: index, %kv_b: tensor<4x128x64xf32>) -> tensor<?x4x64xf32> {
  // expected-error @below {{cannot be lowered to linalg: ds-lower-mla has to choose its form first}}
  %y = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu_q, %cu_kv, %total, %kv_b {scale = 0.1 : f64}
      : (tensor<?x4x64xf32>, tensor<?x4x32xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<4x128x64xf32>)
      -> tensor<?x4x64xf32>
  return %y : tensor<?x4x64xf32>
}

// -----

!short = tensor<?x16x96xf32, #deepseek.latent_cache<latent = 64, rope = 32>>
func.func @page_size(%q_latent: tensor<?x4x64xf32>, %q_rope: tensor<?x4x32xf32>, %cache: !short, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>,
                     %cu_kv: tensor<?xi32>) -> tensor<?x4x64xf32> {
  // expected-error @below {{cannot be lowered to linalg: expected static sizes but for tokens, sequences and pages, pages of 64 rows}}
  %y = deepseek.latent_attention %q_latent, %q_rope, %cache, %table, %cu_q, %cu_kv {scale = 0.1 : f64}
      : (tensor<?x4x64xf32>, tensor<?x4x32xf32>, !short, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x64xf32>
  return %y : tensor<?x4x64xf32>
}

// -----

func.func @dynamic_weight(%x: tensor<?x64xf32>, %w: tensor<?x64xf32>) -> tensor<?x?xf32> {
  // expected-error @below {{cannot be lowered to linalg: expected static sizes but for tokens}}
  %y = deepseek.linear %x, %w : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @dynamic_experts(%x: tensor<?x64xf32>, %w: tensor<?x32x64xf32>, %offsets: tensor<?xi32>) -> tensor<?x32xf32> {
  // expected-error @below {{cannot be lowered to linalg: expected static sizes but for tokens}}
  %y = deepseek.grouped_linear %x, %w, %offsets : (tensor<?x64xf32>, tensor<?x32x64xf32>, tensor<?xi32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @wide_rope(%x: tensor<2x1099511627776xf32>, %p: tensor<2xi32>) -> tensor<2x1099511627776xf32> {
  // expected-error @below {{cannot be lowered to linalg: expected a last dimension of static size, at most 65536}}
  %y = deepseek.rope %x, %p {theta = 10000.0 : f64} : (tensor<2x1099511627776xf32>, tensor<2xi32>) -> tensor<2x1099511627776xf32>
  return %y : tensor<2x1099511627776xf32>
}

// -----

!two = tensor<6x12xf8E4M3FN, #deepseek.block_scaled<[2, 4]>>
!three = tensor<6x12xf8E4M3FN, #deepseek.block_scaled<[3, 4]>>
func.func @overlapping_blocks(%q: !two, %s: tensor<3x3xf32>) -> (!three, tensor<2x3xf32>) {
  // expected-error @below {{cannot be lowered to linalg: expected blocks of which one divides the other; requantize in two steps, through blocks that divide both}}
  %q2, %s2 = deepseek.requantize %q, %s : (!two, tensor<3x3xf32>) -> (!three, tensor<2x3xf32>)
  return %q2, %s2 : !three, tensor<2x3xf32>
}
