"""Tiny SentencePiece models, trained on the shipped text, in folders as transformers lays them out."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.folder import load_folder
from satchel.measure.fidelity import shipped_text

FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}
T5 = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
FILES = {
    "Siglip": "spiece.model",
    "T5": "spiece.model",
    "Pegasus": "spiece.model",
    "Albert": "spiece.model",
    "BigBird": "spiece.model",
    "XLNet": "spiece.model",
    "Llama": "tokenizer.model",
    "Gemma": "tokenizer.model",
    "DebertaV2": "spm.model",
    "Marian": "source.spm",
}


@functools.cache
def _trained(settings: tuple[tuple[str, Any], ...]) -> bytes:
    options: dict[str, Any] = {key: list(v) if isinstance(v, tuple) else v for key, v in settings}
    lines = shipped_text().splitlines()
    half = options.pop("half", None)  # the text of one of two languages
    if half is not None:
        lines = lines[half::2]
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=buffer,
        minloglevel=2,
        num_threads=1,
        **{"vocab_size": 700, **options},
    )
    return buffer.getvalue()


def trained(**options: Any) -> bytes:
    """The bytes of a .model file; `options` are those of SentencePiece's trainer."""
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return _trained(tuple(sorted(plain.items())))


def pieces(model: bytes) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(index) for index in range(processor.get_piece_size())]


def write_folder(
    folder: Path,
    name: str,
    model: bytes,
    model_type: str,
    vocab_size: int = 2000,
    files: dict[str, Any] | None = None,
    **tokenizer_config: Any,
) -> Path:
    """A checkpoint of no use but for its tokenizer; `files` are further ones, JSON or bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    contents: dict[str, Any] = {
        "config.json": {"model_type": model_type, "vocab_size": vocab_size},
        "tokenizer_config.json": {"tokenizer_class": f"{name}Tokenizer", **tokenizer_config},
        FILES.get(name, "sentencepiece.bpe.model"): model,
        **(files or {}),
    }
    for file, content in contents.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / file).write_bytes(data)
    return folder


def read(folder: Path) -> Checkpoint:
    return load_folder(folder)
