"""A waveform becomes the energies of bands of pitch, as Kaldi has them (Povey et al., 2011): numpy alone.
Knows no model and no file."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from satchel.runtime.audio import (
    BLOCK,
    Features,
    Samples,
    WaveFormat,
    Windowed,
    outside,
    sample_waves,
)

FRAME, HOP, SPECTRUM = 400, 160, 512  # samples of a frame, to the next, and of its transform
LOUD = 1 << 15  # samples are meant as 16-bit numbers
EMPHASIS = 0.97  # how much of a sample the next one loses
TAPER = 0.85  # power of Hann's window
LOWEST_PITCH = 20.0  # Hz, of the lowest band
FLOOR = float(np.finfo(np.float32).eps)  # of a band's energy, before the logarithm
LEAST_VARIANCE = 1e-7
LIMITS = {  # field -> least and largest value that make sense
    "sampling_rate": (1_000, 384_000),
    "mels": (1, 256),
    "stacked": (1, 16),
    "shrunk": (1, 256),
    "window": (2, 1 << 16),
    "overlap": (0, 1 << 15),
}


@dataclass(frozen=True)
class BankFormat(Windowed):
    """Logarithms of energies in `mels` bands, each band to a mean of 0 and a variance of 1 over the whole
    sound; `stacked` of them are a row, and a graph makes a frame of `shrunk` rows.

    A rest that fills no row is left out.
    """

    input_name: ClassVar[str] = "input_features"

    sampling_rate: int
    mels: int
    stacked: int
    shrunk: int
    window: int  # as in Windowed
    overlap: int
    tidied: bool

    def problem(self) -> str | None:
        """What makes no sense about the values, if anything."""
        if problem := outside(self, LIMITS):
            return problem
        if not _bands(self.sampling_rate, self.mels).any(axis=0).all():
            return f"mels = {self.mels} are too many at {self.sampling_rate} samples per second"
        return self.windows_problem()

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self.mels * self.stacked

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""
        return HOP * self.stacked * self.shrunk

    @property
    def field(self) -> int:
        """Samples that a sound has at least: of one row, and of a variance."""
        return FRAME + HOP * max(1, self.stacked - 1)

    def frames(self, samples: int) -> int:
        """Frames that a graph makes of so many samples."""
        energies = max(0, (samples - FRAME) // HOP + 1)
        return -(-(energies // self.stacked) // self.shrunk)

    def count(self, heard: Features) -> int:
        """Frames that a graph makes of what it hears."""
        return -(-len(heard) // self.shrunk)

    def heard(self, samples: Samples) -> Features:
        """float32 [rows, width] of a mono waveform [samples] at `sampling_rate`."""
        energies = self._log_energies(samples)
        energies -= energies.mean(axis=0)
        energies /= np.sqrt(energies.var(axis=0, ddof=1) + LEAST_VARIANCE)
        rows = len(energies) // self.stacked
        return energies[: rows * self.stacked].astype(np.float32).reshape(rows, self.width)

    def piece(self, heard: Features, first: int, end: int) -> Features:
        """The rows of which the frames from `first` to before `end` are made."""
        return heard[first * self.shrunk : end * self.shrunk]

    def _log_energies(self, samples: Samples) -> NDArray[np.float64]:
        """float64 [energies, mels]."""
        every = sliding_window_view(samples, FRAME)[::HOP]
        energies = np.empty((len(every), self.mels))
        taper, bands = np.hanning(FRAME) ** TAPER, _bands(self.sampling_rate, self.mels)
        for start in range(0, len(every), BLOCK):
            frames = every[start : start + BLOCK].astype(np.float64) * LOUD
            frames -= frames.mean(axis=1, keepdims=True)
            before = np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
            spectrum = np.fft.rfft((frames - EMPHASIS * before) * taper, SPECTRUM)
            found = (spectrum.real**2 + spectrum.imag**2) @ bands
            energies[start : start + BLOCK] = np.log(np.maximum(found, FLOOR)).astype(np.float32)
        return energies


Framed = WaveFormat | BankFormat  # what an encoder of sounds hears


def framed(raw: dict[str, Any]) -> Framed:
    """The format that a manifest's `audio` describes; BundleError says what is wrong with it."""
    return BankFormat.from_dict(raw) if "mels" in raw else WaveFormat.from_dict(raw)


def sample_frames(form: Framed, count: int) -> Iterator[NDArray[np.float32]]:
    """Sounds of several lengths, as a graph wants them, the same every time."""
    return map(form.heard, sample_waves(form.sampling_rate, form.field + 3 * form.stride, count))


@functools.lru_cache(4)
def _bands(rate: int, mels: int) -> NDArray[np.float64]:
    """Triangles over the mels of a spectrum's pitches, [SPECTRUM / 2 + 1, mels]."""

    def scale(pitch: Any) -> Any:
        return 1127.0 * np.log1p(pitch / 700.0)

    corners = np.linspace(scale(LOWEST_PITCH), scale(rate // 2), mels + 2)
    places = scale(np.arange(SPECTRUM // 2 + 1) * (rate / SPECTRUM))[:, None]
    widths = np.diff(corners)
    rising = (places - corners[:-2]) / widths[:-1]
    falling = (corners[2:] - places) / widths[1:]
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return triangles
