#!/usr/bin/env bash
# resume_test.sh PROGRAM STEPS MORE_STEPS: a run of MORE_STEPS steps in one process, and another in two, of which the
# first stops after STEPS, must leave the same losses and the same final state.
set -euo pipefail

program=$1 first=$2 all=$3
if [[ $program == *fashion_mnist && ! -d /usr/share/datasets/fashion-mnist ]]; then
  echo 'SKIPPED: the package dataset-fashion-mnist is not installed'
  exit 77
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-examples.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$program" "$work/one" --steps "$all" --losses "$work/one.losses" --final "$work/one.final"
"$program" "$work/two" --steps "$first" --losses "$work/two.losses"
"$program" "$work/two" --steps "$all" --losses "$work/two.losses" --final "$work/two.final" | tee "$work/output"

grep -q "^starting at step $first from $work/two/" "$work/output"
[[ $(wc -l <"$work/one.losses") == "$all" && -s $work/one.final ]]
cmp "$work/one.losses" "$work/two.losses"
cmp "$work/one.final" "$work/two.final"
