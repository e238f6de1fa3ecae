// RUN: ds-eval --help | FileCheck %s --check-prefix=HELP
// RUN: ds-eval %s --entry=first --weights=seed:1 -o %t.first
// RUN: ds-eval %s --entry=second --inputs=%t.first --cache-pages=2 --print | FileCheck %s
// RUN: ds-eval %s --weights=splat:2.5 --print | FileCheck %s --check-prefix=ALL
// RUN: not ds-eval %s --entry=second 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not ds-eval %s --entry=typed --inputs=%t.first 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not ds-eval %s --entry=nobody 2>&1 | FileCheck %s --check-prefix=NOBODY
// RUN: not ds-eval %s --prompt-ids=1,x 2>&1 | FileCheck %s --check-prefix=IDS
// RUN: not ds-eval %s --inputs=%t.first 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not ds-eval %s --entry=second --inputs=%s 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not ds-eval %s --entry=first --weights=%t.nowhere 2>&1 | FileCheck %s --check-prefix=SOURCE
// RUN: not ds-eval %s --entry=first --weights=seed:1 -o %t.nowhere/x 2>&1 | FileCheck %s --check-prefix=OUTPUT
// RUN: not ds-eval %t.nowhere 2>&1 | FileCheck %s --check-prefix=NOFILE
// RUN: not ds-eval --unknown-flag 2>&1 | FileCheck %s --check-prefix=FLAG

// Inputs and results by name, through files.

// HELP: runs tensor programs by the reference
// HELP: --prompt-ids

deepseek.weight @w from "some.weight" : tensor<2x2xf32>

// ALL: first.rows: tensor<3xi32> = [7, 8, 9]
// ALL: first.total: i64 = 5
// ALL: first.w: tensor<2x2xf32> = {{\[\[2.5, 2.5\], \[2.5, 2.5\]\]}}
func.func @first() -> (tensor<3xi32> {deepseek.name = "rows"}, i64 {deepseek.name = "total"}, tensor<2x2xf32> {deepseek.name = "w"}) {
  %rows = arith.constant dense<[7, 8, 9]> : tensor<3xi32>
  %total = arith.constant 5 : i64
  %w = deepseek.get_weight @w : tensor<2x2xf32>
  return %rows, %total, %w : tensor<3xi32>, i64, tensor<2x2xf32>
}

// An index is made of an i64; a cache that is missing is two pages of zeros.
// CHECK: result0: tensor<3xi32> = [7, 8, 9]
// CHECK: result1: index = 7
// MISSING: ds-eval: error: 'second' expected an input 'rows' of type tensor<?xi32>, got none of this name
func.func @second(%rows: tensor<?xi32> {deepseek.name = "rows"}, %total: index {deepseek.name = "total"},
                  %cache: tensor<?x4x3xf32> {deepseek.name = "cache.0"}) -> (tensor<?xi32>, index) {
  %c0 = arith.constant 0 : index
  %pages = tensor.dim %cache, %c0 : tensor<?x4x3xf32>
  %sum = arith.addi %total, %pages : index
  return %rows, %sum : tensor<?xi32>, index
}

// TYPE: ds-eval: error: 'typed' expected the input 'rows' to be of type tensor<3xf32>, got tensor<3xi32>
func.func @typed(%rows: tensor<3xf32> {deepseek.name = "rows"}) {
  return
}

// NOBODY: error: the module has no function 'nobody'; it has 'first' 'second' 'typed'
// IDS: ds-eval: error: expected token ids separated by commas, got 'x'
// ENTRY: ds-eval: error: --inputs needs --entry
// FILE: ds-eval: error: {{.*}}ds-eval.mlir
// SOURCE: ds-eval: error: expected '{{.*}}nowhere' to be a checkpoint folder, found nothing there
// OUTPUT: ds-eval: error: cannot write '{{.*}}nowhere/x': No such file or directory
// NOFILE: ds-eval: error: {{.*}}nowhere
// FLAG: ds-eval: error: Unknown command line argument '--unknown-flag'
