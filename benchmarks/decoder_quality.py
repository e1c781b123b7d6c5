"""Hold each entrant's logits on windows of the shipped text to those of float32. Times nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from decoder_peers import REFERENCE, DecoderEntrant
from interleave import Worker, WorkerError

from satchel.measure.fidelity import WINDOW, WINDOWS, Logits, Sample, quality_of

OTHER_MODEL = 2.0  # a mean divergence, in nats, that no rounding of the same weights comes to


class Quality:
    """The windows, and where logits are put: those of the reference are kept until `forget`."""

    def __init__(self, folder: Path, ids: Sequence[int], windows: int) -> None:
        self.folder = folder
        starts = range(0, min(len(ids), WINDOW * min(windows, WINDOWS)), WINDOW)
        self.windows = [part for start in starts if len(part := ids[start : start + WINDOW]) > 1]

    def measure(self, entrant: DecoderEntrant, worker: Worker) -> None:
        """Give an entrant its figures. Raises WorkerError if it computes another model."""
        quality = quality_of(self._samples(worker, keep=entrant.name == REFERENCE))
        if not quality.mean_kl < OTHER_MODEL:
            raise WorkerError(f"a mean KL of {quality.mean_kl:.2f} from float32: another model")
        entrant.quality = dataclasses.asdict(quality)

    def forget(self) -> None:
        """Remove all files."""
        for file in self.folder.glob("logits-*.npy"):
            file.unlink()

    def _samples(self, worker: Worker, keep: bool) -> Iterator[Sample]:
        for number, ids in enumerate(self.windows):
            kept = self._file(str(number))
            file = kept if keep else self._file("theirs")
            worker.ask(start=number * WINDOW, length=len(ids), out=str(file))
            yield ids, np.load(kept), self._loaded(file, len(ids), np.load(kept, "r").shape)

    def _loaded(self, file: Path, length: int, shape: tuple[int, ...]) -> Logits:
        logits: Logits = np.load(file)
        if logits.shape != shape or len(logits) != length or not np.isfinite(logits).all():
            raise WorkerError(f"logits {logits.shape}, not all finite; expected {shape}")
        return logits

    def _file(self, name: str) -> Path:
        return self.folder / f"logits-{name}.npy"
