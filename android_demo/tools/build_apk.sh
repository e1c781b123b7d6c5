#!/usr/bin/env bash
# Builds and signs build/satchel.apk without Android Studio: aapt2, zipalign, apksigner and dexdump of Debian, javac, and a
# few archives by Maven and npm. What is fetched is kept under build/.
#
#   bash android_demo/tools/build_apk.sh        needs bundles/g2p: `make apk` makes it
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$DEMO"
need aapt2 aapt zipalign apksigner dexdump zip unzip javac keytool mvn npm python3

say "fetching what is not here yet"
ANDROID_JAR=$(maven org.robolectric android-all "$ANDROID" "$ANDROID_SHA256")
DX_JAR=$(maven com.jakewharton.android.repackaged dalvik-dx "$DX" "$DX_SHA256")
ORT_JAR=$(maven com.microsoft.onnxruntime onnxruntime "$ONNXRUNTIME" "$ONNXRUNTIME_SHA256")
ORT_AAR=$(aar)

# --- assets -----------------------------------------------------------------------------------------------------------

G2P=$ROOT/bundles/g2p
[ -f "$G2P/manifest.json" ] || fail "bundles/g2p is missing: run make apk in $ROOT"
ASSETS=$BUILD/assets
rm -rf "$ASSETS" && mkdir -p "$ASSETS/bundles"
bash tools/fit_bundle.sh "$G2P" "$ASSETS/bundles/g2p"
cp "$ROOT/examples/search/texts.txt" "$ASSETS/texts.txt"

# --- resources, classes, libraries ------------------------------------------------------------------------------------

OUT=$BUILD/out
rm -rf "$OUT" && mkdir -p "$OUT"/{gen,classes,ort,apk}
python3 tools/flatten_manifest.py app/src/main/AndroidManifest.xml "$OUT/AndroidManifest.xml" \
    "$APPLICATION" "$VERSION_NAME" "$VERSION_CODE" "$MIN_SDK" "$TARGET_SDK"
aapt2 compile -o "$OUT/resources.zip" --dir app/src/main/res
aapt2 link -I "$ANDROID_JAR" --manifest "$OUT/AndroidManifest.xml" -A "$ASSETS" --java "$OUT/gen" \
    -o "$OUT/unaligned.apk" "$OUT/resources.zip"

say "compiling"
# The command line has no place on a phone.
find core/src/main/java app/src/main/java "$OUT/gen" -name '*.java' -not -path '*/satchel/cli/*' | sort > "$OUT/sources"
javac --release 8 -encoding UTF-8 -Xlint:all,-options,-serial,-classfile,-path -Werror \
    -cp "$ANDROID_JAR:$ORT_JAR" -d "$OUT/classes" "@$OUT/sources"
unzip -qo "$ORT_JAR" 'ai/onnxruntime/*.class' -d "$OUT/ort"
java -Xmx2g -cp "$DX_JAR" com.android.dx.command.Main --dex --min-sdk-version="$MIN_SDK" \
    --output="$OUT/apk/classes.dex" "$OUT/classes" "$OUT/ort"
for abi in ${ABIS//,/ }; do
    mkdir -p "$OUT/apk/lib/$abi"
    unzip -qoj "$ORT_AAR" "jni/$abi/*.so" -d "$OUT/apk/lib/$abi"
done
(cd "$OUT/apk" && zip -q -r -X "$OUT/unaligned.apk" classes.dex lib)

# --- signature --------------------------------------------------------------------------------------------------------

KEY=$BUILD/debug.keystore # kept: a phone takes an update only from the same key
[ -f "$KEY" ] || keytool -genkeypair -keystore "$KEY" -storepass android -keypass android -alias debug -keyalg RSA \
    -keysize 2048 -validity 10000 -dname CN=debug >/dev/null 2>&1
zipalign -f -p 4 "$OUT/unaligned.apk" "$OUT/aligned.apk"
apksigner sign --ks "$KEY" --ks-pass pass:android --min-sdk-version "$MIN_SDK" --out "$BUILD/satchel.apk" "$OUT/aligned.apk"
apksigner verify --min-sdk-version "$MIN_SDK" "$BUILD/satchel.apk"

# --- what came out ----------------------------------------------------------------------------------------------------

python3 tools/check_apk.py "$BUILD/satchel.apk" "$OUT/apk/classes.dex" "$BUILD/classes.txt" \
    "$APPLICATION" "$MIN_SDK" "$TARGET_SDK" "$ABIS"
say "$BUILD/satchel.apk"
