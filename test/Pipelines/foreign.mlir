// Modules that are no model: an error, not a crash.
// RUN: ds-opt %s --ds-compile --verify-diagnostics --split-input-file

// expected-error @+1 {{stage 'graph' expects arguments and results of 'scalars' to be ranked tensors or of type index, got 'i32'}}
func.func @scalars(%a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

// expected-error @+1 {{stage 'graph' expects 'external' to have a body of one block}}
func.func private @external(tensor<2xf32>)
func.func @main(%a: tensor<2xf32>) {
  func.call @external(%a) : (tensor<2xf32>) -> ()
  return
}

// -----

func.func @loop(%a: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{stage 'graph' must not contain 'scf.for'}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a) -> tensor<?xf32> {
    %y = arith.addf %x, %x : tensor<?xf32>
    scf.yield %y : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// expected-error @+1 {{stage 'graph' must not contain 'llvm.func'}}
llvm.func @lowered()

// -----

func.func @unbounded(%a: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{needs a bound of dimension 0 of argument 0 of 'unbounded'}}
  %0 = arith.negf %a : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

!pages = tensor<?x64x24xf32, #deepseek.latent_cache<latent = 16, rope = 8>>
func.func @two_caches(%cache: !pages {deepseek.dims = ["cache_pages", "", ""]}, %l: tensor<1x16xf32>, %l2: tensor<1x16xf32>,
    %r: tensor<1x8xf32>, %s: tensor<1xi32>) -> (!pages, !pages) {
  // One cache cannot be updated in place twice; a copy of it has no bound.
  // expected-error @+1 {{needs a bound of dimension 0 of argument 0 of 'two_caches'}}
  %a = deepseek.cache_append %cache, %l, %r, %s : (!pages, tensor<1x16xf32>, tensor<1x8xf32>, tensor<1xi32>) -> !pages
  %b = deepseek.cache_append %cache, %l2, %r, %s : (!pages, tensor<1x16xf32>, tensor<1x8xf32>, tensor<1xi32>) -> !pages
  return %a, %b : !pages, !pages
}
