"""The Android app asks for nothing, its build files agree, and its Java is what a phone takes."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from satchel.runtime import sealed
from satchel.runtime.errors import BundleError

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "android_demo"
ANDROID = "{http://schemas.android.com/apk/res/android}"
TOOLS = "{http://schemas.android.com/tools}"
MANIFEST = (DEMO / "app/src/main/AndroidManifest.xml").read_text("utf-8")
CORE, APP = DEMO / "core/src/main/java", DEMO / "app/src/main/java"
CORE_SOURCES = sorted(CORE.rglob("*.java"))
APP_SOURCES = sorted(APP.rglob("*.java"))
# The command line is for a desktop and not in the app.
RUNTIME_SOURCES = [path for path in CORE_SOURCES if path.parent.name != "cli"]
# What Android 8 has and the dexer takes; the rest would be missed on a phone alone.
KNOWN = ("satchel.", "ai.onnxruntime.", "java.")
LATER = (
    "java.awt",
    "java.net",
    "java.time",
    "java.util.concurrent.Flow",
    "java.util.function",
    "java.util.stream",
)
PLAIN = ("files", "measure", "text")  # packages of the app that are tested without Android


def tool(name: str) -> Any:
    """A script of android_demo/tools as a module."""
    spec = importlib.util.spec_from_file_location(name, DEMO / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def versions() -> dict[str, str]:
    """NAME=value of tools/versions."""
    lines = (DEMO / "tools/versions").read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def code(path: Path) -> str:
    """A Java file without comments and without what stands in quotes."""
    text = path.read_text("utf-8")
    parts = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(parts, " ", text, flags=re.DOTALL)


def imports(path: Path) -> list[str]:
    """What a Java file imports."""
    return re.findall(r"^import (?:static )?([\w.*]+);", path.read_text("utf-8"), re.MULTILINE)


def flat() -> ET.Element:
    """The manifest as it goes into the app."""
    facts = versions()
    names = ("APPLICATION", "VERSION_NAME", "VERSION_CODE", "MIN_SDK", "TARGET_SDK")
    root: ET.Element = tool("flatten_manifest").flattened(
        MANIFEST, *(facts[name] for name in names)
    )
    return root


def test_versions_agree() -> None:
    facts = versions()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert facts["VERSION_NAME"] == project["version"]
    poms = {name: (DEMO / name / "pom.xml").read_text("utf-8") for name in (".", "core", "app")}
    for text in poms.values():
        assert f"<version>{facts['VERSION_NAME']}</version>" in text
    assert f"<onnxruntime.version>{facts['ONNXRUNTIME']}<" in poms["core"]
    gradle = {name: (DEMO / name / "build.gradle").read_text("utf-8") for name in ("core", "app")}
    assert f"com.microsoft.onnxruntime:onnxruntime:{facts['ONNXRUNTIME']}'" in gradle["core"]
    abis = ", ".join(f"'{abi}'" for abi in facts["ABIS"].split(","))
    for line in (
        f"com.microsoft.onnxruntime:onnxruntime-android:{facts['ONNXRUNTIME']}'",
        f"applicationId '{facts['APPLICATION']}'",
        f"minSdk {facts['MIN_SDK']}\n",
        f"targetSdk {facts['TARGET_SDK']}\n",
        f"compileSdk {facts['COMPILE_SDK']}\n",
        f"versionCode {facts['VERSION_CODE']}\n",
        f"versionName '{facts['VERSION_NAME']}'",
        f"'com.android.application' version '{facts['ANDROID_GRADLE_PLUGIN']}'",
        f"abiFilters {abis} ",
    ):
        assert line in gradle["app"], line


def test_every_archive_has_its_hash() -> None:
    facts = versions()
    hashes = {name: value for name, value in facts.items() if name.endswith("_SHA256")}
    assert set(hashes) == {f"{name}_SHA256" for name in ("ONNXRUNTIME", "AAR", "ANDROID", "DX")}
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in hashes.values())


def test_no_permission_and_nothing_for_others() -> None:
    root = flat()
    tags = [element.tag for element in root.iter()]
    assert not {tag for tag in tags if "permission" in tag}
    assert not {"provider", "service", "receiver", "queries"} & set(tags)
    (application,) = root.iter("application")
    assert application.get(ANDROID + "allowBackup") == "false"
    assert application.get(ANDROID + "debuggable") is None
    (activity,) = root.iter("activity")
    assert [one.get(ANDROID + "name") for one in activity.iter("category")] == [
        "android.intent.category.LAUNCHER"
    ]


def test_what_the_library_may_bring_is_removed() -> None:
    """Gradle merges the library's manifest: what this one removes must be named in it."""
    removed = {
        str(element.get(ANDROID + "name")).rpartition(".")[2]
        for element in ET.fromstring(MANIFEST).iter()
        if element.get(TOOLS + "node") == "remove"
    }
    assert removed == {"INTERNET", "ACCESS_NETWORK_STATE", "TelemetryInitializer"}


