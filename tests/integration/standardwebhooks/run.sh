#!/bin/sh
# run.sh FOLDER PROGRAM: installs the reference library of Standard Webhooks from npm into FOLDER and
# runs PROGRAM, which has it verify what arrives. Ends with 77 (skipped) where there is no node or
# npm, or the library cannot be had; with POSTRIDER_REQUIRE_TOOLCHAINS=1 that is a failure.
set -eu
folder=$1
program=$2
here=${0%/*}

skip() {
  if [ "${POSTRIDER_REQUIRE_TOOLCHAINS:-}" = 1 ]; then
    echo "FAILED: $1, and POSTRIDER_REQUIRE_TOOLCHAINS=1 asks for it" >&2
    exit 1
  fi
  echo "SKIPPED: the check with npm's standardwebhooks library did not run: $1" >&2
  exit 77
}

command -v node >/dev/null || skip "there is no node"
command -v npm >/dev/null || skip "there is no npm"

mkdir -p "$folder"
cp "$here/package.json" "$here/receive.mjs" "$folder/"
if ! cmp -s "$here/package-lock.json" "$folder/installed-lock.json"; then
  cp "$here/package-lock.json" "$folder/"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
    skip "npm could not install the library"
  cp "$here/package-lock.json" "$folder/installed-lock.json"
fi
POSTRIDER_NODE=$(command -v node) POSTRIDER_RECEIVER="$folder/receive.mjs" exec "$program"
