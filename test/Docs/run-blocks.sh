#!/bin/sh
# run-blocks.sh PAGE [PATTERN]: runs the fenced blocks of a Markdown page that are
# marked `sh` as one script, in the current folder; with PATTERN only the lines that
# match it. A command that fails ends it.
set -eu
page=$1
pattern=${2:-}
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page" |
  grep -e "$pattern" > script.sh
test -s script.sh || { echo "error: no command in $page"; exit 1; }
sh -eux script.sh
