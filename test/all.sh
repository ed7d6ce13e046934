#!/usr/bin/env bash
# all.sh: every test there is, as "make test" runs it. Starts the services, and stops those at its end, whatever that end is.
# It says nothing after the last line of go test. The exit code is 0 when, and only when, all went well.
set -euo pipefail
cd "$(dirname "$0")/.."
services=test/services/services.sh

trap '$services stop >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
$services start
settings=$($services env)
eval "$settings"

test/tidy.sh
failed=0
# cgo for the race detector only: the program itself is built without
CGO_ENABLED=1 go test -race -timeout 15m ./... || failed=1

# Only integration tests, the others were run above, and one package after the other: some of these tests measure. What real services answer is
# never cached.
mapfile -t files < <(grep -rlE --include='*_test.go' '^//go:build integration' .)
((${#files[@]})) || { echo "all.sh: no integration tests were found" >&2; exit 1; }
mapfile -t packages < <(dirname "${files[@]}" | sort -u)
names=$(grep -hoE '^func Test[A-Z][A-Za-z0-9_]*' "${files[@]}" | grep -v 'TestMain$' | cut -d' ' -f2 | sort -u | paste -sd'|')
go test -tags integration -count=1 -p 1 -timeout 10m -run "^($names)\$" "${packages[@]}" || failed=1
exit $failed
