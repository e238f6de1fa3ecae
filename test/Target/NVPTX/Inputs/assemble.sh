#!/bin/sh
# assemble.sh KERNELS.mlir NAMES CHIPS OUT
#
# Of a module after stage `kernels`, compiles the kernels whose names match the
# extended regular expression NAMES for CHIPS ("sm_80,sm_90a") and assembles them
# with ptxas. Prints "CHIP KERNEL REGISTERS registers, BYTES spilled", sorted.
set -eu
kernels=$1 names=$2 chips=$3 out=$4

{
  grep '^#' "$kernels" || true
  echo 'module attributes {deepseek.model = "kernels"} { module @kernels {'
  awk -v names="^    func.func @($names)\\\\(" \
    '$0 ~ names { inside = 1 } inside; /^    }/ { inside = 0 }' "$kernels"
  echo '} }'
} > "$out.chosen.mlir"
ds-opt "$out.chosen.mlir" -o "$out.device.mlir" \
  --ds-compile="target=nvptx chip=$chips start-after=buffers stop-after=device"

for chip in $(echo "$chips" | tr , ' '); do
  grep -o "chip = \"$chip\", ptx = \"[^\"]*" "$out.device.mlir" |
    sed 's/.*ptx = "//; s/\\0A/\n/g; s/\\09/\t/g; s/\\22/"/g; s/\\00$//' > "$out.$chip.ptx"
  ptxas -arch="$chip" -v "$out.$chip.ptx" -o "$out.$chip.cubin" 2> "$out.$chip.log" ||
    { cat "$out.$chip.log"; exit 1; }
  awk -v chip="$chip" '
    /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
    /bytes spill stores/ { spilled = $5 }
    /Used [0-9]+ registers/ { print chip, name, $5, "registers,", spilled, "spilled" }
    ' "$out.$chip.log" | sort
done
