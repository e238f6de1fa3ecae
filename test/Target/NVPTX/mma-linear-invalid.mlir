// RUN: not ds-opt %s --split-input-file --pass-pipeline="builtin.module(builtin.module(nvptx-emit-kernels{chips=sm_89}))" 2>&1 | FileCheck %s

// Parameters that a person edited into nonsense.

module {
  module @kernels {
    // CHECK: kernel 'product': expected 'outputs' from 16 to 256, got 8
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 8 : i64, ranges = 1 : i64, stages = 4 : i64, tokens = array<i64: 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product' for sm_89: expected powers of two for 'outputs' and 'ranges', got 48 and 2
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 48 : i64, ranges = 2 : i64, stages = 4 : i64, tokens = array<i64: 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product': expected 'stages' from 2 to 8, got 1
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 64 : i64, ranges = 2 : i64, stages = 1 : i64, tokens = array<i64: 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product' for sm_89: expected powers of two from 8 to 128 in 'tokens', got 24
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 64 : i64, ranges = 2 : i64, stages = 4 : i64, tokens = array<i64: 8, 24>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product' for sm_89: expected 'tokens' to be an ascending array<i64: ...>
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 64 : i64, ranges = 2 : i64, stages = 4 : i64, tokens = array<i64: 16, 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product' for sm_89: a tile of 128 outputs, 8 tokens and 8 ranges needs 2048 threads and two stages of 139264 bytes, of at most 256 and 101376 bytes
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 128 : i64, ranges = 8 : i64, stages = 4 : i64, tokens = array<i64: 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}

// -----

module {
  module @kernels {
    // CHECK: kernel 'product': expected 'matvec_rows' from 0 to 4, got 5
    func.func @product(%x: tensor<?x512xbf16>, %w: tensor<256x512xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32>
        attributes {nvptx.configuration = {sm_89 = {emitter = "any_mma_linear", matvec_rows = 5 : i64, outputs = 64 : i64, ranges = 2 : i64, stages = 4 : i64, tokens = array<i64: 8>}}} {
      %y = deepseek.linear %x, %w : (tensor<?x512xbf16>, tensor<256x512xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
  }
}
