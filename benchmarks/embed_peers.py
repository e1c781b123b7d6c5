"""Who is measured on embedding a corpus: satchel.sentence and the libraries people take for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import encoder_peers
from encoder_peers import EncoderEntrant, Settings
from environment import WORKERS, optimum_setting
from interleave import WorkerError
from variants import variants

from satchel.runtime.bundle import Bundle

EXPORTED, INT8 = "onnx/model.onnx", "onnx/model_int8.onnx"


def satchel(bundle: Bundle, settings: Settings) -> list[EncoderEntrant]:
    """A bundle through satchel.sentence, on either kernels."""
    worker = str(WORKERS / "satchel_sentence_worker.py")
    command = [sys.executable, worker, str(bundle.folder), *settings.common]
    return [
        EncoderEntrant(name, [*command, *how], bundle.size, library=[*command, *how])
        for name, how in variants().items()
    ]


def pytorch(settings: Settings, bundle: Bundle) -> EncoderEntrant:
    """sentence-transformers with PyTorch in float32, whose vectors the others' are held to."""
    return encoder_peers.pytorch(settings)


def fastembed(settings: Settings, bundle: Bundle) -> EncoderEntrant:
    """fastembed with the float32 graph of these weights, as its own models are."""
    return _fastembed("fastembed fp32", EXPORTED, settings, bundle)


def fastembed_int8(settings: Settings, bundle: Bundle) -> EncoderEntrant:
    """fastembed with optimum's dynamic int8 of the same graph."""
    return _fastembed("fastembed int8", INT8, settings, bundle)


PEERS: dict[str, Callable[[Settings, Bundle], EncoderEntrant]] = {
    "pytorch": pytorch,
    "fastembed": fastembed,
    "fastembed-int8": fastembed_int8,
}


def prepared(peer: str, settings: Settings, bundle: Bundle) -> EncoderEntrant:
    """One of PEERS, or why it could not be made ready."""
    try:
        return PEERS[peer](settings, bundle)
    except (WorkerError, OSError) as error:
        return EncoderEntrant(peer, failure=str(error))


def _fastembed(name: str, file: str, settings: Settings, bundle: Bundle) -> EncoderEntrant:
    home = settings.home
    python = home.python("fastembed")
    optimum = home.python("optimum-onnx")
    folder = encoder_peers.converted(optimum, "optimum-onnx", settings, [optimum_setting()])
    manifest = bundle.manifest
    text = manifest.text
    assert text is not None
    command = [
        python, str(WORKERS / "fastembed_worker.py"), str(folder), *settings.common, *settings.pooling,
        "--file", file, "--longest", str(text.max_length),
        "--size", str(manifest.graphs["encoder"].outputs[-1].axes[-1]),
    ]  # fmt: skip
    parts: list[Path] = [folder / file, folder / "tokenizer.json"]
    size = sum(part.stat().st_size for part in parts)
    return EncoderEntrant(name, command, size, library=command)
