"""The modules behind a sentence-transformers folder's first: what each config.json says.

Modules hand features on by name; each reads one and writes one. Knows no architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satchel.checkpoints.files import optional_json, refuse_pickles, regular
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

TOKENS, VECTOR, SCORES = "token_embeddings", "sentence_embedding", "scores"  # names of features
LOGITS = "causal_logits"
POOLING_FLAGS = {  # the older style, in the order in which several modes are concatenated
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
WIDTH_KEYS = ("embedding_dimension", "word_embedding_dimension")  # the newer first
ACTIVATIONS = (
    frozenset(  # classes of torch.nn that need no argument, have no weight, act on each number
        """CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU LogSigmoid Mish ReLU
    ReLU6 SELU Sigmoid SiLU Softplus Softshrink Softsign Tanh Tanhshrink""".split()  # noqa: SIM905
    )
)
TORCH = frozenset(
    ("torch.nn", "torch.nn.modules", "torch.nn.modules.activation", "torch.nn.modules.linear")
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A module: it reads the feature `source` and writes `target`; `file` holds its weights."""

    source: str = VECTOR
    target: str = VECTOR
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Pooling(Step):
    """States to a vector: the vectors of all `modes`, concatenated; `width` of a state (None: not said).

    `prompts` says whether a prompt's tokens are among those pooled.
    """

    modes: tuple[str, ...] = ("mean",)
    width: int | None = None
    prompts: bool = True


@dataclass(frozen=True, kw_only=True)
class Splade(Step):
    """Logits of masked words to weights of words: over the tokens the sum or the largest."""

    summed: bool
    twice: bool  # log(1 + x) once more


@dataclass(frozen=True, kw_only=True)
class Scored(Step):
    """Which token vectors are handed on: none of the `words`, in texts of these `kinds`."""

    words: tuple[str, ...]
    kinds: tuple[str, ...] = ("document",)


@dataclass(frozen=True, kw_only=True)
class Dense(Step):
    """A linear layer, then `act`, a class of torch.nn; with `residual`, its input is added."""

    in_features: int
    out_features: int
    bias: bool
    act: str
    residual: bool


@dataclass(frozen=True, kw_only=True)
class Norm(Step):
    """Layer norm of a vector."""

    width: int


