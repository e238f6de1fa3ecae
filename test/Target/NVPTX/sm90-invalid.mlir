// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-emit-kernels{chips=sm_90a}))" -split-input-file -verify-diagnostics

// Configurations that somebody edited.

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
module {
  module @kernels {
    // expected-error @below {{the configuration of kernel 'tile': expected 'token_tiles' of 8, 16, 32, 64 and 128, got 7}}
    func.func @tile(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<128x256xf8E4M3FN, #w>, %ws: tensor<1x2xf32>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 2 : i64, sharers = 1 : i64, stages = array<i64: 2>, token_tiles = array<i64: 7>}}} {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<128x256xf8E4M3FN, #w>, tensor<1x2xf32>) -> tensor<?x128xbf16>
      return %y : tensor<?x128xbf16>
    }
  }
}

// -----

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
module {
  module @kernels {
    // expected-error @below {{the configuration of kernel 'memory': 12 stages of 128 tokens take 399552 bytes of shared memory, sm_90a has 232448}}
    func.func @memory(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<128x256xf8E4M3FN, #w>, %ws: tensor<1x2xf32>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 2 : i64, sharers = 1 : i64, stages = array<i64: 2, 12>, token_tiles = array<i64: 8, 128>}}} {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<128x256xf8E4M3FN, #w>, tensor<1x2xf32>) -> tensor<?x128xbf16>
      return %y : tensor<?x128xbf16>
    }
  }
}

// -----

// A pair of CTAs needs a pair of tiles of weight rows; a cluster has 8 CTAs at most.

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
module {
  module @kernels {
    // expected-error @below {{the configuration of kernel 'sharers': expected 'sharers' from 1 to 1, got 2}}
    func.func @sharers(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<128x256xf8E4M3FN, #w>, %ws: tensor<1x2xf32>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 2 : i64, sharers = 2 : i64, stages = array<i64: 2>, token_tiles = array<i64: 128>}}} {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<128x256xf8E4M3FN, #w>, tensor<1x2xf32>) -> tensor<?x128xbf16>
      return %y : tensor<?x128xbf16>
    }
  }
}

// -----

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
module {
  module @kernels {
    // expected-error @below {{the configuration of kernel 'range': expected 'range' from 2 to 16, got 1}}
    func.func @range(%x: tensor<?x2048xf8E4M3FN, #x>, %xs: tensor<?x16xf32>, %w: tensor<128x2048xf8E4M3FN, #w>, %ws: tensor<1x16xf32>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 1 : i64, sharers = 1 : i64, stages = array<i64: 2>, token_tiles = array<i64: 128>}}} {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>, tensor<128x2048xf8E4M3FN, #w>, tensor<1x16xf32>) -> tensor<?x128xbf16>
      return %y : tensor<?x128xbf16>
    }
  }
}

// -----

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
module {
  module @kernels {
    // expected-error @below {{the configuration of kernel 'order': expected 'token_tiles', ascending, and as many 'stages'}}
    func.func @order(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<128x256xf8E4M3FN, #w>, %ws: tensor<1x2xf32>, %out: tensor<?x128xbf16>) -> tensor<?x128xbf16>
        attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 2 : i64, sharers = 1 : i64, stages = array<i64: 2, 2>, token_tiles = array<i64: 32, 8>}}} {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<128x256xf8E4M3FN, #w>, tensor<1x2xf32>) -> tensor<?x128xbf16>
      return %y : tensor<?x128xbf16>
    }
  }
}
