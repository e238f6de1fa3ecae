#!/bin/sh
# check-stages.sh PAGE HELP DUMPS [DUMPS]: the table of the page against what ds-opt --help
# says of each stage, in order; and every op of a stage's example against the modules
# that compiles (by default, and in FP8) left after that stage.
set -eu
page=$1 help=$2 dumps=$3 more=${4:-$3}
stages=$(ls "$dumps" | sed 's/^[0-9]*\.\(.*\)\.mlir$/\1/')
table=$(sed -n 's/^| \([a-z]*\) | .*|$/\1/p' "$page" | grep -v '^stage$')
[ "$stages" = "$table" ] || { echo "error: the stages are" $stages "but the table has" $table; exit 1; }
number=0
for stage in $stages; do
  number=$((number + 1))
  sentence=$(sed -n "s/^| $stage | \(.*\) |\$/\1/p" "$page")
  grep -q -e "--ds-stage-$stage  *-  *$sentence\$" "$help" ||
    { echo "error: ds-opt --help says another thing of '$stage' than the page"; exit 1; }
  ops=$(awk -v title="## $stage" '
          /^## / { inside = $0 == title } /^```/ { code = inside && !code } inside && code' "$page" |
        grep -o '\(deepseek\|dsrt\|llvm\|tensor\|func\)\.[a-z_.]*' | grep -v 'llvm\.ptr' | sort -u)
  [ -n "$ops" ] || { echo "error: no example of stage '$stage'"; exit 1; }
  for op in $ops; do
    cat "$dumps/$number.$stage.mlir" "$more/$number.$stage.mlir" | grep -q -F "$op " ||
      { echo "error: the example of stage '$stage' has $op, the stage has none"; exit 1; }
  done
done
echo "checked $number stages"
