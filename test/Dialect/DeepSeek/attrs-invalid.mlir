// RUN: ds-opt %s -verify-diagnostics -split-input-file

// expected-error @below {{expected two block sizes, got 1}}
func.func private @block_scaled_c1(tensor<4x4xf8E4M3FN, #deepseek.block_scaled<[128]>>)

// -----

// expected-error @below {{expected positive block sizes, got 0}}
func.func private @block_scaled_c1(tensor<4x4xf8E4M3FN, #deepseek.block_scaled<[128, 0]>>)

// -----

// expected-error @below {{expected an FP8 element type, got 'bf16'}}
func.func private @block_scaled_c2(tensor<4x4xbf16, #deepseek.block_scaled<[128, 128]>>)

// -----

// expected-error @below {{expected at least 2 dimensions, as there are block sizes, got 1}}
func.func private @block_scaled_c3(tensor<4xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>)

// -----

// expected-error @below {{expected the name of a kernel, got an empty packing}}
func.func private @block_scaled_c4(tensor<4x4xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "">>)

// -----

// expected-error @below {{expected a positive latent below 2^31, got 0}}
func.func private @latent_cache_c1(tensor<?x64x4xbf16, #deepseek.latent_cache<latent = 0, rope = 4>>)

// -----

// expected-error @below {{expected an even rope of 0 or more below 2^31, got 3}}
func.func private @latent_cache_c1(tensor<?x64x7xbf16, #deepseek.latent_cache<latent = 4, rope = 3>>)

// -----

// expected-error @below {{expected the shape [pages, page_size, 12] of a latent cache, got [?, 64, 13]}}
func.func private @latent_cache_c2(tensor<?x64x13xbf16, #deepseek.latent_cache<latent = 8, rope = 4>>)

// -----

// expected-error @below {{expected the shape [pages, page_size, 12] of a latent cache, got [?, 0, 12]}}
func.func private @latent_cache_c2(tensor<?x0x12xbf16, #deepseek.latent_cache<latent = 8, rope = 4>>)

// -----

// expected-error @below {{expected the float element type of a latent cache, got 'i32'}}
func.func private @latent_cache_c3(tensor<?x64x12xi32, #deepseek.latent_cache<latent = 8, rope = 4>>)

// -----

// expected-error @below {{expected a factor of at least 1, got 5.000000e-01 : f64}}
func.func private @yarn_c1() attributes {a = #deepseek.yarn<factor = 0.5 : f64, original_length = 4096, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}

// -----

// expected-error @below {{expected finite numbers of type f64, got 4.000000e+01 : f32}}
func.func private @yarn_c1() attributes {a = #deepseek.yarn<factor = 40.0 : f32, original_length = 4096, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}

// -----

// expected-error @below {{expected a positive original_length, got 0}}
func.func private @yarn_c2() attributes {a = #deepseek.yarn<factor = 40.0 : f64, original_length = 0, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}

// -----

// expected-error @below {{expected beta_fast >= beta_slow > 0, got 1.000000e+00 : f64 and 3.200000e+01 : f64}}
func.func private @yarn_c3() attributes {a = #deepseek.yarn<factor = 40.0 : f64, original_length = 4096, beta_fast = 1.0 : f64, beta_slow = 32.0 : f64>}

// -----

// expected-error @below {{expected beta_fast >= beta_slow > 0, got 1.000000e+00 : f64 and 0.000000e+00 : f64}}
func.func private @yarn_c3() attributes {a = #deepseek.yarn<factor = 40.0 : f64, original_length = 4096, beta_fast = 1.0 : f64, beta_slow = 0.0 : f64>}
