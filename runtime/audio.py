"""A waveform becomes what a graph hears, as the manifest's `audio` says: numpy alone. Knows no model and
no file."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from satchel.runtime.errors import BundleError, shown

Samples = NDArray[np.float32]
Features = NDArray[np.float32]

BLOCK = 256  # frames transformed at once: their numbers stay in the processor's cache
FLOOR = 1e-10  # of a band's energy, before the logarithm
RANGE = 8.0  # decades below the loudest band that are kept apart
HIGHEST_PITCH = 8000.0  # Hz, of the topmost band
LINEAR_BELOW, LINEAR_BANDS = (
    1000.0,
    15.0,
)  # Slaney's scale is linear up to 1000 Hz, which are 15 mels
LOG_STEP = 27.0 / np.log(6.4)  # and logarithmic above
LIMITS = {  # field -> least and largest value that make sense
    "sampling_rate": (int(2 * HIGHEST_PITCH), 384_000),
    "mels": (1, 512),
    "n_fft": (16, 1 << 14),
    "hop_length": (1, 1 << 14),
    "seconds": (1, 300),
}
WAVE_LIMITS = {
    "sampling_rate": (1_000, 384_000),
    "stride": (1, 1 << 16),
    "field": (1, 1 << 20),
    "window": (2, 1 << 16),
    "overlap": (0, 1 << 15),
}
LEAST_VARIANCE = 1e-7
QUIET_SECONDS = 0.1  # that a sound is cut in the middle of
WAVE_SECONDS = (2.0, 1.0, 3.3, 0.5)


class Form:
    """What the manifest's `audio` holds: the fields of a class."""

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote; BundleError says what is wrong with it."""
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if set(raw) != names:
            raise BundleError(f"manifest.json: audio has {shown(sorted(raw))}, not {sorted(names)}")
        form = cls(**raw)
        if problem := form.problem():
            raise BundleError(f"manifest.json: audio: {problem}")
        return form

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def problem(self) -> str | None:
        """What makes no sense about the values, if anything."""
        raise NotImplementedError


@dataclass(frozen=True)
class AudioFormat(Form):
    """The log-mel spectrogram of Whisper (Radford et al., 2022).

    Windows of `n_fft` samples every `hop_length`, their energies in `mels` bands of Slaney's scale,
    log10 cut `RANGE` decades below the loudest, then ``(x + 4) / 4``. The model hears `seconds` at once.
    """

    sampling_rate: int
    mels: int
    n_fft: int
    hop_length: int
    seconds: int

    def problem(self) -> str | None:
        """What makes no sense about the values, if anything."""
        if problem := outside(self, LIMITS):
            return problem
        if self.n_fft % 2 or self.hop_length > self.n_fft:
            return f"n_fft = {self.n_fft}; expected an even number from hop_length"
        if not _mel_filters(self).any(axis=0).all():
            return f"mels = {self.mels} are too many for n_fft = {self.n_fft}: some would be empty"
        return None

    @property
    def window_samples(self) -> int:
        """Samples of what the model hears at once."""
        return self.seconds * self.sampling_rate

    @property
    def window_frames(self) -> int:
        """Frames of what the model hears at once."""
        return self.window_samples // self.hop_length

    def heard(self, samples: Samples) -> Features:
        """What the model hears of a window at most."""
        return self.log_mel(samples)

    def log_mel(self, samples: Samples, silence: int = 0) -> Features:
        """float32 [mels, frames] of a mono waveform [samples] at `sampling_rate`.

        So many samples of `silence` follow, or as many as fill `window_samples`. The loudest band is
        that of the whole waveform, also where it is longer than a window.
        """
        count = max(len(samples) + silence, self.window_samples)
        padded, sounding = self._padded(samples, count)
        every = sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        frames = every[: count // self.hop_length]
        features = np.full((self.mels, len(frames)), np.log10(FLOOR), np.float32)
        taper, filters = np.hanning(self.n_fft + 1)[:-1], _mel_filters(self)
        for start in range(0, sounding, BLOCK):
            # In float64: what lies near the cut is 1e-8 of the loudest, too little for float32.
            spectrum = np.fft.rfft(frames[start : start + BLOCK] * taper)
            energies = (spectrum.real**2 + spectrum.imag**2) @ filters  # [block, mels]
            features[:, start : start + BLOCK] = np.log10(np.maximum(energies, FLOOR)).T
        np.maximum(features, features.max() - np.float32(RANGE), out=features)
        features += 4
        features /= 4
        return features

    def _padded(self, samples: Samples, count: int) -> tuple[Samples, int]:
        """`count` samples, silent at the end, with half an `n_fft` reflected on either side; and how
        many frames are not all 0."""
        half = self.n_fft // 2
        padded = np.zeros(count + 2 * half, np.float32)
        padded[half : half + len(samples)] = samples
        padded[:half] = padded[2 * half : half : -1]
        padded[-half:] = padded[-half - 2 : -2 * half - 2 : -1]
        end = half + len(samples) if len(samples) < count - half else len(padded)
        return padded, min(count // self.hop_length, -(-end // self.hop_length))


class Windowed(Form):
    """A format whose frames are read in windows, where there are more than one takes."""

    sampling_rate: int
    window: int  # frames that are read at once
    overlap: int  # frames at either end of a window that only lend their neighbours what they hear
    tidied: bool  # text has no spaces before punctuation

    def windows_problem(self) -> str | None:
        """What makes no sense about the fields of this class."""
        if type(self.tidied) is not bool:
            return f"tidied = {shown(self.tidied)}; expected true or false"
        if 2 * self.overlap >= self.window:
            return f"overlap = {self.overlap} leaves nothing of a window of {self.window}"
        return None

    def windows(self, frames: int) -> Iterator[tuple[int, int, int]]:
        """(first frame of a window, first that is kept of it, end of those), in order.

        Every frame is kept once, with `overlap` frames on either side that are not the sound's ends.
        """
        kept = 0
        while kept < frames:
            first = max(0, min(kept - self.overlap, frames - self.window))
            last = first + self.window >= frames
            end = frames if last else first + self.window - self.overlap
            yield first, kept, end
            kept = end

    def parts(self, frames: int) -> list[tuple[int, int]]:
        """First frame and end of parts that follow one another, as few and as equal as can be."""
        count = -(-frames // self.window)
        ends = [frames * index // count for index in range(count + 1)]
        return list(itertools.pairwise(ends))


@dataclass(frozen=True)
class WaveFormat(Windowed):
    """Samples as they are, of which a graph makes frames: each of `field`, `stride` behind the last.

    What has more than `window` frames is read in pieces (`windows`, `parts`).
    """

    input_name: ClassVar[str] = "input_values"

    sampling_rate: int
    normalized: bool  # to a mean of 0 and a variance of 1, over the whole sound
    stride: int
    field: int
    window: int  # frames that are read at once
    overlap: int  # frames at either end of a window that only lend their neighbours what they hear
    tidied: bool  # text has no spaces before punctuation

    def problem(self) -> str | None:
        """What makes no sense about the values, if anything."""
        if problem := outside(self, WAVE_LIMITS):
            return problem
        if type(self.normalized) is not bool:
            return f"normalized = {shown(self.normalized)}; expected true or false"
        return self.windows_problem()

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return (self.window - 1) * self.stride + self.field

    def frames(self, samples: int) -> int:
        """Frames that a graph makes of so many samples."""
        return max(0, (samples - self.field) // self.stride + 1)

    def count(self, heard: Samples) -> int:
        """Frames that a graph makes of what it hears."""
        return self.frames(len(heard))

    def heard(self, samples: Samples) -> Samples:
        """Samples as the graph wants them."""
        if not self.normalized:
            return samples
        exact = samples.astype(np.float64)
        normal = (exact - exact.mean()) / np.sqrt(exact.var() + LEAST_VARIANCE)
        return normal.astype(np.float32)

    def cuts(self, samples: Samples) -> list[int]:
        """Where a sound is cut into windows, its ends among them: in the quietest place of the last third
        of each."""
        places, most = [0], self.window_samples
        quiet = max(1, int(QUIET_SECONDS * self.sampling_rate))
        while len(samples) - places[-1] > most:
            first = places[-1] + most - most // 3
            last = min(places[-1] + most, len(samples) - self.field)  # a rest that fills a frame
            part = samples[first - quiet // 2 : last + quiet // 2].astype(np.float64)
            energy = np.concatenate(([0.0], np.cumsum(part * part)))
            places.append(first + int(np.argmin(energy[quiet:] - energy[:-quiet])))
        return [*places, len(samples)]

    def piece(self, samples: Samples, first: int, end: int) -> Samples:
        """The samples of which the frames from `first` to before `end` are made.

        Behind the last frame the rest goes with it: a norm over time counts what fills no frame.
        """
        whole = end == self.frames(len(samples))
        stop = len(samples) if whole else (end - 1) * self.stride + self.field
        return samples[first * self.stride : stop]


def outside(form: object, limits: dict[str, tuple[int, int]]) -> str | None:
    """The first number of a format that is outside its limits, in words."""
    for name, (least, largest) in limits.items():
        value = getattr(form, name)
        if type(value) is not int or not least <= value <= largest:
            return f"{name} = {shown(value)}; expected {least}..{largest}"
    return None


def speech_format(raw: dict[str, Any]) -> AudioFormat | WaveFormat:
    """What a manifest's `audio` describes for a model that writes."""
    return WaveFormat.from_dict(raw) if "stride" in raw else AudioFormat.from_dict(raw)


