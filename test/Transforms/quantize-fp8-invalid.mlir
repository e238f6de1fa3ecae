// RUN: ds-opt %s --ds-quantize-fp8=activations=fp8 -verify-diagnostics
// RUN: not ds-opt %s --ds-quantize-fp8=activations=int8 2>&1 | FileCheck %s --check-prefix=ACTIVATIONS
// RUN: not ds-opt %s --ds-quantize-fp8=scales=odd 2>&1 | FileCheck %s --check-prefix=SCALES

// ACTIVATIONS: Cannot find option named 'int8'
// SCALES: Cannot find option named 'odd'

// expected-error @below {{activations=fp8 expected products of FP8 weights, got none; quantize-weights makes FP8 weights of plain ones}}
module {
  func.func @plain(%x: tensor<?x128xbf16>, %w: tensor<64x128xbf16>) -> tensor<?x64xbf16> {
    %y = deepseek.linear %x, %w : (tensor<?x128xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
}
