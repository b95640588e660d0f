#!/usr/bin/env bash
# The demo: two training runs are killed while they save, again and again, and end with the very bits of the runs that
# were left alone.
#
#   examples/demo.sh BUILD_DIR
#
# Needs no network, writes only below a temporary directory that it removes, and exits 0 only if everything held.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

if (($# != 1)) || [[ ! -d $1 ]]; then
  echo 'usage: examples/demo.sh BUILD_DIR' >&2
  exit 2
fi
build=$(cd "$1" && pwd)
ckptdump=$build/tools/ckptdump/ckptdump
work=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-demo.XXXXXX")
child=
cleanup() {
  [[ -z $child ]] || kill -KILL "$child" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
  printf '\nThe demo FAILED: %s\n' "$*" >&2
  exit 1
}
say() { printf '%s\n' "$*"; }
indented() { sed 's/^/      /'; }

# run DIRECTORY PROGRAM [ARGUMENT...]: trains to the end. Losses, final state and output go beside the directory. It
# takes the place of the shell, so that a kill meets the program: call it in a subshell.
run() {
  local directory=$1 program=$2
  shift 2
  exec "$program" "$directory" --losses "$directory.losses" --final "$directory.final" "$@" >>"$directory.output" 2>&1
}

# temporaries DIRECTORY: the files of saves that are in progress, or were when their process was killed.
temporaries() { local files=("$1"/.*.tmp) && printf '%s\n' "${files[@]}"; }

# kill_while_saving DIRECTORY MAX_SAVES PROGRAM [ARGUMENT...]: starts or resumes the run and stops it at random moments,
# again and again. When it stands in the middle of a save, whose temporary file is there, it is killed; or it goes on,
# to be killed in a later save: which one is drawn, of MAX_SAVES. Fails when the run came to its end before. Counts
# `kills`, and in `halves` those that left half a checkpoint; the others left half a state file of the manager.
kill_while_saving() {
  local directory=$1 saves_left=$((1 + RANDOM % $2)) seen file state spins status=0
  shift 2
  seen=$(temporaries "$directory")
  run "$directory" "$@" &
  child=$!
  while kill -STOP "$child" 2>/dev/null; do
    while { read -r _ _ state _ <"/proc/$child/stat"; } 2>/dev/null && [[ $state == [RSD] ]]; do :; done
    for file in "$directory"/.*.tmp; do
      [[ $seen != *"$file"* ]] || continue
      seen+=$file saves_left=$((saves_left - 1))
      ((saves_left == 0)) || continue
      kill -KILL "$child"
      kills=$((kills + 1))
      [[ $file != *.ckpt.* ]] || halves=$((halves + 1))
    done
    kill -CONT "$child" 2>/dev/null || true
    for ((spins = RANDOM % 2500; spins > 0; --spins)); do :; done
  done
  wait "$child" 2>/dev/null || status=$?
  child=
  ((status != 0)) || return 1
  if ((status != 137)); then
    tail -n 3 "$directory.output" >&2
    fail "instead of being killed, $1 ended with status $status"
  fi
}

# run_killed DIRECTORY MAX_SAVES PROGRAM [ARGUMENT...]: a run that is killed up to 12 times before it may finish. It
# begins again, in an empty directory, if no kill left half a checkpoint or no process took the run up from a whole one:
# where a save lasts microseconds (in memory), it is rarely caught, and then the first that is caught has to do.
run_killed() {
  local directory=$1 max_saves=$2 attempt
  shift 2
  for attempt in {1..40}; do
    rm -rf "$directory" "$directory".*
    kills=0 halves=0
    while ((kills < 12)) && kill_while_saving "$directory" "$max_saves" "$@"; do :; done
    [[ -s $directory.final ]] || (run "$directory" "$@") || fail "$(tail -n 3 "$directory.output")"
    if ((halves > 0)) && grep -q '^starting at step [1-9]' "$directory.output"; then return 0; fi
    max_saves=1
  done
  fail "in $attempt runs no kill left half a checkpoint, or no process resumed"
}

# show TITLE MAX_SAVES TREE_COMMAND PROGRAM [ARGUMENT...]
show() {
  local title=$1 max_saves=$2 tree=$3 whole=$work/whole killed=$work/killed newest
  shift 3
  [[ -x $1 ]] || fail "$1 was not built; was something missing when Meson set up the build?"
  rm -rf "${work:?}"/*

  say "$title"
  say '  once, without interruption:'
  (run "$whole" "$@") || fail "$(tail -n 3 "$whole.output")"
  grep -E '^(step|test)' "$whole.output" | indented

  say '  again, killed with SIGKILL at random moments while it saves, and resumed by a new process each time:'
  run_killed "$killed" "$max_saves" "$@"
  say "      killed $kills times, $halves of them with half a checkpoint written"
  say "      the processes started at steps" $(sed -n 's/^starting at step \([0-9]*\) .*/\1/p' "$killed.output")
  compare "$whole" "$killed"

  newest=$(cd "$killed" && printf '%s\n' *.ckpt | sort -V | tail -n 1)
  check_directory "$whole" "$killed"
  cd "$killed"
  say '  its directory, which is removed at the end:' $(ls -A)
  say "  ckptdump $tree $newest"
  # shellcheck disable=SC2086 # the command and its options
  "$ckptdump" $tree "$newest" | indented || fail 'ckptdump tree'
  say "  ckptdump verify $newest"
  "$ckptdump" verify "$newest" | indented || fail 'ckptdump verify'
  cd "$work"
}

# compare WHOLE KILLED: the killed run takes the steps after its newest checkpoint again; they must not differ either.
compare() {
  local steps lines
  sort -u "$2.losses" | sort -n >"$2.losses.once"
  cmp -s "$1.losses" "$2.losses.once" ||
    fail "the losses differ: $(diff "$1.losses" "$2.losses.once" | sed -n '2,5p' | tr '\n' ' ')"
  cmp "$1.final" "$2.final" || fail 'the final states differ'
  steps=$(wc -l <"$1.losses") lines=$(wc -l <"$2.losses")
  say "      losses       equal bit for bit: all $steps steps, and the $((lines - steps)) that had to be taken again"
  say "      final state  equal bit for bit: $(wc -c <"$2.final") bytes of weights, Adam's moments and counters"
}

# check_directory WHOLE KILLED: the newest three of each run, the same numbers, and nothing left of the killed saves.
# Only a run that was killed in its last save has one more: a manager leaves to its next save what a killed one did not
# get to remove, and the process that found nothing left to train made none.
check_directory() {
  local expected found steps
  expected=$(cd "$1" && echo *.ckpt)
  found=$(cd "$2" && echo *.ckpt)
  steps=$(wc -l <"$1.losses")
  if [[ $(wc -w <<<"$found") == 4 ]] && grep -q "^starting at step $steps " "$2.output"; then
    say "      killed in its last save: ${found%% *} is left for a next one to remove"
    found=${found#* }
  fi
  [[ $found == "$expected" && $(wc -w <<<"$found") == 3 ]] || fail "expected $expected, found $found"
  [[ -z $(temporaries "$2") ]] || fail 'a temporary file was left'
}

say 'Two training runs, killed while they save. Each must end as if nothing had happened.'
say ''
show '1. The toy network of the TensorFlow checkpoint guide: 50 steps, a checkpoint after each' \
  8 'tree' "$build/examples/train" --pause-ms 2
say ''
show '2. Fashion-MNIST, 784-128-10: two epochs of 600 steps, a checkpoint every 25' \
  12 'tree --depth 2' "$build/examples/fashion_mnist"
say ''
say 'Everything held: the killed runs equal the uninterrupted ones bit for bit.'
