// RUN: rm -rf %t.weights && mkdir %t.weights
// RUN: ds-eval %s --weights=seed:1 --entry=values -o %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// What works on rows, at widths and numbers of rows that fill neither threads nor
// blocks, against the reference. `values` makes the file that the checks read. Sums of
// norms are taken in another order than the reference's, which moves a result by a unit
// of bf16 at most; all else is equal bit for bit.

#row = #deepseek.block_scaled<[1, 128]>
#pow = #deepseek.block_scaled<[1, 128], power_of_two>

module attributes {deepseek.source = ""} {
  deepseek.weight @x576 from "x576" : tensor<513x576xbf16>
  deepseek.weight @y576 from "y576" : tensor<513x576xbf16>
  deepseek.weight @gamma576 from "gamma576" : tensor<576xbf16>
  deepseek.weight @sum576 from "sum576" : tensor<513x576xbf16>
  deepseek.weight @norm576 from "norm576" : tensor<513x576xbf16>
  deepseek.weight @gated576 from "gated576" : tensor<513x576xbf16>
  deepseek.weight @q576 from "q576" : tensor<513x576xf8E4M3FN, #row>
  deepseek.weight @s576 from "s576" : tensor<513x5xf32>
  deepseek.weight @p576 from "p576" : tensor<513x576xf8E4M3FN, #pow>
  deepseek.weight @e576 from "e576" : tensor<513x5xf32>
  deepseek.weight @x2112 from "x2112" : tensor<1x2112xbf16>
  deepseek.weight @y2112 from "y2112" : tensor<1x2112xbf16>
  deepseek.weight @gamma2112 from "gamma2112" : tensor<2112xbf16>
  deepseek.weight @sum2112 from "sum2112" : tensor<1x2112xbf16>
  deepseek.weight @norm2112 from "norm2112" : tensor<1x2112xbf16>
  deepseek.weight @gated2112 from "gated2112" : tensor<1x2112xbf16>
  deepseek.weight @q2112 from "q2112" : tensor<1x2112xf8E4M3FN, #row>
  deepseek.weight @s2112 from "s2112" : tensor<1x17xf32>
  deepseek.weight @p2112 from "p2112" : tensor<1x2112xf8E4M3FN, #pow>
  deepseek.weight @e2112 from "e2112" : tensor<1x17xf32>
  deepseek.weight @x160 from "x160" : tensor<33x160xbf16>
  deepseek.weight @y160 from "y160" : tensor<33x160xbf16>
  deepseek.weight @gamma160 from "gamma160" : tensor<160xbf16>
  deepseek.weight @sum160 from "sum160" : tensor<33x160xbf16>
  deepseek.weight @norm160 from "norm160" : tensor<33x160xbf16>
  deepseek.weight @gated160 from "gated160" : tensor<33x160xbf16>
  deepseek.weight @q160 from "q160" : tensor<33x160xf8E4M3FN, #row>
  deepseek.weight @s160 from "s160" : tensor<33x2xf32>
  deepseek.weight @p160 from "p160" : tensor<33x160xf8E4M3FN, #pow>
  deepseek.weight @e160 from "e160" : tensor<33x2xf32>
  deepseek.weight @x192 from "x192" : tensor<5x192xbf16>
  deepseek.weight @y192 from "y192" : tensor<5x192xbf16>
  deepseek.weight @gamma192 from "gamma192" : tensor<192xbf16>
  deepseek.weight @sum192 from "sum192" : tensor<5x192xbf16>
  deepseek.weight @norm192 from "norm192" : tensor<5x192xbf16>
  deepseek.weight @gated192 from "gated192" : tensor<5x192xbf16>
  deepseek.weight @q192 from "q192" : tensor<5x192xf8E4M3FN, #row>
  deepseek.weight @s192 from "s192" : tensor<5x2xf32>
  deepseek.weight @p192 from "p192" : tensor<5x192xf8E4M3FN, #pow>
  deepseek.weight @e192 from "e192" : tensor<5x2xf32>
  deepseek.weight @x7168 from "x7168" : tensor<3x7168xbf16>
  deepseek.weight @y7168 from "y7168" : tensor<3x7168xbf16>
  deepseek.weight @gamma7168 from "gamma7168" : tensor<7168xbf16>
  deepseek.weight @sum7168 from "sum7168" : tensor<3x7168xbf16>
  deepseek.weight @norm7168 from "norm7168" : tensor<3x7168xbf16>
  deepseek.weight @gated7168 from "gated7168" : tensor<3x7168xbf16>
  deepseek.weight @q7168 from "q7168" : tensor<3x7168xf8E4M3FN, #row>
  deepseek.weight @s7168 from "s7168" : tensor<3x56xf32>
  deepseek.weight @p7168 from "p7168" : tensor<3x7168xf8E4M3FN, #pow>
  deepseek.weight @e7168 from "e7168" : tensor<3x56xf32>

