#!/usr/bin/env bash
# The tests of the kernels and of the nodes with checks of memory and of undefined behaviour. Needs clang++ 19
# or later (`CLANG` names it; Debian: clang-19 and libclang-rt-19-dev) and the tests' own environment.
set -euo pipefail
cd "$(dirname "$0")/../.."

clang=${CLANG:-}
for name in clang++ clang++-{22,21,20,19}; do
    [ -n "$clang" ] && break
    version=$("$name" -dumpversion 2> /dev/null || echo 0)
    [ "${version%%.*}" -ge 19 ] && clang=$name
done
[ -n "$clang" ] || { echo "no clang++ of version 19 or later: CLANG names one"; exit 1; }

# Optimized, the checked code takes minutes to compile: the last -O counts.
wrapper=$PWD/kernels/build/clang
mkdir -p "$wrapper"
printf '#!/bin/sh\nexec "%s" "$@" -O0\n' "$(command -v "$clang")" > "$wrapper/clang++"
chmod +x "$wrapper/clang++"
SATCHEL_KERNELS_LIBRARY=$(PATH="$wrapper:$PATH" "${PYTHON:-.venv/bin/python}" kernels/build.py \
    --sanitize address,undefined)
export SATCHEL_KERNELS_LIBRARY

runtime=$("$clang" -print-file-name="libclang_rt.asan-$(uname -m).so")
# Python keeps what it allocates; and what ONNX Runtime is asked for in vain has to be an error, not the end.
export EXAMPLES=0.3 ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
# What a check says goes past pytest's own capture.
LD_PRELOAD="$runtime" "${PYTHON:-.venv/bin/python}" -m pytest -p no:cacheprovider --capture=sys -q \
    kernels/tests/test_{product,attention,rows,nodes,left,harm}.py "$@"
