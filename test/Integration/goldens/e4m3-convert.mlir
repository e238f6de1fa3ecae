// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/e4m3_convert.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: ds-opt %s --ds-compile="target=host chip=x86-64-v2" | ds-translate --chip=x86-64-v2 --emit=shared -o %t.v2.so && ds-run %t.v2.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// Casts to and from E4M3 against the golden values, bit for bit.

module attributes {deepseek.source = ""} {
  deepseek.weight @f32 from "f32" : tensor<1033xf32>
  deepseek.weight @codes from "codes_f8" : tensor<1033xf8E4M3FN>
  deepseek.weight @decode_table from "decode_table" : tensor<256xf32>

  func.func @encode() {
    %f32 = deepseek.get_weight @f32 : tensor<1033xf32>
    %codes = deepseek.get_weight @codes : tensor<1033xf8E4M3FN>
    %actual = arith.truncf %f32 : tensor<1033xf32> to tensor<1033xf8E4M3FN>
    check.expect_eq %actual, %codes : tensor<1033xf8E4M3FN>
    return
  }

  // The numbers of both signs; 0x7F and 0xFF are NaN.
  func.func @decode() {
    %table = deepseek.get_weight @decode_table : tensor<256xf32>
    %positive = tensor.extract_slice %table[0] [127] [1] : tensor<256xf32> to tensor<127xf32>
    %negative = tensor.extract_slice %table[128] [127] [1] : tensor<256xf32> to tensor<127xf32>
    %positive_codes = arith.truncf %positive : tensor<127xf32> to tensor<127xf8E4M3FN>
    %negative_codes = arith.truncf %negative : tensor<127xf32> to tensor<127xf8E4M3FN>
    %a = arith.extf %positive_codes : tensor<127xf8E4M3FN> to tensor<127xf32>
    %b = arith.extf %negative_codes : tensor<127xf8E4M3FN> to tensor<127xf32>
    check.expect_eq %a, %positive : tensor<127xf32>
    check.expect_eq %b, %negative : tensor<127xf32>
    return
  }
}
