"""Who is measured as a server: satchel, and llama.cpp's, which is built here. Takes no time itself."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from environment import REQUIREMENTS, WORKERS, Home
from interleave import Entrant, WorkerError
from variants import variants

from satchel.runtime.bundle import Bundle, sha256_of

SOURCES, TOOLS = (REQUIREMENTS / f"{name}.txt" for name in ("llama-cpp", "llama-server"))
PACKAGE = "llama-cpp-python"
PROGRAMS = ("llama-server", "llama-quantize")
KINDS = ("Q8_0", "Q4_K_M")  # of llama.cpp's weights
SLOTS, CONTEXT = 8, 1024  # texts at once, and llama.cpp's positions of each
NEVER = -100  # added to the logit of an id that ends a text
OFF = (  # a page for browsers, among others, which would be fetched from elsewhere
    "BUILD_SHARED_LIBS",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_UI",
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
    "LLAMA_USE_PREBUILT_UI",
)


@dataclass
class ServerEntrant(Entrant):
    """A server with one model that writes."""

    common: dict[str, Any] = field(default_factory=dict)  # fields of every request that writes
    engine: list[str] = field(default_factory=list)  # the worker of the same model, of satchel's


def satchel(
    writer: Bundle, embedder: Bundle, gguf: Path, ids: Path, threads: int
) -> list[ServerEntrant]:
    """The bundles behind `satchel serve`, on either kernels."""
    counts = ["--threads", str(threads)]
    serve = [sys.executable, "-m", "satchel", "serve", str(writer.folder), str(embedder.folder)]
    worker = [sys.executable, str(WORKERS / "satchel_worker.py"), str(writer.folder)]
    common = {
        "model": writer.folder.resolve().name,
        "logit_bias": {str(end): NEVER for end in writer.manifest.tokens.eos},
    }
    same = writer.manifest.source.sha256 == sha256_of(gguf)
    note = None if same else f"It was not made from {gguf.name}: its weights differ."
    return [
        ServerEntrant(
            name,
            [*serve, "--slots", str(SLOTS), *counts, *how],
            writer.size,
            note,
            common=common,
            engine=[*worker, "--ids", str(ids), *counts, *how],
        )
        for name, how in variants().items()
    ]


def llama_cpp(home: Home, gguf: Path, kind: str, threads: int) -> ServerEntrant:
    """The weights requantised; what it could save for prompts that come again stays off."""
    name = f"llama.cpp {kind}"
    try:
        folder = programs(home)
        file = requantised(home, folder, gguf, kind)
    except (WorkerError, OSError) as error:
        return ServerEntrant(name, failure=str(error))
    options = ["--host", "127.0.0.1", "--offline", "--no-ui", "--cache-ram", "0"]
    options += ["--parallel", str(SLOTS), "--ctx-size", str(SLOTS * CONTEXT)]
    options += ["--threads", str(threads), "--threads-batch", str(threads)]
    command = [str(folder / PROGRAMS[0]), "--model", str(file), *options]
    versions = dict([_package().split("==")])
    common = {"model": kind, "ignore_eos": True}
    return ServerEntrant(name, command, file.stat().st_size, versions=versions, common=common)


def requantised(home: Home, folder: Path, gguf: Path, kind: str) -> Path:
    """The weights in another precision."""

    def make(to: Path) -> None:
        how = [str(folder / PROGRAMS[1]), "--allow-requantize"]
        home.run([*how, str(gguf), str(to / "model.gguf"), kind])

    return home.made(f"llama-server-{kind}", [gguf, SOURCES], make) / "model.gguf"


def programs(home: Home) -> Path:
    """The folder of PROGRAMS, built once for this processor."""
    return home.made(PROGRAMS[0], [SOURCES, TOOLS], partial(_build, home))


def _build(home: Home, to: Path) -> None:
    """From the sources of llama.cpp that its Python package carries."""
    python, work = home.python(TOOLS.stem), to / "work"
    how = ["--quiet", "--no-deps", "--no-binary", PACKAGE, "--dest", str(work)]
    home.run([python, "-m", "pip", "download", *how, _package()])
    [archive] = work.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(work, filter="data")
    [sources] = work.glob("*/vendor/llama.cpp")
    cmake, ninja = (str(Path(python).with_name(name)) for name in ("cmake", "ninja"))
    build = work / "build"
    options = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DCMAKE_BUILD_TYPE=Release"]
    options += ["-DGGML_NATIVE=ON", *(f"-D{name}=OFF" for name in OFF)]
    home.run([cmake, "-S", str(sources), "-B", str(build), *options])
    cores = str(len(os.sched_getaffinity(0)))
    home.run([cmake, "--build", str(build), "--parallel", cores, "--target", *PROGRAMS])
    for name in PROGRAMS:
        shutil.move(build / "bin" / name, to / name)
    shutil.rmtree(work)


def _package() -> str:
    """The package and its version, as pip is told."""
    lines = SOURCES.read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(PACKAGE))
