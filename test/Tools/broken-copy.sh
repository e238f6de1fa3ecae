#!/bin/sh
# broken-copy.sh CHECKPOINT COPY: a copy whose big file may be changed freely.
set -eu
rm -rf "$2"
mkdir "$2"
cp "$1"/* "$2"
