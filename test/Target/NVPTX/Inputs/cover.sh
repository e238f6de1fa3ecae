#!/bin/sh
# cover.sh FOLDER OUT: runs all kernels, written by hand or compiled, on the simulator;
# FOLDER gets which forms of opcodes were loaded and executed.
set -eu
folder=$1 out=$2 root=$(dirname "$0")/../../../..
export DSRT_SIMULATOR_COVERAGE="$folder"

simulator=$root/test/Runtime/simulator
for command in integers floats kernels warps matrices streams races \
    global-races statistics tensors warpgroups; do
  LD_LIBRARY_PATH=$(dirname "$(command -v ds-run)")/../lib/simulator \
    ds-test-simulator $command "$simulator" > /dev/null 2>&1
done

integration=$root/test/Integration
mutations=$root/test/Target/NVPTX/mutations
for chip in sm_80 sm_89 sm_90a; do
  for program in "$integration/experts.mlir" "$integration/route-v3.mlir" \
      "$integration/product-rows.mlir" "$mutations/linear.mlir" \
      "$mutations/attention.mlir" "$mutations/rows.mlir"; do
    ds-opt "$program" --ds-compile="target=nvptx chip=$chip" |
      ds-translate --emit=shared -o "$out.so"
    ds-run "$out.so" check --device=simulator
  done
  ds-compile "$root/test/models/shakespeare-v3/model" --target=nvptx \
    --chip=$chip -o "$out.app" > /dev/null 2>&1
  # Decoding, and prompts for which kernels have other tiles.
  for length in 2 20 33 130; do
    ids=$(tr '\n ' ',,' < "$integration/Inputs/prompt_130.ids" |
      cut -d, -f1-$length)
    "$out.app" --device=simulator --prompt-ids="$ids" -n 2
  done
done
