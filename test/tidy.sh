#!/usr/bin/env bash
# tidy.sh: fails when gofmt would change a file or go vet finds fault, integration tests included.
set -euo pipefail
cd "$(dirname "$0")/.."
untidy=$(find . -name '*.go' -not -path '*/.*' -not -path '*/testdata/*' -exec gofmt -l {} +)
if [[ -n $untidy ]]; then
  printf 'gofmt would change:\n%s\n' "$untidy" >&2
  exit 1
fi
go vet -tags integration ./...
