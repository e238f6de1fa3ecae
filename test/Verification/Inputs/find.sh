#!/bin/sh
# find.sh DUMPS STAGE SEED [KIND]: a mistake in one stage's dump, in an op that the seed
# chooses (of kind KIND, if given). One command has to find it: that stage alone is wrong,
# and the op that is named is the one that was changed, or its kernel. Runs in an empty
# folder.
set -eu
dumps=$1 stage=$2 seed=$3 kind=${4:-}
file=$(cd "$dumps" && ls *."$stage".mlir)
ln -s "$dumps"/*.mlir .
rm "$file"
ds-test-opt "$dumps/$file" --test-perturb-op="seed=$seed kind=$kind" \
  --mlir-print-debuginfo -o "$file" 2> remark
changed=$(sed -n "s/.*perturbed '\(.*\)' in @\(.*\)/\1/p" remark)
function=$(sed -n "s/.*perturbed '\(.*\)' in @\(.*\)/\2/p" remark)
fail() {
  cat table
  echo "error: $1, for '$changed' in '$function' of stage '$stage'"
  exit 1
}
ds-compile --verify-stages . -- -n 1 > table && fail "expected an error, got none"
[ "$(awk '/ WRONG / { print $1 }' table)" = "$stage" ] || fail "another stage is wrong"
named=$(sed -n "/^$stage is wrong/{n;p}" table)
origin=$(sed -n "s/^ *computed since the last values that agree by//p" table)
case $stage in
device | llvm) # an outlined loop is named after its kernel
  kernel=$(echo "$named" | sed 's/.*in kernel @\([^ ]*\).*/\1/')
  case $function in
  "$kernel"*) ;;
  *) fail "another kernel is named" ;;
  esac ;;
*)
  # Within what became of one op of the stage before there is nothing to compare; and
  # the rounding that was put before the op may itself be its last.
  case "$named $origin" in
  *": $changed "* | *" $changed,"* | *": arith.extf at"*) ;;
  *) fail "another op is named" ;;
  esac ;;
esac
echo "$stage: '$changed' in '$function' was found as$named"
