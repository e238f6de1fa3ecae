// RUN: ds-opt %s --ds-verify-stage=stage=buffers --verify-diagnostics --split-input-file

func.func @unplanned() -> memref<4xf32> {
  // expected-error @+1 {{stage 'buffers' must not contain 'memref.alloc'; did 'ds-plan-memory' run?}}
  %a = memref.alloc() : memref<4xf32>
  return %a : memref<4xf32>
}

// -----

func.func @tensors(%n: index) {
  // expected-error @+1 {{stage 'buffers' must not contain 'tensor.empty'; did 'one-shot-bufferize' run?}}
  %a = tensor.empty(%n) : tensor<?xf32>
  return
}

// -----

// expected-error @+1 {{stage 'buffers' expects arguments and results of 'signature' to be memrefs or of type index, got 'tensor<2xf32>'}}
func.func @signature(%a: tensor<2xf32>) -> tensor<2xf32> {
  return %a : tensor<2xf32>
}

// -----

func.func @foreign(%a: i1) {
  // expected-error @+1 {{stage 'buffers' must not contain 'cf.assert'}}
  cf.assert %a, "no"
  return
}

// -----

func.func @check(%a: memref<2xf32>) {
  // expected-error @+1 {{stage 'buffers' must not contain 'check.expect_eq'; did 'convert-check-to-dsrt' run?}}
  check.expect_eq %a, %a : memref<2xf32>
  return
}

// -----

module {
  module @kernels {
    func.func @k(%a: tensor<2xf32>) -> tensor<2xf32> {
      // expected-error @+1 {{stage 'buffers' must not contain 'dsrt.workspace' in @kernels}}
      %b = dsrt.workspace 0 : memref<2xf32>
      return %a : tensor<2xf32>
    }
  }
}
