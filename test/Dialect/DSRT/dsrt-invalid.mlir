// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @dispatch_c1(%x: tensor<4xf32>) {
  // expected-error @below {{expected the name of a kernel, got @kernels::@missing}}
  %0 = dsrt.dispatch @kernels::@missing ins() outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @k(tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @dispatch_c2(%x: tensor<4xf32>, %y: memref<4xf32>) {
  // expected-error @below {{expected either tensors or memrefs, got 'tensor<4xf32>' and 'memref<4xf32>'}}
  dsrt.dispatch @k ins(%x : tensor<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

func.func private @k(tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @dispatch_c2(%x: tensor<*xf32>, %y: tensor<4xf32>) {
  // expected-error @below {{expected ranked tensors or memrefs, got 'tensor<*xf32>'}}
  %0 = dsrt.dispatch @k ins(%x : tensor<*xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @k(tensor<4xf32>) -> tensor<4xf32>
func.func @dispatch_c3(%x: tensor<4xf32>) {
  // expected-error @below {{expected 1 inputs and outputs, the kernel's arguments, got 2}}
  %0 = dsrt.dispatch @k ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @k(tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
func.func @dispatch_c3(%x: tensor<4xf32>) {
  // expected-error @below {{expected 2 outputs, the kernel's results, got 1}}
  %0 = dsrt.dispatch @k ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// expected-note @below {{the kernel is here}}
func.func private @k(tensor<4xbf16>, tensor<4xf32>) -> tensor<4xf32>
func.func @dispatch_c4(%x: tensor<4xf32>) {
  // expected-error @below {{expected operand 0 to fit 'tensor<4xbf16>', got 'tensor<4xf32>'}}
  %0 = dsrt.dispatch @k ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// expected-note @below {{the kernel is here}}
func.func private @k(tensor<?x4xf32>, tensor<?x5xf32>) -> tensor<?x5xf32>
func.func @dispatch_c4(%x: memref<3x4xf32>) {
  // expected-error @below {{expected operand 1 to fit 'tensor<?x5xf32>', got 'memref<3x4xf32>'}}
  dsrt.dispatch @k ins(%x : memref<3x4xf32>) outs(%x : memref<3x4xf32>)
  return
}

// -----

// expected-note @below {{the kernel is here}}
func.func private @k(tensor<?xf32>) -> tensor<5xf32>
func.func @dispatch_c4(%x: tensor<4xf32>) {
  // expected-error @below {{expected output 0 to fit 'tensor<5xf32>', got 'tensor<4xf32>'}}
  %0 = dsrt.dispatch @k ins() outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @get_weight_c1() {
  // expected-error @below {{expected the name of a weight, got @missing}}
  %0 = dsrt.get_weight @missing : tensor<4xf32>
  return
}

// -----

func.func @get_weight_c2() {
  // expected-error @below {{expected a ranked tensor or a memref of a static shape, got 'tensor<?xf32>'}}
  %0 = dsrt.get_weight @get_weight_c2 : tensor<?xf32>
  return
}

// -----

func.func @workspace_c1() {
  // expected-error @below {{expected an offset of 0 or more, got -64}}
  %0 = dsrt.workspace -64 : memref<4xf32>
  return
}

// -----

func.func @workspace_c2(%n: index) {
  // expected-error @below {{expected 1 dynamic sizes, got 0}}
  %0 = dsrt.workspace 0 : memref<?x4xf32>
  return
}

// -----

func.func @workspace_c3(%n: index) {
  // expected-error @below {{expected a contiguous, row-major result, got 'memref<4x4xf32, strided<[1, 4]>>'}}
  %0 = dsrt.workspace 0 : memref<4x4xf32, strided<[1, 4]>>
  return
}

// -----

func.func @expect_c1(%a: memref<?xf32>, %b: memref<?xbf16>) {
  // expected-error @below {{expected operands that fit, got 'memref<?xf32>' and 'memref<?xbf16>'}}
  dsrt.expect %a, %b {atol = 0.0, rtol = 0.0} : memref<?xf32>, memref<?xbf16>
  return
}

// -----

func.func @expect_c2(%a: memref<?xf32>) {
  // expected-error @below {{expected a finite, not negative rtol, got NaN}}
  dsrt.expect %a, %a {atol = 0.0, rtol = 0x7FF8000000000000 : f64} : memref<?xf32>, memref<?xf32>
  return
}

// -----

func.func @expect_c2(%a: memref<?xf32>) {
  // expected-error @below {{expected tolerances of 0 of an exact expectation, got others}}
  dsrt.expect %a, %a {atol = 1.0, rtol = 0.0, exact} : memref<?xf32>, memref<?xf32>
  return
}

// -----

func.func @collective_c1(%a: tensor<4xf32>) {
  // expected-error @below {{expected a group of 0 or more, got -1}}
  %0 = dsrt.all_reduce group -1 ins(%a : tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @collective_c2(%a: tensor<4xf32>, %b: memref<4xf32>) {
  // expected-error @below {{expected either tensors or memrefs, got 'memref<4xf32>' and 'tensor<4xf32>'}}
  %0 = dsrt.ep_combine group 0 ins(%b : memref<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @collective_c3(%a: tensor<4xf32>) {
  // expected-error @below {{expected 1 outputs, one for each input, got 2}}
  %0:2 = dsrt.all_gather group 0 ins(%a : tensor<4xf32>) outs(%a, %a : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @collective_c3(%a: tensor<4xf32>, %b: tensor<8xf32>) {
  // expected-error @below {{expected an output to fit 'tensor<4xf32>', got 'tensor<8xf32>'}}
  %0 = dsrt.all_reduce group 0 ins(%a : tensor<4xf32>) outs(%b : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @collective_c3(%a: tensor<4xf32>, %b: tensor<8xbf16>) {
  // expected-error @below {{expected an output to fit 'tensor<4xf32>', got 'tensor<8xbf16>'}}
  %0 = dsrt.all_gather group 0 ins(%a : tensor<4xf32>) outs(%b : tensor<8xbf16>) -> tensor<8xbf16>
  return
}
