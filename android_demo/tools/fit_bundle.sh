#!/usr/bin/env bash
# Copies a bundle for the app's ONNX Runtime, where that is older than the bundle asks for: the copy asks for the app's, and is
# kept only if it passes `verify` on that very version on this machine.
#
#   bash android_demo/tools/fit_bundle.sh BUNDLE COPY
set -euo pipefail
. "$(dirname "$0")/common.sh"
[ $# = 2 ] || fail "usage: fit_bundle.sh BUNDLE COPY"
[ -f "$1/manifest.json" ] || fail "$1 is no bundle"
[ ! -e "$2" ] || fail "$2 exists already"
need javac mvn python3
core
cp -r "$1" "$2"
trap 'rm -rf "$2"' ERR
python3 "$DEMO/tools/ask_for.py" "$2/manifest.json" "$ONNXRUNTIME"
say "verifying $2 on ONNX Runtime $ONNXRUNTIME"
java -cp "$CORE" satchel.cli.Main verify "$2"
