// RUN: ds-opt %s --ds-verify-stage=stage=quantize --verify-diagnostics --split-input-file
// RUN: not ds-opt %S/Inputs/derived.mlir --ds-verify-stage=stage=fuse 2>&1 | FileCheck %s --check-prefix=EARLY
// RUN: ds-opt %S/Inputs/derived.mlir --ds-verify-stage=stage=quantize -o %t
// RUN: ds-opt %S/Inputs/derived.mlir --ds-compile="start-after=quantize stop-after=buffers" -o %t

// EARLY: error: stage 'fuse' must not contain derived weights, which 'ds-hoist-weights' makes

// expected-error @below {{expected a result of 'prepare' of the name 'x' and type 'tensor<4xf32>'}}
deepseek.weight @x derived : tensor<4xf32>

// -----

// expected-error @below {{expected a result of 'prepare' of the name 'x' and type 'tensor<4xf32>'}}
deepseek.weight @x derived : tensor<4xf32>
deepseek.weight @w from "w" : tensor<4xbf16>
func.func @prepare() -> (tensor<4xbf16> {deepseek.name = "x"}) {
  %w = deepseek.get_weight @w : tensor<4xbf16>
  return %w : tensor<4xbf16>
}

// -----

deepseek.weight @x derived : tensor<4xf32>
func.func @prepare() -> (tensor<4xf32> {deepseek.name = "x"}) {
  // expected-error @below {{'prepare' must not read the derived weight 'x'}}
  %x = deepseek.get_weight @x : tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{expected the entry 'prepare' without arguments, got '(tensor<4xf32>) -> tensor<4xf32>'}}
func.func @prepare(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
