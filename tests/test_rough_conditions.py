"""Closed streams, full disks, broken libraries: one line, the right status, nothing half-written."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from satchel import cli_speech, cli_text, conversation, vectors, writing
from satchel.cli import main
from satchel.runtime import bundle as bundles
from satchel.runtime.errors import StorageError
from satchel.runtime.speech import Segment, Transcript
from satchel.runtime.verify import Row
from tests.outcome import one_line

pytest_plugins = "tests.places"

SENT = ["a\x1b[2J", "b\x9b\t", "\r\x07é"]
SHOWN = "a\\u001b[2Jb\\u009b\t\\u000d\\u0007é"


def shell(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run satchel in a shell that says what becomes of its streams."""
    line = ["sh", "-c", f'exec "$0" -m satchel {command}', sys.executable, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def test_closed_streams_lose_nothing(original: Path) -> None:
    bundle = original / "bundle"
    whole = shell('inspect "$1"', bundle)
    assert (whole.returncode, whole.stderr) == (0, "") and "llama" in whole.stdout
    silent = shell('inspect "$1" 2>&-', bundle)
    assert (silent.returncode, silent.stdout) == (0, whole.stdout)
    failed = shell('inspect "$1" 2>&-', original / "nowhere")
    assert (failed.returncode, failed.stdout) == (4, ""), "an error does not go to the output"
    nothing = shell('inspect "$1" >&-', bundle)
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")
    refused = shell('inspect "$1" >&- <&-', original / "nowhere")
    assert refused.returncode == 4
    one_line(refused.stderr, "BUNDLE", "nowhere")


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = "from satchel import streams; streams.prepare(); assert open('x', 'w').fileno() > 2"
    line = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(line, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "x").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_output_is_named(original: Path) -> None:
    for command in ('inspect "$1" > /dev/full', 'inspect "$1" --json > /dev/full'):
        found = shell(command, original / "bundle")
        assert found.returncode == 7
        one_line(found.stderr, "STORAGE", "standard output: No space left on device")


def test_a_reader_that_has_enough_is_no_error(original: Path) -> None:
    found = shell('inspect "$1" --json | head -c 1; exit 0', original / "bundle")
    assert (found.stdout, found.stderr) == ("{", "")


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes meanwhile: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path: Path) -> None:
    old, new, rows = tmp_path / "old.npy", tmp_path / "new.npy", np.ones((64, 64), np.float32)
    vectors.save(old, rows)
    assert np.array_equal(np.load(old), rows) and np.load(old).dtype == np.float32
    for path in (old, new):
        with (
            room(1024),
            pytest.raises(StorageError, match=f"cannot write '.*{path.name}': File too"),
        ):
            vectors.save(path, rows * 2, overwrite=True)
        with room(1024), pytest.raises(StorageError, match=path.name):
            writing.write_text(path, "x" * 4096)
    assert [path.name for path in tmp_path.iterdir()] == ["old.npy"]
    assert np.array_equal(np.load(old), rows)


def test_a_corpus_on_a_full_disk_goes_on_later(tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.npy"
    source.write_text("line\n" * 1200)

    def embed(texts: Any) -> Any:
        return np.arange(len(texts), dtype=np.float32)[:, None]

    with room(3000), pytest.raises(StorageError, match=r"cannot write '.*out\.npy\.part'"):
        vectors.embed_file(source, out, 1, embed, {})
    assert not out.exists()
    assert vectors.embed_file(source, out, 1, embed, {}) == (1200, 512)
    assert np.load(out)[:, 0].tolist() == [*range(512), *range(512), *range(176)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.npy"]


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    writing.write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    writing.write_text(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()


def test_a_library_that_does_not_load(
    original: Path, tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    (tmp_path / "broken_library.so").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)

    def broken(*arguments: Any) -> None:
        import broken_library  # type: ignore[import-not-found]  # noqa: F401

    def raising(error: Exception) -> Any:
        def call(*arguments: Any) -> None:
            raise error

        return call

    segment = "libx.so: failed to map segment from shared object"
    for call, code, status, words in (
        (broken, "STORAGE", 7, "a library does not load: "),
        (raising(ImportError(segment)), "OUT_OF_MEMORY", 6, "not enough memory to load a library"),
        (raising(OSError(segment)), "OUT_OF_MEMORY", 6, "failed to map segment"),
        (raising(ModuleNotFoundError("no", name="onnx")), "USAGE", 2, "onnx is not installed"),
    ):
        monkeypatch.setattr(bundles, "open_bundle", call)
        assert main(["inspect", str(original / "bundle")]) == status
        one_line(capfd.readouterr().err, code, words)


class Speaker:
    """A model that says what a terminal would obey."""

    manifest = SimpleNamespace(generation={})

    def __iter__(self) -> Iterator[str]:
        return iter(SENT)

    def require(self, method: str) -> None: ...

    def stream(self, *arguments: Any, **options: Any) -> Speaker:
        return self

    def chat_stream(self, *arguments: Any, **options: Any) -> Speaker:
        return self

    def transcribe_stream(self, *arguments: Any, **options: Any) -> Any:
        segment = Segment(0.0, 1.0, "".join(SENT), [1])

        class Heard(list[Segment]):
            result = Transcript(segment.text, None, 1.0, [segment])

        return Heard([segment])

    def cancel(self) -> None: ...

    @property
    def result(self) -> Any:
        return SimpleNamespace(tokens=[1], finish_reason="eos")


@pytest.mark.parametrize("terminal", [True, False])
def test_generated_control_characters(monkeypatch: Any, capsys: Any, terminal: bool) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    expected = SHOWN if terminal else "".join(SENT)
    for module in (cli_text, cli_speech):
        monkeypatch.setattr(module, "load", lambda options: Speaker())
    assert main(["generate", "x", "y"]) == 0
    assert capsys.readouterr().out == expected + "\n"
    conversation._answer(Speaker(), [], {})
    assert capsys.readouterr().out.startswith(expected + "\n")
    for extra in ([], ["--timestamps"]):
        assert main(["transcribe", "x", "y", *extra]) == 0
        assert capsys.readouterr().out.endswith(expected + "\n")
    assert main(["transcribe", "x", "y", "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["text"] == "".join(SENT)
    assert ("\x9b" in printed) is not terminal


def test_a_failed_check_says_its_figures(original: Path, monkeypatch: Any, capfd: Any) -> None:
    from satchel.runtime import verify

    rows = [Row("good", 0, 1), Row("logits", 0.21, 0.05)]
    monkeypatch.setattr(verify, "verify", lambda model: rows)
    assert main(["verify", str(original / "bundle")]) == 5
    errors = capfd.readouterr().err
    one_line(errors, "FIDELITY", "1 of 2 checks failed: logits 0.21, limit <= 0.05")
