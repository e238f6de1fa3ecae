// RUN: ds-opt %s --ds-form-kernels --verify-diagnostics --split-input-file

// expected-error @+1 {{expected a function of one block}}
func.func @branches(%a: tensor<2xf32>, %b: i1) -> tensor<2xf32> {
  cf.cond_br %b, ^yes, ^no
^yes:
  return %a : tensor<2xf32>
^no:
  return %a : tensor<2xf32>
}

// -----

func.func private @callee(tensor<2xf32>) -> tensor<2xf32>
func.func @call(%a: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{expected no calls here; inline the callee first}}
  %y = func.call @callee(%a) : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func @scalar(%a: tensor<2xf32>, %b: i1) -> tensor<2xf32> {
  // expected-error @+1 {{has an operand of type 'i1'; a kernel can only be formed of ops on ranked tensors and indices}}
  %y = arith.select %b, %a, %a : tensor<2xf32>
  %z = arith.addf %y, %a : tensor<2xf32>
  return %z : tensor<2xf32>
}

// -----

deepseek.weight @w from "w" : tensor<2x2xf32>
shard.grid @ranks(shape = 2)
func.func @unsized(%x: tensor<?x4xf32>, %o: tensor<5xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{does not say how large its results are; a kernel cannot be formed of it}}
  %rows, %offsets, %handle = deepseek.ep_dispatch %x, %o {grid = @ranks, grid_axes = array<i16: 0>, capacity = 8 : i64}
      : (tensor<?x4xf32>, tensor<5xi32>) -> (tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>)
  return %rows : tensor<?x4xf32>
}
