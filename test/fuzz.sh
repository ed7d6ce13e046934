#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz test of the module for TIME each, one after the other. Goes on after a finding, and fails at the end.
set -euo pipefail
# Each input that reaches something new is made shorter by a hundred tries at most: by default that takes a minute, in which nothing new is tried.
cd "$(dirname "$0")/.."
time=${1:?usage: fuzz.sh TIME, such as 10s}
failed=() found=0
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/' <<<"$line")
  found=$((found + 1))
  echo "== $(dirname "$file") $name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 100x "$(dirname "$file")" || failed+=("$(dirname "$file") $name")
done < <(grep -rnE --include='*_test.go' '^func Fuzz[A-Z][A-Za-z0-9_]*\(' . | sed -E 's/^([^:]*):[0-9]+:/\1:/' | sort)
((found)) || { echo "fuzz.sh: no fuzz tests were found" >&2; exit 1; }
if ((${#failed[@]})); then
  printf 'fuzz.sh: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
