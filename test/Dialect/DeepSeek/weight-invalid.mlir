// RUN: ds-opt %s -verify-diagnostics -split-input-file

// weight_c1
// expected-error @below {{expected one of a key, a value and 'derived', got none}}
deepseek.weight @weight_c1 : tensor<2xf32>

// -----

// expected-error @below {{expected one of a key, a value and 'derived', got two}}
deepseek.weight @weight_c1 from "a" = dense<1.0> : tensor<2xf32> : tensor<2xf32>

// -----

// expected-error @below {{expected one of a key, a value and 'derived', got two}}
deepseek.weight @weight_c1 from "a" derived : tensor<2xf32>

// -----

// expected-error @below {{expected a value of type 'tensor<2xf32>', got 'tensor<3xf32>'}}
deepseek.weight @weight_c2 = dense<1.0> : tensor<3xf32> : tensor<2xf32>

// -----

// expected-error @below {{expected at most one '*' in the key, got 2}}
deepseek.weight @weight_c3 from "layers.*.experts.*.up_proj.weight" : tensor<2x2xf32>

// -----

// expected-error @below {{expected the name of a tensor, got an empty key}}
deepseek.weight @weight_c3 from "" : tensor<2x2xf32>

// -----

// expected-error @below {{expected a static shape without a zero, got 'tensor<?x2xf32>'}}
deepseek.weight @weight_c4 from "a" : tensor<?x2xf32>

// -----

// expected-error @below {{expected a static shape without a zero, got 'tensor<0x2xf32>'}}
deepseek.weight @weight_c4 from "a" : tensor<0x2xf32>

// -----

// expected-error @below {{expected a leading dimension for the '*' in the key, got 'tensor<f32>'}}
deepseek.weight @weight_c4 from "a.*.b" : tensor<f32>

// -----

// expected-error @below {{expected row-major scales and elements, as checkpoints store them, got 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>'; use deepseek.requantize to change the layout}}
deepseek.weight @weight_c5 from "a" : tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>

// -----

// expected-error @below {{expected row-major scales and elements, as checkpoints store them, got}}
deepseek.weight @weight_c5 from "a" : tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>

// -----

// expected-error @below {{expected a last_key that names one tensor, behind those of a key with a '*', got "b"}}
deepseek.weight @weight_c6 from "a" then "b" : tensor<2x2xf32>

// -----

// expected-error @below {{expected a last_key that names one tensor, behind those of a key with a '*', got "b.*"}}
deepseek.weight @weight_c6 from "a.*" then "b.*" : tensor<2x2xf32>

// -----

func.func @get_weight_c1() {
  // expected-error @below {{expected the name of a deepseek.weight, got @get_weight_c1}}
  %0 = deepseek.get_weight @get_weight_c1 : tensor<2xf32>
  return
}

// -----

// expected-note @below {{the weight is declared here}}
deepseek.weight @w from "a" : tensor<2xf32>
func.func @get_weight_c2() {
  // expected-error @below {{expected the weight's type, 'tensor<2xf32>', got 'tensor<2xbf16>'}}
  %0 = deepseek.get_weight @w : tensor<2xbf16>
  return
}
