#!/usr/bin/env bash
# evaluator_test.sh TRAIN EVALUATOR: an evaluator that was there first sees a training from its beginning to its end.
set -euo pipefail

work=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-evaluator.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$2" "$work/run" test 20 >"$work/output" &
evaluator=$!
"$1" "$work/run" --steps 40 --pause-ms 100 >"$work/training"
for _ in {1..200}; do
  grep -q '^test-40.ckpt: norm ' "$work/output" && break
  sleep 0.1
done
kill "$evaluator" 2>/dev/null || true
cat "$work/output"
grep -q '^test-40.ckpt: norm ' "$work/output"
# Each one once, in order, and not only the last.
sort -t- -k2 -n -c "$work/output"
[[ $(sort -u "$work/output" | wc -l) == "$(wc -l <"$work/output")" && $(wc -l <"$work/output") -ge 3 ]]
