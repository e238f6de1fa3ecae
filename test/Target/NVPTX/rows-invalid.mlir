// RUN: ds-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(nvptx-emit-kernels{chips=sm_80})"

// What a person wrote into a configuration and does not fit.

module @kernels {
  // expected-error @below {{the configuration of kernel 'add': expected 'threads_per_row' to be a multiple of 32, got 33}}
  func.func @add(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %out: tensor<?x7168xbf16>) -> tensor<?x7168xbf16>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_rows", rows_per_cta = 1 : i64, threads_per_row = 33 : i64}}} {
    %0 = arith.addf %x, %y : tensor<?x7168xbf16>
    return %0 : tensor<?x7168xbf16>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'threads_per_row' of at least 56 for 7168 elements, which stay in registers, got 32}}
  func.func @add(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %out: tensor<?x7168xbf16>) -> tensor<?x7168xbf16>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_rows", rows_per_cta = 1 : i64, threads_per_row = 32 : i64}}} {
    %0 = arith.addf %x, %y : tensor<?x7168xbf16>
    return %0 : tensor<?x7168xbf16>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'rows_per_cta' of 1 unless a row has 32 threads, got 2}}
  func.func @add(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %out: tensor<?x7168xbf16>) -> tensor<?x7168xbf16>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_rows", rows_per_cta = 2 : i64, threads_per_row = 256 : i64}}} {
    %0 = arith.addf %x, %y : tensor<?x7168xbf16>
    return %0 : tensor<?x7168xbf16>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'rows_per_cta' from 1 to 32, got 0}}
  func.func @add(%x: tensor<?x256xbf16>, %y: tensor<?x256xbf16>, %out: tensor<?x256xbf16>) -> tensor<?x256xbf16>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_rows", rows_per_cta = 0 : i64, threads_per_row = 32 : i64}}} {
    %0 = arith.addf %x, %y : tensor<?x256xbf16>
    return %0 : tensor<?x256xbf16>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'tokens_per_cta' from 1 to 32, got 64}}
  func.func @route(%logits: tensor<?x64xf32>, %scores: tensor<?x6xf32>, %indices: tensor<?x6xi32>) -> (tensor<?x6xf32>, tensor<?x6xi32>)
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_route", tokens_per_cta = 64 : i64}}} {
    %s, %i = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 6 : i64} : (tensor<?x64xf32>) -> (tensor<?x6xf32>, tensor<?x6xi32>)
    return %s, %i : tensor<?x6xf32>, tensor<?x6xi32>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'sort_threads' to be a multiple of 32, got 48}}
  func.func @dispatch(%x: tensor<?x256xbf16>, %indices: tensor<?x4xi32>, %rows: tensor<?x256xbf16>, %offsets: tensor<17xi32>, %source: tensor<?xi32>) -> (tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>)
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_route", copy_threads = 32 : i64, sort_threads = 48 : i64}}} {
    %r, %o, %s = deepseek.moe_dispatch %x, %indices {num_experts = 16 : i64} : (tensor<?x256xbf16>, tensor<?x4xi32>) -> (tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>)
    return %r, %o, %s : tensor<?x256xbf16>, tensor<17xi32>, tensor<?xi32>
  }
}

// -----

module @kernels {
  // expected-error @below {{expected 'threads' from 32 to 1024, got 0}}
  func.func @argmax(%logits: tensor<?x2048xf32>, %out: tensor<?xi32>) -> tensor<?xi32>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_argmax", threads = 0 : i64}}} {
    %0 = deepseek.argmax %logits : (tensor<?x2048xf32>) -> tensor<?xi32>
    return %0 : tensor<?xi32>
  }
}

// -----

module @kernels {
  // expected-error @below {{emitter 'any_rows' cannot write kernel 'linear' for sm_80}}
  func.func @linear(%x: tensor<?x256xbf16>, %w: tensor<128x256xbf16>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
      attributes {nvptx.configuration = {sm_80 = {emitter = "any_rows", rows_per_cta = 1 : i64, threads_per_row = 32 : i64}}} {
    %0 = deepseek.linear %x, %w : (tensor<?x256xbf16>, tensor<128x256xbf16>) -> tensor<?x128xbf16>
    return %0 : tensor<?x128xbf16>
  }
}
