"""A config.json changed key by key: whether we then answer as transformers does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from satchel.checkpoints.config_keys import keys_read
from satchel.runtime.errors import SatchelError
from tests.answering import Answer, Subject
from tests.config_table import classified

ACTIVATIONS = ["relu", "gelu", "gelu_new", "silu"]
ELSEWHERE = {"architectures", "model_type", "id2label", "label2id", "num_labels", "problem_type"}
ODD: list[Any] = [True, False, 0, 1, 3, 0.5, "relu", [1], ["sliding_attention"] * 3, {"a": 1}]
ROPE: list[Any] = [
    {"rope_type": "linear", "factor": 2.0},
    {"type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": 4.0, "attention_factor": 0.5, "low_freq_factor": 3},
    {"rope_type": "default", "rope_theta": 500.0, "factor": 0.5, "mrope_section": [1, 2]},
    {"rope_type": "default", "partial_rotary_factor": 0.5},
    {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5},
    {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 10000.0,
    },
]


def alternatives(key: str, value: Any) -> Iterator[Any]:
    """Other values that `key` might have; `...` removes it."""
    yield ...
    yield None
    match value:
        case bool():
            yield not value
        case int() if "position" in key:  # fewer would not hold the text that is tried
            yield from (value + 1, value * 2, 0, -1)
        case int():
            yield from (value + 1, value * 2, value // 2, 0, -1)
        case float():
            yield from (value * 2 + 1, value / 4, 0.0, -1.0)
        case str():
            yield from (*ACTIVATIONS, "relative_key", "gated-silu", "mean", "x")
        case list():
            yield from (value[::-1], [], value + value)
        case _:
            yield from ODD
    if key in ("rope_parameters", "rope_scaling"):
        yield from ROPE


def changes(folder: Path) -> Iterator[dict[str, Any]]:
    """Every change of one key of a config.json, nested ones included, and of those that change nothing
    all at once."""
    config = json.loads((folder / "config.json").read_text())
    kind = config["model_type"]
    nothing = classified(kind)["nothing"] - ELSEWHERE
    for key in sorted((keys_read(kind) | config.keys()) - ELSEWHERE - nothing):
        value = config.get(key)
        if isinstance(value, Mapping) and key not in ("rope_parameters", "rope_scaling"):
            yield from ({key: dict(value) | change} for change in nested(value))
        else:
            yield from ({key: other} for other in alternatives(key, value) if other != value)
        if isinstance(value, Mapping) and key == "rope_parameters":  # by kind of layer, perhaps
            kinds = [part for part in value if isinstance(value[part], Mapping)]
            yield from ({key: dict(value) | {part: rope}} for part in kinds for rope in ROPE)
    for odd in ODD:
        yield {key: odd for key in sorted(nothing) if is_valid(config | {key: odd})}


def is_valid(config: dict[str, Any]) -> bool:
    """Whether transformers takes `config` for a configuration."""
    try:
        transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
    except Exception:
        return False
    return True


def nested(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, value in part.items():
        for other in alternatives(key, value):
            if other is not ... and other != value and key not in ELSEWHERE:
                yield {key: other}


def differences(
    subject: Subject, folder: Path, wanted: Iterator[dict[str, Any]]
) -> list[tuple[dict[str, Any], str]]:
    """The changes of config.json after which we answer otherwise than transformers, and how far."""
    path = folder / "config.json"
    before = path.read_text()
    found = []
    pending = list(wanted)
    while pending:
        change = pending.pop()
        config = json.loads(before) | change
        path.write_text(json.dumps({key: v for key, v in config.items() if v is not ...}))
        verdict = compared(subject, folder)
        if verdict is not None and len(change) > 1:
            entries = list(change.items())
            half = len(entries) // 2
            pending += [dict(entries[:half]), dict(entries[half:])]
        elif verdict:
            found.append((change, verdict))
    path.write_text(before)
    return found


def compared(subject: Subject, folder: Path) -> str | None:
    """None where both answer alike, "" where one refuses or fails, else how the answers differ."""
    try:
        ours = answer(subject.ours, folder)
    except SatchelError:
        return ""
    try:
        theirs = answer(subject.theirs, folder)
    except Exception:
        theirs = None
    if theirs is None or not theirs.isfinite().all():
        return ""
    if ours is None or ours.shape != theirs.shape:
        return "we fail" if ours is None else "shapes"
    gap, scale = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    return None if gap <= 2e-4 * max(scale, 1e-3) else f"{gap:.3g} of {scale:.3g}"


def answer(way: Answer, folder: Path) -> Tensor | None:
    """An answer, None where the inputs that are tried do not fit the model."""
    try:
        with torch.inference_mode():
            return way(folder)
    except (RuntimeError, ValueError):
        return None
