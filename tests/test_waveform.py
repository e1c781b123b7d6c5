"""Sound files in: every kind and rate gives the same waveform, and one line for what is no sound."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from satchel.runtime import waveform
from satchel.runtime.errors import LimitError, UsageError
from satchel.runtime.waveform import FORMATS, read_waveform

RATE = 16_000
LOSSLESS = {  # format, subtype -> the step of its numbers
    ("WAV", "PCM_16"): 2**-15,
    ("WAV", "PCM_24"): 2**-23,
    ("WAV", "PCM_32"): 2**-24,
    ("WAV", "FLOAT"): 0,
    ("WAV", "DOUBLE"): 0,
    ("WAV", "PCM_U8"): 2**-7,
    ("WAVEX", "PCM_24"): 2**-23,
    ("FLAC", "PCM_16"): 2**-15,
    ("FLAC", "PCM_24"): 2**-23,
}


def tone(rate: int = RATE, seconds: float = 1.0, pitch: float = 440) -> np.ndarray:
    """A tone that swells and fades, so that nothing happens at the ends."""
    time = np.arange(int(rate * seconds)) / rate
    swell = np.sin(np.pi * time / seconds) ** 2
    return (0.5 * swell * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def file_of(
    samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, samples, rate, format=kind, subtype=subtype)
    return data.getvalue()


@pytest.mark.parametrize(("kind", "subtype"), LOSSLESS)
def test_every_kind_of_number_is_read(kind: str, subtype: str, tmp_path: Path) -> None:
    wanted = tone()
    data = file_of(wanted, kind=kind, subtype=subtype)
    (tmp_path / "sound of any näme").write_bytes(data)
    for source in (data, bytearray(data), tmp_path / "sound of any näme"):
        found = read_waveform(source, RATE)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1.01 * LOSSLESS[kind, subtype])


@pytest.mark.parametrize("kind", ["MP3", "OGG"])
def test_lossy_files_are_near(kind: str, tmp_path: Path) -> None:
    (tmp_path / "sound").write_bytes(file_of(tone(), kind=kind))
    found = read_waveform(str(tmp_path / "sound"), RATE)
    assert len(found) == RATE and np.abs(found - tone()).max() < 0.03


@pytest.mark.parametrize("kind", ["MP3", "OGG"])
def test_lossy_files_are_read_as_far_as_they_go(kind: str) -> None:
    """Neither says reliably how long it is meant to be."""
    data = file_of(tone(seconds=8), kind=kind)
    assert 0 < len(read_waveform(data[: len(data) * 9 // 10], RATE)) < 8 * RATE


def test_channels_are_averaged() -> None:
    left, right = tone(), tone(pitch=1000)
    stereo = file_of(np.stack([left, right], 1), subtype="FLOAT")
    np.testing.assert_allclose(read_waveform(stereo, RATE), (left + right) / 2, atol=1e-7)
    many = file_of(np.stack([left, *[0 * left] * 6, right], 1), subtype="FLOAT")
    np.testing.assert_allclose(read_waveform(many, RATE), (left + right) / 8, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 1000, 768000])
def test_every_rate_gives_the_same_waveform(rate: int, tmp_path: Path) -> None:
    pitch = 440 if rate > 1000 else 100
    source = tone(rate, 3, pitch)
    (tmp_path / "sound.wav").write_bytes(file_of(source, rate, subtype="FLOAT"))
    found = read_waveform(tmp_path / "sound.wav", RATE)
    wanted = tone(RATE, 3, pitch)
    assert abs(len(found) - len(wanted)) <= max(1, RATE // rate)
    shared = min(len(found), len(wanted))
    assert np.abs(found[:shared] - wanted[:shared]).max() < 1e-3
    np.testing.assert_array_equal(read_waveform(source, RATE, rate), found)


def test_reading_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.stack([tone(44100, 2), tone(44100, 2, 700)], 1)
    data = file_of(source, 44100, subtype="FLOAT")
    whole = read_waveform(data, RATE)
    monkeypatch.setattr(waveform, "BLOCK", 3000)
    np.testing.assert_array_equal(read_waveform(data, RATE), whole)
    wanted = soxr.resample(source.mean(1), 44100, RATE)
    np.testing.assert_allclose(whole, wanted, atol=1e-6)


def test_arrays_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("soundfile", "soxr"):
        monkeypatch.setitem(sys.modules, name, None)
    np.testing.assert_array_equal(read_waveform(tone(), RATE, RATE), tone())
    rate: Any = np.int64(RATE)
    found = read_waveform(tone().astype(np.float64), RATE, rate)
    assert found.dtype == np.float32
    with pytest.raises(UsageError, match=r"needs soxr: pip install 'satchel\[audio\]'"):
        read_waveform(tone(), RATE, 8000)
    with pytest.raises(UsageError, match=r"needs soundfile: pip install 'satchel\[audio\]'"):
        read_waveform(b"RIFF", RATE)


def test_an_array_is_not_changed() -> None:
    source = tone()
    read_waveform(source, RATE, RATE)[:] = 7
    np.testing.assert_array_equal(source, tone())


def header(**changes: int) -> bytes:
    """A WAV file of 100 samples, with another number in its header."""
    places = {"channels": ("<H", 22), "rate": ("<I", 24), "bits": ("<H", 34), "size": ("<I", 40)}
    data = bytearray(file_of(tone()[:100]))
    for name, value in changes.items():
        form, place = places[name]
        struct.pack_into(form, data, place, value)
    return bytes(data)


def test_a_wav_written_to_a_pipe_is_read() -> None:
    for size in (0xFFFFFFFF, 0x7FFFFFFF - 8, 0x7FFF0000):
        assert len(read_waveform(header(size=size), RATE)) == 100
    extra = header()
    extra = extra[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + extra[12:]
    assert len(read_waveform(extra, RATE)) == 100


NAN = np.where(np.arange(100) == 50, np.nan, 0.1).astype(np.float32)
LOUD = (tone() * 30_000).astype(np.float32)
DAMAGED: dict[str, tuple[object, str]] = {
    "empty": (b"", "damaged"),
    "text": (b"not a sound", "damaged"),
    "page": (b"<!doctype html><html></html>", "damaged"),
    "zeros": (bytes(1000), "damaged"),
    "AIFF": (file_of(tone(), kind="AIFF"), "format AIFF"),
    "no data": (file_of(tone())[:40], "damaged"),
    "only a start": (file_of(tone())[:20], "damaged"),
    "short WAV": (file_of(tone())[:3001], "cut short"),
    "short WAVEX": (file_of(tone(), kind="WAVEX")[:3000], "cut short"),
    "short FLAC": (file_of(tone(), kind="FLAC")[:3000], "damaged"),
    "header of OGG": (file_of(tone(), kind="OGG")[:60], "damaged"),
    "no samples": (file_of(tone()[:0]), "no samples"),
    "no channels": (header(channels=0), "damaged"),
    "endless channels": (header(channels=65535), "damaged"),
    "no rate": (header(rate=0), "damaged"),
    "low rate": (header(rate=10), "10 samples per second"),
    "high rate": (header(rate=2_000_000_000), "2000000000 samples per second"),
    "odd bits": (header(bits=77), "damaged"),
    "not a number": (file_of(NAN, subtype="FLOAT"), "not a number"),
    "infinite": (file_of(NAN * np.inf, subtype="DOUBLE"), "not a number"),
    "too loud": (file_of(LOUD, subtype="FLOAT"), "divide"),
    "nothing": (None, "NoneType"),
    "list": ([0.1, 0.2], "list"),
    "missing": ("no/such/sound.wav", "not a file"),
    "address": ("https://example.org/sound.wav", "not a file"),
    "folder": (Path("."), "not a file"),
    "no name": ("", "not a file"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_sound_is_refused_in_one_line(name: str, recwarn: Any, capfd: Any) -> None:
    sound, words = DAMAGED[name]
    with pytest.raises(UsageError, match=words) as raised:
        read_waveform(sound, RATE)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 250
    assert not recwarn.list and capfd.readouterr() == ("", "")


def test_a_file_named_raw_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sound.raw").write_bytes(bytes(1000))
    with pytest.raises(UsageError, match="does not say what it holds"):
        read_waveform(tmp_path / "sound.raw", RATE)


ARRAYS: dict[str, tuple[np.ndarray, object, str]] = {
    "no rate": (tone(), None, "sample_rate"),
    "no samples": (tone()[:0], RATE, "no samples"),
    "stereo": (np.zeros((2, 100), np.float32), RATE, "float32 [2, 100]"),
    "16 bit": (np.zeros(100, np.int16), RATE, "int16 [100]"),
    "complex": (np.zeros(100, np.complex64), RATE, "complex64"),
    "not a number": (NAN, RATE, "not a number"),
    "too loud": (LOUD, RATE, "divide"),
    "rate 0": (tone(), 0, "0 samples"),
    "rate of a float": (tone(), 16000.0, "16000.0 samples"),
    "true rate": (tone(), True, "True samples"),
    "absurd rate": (tone(), 10**12, "samples per second"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_waveform_are_refused(name: str) -> None:
    array, rate, words = ARRAYS[name]
    with pytest.raises(UsageError) as raised:
        read_waveform(array, RATE, rate)  # type: ignore[arg-type]
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_says_its_own_rate() -> None:
    with pytest.raises(UsageError, match="sample_rate is for arrays"):
        read_waveform(header(), RATE, RATE)


def test_endless_recordings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform, "MOST_HOURS", 1 / 3600 / 2)
    for kind in FORMATS:
        with pytest.raises(LimitError, match="split it"):
            read_waveform(file_of(tone(), kind=kind), RATE)


def test_damage_anywhere_gives_a_waveform_or_one_line() -> None:
    """Bits that flip in a WAV or FLAC file, in the header most of all."""
    random = np.random.default_rng(0)
    for kind in ("WAV", "WAVEX", "FLAC"):
        good = file_of(np.stack([tone(22050, 0.1)] * 2, 1), 22050, kind)
        for attempt in range(150):
            data = bytearray(good)
            for place in random.integers(0, 100 if attempt % 2 else len(data), 1 + attempt % 4):
                data[place] = random.integers(0, 256)
            try:
                assert np.isfinite(read_waveform(bytes(data), RATE)).all()
            except (UsageError, LimitError) as error:
                assert "\n" not in str(error)
