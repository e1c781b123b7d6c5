"""What a sentence-transformers folder says about turning states into a vector. Knows no architecture.

modules.json lists the modules: a transformer, then pooling, dense layers and a normalisation, in this
order. Any other module is refused by name. A cross-encoder's folder lists the transformer alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from satchel.models.checkpoint import read_json_list
from satchel.models.files import optional_json, refuse_pickles, regular
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

POOLING_FLAGS = {  # the older style, in the order in which several modes are concatenated
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
DENSE_ACTIVATIONS = {  # class of torch.nn -> our activation
    "Identity": None,
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
}
ORDER = ("Transformer", "Pooling", "Dense", "Normalize")
SUB_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TRANSFORMER_CONFIGS = [
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
]


@dataclass(frozen=True)
class Dense:
    """A linear layer on the pooled vector; `act` None is the identity."""

    in_features: int
    out_features: int
    bias: bool
    act: str | None
    file: Path


@dataclass(frozen=True)
class SentenceModules:
    """The modules after the transformer, and how texts are prepared for it.

    `pooling` are the modes whose vectors are concatenated, each of `width` (None: not said); empty in
    a cross-encoder's folder, where `activation` may name what its one score goes through.
    """

    pooling: tuple[str, ...] = ("mean",)
    width: int | None = None
    denses: tuple[Dense, ...] = ()
    normalize: bool = True
    max_length: int | None = None  # tokens
    lower_case: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: str = "cosine"
    activation: str | None = None

    @property
    def files(self) -> list[Path]:
        """The weight files of the modules."""
        return [dense.file for dense in self.denses]


def read_sentence(folder: Path) -> SentenceModules | None:
    """The modules of a sentence-transformers folder, None if it is none.

    Raises UnsupportedError for a module or an option that cannot be followed.
    """
    path = regular(folder, "modules.json")
    if path is None:
        return None
    modules = [_module(entry) for entry in read_json_list(path)]
    kinds = [kind for kind, _ in modules]
    ranks = [ORDER.index(kind) for kind in kinds]
    single = all(kinds.count(kind) <= 1 for kind in ORDER if kind != "Dense")
    if ranks != sorted(ranks) or not single or kinds[:1] != ["Transformer"] or modules[0][1]:
        raise UnsupportedError(
            f"modules.json lists {shown(', '.join(kinds))}; supported are a Transformer in the "
            "folder itself, then Pooling, Dense and Normalize"
        )
    if len(kinds) > 1 and kinds[1] != "Pooling":
        raise UnsupportedError(f"modules.json has {kinds[1]} without Pooling")
    places = [place for kind, place in modules if kind == "Pooling"]
    configs = [optional_json(folder, f"{place}/config.json") for place in places]
    return SentenceModules(
        pooling=_pooling(configs[0]) if configs else (),
        width=_pooled_width(configs[0]) if configs else None,
        denses=tuple(_dense(folder, place) for kind, place in modules if kind == "Dense"),
        normalize="Normalize" in kinds,
        **_preparation(folder),
    )


def _module(entry: Any) -> tuple[str, str]:
    """(kind, sub-folder) of an entry of modules.json."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    place = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not isinstance(place, str):
        raise CheckpointError(f"modules.json: {shown(entry)} lacks type or path")
    package, _, name = kind.rpartition(".")
    if package.split(".")[0] != "sentence_transformers" or name not in ORDER:
        raise UnsupportedError(
            f"modules.json: module {shown(kind)} is not supported; known: {', '.join(ORDER)}"
        )
    if place and not SUB_FOLDER.fullmatch(place):
        raise CheckpointError(
            f"modules.json names {shown(place)}; expected a plain sub-folder", "CKPT_PATH"
        )
    return name, place


def _pooling(config: dict[str, Any]) -> tuple[str, ...]:
    if config.get("include_prompt") is False:
        raise UnsupportedError(
            "Pooling without the prompt's tokens (include_prompt) is not supported"
        )
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = tuple(modes) if isinstance(modes, list) else (modes,)
    for mode in modes:
        if mode not in POOLING_FLAGS.values():
            raise UnsupportedError(
                f"pooling_mode {shown(mode)} is not supported; "
                f"known: {', '.join(POOLING_FLAGS.values())}"
            )
    return modes


def _pooled_width(config: dict[str, Any]) -> int | None:
    return config.get("embedding_dimension", config.get("word_embedding_dimension"))


def _dense(folder: Path, place: str) -> Dense:
    config = optional_json(folder, f"{place}/config.json")
    sizes = [config.get("in_features", 0), config.get("out_features", 0)]
    if not all(isinstance(size, int) and 1 <= size <= 1 << 16 for size in sizes):
        raise CheckpointError(f"{shown(place)}/config.json lacks in_features or out_features")
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, "sentence_embedding"):
            raise UnsupportedError(f"Dense with {key} {shown(config[key])} is not supported")
    if config.get("use_residual"):
        raise UnsupportedError("Dense with use_residual is not supported")
    name = config.get("activation_function", "torch.nn.Tanh")
    package, _, act = str(name).rpartition(".")
    if not package.startswith("torch.nn") or act not in DENSE_ACTIVATIONS:
        raise UnsupportedError(
            f"Dense with activation_function {shown(name)} is not supported; "
            f"known: {', '.join(DENSE_ACTIVATIONS)}"
        )
    file = regular(folder, f"{place}/model.safetensors")
    if file is None:
        refuse_pickles(folder / place)
        raise CheckpointError(f"{shown(place)} has no model.safetensors")
    bias = config.get("bias", True) is not False
    return Dense(sizes[0], sizes[1], bias, DENSE_ACTIVATIONS[act], file)


def _preparation(folder: Path) -> dict[str, Any]:
    """What the folder's own files say about texts, prompts and scores."""
    configs = (optional_json(folder, name) for name in TRANSFORMER_CONFIGS)
    transformer = next((config for config in configs if config), {})
    model = optional_json(folder, "config_sentence_transformers.json")
    length = transformer.get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 1):
        raise CheckpointError(f"max_seq_length = {shown(length)}; expected a count of tokens")
    prompts, default = model.get("prompts") or {}, model.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise CheckpointError("config_sentence_transformers.json: prompts are not texts by name")
    if default is not None and default not in prompts:
        raise CheckpointError(f"default_prompt_name {shown(default)} is not the name of a prompt")
    similarity, activation = model.get("similarity_fn_name"), model.get("activation_fn")
    return {
        "max_length": length,
        "lower_case": transformer.get("do_lower_case") is True,
        "prompts": prompts,
        "default_prompt": default,
        "similarity": similarity if isinstance(similarity, str) else "cosine",
        "activation": activation if isinstance(activation, str) else None,
    }
