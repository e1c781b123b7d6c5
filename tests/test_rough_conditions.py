"""What a program may meet beside its files: closed streams, full disks, threads, odd terminals."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel import progress
from satchel.cli import terminal
from satchel.cli.main import main
from satchel.runtime.errors import SatchelError, StorageError, UsageError
from satchel.runtime.task import TaskError
from tests.outcome import one_line, refused

pytest_plugins = "tests.places"

SCRIPT = [sys.executable, "-m", "satchel"]


@pytest.fixture(scope="module")
def model(original: Path) -> Any:
    return satchel.load(original / "bundle", threads=1)


def test_methods_of_other_tasks_are_not_there(model: Any) -> None:
    for name in ("embed", "classify", "transcribe", "translate"):
        assert not hasattr(model, name) and name not in dir(model)
    for name in ("generate", "chat", "score"):
        assert hasattr(model, name) and name in dir(model)
    with pytest.raises(TaskError, match="embed does not fit a bundle made for 'generate'; use gen"):
        model.embed(["x"])


def test_the_command_line_names_verbs(bundle: Path, capfd: Any) -> None:
    words = ("the bundle was made for 'generate'", "use satchel generate or satchel chat")
    for arguments in (["embed", bundle, "x"], ["transcribe", bundle, "x.wav"]):
        refused(capfd, arguments, "WRONG_TASK", *words, within=bundle)


def test_reprs(model: Any) -> None:
    assert repr(model).startswith("<DecoderModel llama, generate, fp32, ")
    stream = model.stream([1, 2], max_new_tokens=2)
    assert repr(stream) == "<Stream 0 tokens, unfinished>"
    list(stream)
    assert repr(stream).startswith("<Stream 2 tokens, ")


def test_a_model_is_neither_pickled_nor_copied(model: Any) -> None:
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(UsageError, match="load its bundle"):
            way(model)


def test_threads_have_a_limit(bundle: Path, capfd: Any) -> None:
    most = max(32, 4 * (os.cpu_count() or 1))
    words = f"threads = 10000; expected 1 to {most}"
    refused(capfd, ["generate", bundle, "x", "--threads", 10000], "USAGE", words, within=bundle)


@pytest.mark.parametrize("value", [-1, -7])
def test_a_negative_bound_is_named(value: int, model: Any) -> None:
    with pytest.raises(UsageError, match=f"max_new_tokens = {value}; expected 0 or more"):
        model.generate([1], max_new_tokens=value)


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    kept = tmp_path / "figures.json"
    kept.write_text("before")

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"figures\.json': No space left"):
        terminal.write_whole(kept, "after")
    assert kept.read_text() == "before" and list(tmp_path.iterdir()) == [kept]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_standard_output_is_named(bundle: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [*SCRIPT, "inspect", str(bundle), "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode not in (0, 1)
    one_line(done.stderr, "STORAGE", "standard output", "No space left")


def test_a_library_that_does_not_load(bundle: Path, monkeypatch: Any, capfd: Any) -> None:
    def short(*arguments: Any) -> None:
        raise ImportError("libx.so: failed to map segment from shared object", name="onnxruntime")

    monkeypatch.setattr("satchel.cli.main.open_closed_streams", lambda: None)
    monkeypatch.setattr("satchel.runtime.bundle.open_bundle", short)
    words = ("cannot load 'onnxruntime'", "failed to map segment")
    refused(capfd, ["inspect", bundle], "STORAGE", *words, within=bundle)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "2>&- >&-"])
def test_closed_streams(closed: str, bundle: Path) -> None:
    for verb, status in ((f"generate {bundle} hi --max-new-tokens 2", 0), (f"embed {bundle} x", 2)):
        command = f"{sys.executable} -m satchel {verb} {closed}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        if "2>&-" in closed and status:
            assert done.stdout == ""


def on_terminal(code: str) -> str:
    """What a Python program writes to a terminal of unknown size."""
    reading, writing = pty.openpty()
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=writing, stderr=writing, stdin=writing)
    os.close(writing)
    found = b""
    while select.select([reading], [], [], 60)[0]:
        try:
            found += os.read(reading, 65536)
        except OSError:  # the other end is closed
            break
    process.wait()
    os.close(reading)
    return found.decode()


def test_bars_of_a_terminal_of_unknown_width() -> None:
    code = "from satchel.progress import bars\nfor _ in bars('reading')(range(3)): pass"
    found = on_terminal(code)
    assert "reading" in found and "3/3" in found
    assert progress.USUAL_WIDTH == 80 and max(map(len, found.split("\r"))) <= 81


def test_controls_do_not_reach_a_terminal() -> None:
    text = "a\x1b]0;title\x07b\u202ec\n\tü世🎒 \u200dd"
    code = f"from satchel.cli.terminal import readable\nprint(readable({text!r}))"
    assert on_terminal(code).replace("\r\n", "\n") == (
        "a\\x1b]0;title\\x07b\\u202ec\n\tü世🎒 \u200dd\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == text + "\n"  # a pipe gets it as it is


def test_the_package_lists_what_it_has() -> None:
    assert {"load", "pack", "Cancel", "SatchelError"} <= set(dir(satchel))


def test_a_failed_check_says_its_figures(
    original: Path, tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("satchel.export.check.tolerance", lambda logits: 0.0)
    with pytest.raises(SatchelError, match=r"graph against reference [\d.e-]+, limit <= 0"):
        satchel.pack(original / "checkpoint", tmp_path / "new", profile="fp32")
    assert main(["verify", str(original / "bundle")]) == 0


def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    terminal.write_whole(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    terminal.write_whole(tmp_path / "pipe", "sent")
    assert os.read(reading, 9) == b"sent" and (tmp_path / "pipe").is_fifo()
    os.close(reading)


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = "from satchel.cli.terminal import open_closed_streams as prepare; prepare(); "
    code += "assert open('x', 'w').fileno() > 2"
    line = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(line, cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("threads", [True, 1.5, "2", 10**30])
def test_threads_are_a_whole_number(threads: Any, bundle: Path) -> None:
    with pytest.raises(UsageError, match="expected 1 to"):
        satchel.load(bundle, threads=threads)


def test_a_library_loaded_by_its_path(bundle: Path, monkeypatch: Any, capfd: Any) -> None:
    def broken(*arguments: Any) -> None:
        raise OSError("libx.so: failed to map segment from shared object")

    monkeypatch.setattr("satchel.runtime.bundle.open_bundle", broken)
    assert main(["inspect", str(bundle)]) == 7
    assert "cannot load a library: libx.so: failed to map" in capfd.readouterr().err