def test_an_instruction_that_is_not_understood() -> None:
    text = MANIFEST.replace('tools:node="remove" />', 'tools:node="replace" />', 1)
    with pytest.raises(SystemExit, match="is not understood"):
        tool("flatten_manifest").flattened(text, "a", "1", "1", "26", "36")


def test_telemetry_is_off_before_anything_loads() -> None:
    text = (APP / "satchel/app/SatchelApp.java").read_text("utf-8")
    block = text[text.index("    static {") : text.index("public void onCreate")]
    for name in ("ORT_DISABLE_TELEMETRY", "ORT_GQA_DISABLE_FLASH_ATTENTION"):
        assert f'Os.setenv("{name}", "1", true);' in block
    assert 'android:name="satchel.app.SatchelApp"' in MANIFEST


@pytest.mark.parametrize("path", [*CORE_SOURCES, *APP_SOURCES], ids=lambda path: path.stem)
def test_java_that_the_dexer_takes(path: Path) -> None:
    text = code(path)
    assert "->" not in text and "::" not in text, "a lambda or a method reference"
    assert not re.search(r"\b(var|record|yield|sealed)\s+\w+\s*[=({]", text)
    assert '"""' not in path.read_text("utf-8")


@pytest.mark.parametrize("path", RUNTIME_SOURCES, ids=lambda path: path.stem)
def test_imports_of_the_runtime(path: Path) -> None:
    named = re.sub(r"(?m)^import .*$", "", code(path))
    for name in [*imports(path), *re.findall(r"\b(?:java|javax|sun)\.[a-z]+\.[\w.]+", named)]:
        assert name.startswith(KNOWN) and not name.startswith(LATER), name
        if name.startswith("ai."):
            assert path.parent.name == "ort", name
        if name.startswith("java.nio.file"):
            assert path.stem == "Satchel", name


@pytest.mark.parametrize("path", APP_SOURCES, ids=lambda path: path.stem)
def test_imports_of_the_app(path: Path) -> None:
    package = path.relative_to(APP / "satchel/app").parts[0]
    for name in imports(path):
        assert name.startswith(("satchel.", "java.", "android.")), name
        assert not name.startswith((*LATER, "java.nio.file", "android.webkit")), name
        assert not name.startswith("android.net.") or name == "android.net.Uri"
        if package in PLAIN:
            assert not name.startswith("android."), name


def test_texts_of_the_app_are_resources() -> None:
    """Every string that is used is there, and every one that is there is used."""
    strings = ET.parse(DEMO / "app/src/main/res/values/strings.xml").getroot()
    there = {str(element.get("name")) for element in strings}
    java = "".join(path.read_text("utf-8") for path in APP_SOURCES)
    used = set(re.findall(r"R\.string\.(\w+)", java)) | set(re.findall(r"@string/(\w+)", MANIFEST))
    assert used == there


def sealed_manifests() -> Iterator[str]:
    """Texts of manifests that ask for some version; what else they hold does not matter here."""
    for version in ("1.29", "1.30", "1.31.1", "2.0"):
        content = {"family": "decoder", "onnxruntime": version, "extra": {"onnxruntime": "9.9"}}
        yield sealed.sealed(json.dumps(content, indent=1))


def test_a_bundle_for_an_older_runtime() -> None:
    asking = tool("ask_for").asking
    for text in sealed_manifests():
        lower = asking(text, "1.29.0")
        content = json.loads(lower)
        assert content["onnxruntime"] == "1.29" and content["extra"] == {"onnxruntime": "9.9"}
        assert lower == sealed.sealed(sealed.unsealed(lower))
        assert asking(text, "2.5.1") == text
    with pytest.raises(SystemExit):
        asking("{}", "1.29.0")
    with pytest.raises(BundleError):
        sealed.read(lower.replace("decoder", "encoder"))
