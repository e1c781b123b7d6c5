#!/usr/bin/env bash
# The tests of the kernels and of the nodes with checks of memory and of undefined behaviour: two minutes.
# Needs what `kernels/build.py --sanitize` needs. PYTHON names another Python than .venv's.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-$PWD/.venv/bin/python}

# Optimized, the checked code takes minutes to compile. The last -O counts.
wrapper=$PWD/kernels/build/zig-unoptimized
mkdir -p kernels/build
printf '#!/bin/sh\nexec %s "$@" -O0\n' "${ZIG:-"$python" -m ziglang}" > "$wrapper"
chmod +x "$wrapper"
SATCHEL_KERNELS_LIBRARY=$(ZIG=$wrapper "$python" kernels/build.py --sanitize address,undefined)
export SATCHEL_KERNELS_LIBRARY

# Python keeps what it allocates; and what is asked for in vain has to be an error, not the end.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
# What a check says goes past pytest's own capture.
EXAMPLES=0.3 LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    "$python" -m pytest -p no:cacheprovider --capture=sys -q \
    kernels/tests/test_{product,attention,rows,nodes,left,harm}.py "$@"
