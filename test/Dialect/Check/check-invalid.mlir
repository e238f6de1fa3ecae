// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @expect_close_c1(%a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error @below {{requires all operands to have the same type}}
  "check.expect_close"(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> ()
  return
}

// -----

func.func @expect_close_c2(%a: tensor<2xi32>) {
  // expected-error @below {{expected a ranked tensor or a memref of a float type, got 'tensor<2xi32>'}}
  check.expect_close %a, %a : tensor<2xi32>
  return
}

// -----

func.func @expect_close_c2(%a: tensor<*xf32>) {
  // expected-error @below {{expected a ranked tensor or a memref of a float type, got 'tensor<*xf32>'}}
  check.expect_close %a, %a : tensor<*xf32>
  return
}

// -----

func.func @expect_close_c3(%a: tensor<2xf32>) {
  // expected-error @below {{expected finite, not negative tolerances, got -1}}
  check.expect_close %a, %a {atol = -1.0} : tensor<2xf32>
  return
}

// -----

func.func @expect_close_c3(%a: tensor<2xf32>) {
  // expected-error @below {{expected finite, not negative tolerances, got +Inf}}
  check.expect_close %a, %a {rtol = 0x7FF0000000000000 : f64} : tensor<2xf32>
  return
}

// -----

func.func @expect_eq_c1(%a: tensor<2xf32>, %b: tensor<2xbf16>) {
  // expected-error @below {{requires all operands to have the same type}}
  "check.expect_eq"(%a, %b) : (tensor<2xf32>, tensor<2xbf16>) -> ()
  return
}

// -----

func.func @expect_eq_c2(%a: vector<2xf32>) {
  // expected-error @below {{expected a ranked tensor or a memref, got 'vector<2xf32>'}}
  check.expect_eq %a, %a : vector<2xf32>
  return
}
