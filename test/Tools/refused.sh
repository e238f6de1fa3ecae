#!/bin/sh
# refused.sh PATTERN COMMAND...: the command must exit with 1, without a crash, and say
# why in one line of standard error that matches the pattern.
pattern=$1
shift
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
timeout 60 "$@" < /dev/null > "$errors.out" 2> "$errors"
code=$?
rm -f "$errors.out"
if [ $code -ne 1 ] || [ "$(wc -l < "$errors")" -ne 1 ] || ! grep -q -e "$pattern" "$errors"; then
  echo "error: expected exit code 1 and one line matching: $pattern"
  echo "exit code $code from: $*"
  cat "$errors"
  exit 1
fi
