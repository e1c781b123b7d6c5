"""Who is measured on encoder-decoders: satchel, and each peer in its own environment. Takes no time
itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seq2seq_models
import shares
from environment import OFFLINE, REQUIREMENTS, ROOT, TEXT, WORKERS, Home
from interleave import Entrant, WorkerError
from variants import variants

from satchel.runtime.bundle import open_bundle

COMPUTE_TYPE = "int8"
ROOMS = ("models", "export", "quantize", "src/satchel")  # what a bundle depends on


@dataclass
class Seq2seqEntrant(Entrant):
    """An engine, and what it makes of the inputs that the float32 checkpoint has read too."""

    distance: float | None = None  # of log-probabilities, mean absolute difference in nats
    found: list[list[int]] = field(default_factory=list)  # greedy, and the best of some beams


@dataclass(frozen=True)
class Settings:
    """What all entrants are given alike, for one model."""

    home: Home
    model: str
    threads: int
    checkpoint: Path
    work: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, home: Home, model: str, threads: int) -> Settings:
        """Make the checkpoint, if need be, where transformers of this environment can."""
        script = Path(seq2seq_models.__file__)
        checkpoint = home.made(
            model, [script], lambda to: home.run([sys.executable, str(script), model, str(to)])
        )
        work = json.loads((checkpoint / "work.json").read_text("utf-8"))
        return cls(home, model, threads, checkpoint, work)

    def command(self, python: str, worker: str, model: Path) -> list[str]:
        """What starts a worker."""
        work = ["--work", str(self.checkpoint / "work.json"), "--threads", str(self.threads)]
        return [python, str(WORKERS / worker), str(model), *work]


def satchel(settings: Settings) -> list[Seq2seqEntrant]:
    """The checkpoint as int8, exported by satchel as it is now and run by this Python on either
    kernels."""
    sources = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]

    def export(target: Path) -> None:
        # Random weights need not pass what trained ones must: the report says how close they are.
        how = ["--force", str(settings.checkpoint), str(target / "bundle")]
        settings.home.run([sys.executable, "-m", "satchel", "export", *how])

    made = _made(settings, "satchel", [*sources, TEXT], export)
    bundle = open_bundle(made / "bundle")
    command = settings.command(sys.executable, "satchel_seq2seq_worker.py", bundle.folder)
    work = shares.of_bundle(bundle)
    return [
        Seq2seqEntrant(name, [*command, *how], bundle.size, **work)
        for name, how in variants().items()
    ]


def ctranslate2(settings: Settings) -> Seq2seqEntrant:
    """The checkpoint as its own converter makes it."""
    python = settings.home.python("ctranslate2")
    converter = str(Path(python).with_name("ct2-transformers-converter"))

    def convert(target: Path) -> None:
        how = ["--model", str(settings.checkpoint), "--output_dir", str(target / "model")]
        settings.home.run([converter, *how, "--quantization", COMPUTE_TYPE], OFFLINE)

    requirements = REQUIREMENTS / "ctranslate2.txt"
    folder = _made(settings, "ctranslate2", [requirements], convert) / "model"
    command = settings.command(python, "ctranslate2_worker.py", folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    command += ["--compute-type", COMPUTE_TYPE]
    return Seq2seqEntrant(f"CTranslate2 {COMPUTE_TYPE}", command, size)


PEERS: dict[str, Callable[[Settings], Seq2seqEntrant]] = {"ctranslate2": ctranslate2}


def prepared(peer: str, settings: Settings) -> Seq2seqEntrant:
    """One of PEERS, or why it could not be made ready."""
    try:
        return PEERS[peer](settings)
    except (WorkerError, OSError) as error:
        return Seq2seqEntrant(peer, failure=str(error))


def _made(
    settings: Settings, by: str, origins: Iterable[Path], make: Callable[[Path], object]
) -> Path:
    weights = [settings.checkpoint / "model.safetensors", settings.checkpoint / "config.json"]
    return settings.home.made(f"{settings.model}-{by}", [*weights, *origins], make)
