// RUN: not ds-opt %s --split-input-file --pass-pipeline="builtin.module(builtin.module(nvptx-emit-kernels{chips=sm_89}))" 2>&1 | FileCheck %s

// Parameters that a person edited into nonsense.

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
module {
  module @kernels {
    // CHECK: kernel 'heads': expected 'heads' to be 16, or 32 for a latent size that is a multiple of 128, got 24 for 512
    func.func @heads(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16>
        attributes {nvptx.configuration = {sm_89 = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 24 : i64, partials = 508 : i64, split_rows = 17 : i64, stages = 2 : i64, tile = 32 : i64}}} {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.5 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
  }
}

// -----

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
module {
  module @kernels {
    // CHECK: kernel 'stages': expected at most 101376 bytes of shared memory, got 132736; take fewer 'heads' or 'stages', or a smaller 'tile'
    func.func @stages(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16>
        attributes {nvptx.configuration = {sm_89 = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 16 : i64, partials = 508 : i64, split_rows = 17 : i64, stages = 3 : i64, tile = 32 : i64}}} {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.5 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
  }
}

// -----

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
module {
  module @kernels {
    // CHECK: kernel 'chunk': expected 'chunk' to be a multiple of a tile of 32 cached rows, got 100
    func.func @chunk(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16>
        attributes {nvptx.configuration = {sm_89 = {chunk = 100 : i64, emitter = "any_latent_attention", heads = 16 : i64, partials = 508 : i64, split_rows = 17 : i64, stages = 2 : i64, tile = 32 : i64}}} {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.5 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
  }
}

// -----

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
module {
  module @kernels {
    // CHECK: the configuration of kernel 'missing' has no integer 'tile'
    func.func @missing(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16>
        attributes {nvptx.configuration = {sm_89 = {chunk = 512 : i64, emitter = "any_latent_attention", heads = 16 : i64}}} {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.5 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
  }
}
