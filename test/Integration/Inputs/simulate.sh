#!/bin/sh
# simulate.sh PROGRAM.mlir OUT [ARGUMENTS OF ds-run]
#
# Compiles a program for three kinds of NVIDIA chips and runs it on the simulator of
# each: without FP8 instructions, with them, with those of Hopper.
set -eu
program=$1 out=$2
shift 2
for chip in sm_80 sm_89 sm_90a; do
  echo "$chip:"
  ds-opt "$program" --ds-compile="target=nvptx chip=$chip" |
    ds-translate --emit=shared -o "$out.$chip.so"
  capability=${chip#sm_}
  DSRT_SIMULATOR_CHIP=${capability%a} \
    ds-run "$out.$chip.so" "$@" --device=simulator
done
