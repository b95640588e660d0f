#!/usr/bin/env bash
# in_new_directory.sh PROGRAM: runs it with a new directory as its argument, which is removed afterwards.
set -euo pipefail

work=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-examples.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$1" "$work"
