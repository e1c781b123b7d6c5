"""What a bundle promises once it is there: every flipped bit is found, and running it changes nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.cli.main import main
from satchel.export import check
from satchel.runtime import sealed
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import SatchelError
from tests.broken_bundles import DATA, FILES, GRAPH, MANIFEST, of_version_1, resealed, wrote
from tests.loading import load_as
from tests.manifests import content_of, said
from tests.outcome import one_line, opened_files, refused, snapshot
from tests.tiny import save_checkpoint

pytest_plugins = "tests.places"

FLIPS = 30
# Runs a bundle in a fresh process and prints what it wrote, removed or connected to.
WATCHED = """
import os, sys
events = []
def watch(event, arguments):
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        events.append((event, arguments[0]))
    if event.startswith(("socket.", "subprocess.", "os.system")) or event in (
        "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate"):
        events.append((event, arguments))
sys.addaudithook(watch)
import satchel
model = satchel.load(sys.argv[1])
assert model.generate("hello", max_new_tokens=3).tokens
assert model.chat([{"role": "user", "content": "hi"}], max_new_tokens=3).tokens
assert not [event for event in events if event[1] != os.devnull], events
"""


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_of_a_file_is_found(name: str, bundle: Path, capfd: Any) -> None:
    path, numbers = bundle / name, random.Random(name)
    good = path.read_bytes()
    offsets = [0, len(good) - 1, *(numbers.randrange(len(good)) for _ in range(FLIPS - 2))]
    for offset in offsets:
        data = bytearray(good)
        data[offset] ^= 1 << numbers.randrange(8)
        path.write_bytes(data)
        refused(capfd, ["inspect", bundle], "BUNDLE_HASH", name, within=bundle)


def test_every_flipped_bit_of_the_manifest_is_found(bundle: Path, capfd: Any) -> None:
    path, numbers = bundle / MANIFEST, random.Random(0)
    good = path.read_bytes()
    for _ in range(5 * FLIPS):
        data = bytearray(good)
        data[numbers.randrange(len(good))] ^= 1 << numbers.randrange(8)
        path.write_bytes(data)
        with pytest.raises(SatchelError) as error:
            open_bundle(bundle)
        one_line(f"error[{error.value.code}]: {error.value}", error.value.code)


def test_a_manifest_without_its_digest_is_refused(bundle: Path, capfd: Any) -> None:
    text = (bundle / MANIFEST).read_text("utf-8")
    for changed in (text.rstrip() + " \n", sealed.unsealed(text), text.replace("\n", "\r\n")):
        (bundle / MANIFEST).write_text(changed, "utf-8", newline="")
        refused(capfd, ["inspect", bundle], "BUNDLE_HASH", "satchel seal", within=bundle)


def test_a_bundle_of_the_format_before_digests_is_read(bundle: Path, capfd: Any) -> None:
    shutil.copytree(bundle, bundle.with_name("old"))
    of_version_1()(bundle.with_name("old"))
    model = load_as(satchel.DecoderModel, bundle.with_name("old"))
    assert model.generate([1], max_new_tokens=1).tokens
    of_version_1(digest="0" * 64)(bundle)
    refused(capfd, ["inspect", bundle], "BUNDLE", "'digest'", within=bundle)


def test_seal(bundle: Path, capfd: Any) -> None:
    good = (bundle / MANIFEST).read_bytes()
    assert main(["seal", str(bundle)]) == 0
    assert "nothing to do" in capfd.readouterr().out
    assert (bundle / MANIFEST).read_bytes() == good
    content = content_of(bundle) | {"generation": {"temperature": 0.5}}
    (bundle / MANIFEST).write_text(json.dumps(content), "utf-8")
    refused(capfd, ["inspect", bundle], "BUNDLE_HASH", "satchel seal", within=bundle)
    assert main(["seal", str(bundle)]) == 0
    assert satchel.load(bundle).manifest.generation == {"temperature": 0.5}
    assert sorted(path.name for path in bundle.iterdir()) == sorted([MANIFEST, *FILES])
    (bundle / MANIFEST).write_text(json.dumps(content | {"task": "embed"}), "utf-8")
    refused(capfd, ["seal", bundle], "BUNDLE", "task = 'embed'", within=bundle)


def test_files_of_another_bundle(original: Path, bundle: Path, tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "checkpoint").mkdir()
    save_checkpoint(tmp_path / "checkpoint", "llama", num_hidden_layers=2)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "other", profile="fp32")
    for name in (GRAPH, DATA):
        shutil.copy(tmp_path / "other" / name, bundle / name)
        refused(capfd, ["verify", bundle], "BUNDLE_HASH", name, within=tmp_path)
        shutil.copy(original / "bundle" / name, bundle / name)
    # Also where the manifest was made to fit: a graph has to have the promised inputs.
    for name in (GRAPH, DATA):
        shutil.copy(tmp_path / "other" / name, bundle / name)
    resealed(lambda folder: None)(bundle)
    refused(capfd, ["verify", bundle], "BUNDLE_IO", "past_key_values.1.key", within=tmp_path)


def test_extra_files_are_not_opened(bundle: Path, capfd: Any) -> None:
    (bundle / "extra.py").write_text("raise SystemExit(9)")
    (bundle / "away").symlink_to("/etc/hostname")
    os.mkfifo(bundle / "fifo")
    with opened_files() as opened:
        assert main(["generate", str(bundle), "hi", "--max-new-tokens", "1"]) == 0
    names = {Path(name).name for name in opened if str(bundle) in name}
    assert names == {MANIFEST, *FILES}


def test_hard_links_and_links_inside_the_bundle(bundle: Path, tmp_path: Path) -> None:
    (bundle / DATA).rename(tmp_path / "blob")
    os.link(tmp_path / "blob", bundle / DATA)
    (bundle / GRAPH).rename(bundle / "renamed")
    (bundle / GRAPH).symlink_to("renamed")
    (tmp_path / "link").symlink_to(bundle)
    assert load_as(satchel.DecoderModel, tmp_path / "link").generate([1], max_new_tokens=1).tokens


@pytest.mark.parametrize("path", [(), ("graphs", "decoder"), ("cache",), ("source",)], ids=str)
def test_unknown_keys_are_refused(path: tuple[str, ...], bundle: Path, capfd: Any) -> None:
    said(*path, "future", value={"x": [1]})(bundle)
    refused(capfd, ["inspect", bundle], "BUNDLE", "'future', which is unknown", within=bundle)


def test_an_app_may_keep_what_it_likes_under_extra(bundle: Path) -> None:
    said("extra", value={"future": {"x": [1]}})(bundle)
    assert load_as(satchel.DecoderModel, bundle).generate([1], max_new_tokens=1).tokens


def test_installed_onnxruntime_is_too_old(bundle: Path, capfd: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("satchel.runtime.session.ort.__version__", "1.9.0")
    refused(capfd, ["generate", bundle, "x"], "ORT_TOO_OLD", "1.30", "1.9.0", within=bundle)


def test_a_replaced_bundle_does_not_disturb_a_loaded_one(original: Path, bundle: Path) -> None:
    model = load_as(satchel.DecoderModel, bundle)
    before = model.generate([1, 2, 3], max_new_tokens=8).tokens
    bundle.rename(bundle.with_name("old"))
    shutil.copytree(original / "bundle", bundle)
    shutil.rmtree(bundle.with_name("old"))
    assert model.generate([1, 2, 3], max_new_tokens=8).tokens == before


def test_verify_passes(bundle: Path, capfd: Any) -> None:
    before = snapshot(bundle)
    assert main(["verify", str(bundle)]) == 0
    output, errors = capfd.readouterr()
    assert errors == "" and output.count(" ok") == 5 and "FAILED" not in output
    assert snapshot(bundle) == before


@pytest.mark.parametrize(
    ("key", "change", "check_name"),
    [
        ("reference", lambda values: [values[0] + 1, *values[1:]], "against the reference"),
        ("top", lambda ids: ids[::-1], "against the reference"),
        ("ids", lambda ids: [ids[0] ^ 1, *ids[1:]], "against the reference"),
    ],
)
def test_verify_finds_a_tampered_probe(
    key: str, change: Callable[[Any], Any], check_name: str, bundle: Path, capfd: Any
) -> None:
    probe = json.loads((bundle / MANIFEST).read_text())["probe"]
    said("probe", key, value=change(probe[key]))(bundle)
    assert main(["verify", str(bundle)]) == 5
    output, errors = capfd.readouterr()
    one_line(errors, "FIDELITY", "1 of 5 checks failed", check_name)
    assert output.count("FAILED") == 1


@pytest.mark.parametrize(
    "probe",
    [{}, {"ids": []}, {"ids": [1]}, {"ids": [1, 320]}, {"ids": [1, -1]}, {"ids": [1, True]},
     {"ids": [1] * 300}, {"ids": "text"}, {"ids": [1, 2.0]}, {"top": []}, {"top": [320]},
     {"reference": [1.0]}, {"reference": ["1"] * 16}, {"reference": None}, {"difference": "0"}],
)  # fmt: skip
def test_verify_refuses_what_is_no_probe(probe: dict[str, Any], bundle: Path, capfd: Any) -> None:
    good = json.loads((bundle / MANIFEST).read_text())["probe"]
    said("probe", value={**good, **probe} if probe else {})(bundle)
    refused(capfd, ["verify", bundle], "BUNDLE", "no probe", within=bundle)


def test_a_failed_check_publishes_nothing_unless_forced(
    place: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(check, "tolerance", lambda logits: 0.0)
    export = ["export", place / "checkpoint", place / "new", "--profile", "fp32"]
    refused(capfd, export, "FIDELITY", "checks failed", "--force", within=place)
    assert main([*map(str, export), "--force"]) == 0
    assert "UNVERIFIED, kept by --force" in capfd.readouterr().out
    monkeypatch.undo()
    assert main(["inspect", str(place / "new")]) == 0
    shown = capfd.readouterr().out
    assert "NO: kept by --force" in shown and "FAILED" in shown
    assert main(["verify", str(place / "new")]) == 0
    assert "kept by --force although its export's checks failed" in capfd.readouterr().out
    assert main(["generate", str(place / "new"), "x", "--max-new-tokens", "1"]) == 0


def test_inspect_of_a_hostile_but_consistent_bundle(bundle: Path, capfd: Any) -> None:
    said("source", "licence", value="mit\x1b[2J\n\u202eend")(bundle)
    said("architecture", value="\x07llama")(bundle)
    resealed(wrote(GRAPH, b"\xff" * 99))(bundle)
    assert main(["inspect", str(bundle)]) == 0
    output, errors = capfd.readouterr()
    assert errors == "" and "not readable" in output
    assert all(letter.isprintable() or letter == "\n" for letter in output)
    assert "mit\\x1b[2J\\n\\u202eend" in output


@pytest.mark.parametrize(
    ("key", "value"),
    [("parity", {"checks": [1]}), ("parity", {"checks": 1}), ("parity", {"checks": [{}]}),
     ("quantization", {"graphs": {"encoder": 3}}), ("quantization", {"roles": {"x": 1}}),
     ("chat", {"kind": []})],
)  # fmt: skip
def test_inspect_of_odd_figures(key: str, value: Any, bundle: Path, capfd: Any) -> None:
    said(key, value=value)(bundle)
    if key == "chat":
        assert main(["inspect", str(bundle)]) == 0
    else:
        refused(capfd, ["inspect", bundle], "BUNDLE", "no exporter's", within=bundle)


def test_running_writes_nothing_and_connects_nowhere(bundle: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for path in (bundle, home):
        path.chmod(0o555)
    before = snapshot(tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(bundle)],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert snapshot(tmp_path) == before
