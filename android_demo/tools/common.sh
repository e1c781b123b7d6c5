# What the scripts beside it share: programs, and archives from outside, each checked against its SHA-256 in versions.
# Sourced, with `set -euo pipefail`.

DEMO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$(dirname "$DEMO") BUILD=$DEMO/build KEPT=$DEMO/build/kept
. "$DEMO/tools/versions"
mkdir -p "$KEPT"
export ORT_DISABLE_TELEMETRY=1 ORT_GQA_DISABLE_FLASH_ATTENTION=1

say() { printf '%s\n' "$*"; }
fail() { say "error: $*" >&2; exit 1; }

# Debian's packages of programs.
declare -A OF=([aapt2]=aapt [aapt]=aapt [zipalign]=zipalign [apksigner]=apksigner [dexdump]=dexdump [zip]=zip [unzip]=unzip
    [javac]=default-jdk-headless [keytool]=default-jdk-headless [mvn]=maven [npm]=npm [python3]=python3)

need() { # PROGRAM ... installs what is missing, or says what to install
    local program missing=""
    for program in "$@"; do
        command -v "$program" >/dev/null || missing="$missing ${OF[$program]}"
    done
    [ -z "$missing" ] && return
    missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $missing"
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        fail "these Debian packages are missing: $missing"
    fi
}

same() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; } # FILE SHA256

maven() { # GROUP ARTIFACT VERSION SHA256 -> path
    local file=$KEPT/$2-$3.jar
    if ! same "$file" "$4"; then
        (cd "$KEPT" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:2.8:copy \
            -Dartifact="$1:$2:$3" -DoutputDirectory="$KEPT") > "$BUILD/maven.log" 2>&1 ||
            { cat "$BUILD/maven.log" >&2; fail "Maven gives no $1:$2:$3"; }
        same "$file" "$4" || fail "$file is not what tools/versions says"
    fi
    printf '%s\n' "$file"
}
aar() { # -> path
    local file=$BUILD/onnxruntime-$ONNXRUNTIME.aar work=$BUILD/npm
    if ! same "$file" "$AAR_SHA256"; then
        rm -rf "$work" && mkdir -p "$work"
        (cd "$work" && npm pack --silent "$AAR_NPM" >/dev/null && tar -xzf ./*.tgz "$AAR_NPM_FILE") >&2 || fail "npm has no $AAR_NPM"
        mv "$work/$AAR_NPM_FILE" "$file"
        rm -rf "$work"
        same "$file" "$AAR_SHA256" || fail "$file is not what tools/versions says"
    fi
    printf '%s\n' "$file"
}

core() { # compiles the runtime for this machine's JVM: CORE is its class path
    local classes=$BUILD/core
    CORE=$classes:$(maven com.microsoft.onnxruntime onnxruntime "$ONNXRUNTIME" "$ONNXRUNTIME_SHA256")
    rm -rf "$classes" && mkdir -p "$classes"
    find "$DEMO/core/src/main/java" -name '*.java' > "$BUILD/core.sources"
    javac --release 8 -encoding UTF-8 -nowarn -Xlint:-options -cp "$CORE" -d "$classes" "@$BUILD/core.sources"
}
