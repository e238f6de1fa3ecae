// RUN: ds-opt %s --ds-plan-memory --verify-diagnostics --split-input-file
// RUN: not ds-opt %s --ds-plan-memory=max-tokens=0 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: not ds-opt %s --ds-plan-memory=max-sequences=99999999999 2>&1 | FileCheck %s --check-prefix=SEQUENCES

// TOKENS: error: max-tokens expected to be from 1 to 2147483647, got 0
// SEQUENCES: error: max-sequences expected to be from 1 to 2147483647, got 99999999999

func.func @no_name(%x: memref<?xf32>) -> memref<?xf32> {
  %c0 = arith.constant 0 : index
  %t = memref.dim %x, %c0 : memref<?xf32>
  // expected-error @+1 {{needs a bound of dimension 0 of argument 0 of 'no_name', whose name in 'deepseek.dims' is ""}}
  %a = memref.alloc(%t) : memref<?xf32>
  return %a : memref<?xf32>
}

// -----

func.func @cache_copy(%x: memref<?x64x8xf32> {deepseek.dims = ["cache_pages", "", ""]}) -> memref<?x64x8xf32> {
  %c0 = arith.constant 0 : index
  %t = memref.dim %x, %c0 : memref<?x64x8xf32>
  // expected-error @+1 {{is "cache_pages"; expected tokens, sequences, sequences+1, pages, rows or kv_tokens}}
  %a = memref.alloc(%t) : memref<?x64x8xf32>
  return %a : memref<?x64x8xf32>
}

// -----

func.func @computed(%n: index {deepseek.dims = ["tokens"]}) -> memref<?xf32> {
  %c1 = arith.constant 1 : index
  // expected-note @+1 {{computed here}}
  %t = arith.subi %n, %c1 : index
  // expected-error @+1 {{has a size that cannot be bounded: it is computed by 'arith.subi'}}
  %a = memref.alloc(%t) : memref<?xf32>
  return %a : memref<?xf32>
}

// -----

func.func @too_large(%n: index {deepseek.dims = ["tokens"]}) -> memref<?x99999999999999xf32> {
  // expected-error @+1 {{would need more than 4503599627370496 bytes at the bounds of its sizes}}
  %a = memref.alloc(%n) : memref<?x99999999999999xf32>
  return %a : memref<?x99999999999999xf32>
}

// -----

func.func @layout() -> memref<4xf32, strided<[2]>> {
  // expected-error @+1 {{expected a contiguous buffer}}
  %a = memref.alloc() : memref<4xf32, strided<[2]>>
  return %a : memref<4xf32, strided<[2]>>
}

// -----

// expected-error @+1 {{expected a body of one block}}
func.func private @external(memref<4xf32>)

// -----

// expected-error @+1 {{expected no plan yet}}
func.func @twice() -> (memref<4xf32>, memref<4xf32>) {
  %a = dsrt.workspace 0 : memref<4xf32>
  %b = memref.alloc() : memref<4xf32>
  return %a, %b : memref<4xf32>, memref<4xf32>
}

// -----

func.func @elements() -> memref<4xcomplex<f32>> {
  // expected-error @+1 {{expected elements that are numbers}}
  %a = memref.alloc() : memref<4xcomplex<f32>>
  return %a : memref<4xcomplex<f32>>
}

// -----

// expected-error @+1 {{'deepseek.context' expected to be at least 1, got -5 : i64}}
module attributes {deepseek.context = -5 : i64} {
}
