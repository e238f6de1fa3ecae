#!/bin/sh
# check-links.sh ROOT: every relative link of the documentation names a file.
set -eu
cd "$1"
count=0
for page in README.md python-free-docs/*.md; do
  for link in $(grep -o '](\([^)#: ]*\))' "$page" | sed 's/^](//; s/)$//'); do
    [ -e "$(dirname "$page")/$link" ] || { echo "error: $page: $link does not exist"; exit 1; }
    count=$((count + 1))
  done
done
echo "checked $count links"
