"""The manifest as Gradle would have merged it.

aapt2 merges nothing, and takes an element with `tools:node="remove"` for one like others.

python flatten_manifest.py IN OUT APPLICATION VERSION_NAME VERSION_CODE MIN_SDK TARGET_SDK
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

ANDROID = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"


def flattened(
    source: str, application: str, name: str, code: str, min_sdk: str, target_sdk: str
) -> ET.Element:
    """The root without what is to be removed, with what Gradle would have added."""
    root = ET.fromstring(source)
    for parent in list(root.iter()):
        for child in [one for one in parent if one.get(TOOLS + "node") == "remove"]:
            parent.remove(child)
    for element in root.iter():
        left = [key for key in element.attrib if key.startswith(TOOLS)]
        if left:
            raise SystemExit(f"{element.tag}: {left[0]} is not understood")
    # Compressed in the archive and copied out of it: a third of the size, and no alignment to mind there.
    root.find("application").set(ANDROID + "extractNativeLibs", "true")  # type: ignore[union-attr]
    root.set("package", application)
    root.set(ANDROID + "versionName", name)
    root.set(ANDROID + "versionCode", code)
    sdk = {ANDROID + "minSdkVersion": min_sdk, ANDROID + "targetSdkVersion": target_sdk}
    root.insert(0, ET.Element("uses-sdk", sdk))
    return root


def main(source: str, target: str, *facts: str) -> None:
    """Write the flat manifest."""
    ET.register_namespace("android", ANDROID[1:-1])
    with open(source, encoding="utf-8") as file:
        root = flattened(file.read(), *facts)
    ET.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
