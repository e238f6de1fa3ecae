// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80,sm_89}))" | FileCheck %s
// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80}))" --remarks-filter=kernel 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80,sm_90a},nvptx-emit-kernels{chips=sm_90a}))" 2>&1 | FileCheck %s --check-prefix=EDITED

// A person's choice is kept; what is missing is added.

// EDITED: the configuration of kernel 'edited': expected 'threads' from 32 to 1024, got 4096
// REMARK: sm_80: any_embedding: memory bound
module {
  module @kernels {
    // CHECK: @embedding
    // CHECK-SAME: nvptx.configuration = {sm_80 = {emitter = "any_embedding", threads = 32 : i64}, sm_89 = {emitter = "any_embedding", threads = 32 : i64}}
    func.func @embedding(%tokens: tensor<?xi32>, %table: tensor<2048x256xbf16>, %out: tensor<?x256xbf16>) -> tensor<?x256xbf16> {
      %y = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<2048x256xbf16>) -> tensor<?x256xbf16>
      return %y : tensor<?x256xbf16>
    }
    // CHECK: @edited
    // CHECK-SAME: sm_80 = {emitter = "any_embedding", threads = 64 : i64}
    func.func @edited(%tokens: tensor<?xi32>, %table: tensor<2048x256xbf16>, %out: tensor<?x256xbf16>) -> tensor<?x256xbf16>
        attributes {nvptx.configuration = {sm_80 = {emitter = "any_embedding", threads = 64 : i64}, sm_90a = {emitter = "any_embedding", threads = 4096 : i64}}} {
      %y = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<2048x256xbf16>) -> tensor<?x256xbf16>
      return %y : tensor<?x256xbf16>
    }
  }
}