@dataclass(frozen=True, kw_only=True)
class LogitScore(Step):
    """Logits of a decoder's next word to a score: that of the first of `tokens`, less the other's."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Unit(Step):
    """To unit length."""


def read_step(folder: Path, kind: str, place: str) -> Step | None:
    """The module `kind` in the sub-folder `place`; None for one that does nothing outside training."""
    return READERS[kind](folder, place)


def activation_class(name: Any, known: Collection[str], where: str) -> str:
    """The class of torch.nn that `name`, a dotted path, means; refused unless it is `known`."""
    package, _, kind = str(name).rpartition(".")
    if package not in TORCH or kind not in known:
        raise UnsupportedError(
            f"{where} = {shown(name)} is not supported; known of torch.nn: "
            f"{', '.join(sorted(known))}"
        )
    return kind


def check_keys(config: dict[str, Any], known: Collection[str], where: str) -> None:
    """Refuse a key that sentence-transformers does not know here either."""
    for key, value in config.items():
        if key not in known:
            raise UnsupportedError(f"{where}: key {shown(key)} = {shown(value)} is not supported")


def _pooling(folder: Path, place: str) -> Pooling:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    check_keys(config, {"pooling_mode", "include_prompt", *WIDTH_KEYS, *POOLING_FLAGS}, where)
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = tuple(modes) if isinstance(modes, list) else (modes,)
    for mode in modes:
        if mode not in POOLING_FLAGS.values():
            raise UnsupportedError(
                f"{where}: pooling_mode {shown(mode)} is not supported; "
                f"known: {', '.join(POOLING_FLAGS.values())}"
            )
    width = next((_size(config, key, where) for key in WIDTH_KEYS if key in config), None)
    prompts = config.get("include_prompt", True)
    return Pooling(source=TOKENS, modes=modes, width=width, prompts=bool(prompts))


def _splade(folder: Path, place: str) -> Splade:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    check_keys(
        config, {"pooling_strategy", "activation_function", "chunk_size", *WIDTH_KEYS}, where
    )
    pooling = config.get("pooling_strategy", "max")
    act = config.get("activation_function", "relu")
    for key, value, known in (
        ("pooling_strategy", pooling, ("max", "sum")),
        ("activation_function", act, ("relu", "log1p_relu")),
    ):
        if value not in known:
            raise UnsupportedError(
                f"{where}: {key} = {shown(value)} is not supported; known: {', '.join(known)}"
            )
    return Splade(source=TOKENS, summed=pooling == "sum", twice=act == "log1p_relu")


def _scored(folder: Path, place: str) -> Scored:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    check_keys(config, {"skiplist_words", "skiplist_tasks", "keep_only_token_ids"}, where)
    words, kinds = config.get("skiplist_words") or [], config.get("skiplist_tasks")
    kinds = ["document"] if kinds is None else [kinds] if isinstance(kinds, str) else kinds
    if config.get("keep_only_token_ids"):
        raise UnsupportedError(
            f"{where}: keep_only_token_ids = {shown(config['keep_only_token_ids'])} is not supported"
        )
    for key, value in (("skiplist_words", words), ("skiplist_tasks", kinds)):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CheckpointError(f"{where}: {key} = {shown(value)} is no list of texts")
    return Scored(source=TOKENS, target=TOKENS, words=tuple(words), kinds=tuple(kinds))


def _dense(folder: Path, place: str) -> Dense:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    act = config.get("activation_function", "torch.nn.Tanh")
    return Dense(
        **_names(config, where),
        in_features=_size(config, "in_features", where),
        out_features=_size(config, "out_features", where),
        bias=config.get("bias", True) is not False,
        act=activation_class(act, ACTIVATIONS, f"{where}: activation_function"),
        residual=bool(config.get("use_residual")),
        file=_weights(folder, place),
    )


def _norm(folder: Path, place: str) -> Norm:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    check_keys(config, {"dimension"}, where)
    return Norm(width=_size(config, "dimension", where), file=_weights(folder, place))


def _logit_score(folder: Path, place: str) -> LogitScore:
    where = f"{place}/config.json"
    config = optional_json(folder, where)
    keys = ("true_token_id", "false_token_id")
    check_keys(config, {*keys, "module_input_name"}, where)
    tokens = [config.get(key) for key in keys]
    for key, token in zip(keys, tokens, strict=True):
        known = isinstance(token, int) and not isinstance(token, bool) and token >= 0
        if not known and not (token is None and key == keys[1]):
            raise CheckpointError(f"{where}: {key} = {shown(token)} is no id")
    source = str(config.get("module_input_name", LOGITS))
    return LogitScore(
        source=source, target=SCORES, tokens=tuple(t for t in tokens if t is not None)
    )


def _unit(folder: Path, place: str) -> Unit:
    where = f"{place}/config.json"
    return Unit(**_names(optional_json(folder, where), where))


def _dropout(folder: Path, place: str) -> None:
    where = f"{place}/config.json"
    check_keys(optional_json(folder, where), {"dropout"}, where)


READERS: dict[str, Callable[[Path, str], Step | None]] = {
    "Pooling": _pooling,
    "SpladePooling": _splade,
    "MultiVectorMask": _scored,
    "Dense": _dense,
    "LogitScore": _logit_score,
    "LayerNorm": _norm,
    "Normalize": _unit,
    "Dropout": _dropout,
}


def _names(config: dict[str, Any], where: str) -> dict[str, Any]:
    source = config.get("module_input_name", VECTOR)
    target = config.get("module_output_name")
    names = {"source": source, "target": source if target is None else target}
    for key, name in names.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{where}: {key} of the module = {shown(name)} is no name")
    return names


def _size(config: dict[str, Any], key: str, where: str) -> int:
    size = config.get(key)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 1 << 16:
        raise CheckpointError(f"{where} lacks {key}, or it is no size: {shown(size)}")
    return size


def _weights(folder: Path, place: str) -> Path:
    file = regular(folder, f"{place}/model.safetensors")
    if file is None:
        refuse_pickles(folder / place)
        raise CheckpointError(f"{shown(place)} has no model.safetensors")
    return file
