// RUN: split-file %s %t
// RUN: not ds-eval %t/expect.mlir 2>&1 | FileCheck %s --check-prefix=EXPECT
// RUN: not ds-eval %t/close.mlir 2>&1 | FileCheck %s --check-prefix=CLOSE
// RUN: not ds-eval %t/token.mlir 2>&1 | FileCheck %s --check-prefix=TOKEN
// RUN: not ds-eval %t/slot.mlir 2>&1 | FileCheck %s --check-prefix=SLOT
// RUN: not ds-eval %t/page.mlir 2>&1 | FileCheck %s --check-prefix=PAGE
// RUN: not ds-eval %t/lengths.mlir 2>&1 | FileCheck %s --check-prefix=LENGTHS
// RUN: not ds-eval %t/nan.mlir 2>&1 | FileCheck %s --check-prefix=NAN
// RUN: not ds-eval %t/shape.mlir 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not ds-eval %t/slice.mlir 2>&1 | FileCheck %s --check-prefix=SLICE
// RUN: not ds-eval %t/zero.mlir 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not ds-eval %t/huge.mlir 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not ds-eval %t/recursion.mlir 2>&1 | FileCheck %s --check-prefix=RECURSION
// RUN: not ds-eval %t/unsupported.mlir 2>&1 | FileCheck %s --check-prefix=PAD
// RUN: not ds-eval %t/source.mlir 2>&1 | FileCheck %s --check-prefix=SOURCE

// Every failure names the op's place and what was expected, and is no crash.

