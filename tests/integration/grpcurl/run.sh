#!/bin/sh
# run.sh FOLDER WITH_SERVER: installs grpcurl as a Go module into FOLDER and makes calls with it that
# know nothing of Postrider but what reflection tells. Ends with 77 (skipped) where there is no Go or
# no python3, or grpcurl cannot be had; with POSTRIDER_REQUIRE_TOOLCHAINS=1 that is a failure.
set -eu
folder=$1
with_server=$2
here=${0%/*}
version=v1.8.9 # The newest that Go 1.19, Debian 12's, can build.

skip() {
  if [ "${POSTRIDER_REQUIRE_TOOLCHAINS:-}" = 1 ]; then
    echo "FAILED: $1, and POSTRIDER_REQUIRE_TOOLCHAINS=1 asks for it" >&2
    exit 1
  fi
  echo "SKIPPED: the check with grpcurl did not run: $1" >&2
  exit 77
}

command -v go >/dev/null || skip "there is no Go"
command -v python3 >/dev/null || skip "there is no python3"

grpcurl=$folder/$version/grpcurl
if [ ! -x "$grpcurl" ]; then
  mkdir -p "$folder/$version"
  GOBIN=$folder/$version GOFLAGS=-mod=mod \
    go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$version" ||
    skip "Go could not install grpcurl"
fi
exec "$with_server" "$(command -v python3)" "$here/calls.py" "$grpcurl"
