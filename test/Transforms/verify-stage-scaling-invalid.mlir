// RUN: ds-opt %s --ds-verify-stage=stage=graph --verify-diagnostics --split-input-file
// RUN: ds-opt %s --ds-verify-stage=stage=quantize --verify-diagnostics --split-input-file

// Upstream's ops on tensors take any encoding for any other: with them the scaling of a
// tensor could be renamed, and no code would change.

!any = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!power_of_two = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
func.func @cast(%q: !any) -> !power_of_two {
  // expected-error @below {{'tensor.cast' must not change the scaling of FP8 codes, from 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>' to 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>'; use deepseek.requantize}}
  %0 = tensor.cast %q : !any to !power_of_two
  return %0 : !power_of_two
}

// -----

!any = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!group_major = tensor<128x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>
func.func @slice(%q: !any) -> !group_major {
  // expected-error @below {{'tensor.extract_slice' must not change the scaling of FP8 codes, from}}
  %0 = tensor.extract_slice %q[0, 0] [128, 256] [1, 1] : !any to !group_major
  return %0 : !group_major
}

// -----

!packed = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>
func.func @drop(%q: !packed) -> tensor<256x256xf8E4M3FN> {
  // expected-error @below {{'tensor.cast' must not change the scaling of FP8 codes, from}}
  %0 = tensor.cast %q : !packed to tensor<256x256xf8E4M3FN>
  return %0 : tensor<256x256xf8E4M3FN>
}

// -----

// A concatenation has its parts' encoding, also in its canonical form: cast in and out.
!any = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!both = tensor<512x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!power_of_two = tensor<512x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
func.func @concat(%q: !any) -> (!both, !power_of_two) {
  %0 = tensor.cast %q : !any to tensor<256x256xf8E4M3FN>
  %1 = tensor.concat dim(0) %0, %0 : (tensor<256x256xf8E4M3FN>, tensor<256x256xf8E4M3FN>) -> tensor<512x256xf8E4M3FN>
  %2 = tensor.cast %1 : tensor<512x256xf8E4M3FN> to !both
  // expected-error @below {{'tensor.cast' must not change the scaling of FP8 codes, from}}
  %3 = tensor.cast %1 : tensor<512x256xf8E4M3FN> to !power_of_two
  return %2, %3 : !both, !power_of_two
}
