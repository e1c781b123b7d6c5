"""Arguments that sentence-transformers has and satchel has not are refused by name. Knows no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from satchel.runtime.errors import UsageError, shown

RATHER = {  # argument -> what to do
    "modules": "open a bundle or a checkpoint",
    "trust_remote_code": "satchel never runs code from a checkpoint",
    "token": "the download reads HF_TOKEN from the environment",
    "model_kwargs": "what a bundle computes is chosen by profile=, and its kernels by kernels=",
    "processor_kwargs": "set max_seq_length of the model",
    "config_kwargs": "edit config.json of the checkpoint",
    "model_card_data": "satchel writes no model cards",
    "keep_in_fp32_modules": "profile='fp32' keeps all of it",
    "pool": "a model runs in one process; give it threads=",
    "chunk_size": "a model runs in one process; give it threads=",
    "processing_kwargs": "set max_seq_length of the model",
}
HARMLESS = ("task",)  # of a Router, which no bundle has


def refuse(where: str, given: Mapping[str, Any]) -> None:
    """Raise UsageError where one of these arguments was given, so that none is passed over."""
    for name, value in given.items():
        if value is None or value is False or (isinstance(value, dict) and not value):
            continue
        rather = f"; {RATHER[name]}" if name in RATHER else ""
        raise UsageError(f"{where}: {name} = {shown(value)} is not supported{rather}")


def refuse_unknown(where: str, given: Iterable[str]) -> None:
    """Raise UsageError where there is an argument that neither library has."""
    unknown = [name for name in given if name not in HARMLESS]
    if not unknown:
        return
    rather = f": {RATHER[unknown[0]]}" if unknown[0] in RATHER else ""
    raise UsageError(f"{where}: argument {shown(unknown[0])} is not supported{rather}")


def check_device(where: str, device: Any) -> None:
    """Raise UsageError for any device but the processor."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise UsageError(f"{where}: device = {shown(device)} is not supported; expected 'cpu'")


def check_count(name: str, value: Any) -> None:
    """Raise UsageError unless `value` is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UsageError(f"{name} must be a positive integer, got {shown(value)}")


def one_given(where: str, inputs: Any, others: dict[str, Any]) -> Any:
    """What is to be read, which may go by its older name, `sentences`."""
    older = others.pop("sentences", None)
    refuse_unknown(where, others)
    if inputs is None and older is None:
        raise UsageError(f"{where}: inputs are missing")
    return older if inputs is None else inputs
