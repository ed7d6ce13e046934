#!/usr/bin/env bash
# release.sh VERSION: one stripped program for each system in dist/, without C and without paths of this machine, and SHA256SUMS.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: release.sh VERSION}
rm -rf dist
mkdir dist
for system in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
  out=dist/fettle_${version}_${system/\//_}
  [[ $system != windows/* ]] || out+=.exe
  echo "$out"
  CGO_ENABLED=0 GOOS=${system%/*} GOARCH=${system#*/} go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$out" ./cmd/fettle
done
cd dist
sha256sum fettle_* >SHA256SUMS