  func.func @values() -> (tensor<513x576xbf16> {deepseek.name = "x576"}, tensor<513x576xbf16> {deepseek.name = "y576"}, tensor<576xbf16> {deepseek.name = "gamma576"}, tensor<513x576xbf16> {deepseek.name = "sum576"}, tensor<513x576xbf16> {deepseek.name = "norm576"}, tensor<513x576xbf16> {deepseek.name = "gated576"}, tensor<513x576xf8E4M3FN, #row> {deepseek.name = "q576"}, tensor<513x5xf32> {deepseek.name = "s576"}, tensor<513x576xf8E4M3FN, #pow> {deepseek.name = "p576"}, tensor<513x5xf32> {deepseek.name = "e576"}, tensor<1x2112xbf16> {deepseek.name = "x2112"}, tensor<1x2112xbf16> {deepseek.name = "y2112"}, tensor<2112xbf16> {deepseek.name = "gamma2112"}, tensor<1x2112xbf16> {deepseek.name = "sum2112"}, tensor<1x2112xbf16> {deepseek.name = "norm2112"}, tensor<1x2112xbf16> {deepseek.name = "gated2112"}, tensor<1x2112xf8E4M3FN, #row> {deepseek.name = "q2112"}, tensor<1x17xf32> {deepseek.name = "s2112"}, tensor<1x2112xf8E4M3FN, #pow> {deepseek.name = "p2112"}, tensor<1x17xf32> {deepseek.name = "e2112"}, tensor<33x160xbf16> {deepseek.name = "x160"}, tensor<33x160xbf16> {deepseek.name = "y160"}, tensor<160xbf16> {deepseek.name = "gamma160"}, tensor<33x160xbf16> {deepseek.name = "sum160"}, tensor<33x160xbf16> {deepseek.name = "norm160"}, tensor<33x160xbf16> {deepseek.name = "gated160"}, tensor<33x160xf8E4M3FN, #row> {deepseek.name = "q160"}, tensor<33x2xf32> {deepseek.name = "s160"}, tensor<33x160xf8E4M3FN, #pow> {deepseek.name = "p160"}, tensor<33x2xf32> {deepseek.name = "e160"}, tensor<5x192xbf16> {deepseek.name = "x192"}, tensor<5x192xbf16> {deepseek.name = "y192"}, tensor<192xbf16> {deepseek.name = "gamma192"}, tensor<5x192xbf16> {deepseek.name = "sum192"}, tensor<5x192xbf16> {deepseek.name = "norm192"}, tensor<5x192xbf16> {deepseek.name = "gated192"}, tensor<5x192xf8E4M3FN, #row> {deepseek.name = "q192"}, tensor<5x2xf32> {deepseek.name = "s192"}, tensor<5x192xf8E4M3FN, #pow> {deepseek.name = "p192"}, tensor<5x2xf32> {deepseek.name = "e192"}, tensor<3x7168xbf16> {deepseek.name = "x7168"}, tensor<3x7168xbf16> {deepseek.name = "y7168"}, tensor<7168xbf16> {deepseek.name = "gamma7168"}, tensor<3x7168xbf16> {deepseek.name = "sum7168"}, tensor<3x7168xbf16> {deepseek.name = "norm7168"}, tensor<3x7168xbf16> {deepseek.name = "gated7168"}, tensor<3x7168xf8E4M3FN, #row> {deepseek.name = "q7168"}, tensor<3x56xf32> {deepseek.name = "s7168"}, tensor<3x7168xf8E4M3FN, #pow> {deepseek.name = "p7168"}, tensor<3x56xf32> {deepseek.name = "e7168"}) {
    %x576 = deepseek.get_weight @x576 : tensor<513x576xbf16>
    %y576 = deepseek.get_weight @y576 : tensor<513x576xbf16>
    %gamma576 = deepseek.get_weight @gamma576 : tensor<576xbf16>
    %sum576 = arith.addf %x576, %y576 : tensor<513x576xbf16>
    %norm576 = deepseek.rms_norm %sum576, %gamma576 {epsilon = 1.0e-6 : f64} : (tensor<513x576xbf16>, tensor<576xbf16>) -> tensor<513x576xbf16>
    %gated576 = deepseek.swiglu %norm576, %sum576 : (tensor<513x576xbf16>, tensor<513x576xbf16>) -> tensor<513x576xbf16>
    %q576, %s576 = deepseek.quantize %norm576 : (tensor<513x576xbf16>) -> (tensor<513x576xf8E4M3FN, #row>, tensor<513x5xf32>)
    %p576, %e576 = deepseek.quantize %sum576 : (tensor<513x576xbf16>) -> (tensor<513x576xf8E4M3FN, #pow>, tensor<513x5xf32>)
    %x2112 = deepseek.get_weight @x2112 : tensor<1x2112xbf16>
    %y2112 = deepseek.get_weight @y2112 : tensor<1x2112xbf16>
    %gamma2112 = deepseek.get_weight @gamma2112 : tensor<2112xbf16>
    %sum2112 = arith.addf %x2112, %y2112 : tensor<1x2112xbf16>
    %norm2112 = deepseek.rms_norm %sum2112, %gamma2112 {epsilon = 1.0e-6 : f64} : (tensor<1x2112xbf16>, tensor<2112xbf16>) -> tensor<1x2112xbf16>
    %gated2112 = deepseek.swiglu %norm2112, %sum2112 : (tensor<1x2112xbf16>, tensor<1x2112xbf16>) -> tensor<1x2112xbf16>
    %q2112, %s2112 = deepseek.quantize %norm2112 : (tensor<1x2112xbf16>) -> (tensor<1x2112xf8E4M3FN, #row>, tensor<1x17xf32>)
    %p2112, %e2112 = deepseek.quantize %sum2112 : (tensor<1x2112xbf16>) -> (tensor<1x2112xf8E4M3FN, #pow>, tensor<1x17xf32>)
    %x160 = deepseek.get_weight @x160 : tensor<33x160xbf16>
    %y160 = deepseek.get_weight @y160 : tensor<33x160xbf16>
    %gamma160 = deepseek.get_weight @gamma160 : tensor<160xbf16>
    %sum160 = arith.addf %x160, %y160 : tensor<33x160xbf16>
    %norm160 = deepseek.rms_norm %sum160, %gamma160 {epsilon = 1.0e-6 : f64} : (tensor<33x160xbf16>, tensor<160xbf16>) -> tensor<33x160xbf16>
    %gated160 = deepseek.swiglu %norm160, %sum160 : (tensor<33x160xbf16>, tensor<33x160xbf16>) -> tensor<33x160xbf16>
    %q160, %s160 = deepseek.quantize %norm160 : (tensor<33x160xbf16>) -> (tensor<33x160xf8E4M3FN, #row>, tensor<33x2xf32>)
    %p160, %e160 = deepseek.quantize %sum160 : (tensor<33x160xbf16>) -> (tensor<33x160xf8E4M3FN, #pow>, tensor<33x2xf32>)
    %x192 = deepseek.get_weight @x192 : tensor<5x192xbf16>
    %y192 = deepseek.get_weight @y192 : tensor<5x192xbf16>
    %gamma192 = deepseek.get_weight @gamma192 : tensor<192xbf16>
    %sum192 = arith.addf %x192, %y192 : tensor<5x192xbf16>
    %norm192 = deepseek.rms_norm %sum192, %gamma192 {epsilon = 1.0e-6 : f64} : (tensor<5x192xbf16>, tensor<192xbf16>) -> tensor<5x192xbf16>
    %gated192 = deepseek.swiglu %norm192, %sum192 : (tensor<5x192xbf16>, tensor<5x192xbf16>) -> tensor<5x192xbf16>
    %q192, %s192 = deepseek.quantize %norm192 : (tensor<5x192xbf16>) -> (tensor<5x192xf8E4M3FN, #row>, tensor<5x2xf32>)
    %p192, %e192 = deepseek.quantize %sum192 : (tensor<5x192xbf16>) -> (tensor<5x192xf8E4M3FN, #pow>, tensor<5x2xf32>)
    %x7168 = deepseek.get_weight @x7168 : tensor<3x7168xbf16>
    %y7168 = deepseek.get_weight @y7168 : tensor<3x7168xbf16>
    %gamma7168 = deepseek.get_weight @gamma7168 : tensor<7168xbf16>
    %sum7168 = arith.addf %x7168, %y7168 : tensor<3x7168xbf16>
    %norm7168 = deepseek.rms_norm %sum7168, %gamma7168 {epsilon = 1.0e-6 : f64} : (tensor<3x7168xbf16>, tensor<7168xbf16>) -> tensor<3x7168xbf16>
    %gated7168 = deepseek.swiglu %norm7168, %sum7168 : (tensor<3x7168xbf16>, tensor<3x7168xbf16>) -> tensor<3x7168xbf16>
    %q7168, %s7168 = deepseek.quantize %norm7168 : (tensor<3x7168xbf16>) -> (tensor<3x7168xf8E4M3FN, #row>, tensor<3x56xf32>)
    %p7168, %e7168 = deepseek.quantize %sum7168 : (tensor<3x7168xbf16>) -> (tensor<3x7168xf8E4M3FN, #pow>, tensor<3x56xf32>)
    return %x576, %y576, %gamma576, %sum576, %norm576, %gated576, %q576, %s576, %p576, %e576, %x2112, %y2112, %gamma2112, %sum2112, %norm2112, %gated2112, %q2112, %s2112, %p2112, %e2112, %x160, %y160, %gamma160, %sum160, %norm160, %gated160, %q160, %s160, %p160, %e160, %x192, %y192, %gamma192, %sum192, %norm192, %gated192, %q192, %s192, %p192, %e192, %x7168, %y7168, %gamma7168, %sum7168, %norm7168, %gated7168, %q7168, %s7168, %p7168, %e7168 : tensor<513x576xbf16>, tensor<513x576xbf16>, tensor<576xbf16>, tensor<513x576xbf16>, tensor<513x576xbf16>, tensor<513x576xbf16>, tensor<513x576xf8E4M3FN, #row>, tensor<513x5xf32>, tensor<513x576xf8E4M3FN, #pow>, tensor<513x5xf32>, tensor<1x2112xbf16>, tensor<1x2112xbf16>, tensor<2112xbf16>, tensor<1x2112xbf16>, tensor<1x2112xbf16>, tensor<1x2112xbf16>, tensor<1x2112xf8E4M3FN, #row>, tensor<1x17xf32>, tensor<1x2112xf8E4M3FN, #pow>, tensor<1x17xf32>, tensor<33x160xbf16>, tensor<33x160xbf16>, tensor<160xbf16>, tensor<33x160xbf16>, tensor<33x160xbf16>, tensor<33x160xbf16>, tensor<33x160xf8E4M3FN, #row>, tensor<33x2xf32>, tensor<33x160xf8E4M3FN, #pow>, tensor<33x2xf32>, tensor<5x192xbf16>, tensor<5x192xbf16>, tensor<192xbf16>, tensor<5x192xbf16>, tensor<5x192xbf16>, tensor<5x192xbf16>, tensor<5x192xf8E4M3FN, #row>, tensor<5x2xf32>, tensor<5x192xf8E4M3FN, #pow>, tensor<5x2xf32>, tensor<3x7168xbf16>, tensor<3x7168xbf16>, tensor<7168xbf16>, tensor<3x7168xbf16>, tensor<3x7168xbf16>, tensor<3x7168xbf16>, tensor<3x7168xf8E4M3FN, #row>, tensor<3x56xf32>, tensor<3x7168xf8E4M3FN, #pow>, tensor<3x56xf32>
  }

  func.func @rows_513x576() {
    %x = deepseek.get_weight @x576 : tensor<513x576xbf16>
    %y = deepseek.get_weight @y576 : tensor<513x576xbf16>
    %gamma = deepseek.get_weight @gamma576 : tensor<576xbf16>
    %sum = deepseek.get_weight @sum576 : tensor<513x576xbf16>
    %norm = deepseek.get_weight @norm576 : tensor<513x576xbf16>
    %gated = deepseek.get_weight @gated576 : tensor<513x576xbf16>
    %q = deepseek.get_weight @q576 : tensor<513x576xf8E4M3FN, #row>
    %s = deepseek.get_weight @s576 : tensor<513x5xf32>
    %p = deepseek.get_weight @p576 : tensor<513x576xf8E4M3FN, #pow>
    %e = deepseek.get_weight @e576 : tensor<513x5xf32>
    // One kernel: sum, norm, codes.
    %0 = arith.addf %x, %y : tensor<513x576xbf16>
    %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<513x576xbf16>, tensor<576xbf16>) -> tensor<513x576xbf16>
    %2, %3 = deepseek.quantize %0 : (tensor<513x576xbf16>) -> (tensor<513x576xf8E4M3FN, #pow>, tensor<513x5xf32>)
    check.expect_eq %0, %sum : tensor<513x576xbf16>
    check.expect_close %1, %norm {rtol = 7.8125e-3 : f64} : tensor<513x576xbf16>
    check.expect_eq %2, %p : tensor<513x576xf8E4M3FN, #pow>
    check.expect_eq %3, %e : tensor<513x5xf32>
    // From the same inputs the same codes.
    %4, %5 = deepseek.quantize %norm : (tensor<513x576xbf16>) -> (tensor<513x576xf8E4M3FN, #row>, tensor<513x5xf32>)
    check.expect_eq %4, %q : tensor<513x576xf8E4M3FN, #row>
    check.expect_eq %5, %s : tensor<513x5xf32>
    %6 = deepseek.swiglu %norm, %sum : (tensor<513x576xbf16>, tensor<513x576xbf16>) -> tensor<513x576xbf16>
    check.expect_close %6, %gated {rtol = 7.8125e-3 : f64} : tensor<513x576xbf16>
    return
  }

  func.func @rows_1x2112() {
    %x = deepseek.get_weight @x2112 : tensor<1x2112xbf16>
    %y = deepseek.get_weight @y2112 : tensor<1x2112xbf16>
    %gamma = deepseek.get_weight @gamma2112 : tensor<2112xbf16>
    %sum = deepseek.get_weight @sum2112 : tensor<1x2112xbf16>
    %norm = deepseek.get_weight @norm2112 : tensor<1x2112xbf16>
    %gated = deepseek.get_weight @gated2112 : tensor<1x2112xbf16>
    %q = deepseek.get_weight @q2112 : tensor<1x2112xf8E4M3FN, #row>
    %s = deepseek.get_weight @s2112 : tensor<1x17xf32>
    %p = deepseek.get_weight @p2112 : tensor<1x2112xf8E4M3FN, #pow>
    %e = deepseek.get_weight @e2112 : tensor<1x17xf32>
    // One kernel: sum, norm, codes.
    %0 = arith.addf %x, %y : tensor<1x2112xbf16>
    %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<1x2112xbf16>, tensor<2112xbf16>) -> tensor<1x2112xbf16>
    %2, %3 = deepseek.quantize %0 : (tensor<1x2112xbf16>) -> (tensor<1x2112xf8E4M3FN, #pow>, tensor<1x17xf32>)
    check.expect_eq %0, %sum : tensor<1x2112xbf16>
    check.expect_close %1, %norm {rtol = 7.8125e-3 : f64} : tensor<1x2112xbf16>
    check.expect_eq %2, %p : tensor<1x2112xf8E4M3FN, #pow>
    check.expect_eq %3, %e : tensor<1x17xf32>
    // From the same inputs the same codes.
    %4, %5 = deepseek.quantize %norm : (tensor<1x2112xbf16>) -> (tensor<1x2112xf8E4M3FN, #row>, tensor<1x17xf32>)
    check.expect_eq %4, %q : tensor<1x2112xf8E4M3FN, #row>
    check.expect_eq %5, %s : tensor<1x17xf32>
    %6 = deepseek.swiglu %norm, %sum : (tensor<1x2112xbf16>, tensor<1x2112xbf16>) -> tensor<1x2112xbf16>
    check.expect_close %6, %gated {rtol = 7.8125e-3 : f64} : tensor<1x2112xbf16>
    return
  }

  func.func @rows_33x160() {
    %x = deepseek.get_weight @x160 : tensor<33x160xbf16>
    %y = deepseek.get_weight @y160 : tensor<33x160xbf16>
    %gamma = deepseek.get_weight @gamma160 : tensor<160xbf16>
    %sum = deepseek.get_weight @sum160 : tensor<33x160xbf16>
    %norm = deepseek.get_weight @norm160 : tensor<33x160xbf16>
    %gated = deepseek.get_weight @gated160 : tensor<33x160xbf16>
    %q = deepseek.get_weight @q160 : tensor<33x160xf8E4M3FN, #row>
    %s = deepseek.get_weight @s160 : tensor<33x2xf32>
    %p = deepseek.get_weight @p160 : tensor<33x160xf8E4M3FN, #pow>
    %e = deepseek.get_weight @e160 : tensor<33x2xf32>
    // One kernel: sum, norm, codes.
    %0 = arith.addf %x, %y : tensor<33x160xbf16>
    %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<33x160xbf16>, tensor<160xbf16>) -> tensor<33x160xbf16>
    %2, %3 = deepseek.quantize %0 : (tensor<33x160xbf16>) -> (tensor<33x160xf8E4M3FN, #pow>, tensor<33x2xf32>)
    check.expect_eq %0, %sum : tensor<33x160xbf16>
    check.expect_close %1, %norm {rtol = 7.8125e-3 : f64} : tensor<33x160xbf16>
    check.expect_eq %2, %p : tensor<33x160xf8E4M3FN, #pow>
    check.expect_eq %3, %e : tensor<33x2xf32>
    // From the same inputs the same codes.
    %4, %5 = deepseek.quantize %norm : (tensor<33x160xbf16>) -> (tensor<33x160xf8E4M3FN, #row>, tensor<33x2xf32>)
    check.expect_eq %4, %q : tensor<33x160xf8E4M3FN, #row>
    check.expect_eq %5, %s : tensor<33x2xf32>
    %6 = deepseek.swiglu %norm, %sum : (tensor<33x160xbf16>, tensor<33x160xbf16>) -> tensor<33x160xbf16>
    check.expect_close %6, %gated {rtol = 7.8125e-3 : f64} : tensor<33x160xbf16>
    return
  }

  func.func @rows_5x192() {
    %x = deepseek.get_weight @x192 : tensor<5x192xbf16>
    %y = deepseek.get_weight @y192 : tensor<5x192xbf16>
    %gamma = deepseek.get_weight @gamma192 : tensor<192xbf16>
    %sum = deepseek.get_weight @sum192 : tensor<5x192xbf16>
    %norm = deepseek.get_weight @norm192 : tensor<5x192xbf16>
    %gated = deepseek.get_weight @gated192 : tensor<5x192xbf16>
    %q = deepseek.get_weight @q192 : tensor<5x192xf8E4M3FN, #row>
    %s = deepseek.get_weight @s192 : tensor<5x2xf32>
    %p = deepseek.get_weight @p192 : tensor<5x192xf8E4M3FN, #pow>
    %e = deepseek.get_weight @e192 : tensor<5x2xf32>
    // One kernel: sum, norm, codes.
    %0 = arith.addf %x, %y : tensor<5x192xbf16>
    %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<5x192xbf16>, tensor<192xbf16>) -> tensor<5x192xbf16>
    %2, %3 = deepseek.quantize %0 : (tensor<5x192xbf16>) -> (tensor<5x192xf8E4M3FN, #pow>, tensor<5x2xf32>)
    check.expect_eq %0, %sum : tensor<5x192xbf16>
    check.expect_close %1, %norm {rtol = 7.8125e-3 : f64} : tensor<5x192xbf16>
    check.expect_eq %2, %p : tensor<5x192xf8E4M3FN, #pow>
    check.expect_eq %3, %e : tensor<5x2xf32>
    // From the same inputs the same codes.
    %4, %5 = deepseek.quantize %norm : (tensor<5x192xbf16>) -> (tensor<5x192xf8E4M3FN, #row>, tensor<5x2xf32>)
    check.expect_eq %4, %q : tensor<5x192xf8E4M3FN, #row>
    check.expect_eq %5, %s : tensor<5x2xf32>
    %6 = deepseek.swiglu %norm, %sum : (tensor<5x192xbf16>, tensor<5x192xbf16>) -> tensor<5x192xbf16>
    check.expect_close %6, %gated {rtol = 7.8125e-3 : f64} : tensor<5x192xbf16>
    return
  }

  func.func @rows_3x7168() {
    %x = deepseek.get_weight @x7168 : tensor<3x7168xbf16>
    %y = deepseek.get_weight @y7168 : tensor<3x7168xbf16>
    %gamma = deepseek.get_weight @gamma7168 : tensor<7168xbf16>
    %sum = deepseek.get_weight @sum7168 : tensor<3x7168xbf16>
    %norm = deepseek.get_weight @norm7168 : tensor<3x7168xbf16>
    %gated = deepseek.get_weight @gated7168 : tensor<3x7168xbf16>
    %q = deepseek.get_weight @q7168 : tensor<3x7168xf8E4M3FN, #row>
    %s = deepseek.get_weight @s7168 : tensor<3x56xf32>
    %p = deepseek.get_weight @p7168 : tensor<3x7168xf8E4M3FN, #pow>
    %e = deepseek.get_weight @e7168 : tensor<3x56xf32>
    // One kernel: sum, norm, codes.
    %0 = arith.addf %x, %y : tensor<3x7168xbf16>
    %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<3x7168xbf16>, tensor<7168xbf16>) -> tensor<3x7168xbf16>
    %2, %3 = deepseek.quantize %0 : (tensor<3x7168xbf16>) -> (tensor<3x7168xf8E4M3FN, #pow>, tensor<3x56xf32>)
    check.expect_eq %0, %sum : tensor<3x7168xbf16>
    check.expect_close %1, %norm {rtol = 7.8125e-3 : f64} : tensor<3x7168xbf16>
    check.expect_eq %2, %p : tensor<3x7168xf8E4M3FN, #pow>
    check.expect_eq %3, %e : tensor<3x56xf32>
    // From the same inputs the same codes.
    %4, %5 = deepseek.quantize %norm : (tensor<3x7168xbf16>) -> (tensor<3x7168xf8E4M3FN, #row>, tensor<3x56xf32>)
    check.expect_eq %4, %q : tensor<3x7168xf8E4M3FN, #row>
    check.expect_eq %5, %s : tensor<3x56xf32>
    %6 = deepseek.swiglu %norm, %sum : (tensor<3x7168xbf16>, tensor<3x7168xbf16>) -> tensor<3x7168xbf16>
    check.expect_close %6, %gated {rtol = 7.8125e-3 : f64} : tensor<3x7168xbf16>
    return
  }
}
