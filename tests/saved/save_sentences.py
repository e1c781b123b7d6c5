"""Save tiny sentence encoders and cross-encoders with the library that is installed, old or new.

As a script: ``python save_sentences.py CHECKPOINTS OUT < rows.json``; CHECKPOINTS holds a folder for
each model that a row is made of, as `save_with` writes them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import sentence_transformers
import torch
import transformers.utils.logging
from sentence_transformers import CrossEncoder, SentenceTransformer, models

transformers.utils.logging.disable_progress_bar()
OLDEST = int(sentence_transformers.__version__.split(".")[0]) < 4


def save(row: dict[str, Any], checkpoints: Path, folder: Path) -> None:
    """Write a row to `folder` by the library's own method."""
    torch.manual_seed(0)
    source = str(checkpoints / row["of"]) if "of" in row else ""
    if row["name"].startswith("cross"):
        save_cross_encoder(row, source, folder)
        return
    chain = [_module(name, options, source) for name, options in row["modules"]]
    model = SentenceTransformer(modules=chain, device="cpu", **row.get("options", {}))
    if "max_seq_length" in row:
        model.max_seq_length = row["max_seq_length"]
    model.save(str(folder))


def save_cross_encoder(row: dict[str, Any], source: str, folder: Path) -> None:
    options = dict(row.get("options", {}))
    if "activation" in row:
        key = "default_activation_function" if OLDEST else "activation_fn"
        options[key] = getattr(torch.nn, row["activation"])()
    CrossEncoder(source, device="cpu", **options).save(str(folder))


def _module(name: str, options: dict[str, Any], source: str) -> Any:
    if name == "Transformer":
        return models.Transformer(source, **options)
    if name == "StaticEmbedding":
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source)
        return models.StaticEmbedding(tokenizer.backend_tokenizer, **options)
    if "activation_function" in options:
        options = options | {
            "activation_function": getattr(torch.nn, options["activation_function"])()
        }
    return getattr(models, name)(**options)


if __name__ == "__main__":
    checkpoints, out = Path(sys.argv[1]), Path(sys.argv[2])
    failed = {}
    for wanted in json.load(sys.stdin):
        try:
            save(wanted, checkpoints, out / wanted["name"])
        except Exception as error:  # which row it was belongs in the message
            failed[wanted["name"]] = f"{type(error).__name__}: {error}"
    if failed:
        sys.exit("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
