"""The language model inside a checkpoint that reads images too. Knows no architecture.

Such files keep its configuration under text_config, and its weights beside those of what looks at images,
which is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import CONTENT, COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.config import DecoderConfig, ModelConfig
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

LEFT_OUT = ("its part that reads images is left out: the bundle reads and writes texts",)
IMAGES = re.compile(r"^(model\.)?(vision_tower|multi_modal_projector)\.")
RENAMED = (  # of the classes since 4.52, of those before, and of published files
    (r"^(model\.)?language_model\.lm_head\.", "lm_head."),
    (r"^(model\.)?language_model\.(model\.)?", "model."),
)


@dataclass(frozen=True, kw_only=True)
class OuterConfig(ModelConfig):
    """What stands around text_config. `from_dict` gives the configuration of the language model."""

    parts: ClassVar[frozenset[str]] = frozenset({"text_config", "vision_config"})
    texts: ClassVar[dict[str, type[DecoderConfig]]]  # by model_type; the first where none is given
    defaults: ClassVar[dict[str, Any]] = {}  # of text_config, where its class has sizes of its own

    tie_word_embeddings: bool = True

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Any:
        outer, text = super().from_dict(raw, ignored_keys), raw.get("text_config")
        if not isinstance(text, dict):
            raise CheckpointError(
                f"config.json: text_config = {shown(text)}; expected an object", "CKPT_CONFIG"
            )
        kind = text.get("model_type", next(iter(cls.texts)))
        if not isinstance(kind, str) or kind not in cls.texts:
            raise UnsupportedError(
                f"config.json: text_config is of model_type {shown(kind)}; known here: "
                f"{', '.join(cls.texts)}"
            )
        said = cls.defaults | {key: text[key] for key in text if key != "tie_word_embeddings"}
        inner = cls.texts[kind].from_dict(said | {"model_type": kind}, ignored_keys)
        return replace(inner, tie_word_embeddings=outer.tie_word_embeddings)


def around_texts(model_type: str) -> frozenset[str]:
    """The keys that say nothing of a language model where they stand around its configuration."""
    own = set(CONTENT["model_types"][model_type].split())
    return COSMETIC | (own - OuterConfig.parts - OuterConfig.neutral.keys())


def text_weights(tensors: Mapping[str, LazyTensor]) -> weights.Tensors:
    """The tensors of the language model, named as those of one that is alone."""
    texts = {name: tensor for name, tensor in tensors.items() if not IMAGES.search(name)}
    return weights.rename(texts, RENAMED)
