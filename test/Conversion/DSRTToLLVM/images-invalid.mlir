// RUN: split-file %s %t
// RUN: not ds-opt %t/number.mlir --convert-dsrt-to-llvm 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not ds-opt %t/twice.mlir --convert-dsrt-to-llvm 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not ds-opt %t/row.mlir --convert-dsrt-to-llvm 2>&1 | FileCheck %s --check-prefix=ROW
// RUN: not ds-translate %t/number.mlir --emit=ptx -o - 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not ds-opt %t/list.mlir --convert-dsrt-to-llvm 2>&1 | FileCheck %s --check-prefix=LIST

// Images and device kernels as a person may have edited them: errors wherever
// they are read.

// NUMBER: error: expected in 'dsrt.images' a chip and its ptx
// TWICE: error: expected in 'dsrt.images' each chip once, got 'sm_80' twice
// ROW: error: expected in 'dsrt.device_kernels' a name, a location, an image and three sizes of blocks and clusters, got 3
// LIST: error: expected 'dsrt.images' to be a list of images, got 7

//--- number.mlir
module {
  module @kernels attributes {dsrt.images = [1]} {}
}
//--- twice.mlir
module {
  module @kernels attributes {dsrt.images = [{chip = "sm_80", ptx = "x"}, {chip = "sm_80", ptx = "y"}]} {}
}
//--- row.mlir
module {
  module @kernels attributes {dsrt.images = [{chip = "sm_80", ptx = "x"}], dsrt.device_kernels = [3]} {}
}
//--- list.mlir
module {
  module @kernels attributes {dsrt.images = 7} {}
}
