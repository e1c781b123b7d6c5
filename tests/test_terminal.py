"""satchel on a terminal: bars, Ctrl-C, signals. Needs the pseudo-terminals of Unix."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

import satchel
from satchel.progress import bars
from tests.tiny import edit_config

pytest_plugins = "tests.places"

SCRIPT = str(Path(sys.executable).with_name("satchel"))
LONG = 32768  # positions enough for an answer that a key press can interrupt
SECONDS = 60  # that a process may take; a machine under load is slow


@pytest.fixture(scope="module")
def long_bundle(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    shutil.copytree(original / "checkpoint", folder / "checkpoint")
    edit_config(folder / "checkpoint", max_position_embeddings=LONG)
    satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    return folder / "bundle"


class Terminal:
    """A process under a pseudo-terminal, whose screen grows in `seen`."""

    def __init__(self, *command: str) -> None:
        self.seen = ""
        self.process, self.screen = pty.fork()
        if not self.process:
            os.environ["TERM"] = "dumb"
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
            os.execv(command[0], command)

    def type(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def until(self, pattern: str, after: int = 0) -> int:
        """Wait for `pattern` on the screen beyond `after`; returns the place behind it."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.compile(pattern).search(self.seen, after)):
            assert time.monotonic() < deadline and self.read(), self.seen
        return found.end()

    def status(self) -> int:
        """The exit status; reads on, because a full screen would hold the process up."""
        while self.read():
            pass
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def read(self) -> bool:
        """Take in what is there, or wait a little; False when the process has closed its end."""
        if not select.select([self.screen], [], [], 1)[0]:
            return True
        try:
            self.seen += os.read(self.screen, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        return True


def test_ctrl_c_stops_the_answer_and_not_the_program(long_bundle: Path) -> None:
    terminal = Terminal(SCRIPT, "chat", str(long_bundle), "--max-new-tokens", str(LONG))
    ready = terminal.until("> ")
    assert "checking files" in terminal.seen, "a bar shows that hashing takes its time"
    terminal.type("hello\r")
    begun = terminal.until(r"hello\r\n[^\r]{20}", ready)
    terminal.type("\x03")
    stopped = terminal.until(r"\[(\d+) tokens, \d+/s, cancelled\]\r\n> ", begun)
    assert int(re.findall(r"\[(\d+) tokens", terminal.seen)[-1]) < LONG - 100
    terminal.type("half a line")
    echoed = terminal.until("half a line", stopped)
    time.sleep(
        0.2
    )  # a signal between the echo and the next wait for a key would come with that key
    terminal.type("\x03")
    cleared = terminal.until("\r\n> ", echoed)
    terminal.type("x" * 40 + "\r")  # the cache of the stopped answer is used again
    begun = terminal.until(r"x\r\n[\s\S]{20}", cleared)
    terminal.type("\x03")
    terminal.until(r"cancelled\]\r\n> ", begun)
    terminal.type("/quit\r")
    assert terminal.status() == 0
    assert "Traceback" not in terminal.seen


def test_a_message_too_long_does_not_end_the_conversation(original: Path) -> None:
    terminal = Terminal(SCRIPT, "chat", str(original / "bundle"), "--max-new-tokens", "3")
    place = terminal.until("> ")
    terminal.type("x" * 300 + "\r")
    place = terminal.until(r"error\[PROMPT_TOO_LONG\][^\r]*/reset starts over\r\n> ", place)
    terminal.type("hi\r")
    terminal.until(r"\[3 tokens, \d+/s, length\]\r\n> ", place)
    terminal.type("\x04")
    assert terminal.status() == 0


def test_ctrl_c_and_sigterm_end_generate(long_bundle: Path) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        command = [SCRIPT, "generate", str(long_bundle), "hi", "--max-new-tokens", str(LONG)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout and process.stdout.read(1)
        process.send_signal(number)
        _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (status, b"")


def test_bars_on_a_terminal(place: Path) -> None:
    out = place / "new"
    terminal = Terminal(SCRIPT, "export", str(place / "checkpoint"), str(out), "--profile", "fp32")
    assert terminal.status() == 0
    for name in ("loading weights", "tracing the graph", "writing the graph", "reading back"):
        assert re.search(rf"{name} *: 100%", terminal.seen)


def test_no_bars_without_tqdm(monkeypatch: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(bars("working")([1, 2])) == [1, 2]