def sample_sources(form: AudioFormat | WaveFormat, count: int) -> list[Features]:
    """What an encoder hears in checks: windows of tones or, where it hears samples, sounds of several
    lengths."""
    if isinstance(form, AudioFormat):
        return [form.heard(sound) for sound in sample_sounds(form, count)]
    least = form.field + 3 * form.stride
    return [form.heard(sound) for sound in sample_waves(form.sampling_rate, least, count)]


def sample_sounds(form: AudioFormat | WaveFormat, count: int) -> Iterator[Samples]:
    """Windows of tones, the same every time: what checks hear."""
    random = np.random.default_rng(0)
    for _ in range(count):
        yield _tones(random, form.window_samples, form.sampling_rate)


def sample_waves(rate: int, least: int, count: int) -> Iterator[Samples]:
    """Sounds of several lengths of so many samples at least, the same every time."""
    random = np.random.default_rng(0)
    for seconds in itertools.islice(itertools.cycle(WAVE_SECONDS), count):
        yield _tones(random, max(int(seconds * rate), least), rate)


def _tones(random: np.random.Generator, length: int, rate: int) -> Samples:
    """Tones that swell, fade and glide under noise."""
    time = np.arange(length) / rate
    sound = random.normal(0, 0.01, length)
    for pitch in random.uniform(100, 3000, 4):
        swell, glide = random.uniform(0.2, 3, 2)
        loudness = 0.15 * np.maximum(0, np.sin(2 * np.pi * swell * time))
        sound += loudness * np.sin(2 * np.pi * pitch * time + 20 * np.sin(glide * time))
    return sound.astype(np.float32)


@functools.lru_cache(4)
def _mel_filters(form: AudioFormat) -> NDArray[np.float64]:
    """Triangles of equal area over the frequencies of a spectrum, [n_fft / 2 + 1, mels]."""
    top = LINEAR_BANDS + LOG_STEP * np.log(HIGHEST_PITCH / LINEAR_BELOW)
    mels = np.linspace(0, top, form.mels + 2)
    corners = np.where(
        mels < LINEAR_BANDS,
        mels * LINEAR_BELOW / LINEAR_BANDS,
        LINEAR_BELOW * np.exp((mels - LINEAR_BANDS) / LOG_STEP),
    )
    pitches = np.linspace(0, form.sampling_rate // 2, form.n_fft // 2 + 1)[:, None]
    widths = np.diff(corners)
    rising = (pitches - corners[:-2]) / widths[:-1]
    falling = (corners[2:] - pitches) / widths[1:]
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    filters *= 2 / (corners[2:] - corners[:-2])
    return filters
