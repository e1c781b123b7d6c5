"""Measure a bundle: load time, speed, memory, size.

A decoder's speed is that of prefill and decode, an encoder's that of batches of some sizes, an
encoder-decoder model's that of reading sources, or hearing a window, and writing targets.
Every repeat is a process of its own, so that load time and peak memory are those of a fresh start.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from satchel.runtime.audio import sample_sounds
from satchel.runtime.bundle import open_bundle
from satchel.runtime.errors import SatchelError, UsageError

PROMPT, DECODE = 128, 64
LENGTHS = (16, 128, 512)
SOURCE, SOURCES = 64, (1, 8)  # tokens of a source, and how many at once
BATCHES = ((1, 16), (1, 128), (8, 128), (1, 512))  # texts x tokens, for encoders
IMAGE_BATCHES = (1, 4)
ROUNDS = 5  # of an encoder's batch in one process
UNITS = {
    "seconds": "s",
    "texts_per_second": "texts/s",
    "images_per_second": "images/s",
    "per_second": "tok/s",
    "megabytes": "MB",
}


def measure(folder: str | Path, threads: int | None, repeats: int) -> dict[str, Any]:
    """Figures of `repeats` fresh processes, each figure as median, min and max."""
    if repeats < 1:
        raise UsageError(f"--repeats {repeats}; expected at least 1")
    bundle = open_bundle(folder)
    runs = [_in_process(folder, threads) for _ in range(repeats)]
    names = [name for name in runs[0] if isinstance(runs[0][name], float)]
    figures = {name: _spread([run[name] for run in runs]) for name in names}
    figures["file_megabytes"] = _spread([bundle.size / 1e6])
    return {
        "bundle": bundle.manifest.source.name,
        "architecture": bundle.manifest.architecture,
        "profile": bundle.manifest.quantization.get("name"),
        "repeats": repeats,
        "threads": runs[0]["threads"],
        "onnxruntime": runs[0]["onnxruntime"],
        "processor": _processor(),
        "figures": figures,
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of a table: figure with unit, median, min, max."""
    result = []
    for name, spread in figures["figures"].items():
        quantity, _, unit = name.partition("_")
        for suffix, short in UNITS.items():
            if name.endswith("_" + suffix):
                quantity, unit = name.removesuffix("_" + suffix).replace("_", " "), short
                break
        cells = [f"{spread[key]:.4g}" for key in ("median", "min", "max")]
        result.append((f"{quantity} ({unit})", *cells))
    return result


