"""MPT (MosaicML, 2023): ALiBi, and no biases anywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL, is_neutral
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, weights
from satchel.models.alibi import Alibi
from satchel.models.attend import Heads
from satchel.models.decoder import Decoder
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

RENAMED = (
    (r"^transformer\.", "model."),
    (r"\.wte\.", ".embed_tokens."),
    (r"^model\.blocks\.", "model.layers."),
    (r"\.norm_f\.", ".norm."),
    (r"\.norm_1\.", ".input_layernorm."),
    (r"\.norm_2\.", ".post_attention_layernorm."),
    (r"\.attn\.Wqkv\.", ".self_attn.qkv_proj."),
    (r"\.attn\.out_proj\.", ".self_attn.o_proj."),
    (r"\.ffn\.", ".mlp."),
)
ATTENTION: dict[str, tuple[Any, ...]] = {  # what attn_config may say; its other keys change nothing
    "attn_type": ("multihead_attention",),
    "clip_qkv": (),
    "prefix_lm": (False,),
    "qk_ln": (False,),
    "attn_uses_sequence_id": (False,),
    "alibi": (True,),
    "alibi_bias_max": (8,),
}


@dataclass(frozen=True, kw_only=True)
class Config(gpt2.Config):
    """config.json of model_type mpt."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_size": ("d_model", "hidden_size"),
        "num_hidden_layers": ("n_layers", "num_hidden_layers"),
        "num_attention_heads": ("n_heads", "num_attention_heads"),
        "max_position_embeddings": ("max_seq_len",),
        "num_key_value_heads": (),
        "head_dim": (),
        "softmax_scale": (),
    }
    parts: ClassVar[frozenset[str]] = frozenset(["attn_config"])
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {
        *("emb_pdrop", "embedding_fraction", "init_device", "resid_pdrop", "verbose"),
        "learned_pos_emb",  # there are none beside ALiBi
    }
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "expansion_ratio": (4,),
        "no_bias": (True,),
        "norm_type": ("low_precision_layernorm", "layernorm"),
    }
    qkv_bias: ClassVar[bool] = False
    bias: ClassVar[bool] = False

    hidden_act: str = "gelu"
    max_position_embeddings: int = 2048
    softmax_scale: float | None = None

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        part = raw.get("attn_config")
        part = {} if part is None else part
        if not isinstance(part, dict):
            raise CheckpointError(
                f"config.json: attn_config = {shown(part)} is not an object", "CKPT_CONFIG"
            )
        for key in ATTENTION.keys() & part.keys():
            if not is_neutral(key, part[key], ATTENTION):
                raise UnsupportedError(
                    f"config.json: attn_config.{key} = {shown(part[key])} is not supported"
                )
        scale = part.get("softmax_scale")
        if scale is not None and not (isinstance(scale, float) and 0 < scale < float("inf")):
            raise CheckpointError(
                f"config.json: attn_config.softmax_scale = {shown(scale)}; expected a number above 0",
                "CKPT_CONFIG",
            )
        return super().values(raw, ignored_keys) | {"softmax_scale": scale}

    def heads(self, layer: int) -> Heads:
        scale = self.softmax_scale
        usual = super().heads(layer)
        return usual if scale is None else replace(usual, scale=scale)


class Model(Decoder):
    """MPT."""

    prefix = "transformer."

    def __init__(self, config: Config, context: int) -> None:
        blocks = [gpt2.Model.block(config, layer) for layer in range(config.num_hidden_layers)]
        super().__init__(config, blocks, gpt2.Model.norm(config))
        self.alibi = Alibi.of(config.num_attention_heads, context)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        return weights.zero_biases(named, r"norm\.weight$")
