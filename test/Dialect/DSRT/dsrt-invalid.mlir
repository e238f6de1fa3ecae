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

func.func @launch_c1(%n: index) {
  // expected-error @below {{expected the name of a kernel, got @kernels::@k}}
  dsrt.launch @kernels::@k grid (%n, %n, %n) block [128, 1, 1] shared 0 args ()
  return
}

// -----

func.func @launch_c2(%n: index) {
  // expected-error @below {{expected three sizes of grid and block, got 2 and 3}}
  dsrt.launch @launch_c2 grid (%n, %n) block [128, 1, 1] shared 0 args ()
  return
}

// -----

func.func @launch_c2(%n: index) {
  // expected-error @below {{expected positive sizes of the block, got 0}}
  dsrt.launch @launch_c2 grid (%n, %n, %n) block [128, 0, 1] shared 0 args ()
  return
}

// -----

func.func @launch_c3(%n: index) {
  // expected-error @below {{expected shared bytes of 0 or more, got -1}}
  dsrt.launch @launch_c3 grid (%n, %n, %n) block [128, 1, 1] shared -1 args ()
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

func.func @copy_c1(%a: memref<?x4xf32>, %b: memref<?x5xf32>) {
  // expected-error @below {{expected a target to fit 'memref<?x4xf32>', got 'memref<?x5xf32>'}}
  dsrt.copy %a to %b : memref<?x4xf32>, memref<?x5xf32>
  return
}

// -----

func.func @tensor_map_c1(%a: memref<?x64xbf16>) {
  // expected-error @below {{expected 2 sizes of the box, got 1}}
  %0 = dsrt.tensor_map %a box [64] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @tensor_map_c2(%a: memref<?x64xbf16>) {
  // expected-error @below {{expected a swizzle of 0, 32, 64 or 128 bytes, got 100}}
  %0 = dsrt.tensor_map %a box [64, 64] swizzle 100 : memref<?x64xbf16>
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
