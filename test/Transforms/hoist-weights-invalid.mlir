// RUN: ds-opt %s --ds-hoist-weights -verify-diagnostics --split-input-file

// expected-error @below {{expected 'prepare' to be the entry that computes weights: a function of one block, without arguments}}
deepseek.weight @prepare from "prepare" : tensor<4xf32>

// -----

// expected-error @below {{expected 'prepare' to be the entry that computes weights}}
func.func @prepare(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