//--- expect.mlir
func.func @f() {
  %a = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %b = arith.constant dense<[[1, 2], [5, 6]]> : tensor<2x2xi32>
  // EXPECT: expect.mlir:5:3: error: 'check.expect_eq' op failed at [1, 0]: expected 5, got 3 (2 of 4 elements differ)
  check.expect_eq %a, %b : tensor<2x2xi32>
  return
}
//--- close.mlir
func.func @f() {
  %a = arith.constant dense<[1.0, 2.0, 0x7FC00000]> : tensor<3xf32>
  %b = arith.constant dense<[1.01, 2.5, 1.0]> : tensor<3xf32>
  // CLOSE: error: 'check.expect_close' op failed at [1]: expected 2.5, got 2 (2 of 3 elements differ)
  check.expect_close %a, %b {atol = 0.1} : tensor<3xf32>
  return
}
//--- token.mlir
func.func @f() {
  %tokens = arith.constant dense<[0, 3]> : tensor<2xi32>
  %table = arith.constant dense<0.0> : tensor<3x2xf32>
  // TOKEN: error: 'deepseek.embedding' op expected tokens[1] to be at least 0 and below 3, got 3
  %x = deepseek.embedding %tokens, %table : (tensor<2xi32>, tensor<3x2xf32>) -> tensor<2x2xf32>
  return
}
//--- slot.mlir
!cache = tensor<2x2x3xf32, #deepseek.latent_cache<latent = 1, rope = 2>>
func.func @f() {
  %cache = arith.constant dense<0.0> : !cache
  %latent = arith.constant dense<0.0> : tensor<1x1xf32>
  %rope = arith.constant dense<0.0> : tensor<1x2xf32>
  %slots = arith.constant dense<4> : tensor<1xi32>
  // SLOT: error: 'deepseek.cache_append' op expected slots[0] to be at least 0 and below 4, got 4
  %x = deepseek.cache_append %cache, %latent, %rope, %slots
      : (!cache, tensor<1x1xf32>, tensor<1x2xf32>, tensor<1xi32>) -> !cache
  return
}
//--- page.mlir
!cache = tensor<2x2x3xf32, #deepseek.latent_cache<latent = 1, rope = 2>>
func.func @f() {
  %cache = arith.constant dense<0.0> : !cache
  %table = arith.constant dense<[[0, -1]]> : tensor<1x2xi32>
  %cu = arith.constant dense<[0, 3]> : tensor<2xi32>
  %total = arith.constant 3 : index
  // PAGE: error: 'deepseek.cache_gather' op expected block_table[1] to be at least 0 and below 2, got -1
  %x = deepseek.cache_gather %cache, %table, %cu, %total : (!cache, tensor<1x2xi32>, tensor<2xi32>, index) -> tensor<?x3xf32>
  return
}
//--- lengths.mlir
func.func @f() {
  %q = arith.constant dense<0.0> : tensor<2x1x2xf32>
  %kv = arith.constant dense<0.0> : tensor<2x1x3xf32>
  %k = arith.constant dense<0.0> : tensor<2x2xf32>
  %cu = arith.constant dense<[0, 5]> : tensor<2xi32>
  // LENGTHS: error: 'deepseek.attention' op expected cu_q_lens to ascend from 0 to 2, got [0, 5]
  %x = deepseek.attention %q, %q, %kv, %k, %cu, %cu {scale = 1.0}
      : (tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x1x3xf32>, tensor<2x2xf32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2x1x1xf32>
  return
}
//--- nan.mlir
func.func @f() {
  %logits = arith.constant dense<[[1.0, 0x7FC00000]]> : tensor<1x2xf32>
  // NAN: error: 'deepseek.route' op expected router logits and bias that are numbers, got NaN for token 0, expert 1
  %s, %i = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 1} : (tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x1xi32>)
  return
}
//--- shape.mlir
func.func private @linear(%x: tensor<?x?xf32>, %w: tensor<?x?xf32>) -> tensor<?x?xf32> {
  // SHAPE: error: 'deepseek.linear' op expected w of shape [?, 2], got [2, 3]
  %y = deepseek.linear %x, %w : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
func.func @f() {
  %a = arith.constant dense<0.0> : tensor<2x2xf32>
  %b = arith.constant dense<0.0> : tensor<2x3xf32>
  %x = tensor.cast %a : tensor<2x2xf32> to tensor<?x?xf32>
  %w = tensor.cast %b : tensor<2x3xf32> to tensor<?x?xf32>
  %y = call @linear(%x, %w) : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  return
}
//--- slice.mlir
func.func @f() {
  %a = arith.constant dense<0> : tensor<4xi32>
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  // SLICE: error: 'tensor.extract_slice' op slice of dimension 0 with offset 2, size 3, stride 1 leaves a dimension of size 4
  %b = tensor.extract_slice %a[%two] [%three] [1] : tensor<4xi32> to tensor<?xi32>
  return
}
//--- zero.mlir
func.func @f() {
  %a = arith.constant 1 : i32
  %b = arith.constant 0 : i32
  // ZERO: error: 'arith.divsi' op divides by zero
  %c = arith.divsi %a, %b : i32
  return
}
//--- huge.mlir
func.func @f() {
  %n = arith.constant 4611686018427387904 : index
  // HUGE: error: 'tensor.empty' op expected a tensor of at most 2^36 elements, got shape [4611686018427387904, 4611686018427387904]
  %t = tensor.empty(%n, %n) : tensor<?x?xf32>
  return
}
//--- recursion.mlir
// RECURSION: error: 'f' is called more than 64 levels deep
func.func @f() {
  call @f() : () -> ()
  return
}
//--- unsupported.mlir
func.func @f() {
  // PAD: error: 'tensor.pad' op is not supported by the evaluator
  %z = arith.constant 0 : i32
  %a = arith.constant dense<0> : tensor<1xi32>
  %b = tensor.pad %a low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %z : i32
  } : tensor<1xi32> to tensor<3xi32>
  return
}
//--- source.mlir
deepseek.weight @w from "model.norm.weight" : tensor<2xf32>
func.func @f() {
  // SOURCE: error: 'deepseek.weight' op 'model.norm.weight' has no source: give --weights=DIR, seed:N or splat:X
  %w = deepseek.get_weight @w : tensor<2xf32>
  return
}
