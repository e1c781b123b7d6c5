"""What tests of generation share: a prompt, ids, and a bundle with other ends of text."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

import satchel
from satchel.runtime.generation import TextModel
from tests.tiny import VOCAB

CONTEXT = 1100  # beyond a chunk of a prefill and four sizes of the cache
END, OTHER_END = 257, 300
PROMPT = [5, 77, 200, 3, 18]


def opened(folder: Path, ends: tuple[int, ...] = ()) -> Any:
    """A bundle that writes text, whichever its family, with other ends of text."""
    model = satchel.load(folder, threads=1)
    assert isinstance(model, TextModel)
    tokens = dataclasses.replace(model.manifest.tokens, eos=list(ends))
    model.manifest = dataclasses.replace(model.manifest, tokens=tokens)
    return model


def some_ids(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, length).tolist()


def readable(model: TextModel) -> dict[int, float]:
    """A bias that leaves the letters and a few signs."""
    letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?-+*"
    kept = set(model.encode(letters))
    return {token: float("-inf") for token in range(VOCAB) if token not in kept}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.tensor(logits, dtype=torch.float64).log_softmax(-1).numpy()
