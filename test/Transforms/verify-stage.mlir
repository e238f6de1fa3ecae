// RUN: not ds-opt %s --ds-verify-stage=stage=fuse 2>&1 | FileCheck %s --check-prefix=FUSE
// RUN: not ds-opt %s --ds-verify-stage=stage=kernels 2>&1 | FileCheck %s --check-prefix=KERNELS
// RUN: not ds-opt %s --ds-verify-stage=stage=buffers 2>&1 | FileCheck %s --check-prefix=BUFFERS
// RUN: not ds-opt %s --ds-verify-stage=stage=llvm 2>&1 | FileCheck %s --check-prefix=LLVM
// RUN: not ds-opt %s --ds-verify-stage=stage=fused 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: ds-opt %s --ds-verify-stage=stage=graph | FileCheck %s --check-prefix=GRAPH
// RUN: ds-opt %s --ds-fuse-experts --ds-verify-stage=stage=fuse --ds-form-kernels --ds-verify-stage=stage=kernels -o /dev/null

// FUSE: verify-stage.mlir:[[# @LINE + 13]]:8: error: stage 'fuse' must not contain 'deepseek.experts'; did 'ds-fuse-experts' run?
// KERNELS: error: stage 'kernels' must not contain 'deepseek.experts'; did 'ds-fuse-experts' run?
// BUFFERS: error: stage 'buffers' must not contain 'deepseek.experts'; did 'ds-fuse-experts' run?
// LLVM: error: stage 'llvm' must not contain 'func.func'; did 'convert-dsrt-to-llvm' run?
// UNKNOWN: error: ds-verify-stage: unknown stage 'fused', expected graph, shard, fuse, quantize, kernels, buffers, device or llvm
// GRAPH: deepseek.experts

!x = tensor<?x32xbf16>
!w = tensor<4x48x32xbf16>

// The message points at the op.

func.func @experts(%x: !x, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %g: !w, %u: !w, %d: tensor<4x32x48xbf16>) -> !x {
  %y = deepseek.experts %x, %s, %i, %g, %u, %d : (!x, tensor<?x2xf32>, tensor<?x2xi32>, !w, !w, tensor<4x32x48xbf16>) -> !x
  return %y : !x
}
