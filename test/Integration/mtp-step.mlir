// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// A step of multi-token prediction: the projection, and the check of a draft.

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @hidden from "hidden" : tensor<3x48xf32>
  deepseek.weight @embedding from "embedding" : tensor<3x48xf32>
  deepseek.weight @hnorm from "hnorm.weight" : tensor<48xf32>
  deepseek.weight @enorm from "enorm.weight" : tensor<48xf32>
  deepseek.weight @eh_proj from "eh_proj.weight" : tensor<48x96xf32>

  // The published weights take the embedding first, then the hidden state. Only the
  // order of adding 96 products differs.
  func.func @projection() {
    %h = deepseek.get_weight @hidden : tensor<3x48xf32>
    %e = deepseek.get_weight @embedding : tensor<3x48xf32>
    %hg = deepseek.get_weight @hnorm : tensor<48xf32>
    %eg = deepseek.get_weight @enorm : tensor<48xf32>
    %w = deepseek.get_weight @eh_proj : tensor<48x96xf32>
    %y = deepseek.mtp_project %h, %e, %hg, %eg, %w {epsilon = 1.0e-6 : f64}
        : (tensor<3x48xf32>, tensor<3x48xf32>, tensor<48xf32>, tensor<48xf32>, tensor<48x96xf32>) -> tensor<3x48xf32>

    %hn = deepseek.rms_norm %h, %hg {epsilon = 1.0e-6 : f64} : (tensor<3x48xf32>, tensor<48xf32>) -> tensor<3x48xf32>
    %en = deepseek.rms_norm %e, %eg {epsilon = 1.0e-6 : f64} : (tensor<3x48xf32>, tensor<48xf32>) -> tensor<3x48xf32>
    %joined = tensor.concat dim(1) %en, %hn : (tensor<3x48xf32>, tensor<3x48xf32>) -> tensor<3x96xf32>
    %expected = deepseek.linear %joined, %w : (tensor<3x96xf32>, tensor<48x96xf32>) -> tensor<3x48xf32>
    check.expect_close %y, %expected {atol = 1.0e-5 : f64, rtol = 1.0e-5 : f64} : tensor<3x48xf32>
    return
  }

  // Both agree; the first differs; the second differs; the second would agree, but
  // the first does not.
  func.func @verification() {
    %draft = arith.constant dense<[[11, 12], [99, 12], [11, 99], [98, 12]]> : tensor<4x2xi32>
    %choice = arith.constant dense<[[11, 12, 13], [11, 12, 13], [11, 12, 13], [11, 12, 13]]> : tensor<4x3xi32>
    %accepted, %next = deepseek.mtp_verify %draft, %choice : (tensor<4x2xi32>, tensor<4x3xi32>) -> (tensor<4xi32>, tensor<4xi32>)
    %lengths = arith.constant dense<[2, 0, 1, 0]> : tensor<4xi32>
    %tokens = arith.constant dense<[13, 11, 12, 11]> : tensor<4xi32>
    check.expect_eq %accepted, %lengths : tensor<4xi32>
    check.expect_eq %next, %tokens : tensor<4xi32>
    return
  }

  // The draft is the largest logit, the lowest index if there are several.
  func.func @greedy() {
    %logits = arith.constant dense<[[0.0, 2.0, 2.0, -1.0], [-3.0, -2.0, -2.5, -2.0]]> : tensor<2x4xf32>
    %token = deepseek.argmax %logits : (tensor<2x4xf32>) -> tensor<2xi32>
    %expected = arith.constant dense<1> : tensor<2xi32>
    check.expect_eq %token, %expected : tensor<2xi32>
    return
  }
}
