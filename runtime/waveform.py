"""Sound becomes a mono waveform at the rate a model wants. Knows no model.

Needs numpy alone for an array that has the rate already, else soundfile (libsndfile) for files and soxr
for other rates.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import LimitError, UsageError, install, shown

Samples = NDArray[np.float32]

FORMATS = ("FLAC", "MP3", "OGG", "WAV", "WAVEX")  # of libsndfile's
ESTIMATED = ("MP3", "OGG")  # do not say reliably how long they are meant to be
RATES = range(1_000, 768_001)  # samples per second that make sense
MOST_HOURS = 12
LOUDEST = 100.0  # samples lie between -1 and 1; a little above is only too loud
BLOCK = 1 << 20  # samples read at once, over all channels
OPEN_END = 0x7FFF0000  # a longer WAV was written to a pipe, before anybody knew its length


def read_waveform(sound: object, rate: int, sample_rate: int | None = None) -> Samples:
    """float32 [samples] at `rate` per second, the mean of all channels.

    `sound` is a path, the bytes of a file, or floats [samples] between -1 and 1 at `sample_rate`. Raises
    UsageError for no sound, one cut short, or samples not finite.
    """
    if isinstance(sound, np.ndarray):
        if sample_rate is None:
            raise UsageError("an array needs sample_rate, its samples per second")
        samples = _checked(_mono(sound), "the array")
        return _resampled(iter([samples]), _checked_rate(sample_rate, "the array"), rate)
    if sample_rate is not None:
        raise UsageError("sample_rate is for arrays; a file says its own")
    if isinstance(sound, bytes | bytearray | memoryview):
        return _read(io.BytesIO(sound), "the sound", rate)
    if not isinstance(sound, str | os.PathLike):
        raise UsageError(f"a {type(sound).__name__} is no sound: give a path, bytes or an array")
    if not Path(sound).is_file():
        raise UsageError(f"{shown(sound)} is not a file")
    with Path(sound).open("rb") as file:
        return _read(file, shown(sound), rate)


def _mono(array: NDArray[Any]) -> Samples:
    if array.ndim != 1 or array.dtype not in (np.float32, np.float64):
        raise UsageError(
            f"the array is {array.dtype} {list(array.shape)}; a waveform is float32 [samples] "
            "between -1 and 1"
        )
    return array.astype(np.float32)


def _read(file: BinaryIO, name: str, rate: int) -> Samples:
    """Decode and resample block by block, so that only the result lies in memory whole."""
    soundfile = _library("soundfile")
    if missing := _missing_bytes(file):
        raise UsageError(f"{name} is cut short: {missing} bytes of its samples are missing")
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as decoder:
            if decoder.format not in FORMATS:
                raise UsageError(f"{name} has format {decoder.format}; known: {', '.join(FORMATS)}")
            file_rate = _checked_rate(decoder.samplerate, name)
            if decoder.frames > MOST_HOURS * 3600 * file_rate:
                raise LimitError(f"{name} is longer than {MOST_HOURS} hours: split it")
            return _resampled(_blocks(decoder, name), file_rate, rate)
    except soundfile.SoundFileError as error:
        raise UsageError(
            f"cannot read {name}: damaged, or not one of {', '.join(FORMATS)}"
        ) from error
    except TypeError as error:  # a name that ends with .raw
        raise UsageError(
            f"{name} does not say what it holds; known: {', '.join(FORMATS)}"
        ) from error


def _blocks(decoder: Any, name: str) -> Iterator[Samples]:
    """The mean of the channels, in pieces."""
    left, size = decoder.frames, max(1, BLOCK // decoder.channels)
    while len(block := decoder.read(size, dtype="float32", always_2d=True)):
        left -= len(block)
        yield _checked(block.mean(axis=1), name)
    if left > 0 and decoder.format not in ESTIMATED:
        raise UsageError(f"{name} is cut short: {left} of its samples are missing")


def _missing_bytes(file: BinaryIO) -> int:
    """How many bytes a WAV file lacks of what its header promises; decoders read on as if nothing were.
    Raises nothing: what is no WAV file lacks none."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return 0
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            return max(0, size - (end - file.tell())) if size < OPEN_END else 0
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0


def _checked(samples: Samples, name: str) -> Samples:
    if not np.isfinite(samples).all():
        raise UsageError(f"{name} has a sample that is not a number")
    loudest = float(np.abs(samples).max(initial=0))
    if loudest > LOUDEST:
        raise UsageError(
            f"{name} has samples up to {loudest:.4g}; expected -1 to 1: divide 16-bit ones by 32768"
        )
    return samples


def _checked_rate(rate: object, name: str) -> int:
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate not in RATES:
        raise UsageError(
            f"{name} has {shown(rate)} samples per second; expected {RATES[0]}..{RATES[-1]}"
        )
    return int(rate)


def _resampled(blocks: Iterator[Samples], file_rate: int, wanted: int) -> Samples:
    """All blocks in one array at the rate `wanted`."""
    if file_rate != wanted:
        stream = _library("soxr").ResampleStream(file_rate, wanted, 1, dtype="float32")
        changed = (stream.resample_chunk(block) for block in blocks)
        pieces = [*changed, stream.resample_chunk(np.zeros(0, np.float32), last=True)]
    else:
        pieces = list(blocks)
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not len(samples):
        raise UsageError("the sound has no samples")
    return samples


def _library(name: str) -> Any:
    """soundfile or soxr."""
    try:
        if name == "soundfile":
            import soundfile

            return soundfile
        import soxr

        return soxr
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is not there
        what = "sound files" if name == "soundfile" else "sound at another rate"
        raise UsageError(f"reading {what} needs {name}: {install('audio')}") from error
