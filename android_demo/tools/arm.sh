#!/usr/bin/env bash
# A Python of 64-bit Arm with the runtime's three packages in android_demo/build/arm, and what it answers under QEMU beside what
# this machine answers: arm.sh PYTHON BUNDLE ... Needs Debian: apt fetches Arm's packages, and installs none of them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
OF[qemu-aarch64-static]=qemu-user-static
need qemu-aarch64-static unzip
PYTHON=$1
shift
ARM=$BUILD/arm

version() { "$PYTHON" -c "from importlib.metadata import version; print(version('$1'))"; }
WHEELS=(); for name in numpy onnxruntime tokenizers; do WHEELS+=("$name==$(version "$name")"); done
PACKAGES="libc6 libgcc-s1 libstdc++6 zlib1g libffi8 libssl3 libbz2-1.0 liblzma5 libcrypt1 libuuid1 libexpat1
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib"

fetch() { # everything of Arm's, into a folder that is moved in place when it is whole
    local new=$ARM.new
    rm -rf "$new" && mkdir -p "$new"/{debs,apt/lists/partial,root/proc,site}
    : > "$new/apt/status"
    cat > "$new/apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State "$new/apt";
Dir::State::status "$new/apt/status";
Dir::Cache "$new/apt";
Dir::Etc::SourceList "$new/apt/debian.list";
Dir::Etc::SourceParts "/dev/null";
END
    local key=/usr/share/keyrings/debian-archive-keyring.gpg from
    from=$(sed -n 's/^URIs: *//p;s/^deb *\(\[[^]]*\] *\)\?\(http[^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources \
        /etc/apt/sources.list 2>/dev/null | grep -v security | head -n 1 || true)
    say "deb [signed-by=$key] ${from:-http://deb.debian.org/debian} bookworm main" > "$new/apt/debian.list"
    say "fetching Arm's packages of Debian and of PyPI"
    APT_CONFIG=$new/apt/conf apt-get -qq update
    # shellcheck disable=SC2086
    (cd "$new/debs" && APT_CONFIG=$new/apt/conf apt-get -qq download $PACKAGES)
    for file in "$new"/debs/*.deb; do dpkg -x "$file" "$new/root"; done
    "$PYTHON" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 -d "$new/wheels" "${WHEELS[@]}"
    for file in "$new"/wheels/*.whl; do unzip -qo "$file" -d "$new/site"; done
    # ONNX Runtime reads what a processor can do from this file; it may not say more than QEMU's model has.
    cat > "$new/root/proc/cpuinfo" <<'END'
processor : 0
Features : fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer : 0x41
CPU architecture: 8
CPU variant : 0x3
CPU part : 0xd0b
CPU revision : 1

END
    say "${WHEELS[*]}" > "$new/what"
    rm -rf "$new/debs" "$new/wheels" "$new/apt" "$ARM" && mv "$new" "$ARM"
}

[ "$(cat "$ARM/what" 2>/dev/null)" = "${WHEELS[*]}" ] || fetch
"$PYTHON" "$DEMO/tools/arm_answers.py" write "$BUILD/arm-answers.json" "$@"
# Arm's own Cortex-A76, which phones have had since 2018; its dot products of bytes are what int8 runs on.
PYTHONPATH=$ARM/site:$ROOT/src qemu-aarch64-static -cpu cortex-a76 -L "$ARM/root" "$ARM/root/usr/bin/python3.11" -B \
    "$DEMO/tools/arm_answers.py" compare "$BUILD/arm-answers.json" "$@"