def _in_process(folder: str | Path, threads: int | None) -> dict[str, Any]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "satchel.measure.benchmark",
        str(folder),
        str(threads or 0),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SatchelError(f"the measuring process failed: {last}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _run(folder: str, threads: int | None) -> dict[str, Any]:
    """One repeat, in this process."""
    began = time.perf_counter()
    import onnxruntime

    import satchel.runtime

    model = satchel.runtime.load(folder, threads=threads)
    result: dict[str, Any] = {"load_seconds": time.perf_counter() - began}
    if model.manifest.family == "encoder":
        result |= _encoder(model)
        session = next(iter(model.encoders.values())).session
    else:
        crossing = model.manifest.family == "encoder-decoder"
        hears = model.manifest.speech is not None
        measure = _speech if hears else _seq2seq if crossing else _decoder
        result |= measure(model, began)
        session = model.decoder.session
    peak = _peak_megabytes()
    if peak is not None:
        result["peak_rss_megabytes"] = peak
    return result | {
        "threads": session.get_session_options().intra_op_num_threads,
        "onnxruntime": onnxruntime.__version__,
    }


def _decoder(model: Any, began: float) -> dict[str, float]:
    """Prefill and decode; `began` is when loading did."""
    decoder = model.decoder
    random = np.random.default_rng(0)
    ids = random.integers(0, decoder.vocab_size, max(LENGTHS)).tolist()
    decoder.start().append(ids[:16])
    result = {"load_to_first_token_seconds": time.perf_counter() - began}
    lengths = [length for length in LENGTHS if length < decoder.context]
    for length in lengths:
        run, start = decoder.start(), time.perf_counter()
        run.append(ids[:length])
        seconds = time.perf_counter() - start
        result[f"first_token_{length}_seconds"] = seconds
        result[f"prefill_{length}_per_second"] = length / seconds
    run = decoder.start()
    prompt, steps = min(PROMPT, decoder.context // 2), min(DECODE, decoder.context // 2)
    logits = run.append(ids[:prompt])
    result["decode_per_second"] = _steps(run, logits, steps)
    return result


def _seq2seq(model: Any, began: float) -> dict[str, float]:
    """Reading sources and writing targets, alone and in a batch; `began` is when loading did."""
    random, encoder = np.random.default_rng(0), model.encoder
    start = [model.manifest.seq2seq.start]
    length, steps = min(SOURCE, encoder.context), min(DECODE, model.decoder.context // 2)
    result: dict[str, float] = {}
    for count in SOURCES:
        sources = random.integers(0, encoder.vocab_size, (count, length)).tolist()
        run = model.decoder.reading(encoder(sources)).start(count)
        logits = run.prefill([start] * count)
        if not result:
            result["load_to_first_token_seconds"] = time.perf_counter() - began
        begun = time.perf_counter()
        encoder(sources)
        seconds = time.perf_counter() - begun
        result[f"source_{count}x{length}_seconds"] = seconds
        result[f"source_{count}x{length}_per_second"] = count * length / seconds
        result[f"decode_{count}_per_second"] = _steps(run, logits, steps)
    return result


def _speech(model: Any, began: float) -> dict[str, float]:
    """Hearing one window and writing; `began` is when loading did."""
    [sound] = sample_sounds(model.audio, 1)
    result: dict[str, float] = {}
    for _ in range(2):  # the second is warm
        begun = time.perf_counter()
        features = model.audio.log_mel(sound)
        heard = time.perf_counter()
        sources = model.encoder([features])
        read = time.perf_counter()
        run = model.decoder.reading(sources).start()
        logits = run.append([model.manifest.seq2seq.start])
        result.setdefault("load_to_first_token_seconds", time.perf_counter() - began)
        result["features_seconds"], result["window_seconds"] = heard - begun, read - heard
    steps = min(DECODE, model.decoder.context // 2)
    return result | {"decode_per_second": _steps(run, logits, steps)}


def _steps(run: Any, logits: Any, steps: int) -> float:
    """Greedy tokens per second, over all rows."""
    active = np.ones(len(logits), bool)
    start = time.perf_counter()
    for _ in range(steps):
        logits = run.step(logits.argmax(1), active)
    return float(steps * len(logits) / (time.perf_counter() - start))


def _encoder(model: Any) -> dict[str, float]:
    """Every batch size: seconds of one, and how many texts or images that makes a second."""
    result = {}
    for role, encoder in model.encoders.items():
        kind = "images" if "pixel_values" in encoder.input_names else "texts"
        for name, batch in batches(model, encoder).items():
            encoder(batch)
            start = time.perf_counter()
            for _ in range(ROUNDS):
                encoder(batch)
            seconds = (time.perf_counter() - start) / ROUNDS
            count = len(next(iter(batch.values())))
            result[f"{role}_{name}_seconds"] = seconds
            result[f"{role}_{name}_{kind}_per_second"] = count / seconds
    return result


def batches(model: Any, encoder: Any) -> dict[str, dict[str, Any]]:
    """What one of an encoder model's graphs is measured on: inputs by the name of their size."""
    if "pixel_values" in encoder.input_names:
        size = model.image_format.size
        return {
            f"{count}_images": {"pixel_values": np.zeros((count, 3, *size), np.float32)}
            for count in IMAGE_BATCHES
        }
    random, result = np.random.default_rng(0), {}
    for count, length in _text_batches(model.manifest):
        batch = {name: np.zeros((count, length), np.int64) for name in encoder.input_names}
        batch["input_ids"] = random.integers(0, encoder.vocab_size, (count, length))
        result[f"{count}x{length}"] = batch
    return result


def _text_batches(manifest: Any) -> list[tuple[int, int]]:
    if manifest.text.pad_to_context is not None:
        return [(count, manifest.context) for count in (1, 8)]
    fitting = [batch for batch in BATCHES if batch[1] <= manifest.context]
    return fitting or [(1, manifest.context)]


def _peak_megabytes() -> float | None:
    """Most memory this process has had resident, in 10**6 bytes; None where it cannot be told."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], int(sys.argv[2]) or None)))
