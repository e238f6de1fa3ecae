// RUN: ds-opt %s --convert-dsrt-to-llvm -split-input-file -verify-diagnostics

// A host function holds sizes, buffers and dispatches, nothing that computes.
func.func @computes(%x: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{expected arithmetic on sizes in a host function}}
  %v = memref.load %x[%c0] : memref<4xf32>
  return
}

// -----

// expected-error @below {{expected a host function of one block}}
func.func @branches() {
  cf.br ^next
^next:
  return
}

// -----

// expected-error @below {{an entry cannot have a value of type 'memref<1x1x1x1x1xf32>'}}
func.func @rank5(%x: memref<1x1x1x1x1xf32>) {
  return
}

// -----

module {
  deepseek.weight @a from "same" : tensor<4xf32>
  // expected-error @below {{names the key 'same', as another weight does}}
  deepseek.weight @b from "same" : tensor<4xf32>
}

// -----

module {
  memref.global "private" @g : memref<4xf32> = uninitialized
  func.func @no_value() -> memref<4xf32> {
    // expected-error @below {{expected a global that has a value}}
    %g = memref.get_global @g : memref<4xf32>
    return %g : memref<4xf32>
  }
}

// -----

module {
  // expected-error @below {{expected a dense constant of integers or floats, got dense<1> : tensor<4xindex>}}
  memref.global "private" constant @g : memref<4xindex> = dense<1>
}

// -----

module {
  // expected-error @below {{expected a dense constant of integers or floats, got sparse}}
  memref.global "private" constant @g : memref<2x2xf32> = sparse<[[0, 0]], [1.0]>
}

// -----

func.func @expect_bits(%x: memref<4xf32>) {
  %w = dsrt.workspace 0 : memref<4xi1>
  // expected-error @below {{expected elements of a type that the runtime knows, got 'i1'}}
  dsrt.expect %w, %w {exact, atol = 0.0 : f64, rtol = 0.0 : f64} : memref<4xi1>, memref<4xi1>
  return
}

// -----

func.func @expect_indices(%x: memref<4xf32>) {
  %w = dsrt.workspace 0 : memref<4xindex>
  // expected-error @below {{expected elements of a type that the runtime knows, got 'index'}}
  dsrt.expect %w, %w {exact, atol = 0.0 : f64, rtol = 0.0 : f64} : memref<4xindex>, memref<4xindex>
  return
}

// -----

// The runtime passes addresses: a buffer has to be contiguous.
// expected-error @below {{an entry cannot have a value of type 'memref<4x4xf32, strided<[8, 1]>>'}}
func.func @strided(%x: memref<4x4xf32, strided<[8, 1]>>) {
  return
}

// -----

module {
  // expected-error @below {{expected in 'dsrt.images' a chip and its ptx}}
  module @kernels attributes {dsrt.images = [{chip = "sm_90a"}]} {}
}

// -----

module {
  // expected-error @below {{expected in 'dsrt.device_kernels' a name, a location, an image and three sizes of blocks and clusters, got {block = array<i64: 1>, image = 1 : i64, location = "l", name = "k"}}}
  module @kernels attributes {
      dsrt.images = [{chip = "sm_90a", ptx = "//"}],
      dsrt.device_kernels = [{name = "k", location = "l", image = 1 : i64, block = array<i64: 1>}]} {}
}
