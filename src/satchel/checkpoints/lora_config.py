"""adapter_config.json of peft: which layers an adapter changes, and how much. Knows no tensor.

Every key is honoured, refused by name, or known to change nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satchel.checkpoints.files import regular
from satchel.checkpoints.name_patterns import matched
from satchel.checkpoints.strict_json import read_json
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

FILE = "adapter_config.json"
ALL_LINEAR = "all-linear"
READ = frozenset(
    [
        *(
            "r",
            "lora_alpha",
            "use_rslora",
            "rank_pattern",
            "alpha_pattern",
            "use_dora",
            "peft_type",
        ),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("bias", "init_lora_weights"),
    ]
)
# Training, bookkeeping, and what the tensors themselves say: whole weights (modules_to_save), their
# biases (lora_bias), and which way round a layer lies (fan_in_fan_out), which its class decides.
SILENT = frozenset(
    [
        *("auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "eva_config"),
        *("fan_in_fan_out", "inference_mode", "lora_bias", "lora_dropout", "megatron_core"),
        *("modules_to_save", "peft_version", "qalora_group_size", "revision", "runtime_config"),
        "task_type",
    ]
)
# The others of `init_lora_weights` change the weights that the adapter is added to.
STARTS = (True, False, "gaussian", "eva", "orthogonal")
BIASES = ("none", "all", "lora_only")
INDEX = re.compile(r".*?\.[^.]*\.(\d+)\.")  # the first number of a name, as peft has it
PLAIN = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class LoraConfig:
    """What is said of an adapter, for the modules whose names were given."""

    ranks: dict[str, int]
    scales: dict[str, float]  # what the product of the factors is multiplied with
    targets: frozenset[str]  # of those modules
    everything: bool  # "all-linear": the file says which
    directions: bool  # DoRA (Liu et al., 2024): lengths of rows are weights of their own
    base: str | None  # what the adapter was trained on, as its author calls it


def read_config(folder: Path, modules: Sequence[str]) -> LoraConfig:
    """That of a folder, about modules of the model by their names in it.

    Raises CheckpointError or UnsupportedError with the key and what is wrong with it.
    """
    path = regular(folder, FILE)
    if path is None:
        raise CheckpointError(f"{shown(folder)} has no {FILE}; expected a folder saved by peft")
    raw = read_json(path)
    _check_keys(raw)
    whole = raw.get("target_modules")
    patterns = _patterns(raw)
    found = matched(list(patterns.values()), modules, FILE)

    def of(key: str, module: str, usual: float) -> float:
        """What the first of the patterns under a key says of a module."""
        named = (value for name, value in raw.get(key, {}).items() if fits(key, name, module))
        return next(named, usual)

    def fits(key: str, name: str, module: str) -> bool:
        return module in found[patterns[key, name]]

    ranks = {module: int(of("rank_pattern", module, raw["r"])) for module in modules}
    alphas = {module: of("alpha_pattern", module, raw["lora_alpha"]) for module in modules}
    root = bool(raw.get("use_rslora"))
    everything = isinstance(whole, str) and whole.lower() == ALL_LINEAR
    targets = [
        module for module in modules if everything or _targeted(raw, module, patterns, found)
    ]
    base = raw.get("base_model_name_or_path")
    return LoraConfig(
        ranks,
        {m: alphas[m] / (math.sqrt(ranks[m]) if root else ranks[m]) for m in modules},
        frozenset(targets),
        everything,
        bool(raw.get("use_dora")),
        base if isinstance(base, str) and base else None,
    )


def _check_keys(raw: dict[str, Any]) -> None:
    """Every key is known, and says what can be done."""
    if raw.get("peft_type") != "LORA":
        raise UnsupportedError(f"{FILE}: peft_type {shown(raw.get('peft_type'))}; expected LORA")
    for key in raw.keys() - READ - SILENT:
        if raw[key] not in (None, False, [], {}, ""):
            raise UnsupportedError(f"{FILE}: {shown(key)} = {shown(raw[key])} is not supported")
    if raw.get("init_lora_weights", True) not in STARTS:
        raise UnsupportedError(
            f"{FILE}: init_lora_weights = {shown(raw['init_lora_weights'])} changes the weights that "
            "the adapter is added to; save it as plain LoRA "
            "(peft: save_pretrained with path_initial_model_for_weight_conversion)"
        )
    if raw.get("bias", "none") not in BIASES:
        raise _wrong("bias", raw["bias"], ", ".join(BIASES))
    if not _whole(raw.get("r")):
        raise _wrong("r", raw.get("r"), "a rank from 1")
    if not _number(raw.get("lora_alpha")):
        raise _wrong("lora_alpha", raw.get("lora_alpha"), "a number")
    for key, fits in (("rank_pattern", _whole), ("alpha_pattern", _number)):
        table = raw.get(key) or {}
        if not isinstance(table, dict) or not all(map(fits, table.values())):
            raise _wrong(key, table, "numbers by name")
        raw[key] = table
    _check_targets(raw)


def _check_targets(raw: dict[str, Any]) -> None:
    for key in ("target_modules", "exclude_modules"):
        given = raw.get(key)
        if given is None and key == "exclude_modules":
            continue
        if not isinstance(given, str) and not (
            isinstance(given, list) and all(isinstance(name, str) for name in given)
        ):
            raise _wrong(key, given, "names of modules or one regular expression")
    layers = raw.get("layers_to_transform")
    raw["layers_to_transform"] = layers = [layers] if _whole(layers, 0) else layers or []
    if not isinstance(layers, list) or not all(_whole(layer, 0) for layer in layers):
        raise _wrong("layers_to_transform", layers, "numbers of layers")
    names = raw.get("layers_pattern")
    raw["layers_pattern"] = names = [names] if isinstance(names, str) and names else names or []
    if not isinstance(names, list) or not all(
        isinstance(name, str) and PLAIN.fullmatch(name) for name in names
    ):
        raise _wrong("layers_pattern", names, "names of lists of layers")
    if isinstance(raw["target_modules"], str) and layers:
        raise _wrong("layers_to_transform", layers, "none beside a regular expression")


def _patterns(raw: dict[str, Any]) -> dict[tuple[str, str], str]:
    """By key and what stands there, the regular expressions of a file, for whole names."""
    patterns = {
        (key, name): rf"(?:.*\.)?(?:{name})"
        for key in ("rank_pattern", "alpha_pattern")
        for name in raw[key]
    }
    for key in ("target_modules", "exclude_modules"):
        given = raw.get(key)
        if isinstance(given, str) and given and given.lower() != ALL_LINEAR:
            patterns[key, given] = given
    return patterns


def _targeted(
    raw: dict[str, Any],
    module: str,
    patterns: dict[tuple[str, str], str],
    found: dict[str, frozenset[str]],
) -> bool:
    """Whether peft gives a module a share in the adapter."""

    def named(key: str) -> bool:
        given = raw.get(key) or []
        if isinstance(given, str):
            return module in found[patterns[key, given]]
        return any(module == name or module.endswith(f".{name}") for name in given)

    if named("exclude_modules") or not named("target_modules"):
        return False
    layers = raw["layers_to_transform"]
    if not layers or module in raw["target_modules"]:
        return True
    lists = [
        re.compile(rf"(?:^|.*?\.){re.escape(name)}\.(\d+)\.") for name in raw["layers_pattern"]
    ]
    places = (pattern.match(module) for pattern in lists or [INDEX])
    place = next((place for place in places if place is not None), None)
    return place is not None and int(place[1]) in layers


def _whole(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= 1 << 20


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(key: str, value: object, expected: str) -> CheckpointError:
    return CheckpointError(f"{FILE}: {key} = {shown(value)}; expected {expected}", "CKPT_CONFIG")
