"""EuroBERT (Boizard et al., 2025): LLaMA's blocks, attending in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import prenorm, rotary_bert, weights
from satchel.models.bert import BertEmbeddings
from satchel.models.heads import HeadShape
from satchel.models.layers import Block, GatedMLP, RMSNorm, Rope, SelfAttention
from satchel.models.rope import rope_tables
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

POOLING = {"bos": "cls", "mean": "mean", "late": "mean"}
RENAMED = (
    (r"^model\.", ""),
    (r"^embed_tokens\.", "trunk.embeddings.word_embeddings."),
    (r"^layers\.", "trunk.layers."),
    (r"^norm\.", "trunk.final_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(rotary_bert.Config):
    """config.json of model_type eurobert."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"layer_norm_eps": (), "types": ()}
    cosmetic: ClassVar[frozenset[str]] = rotary_bert.Config.cosmetic | {"mask_token_id"}

    types: int = 0
    hidden_act: str = "silu"
    max_position_embeddings: int = 8192
    tie_word_embeddings: bool = False
    rms_norm_eps: float = 1e-5
    num_key_value_heads: int | None = None
    attention_bias: bool = False
    mlp_bias: bool = False
    classifier_pooling: str = "late"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier_pooling not in POOLING:
            raise UnsupportedError(
                f"config.json: classifier_pooling {shown(self.classifier_pooling)} is not "
                f"supported; known: {', '.join(POOLING)}"
            )
        if self.num_attention_heads % (self.num_key_value_heads or 1):
            raise CheckpointError(
                f"config.json: num_key_value_heads = {self.num_key_value_heads} does not divide "
                f"num_attention_heads = {self.num_attention_heads}",
                "CKPT_CONFIG",
            )

    @property
    def eps(self) -> float:
        return self.rms_norm_eps


class Model(prenorm.PreNormEncoder):
    """The trunk of EuroBERT."""

    def __init__(self, config: Config, typed: bool) -> None:
        size, eps, width = config.hidden_size, config.eps, config.head_size
        rope = Rope(rope_tables(config.rope(), width, config.positions, config.positions))

        def block() -> Block:
            attention = SelfAttention(
                size,
                config.num_attention_heads,
                rope,
                bias=config.attention_bias,
                head_dim=width,
                kv_heads=config.num_key_value_heads,
            )
            mlp = GatedMLP(size, config.intermediate_size, config.hidden_act, config.mlp_bias)
            return Block(attention, mlp, [RMSNorm(size, eps), RMSNorm(size, eps)])

        words = BertEmbeddings(config, typed, normed=False)
        blocks = (block() for _ in range(config.num_hidden_layers))
        super().__init__(words, blocks, RMSNorm(size, eps))

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> weights.Tensors:
        return weights.fuse_llama(weights.rename(tensors, RENAMED))

    @staticmethod
    def heads(config: Config) -> dict[str, HeadShape]:
        pooling = config.classifier_pooling
        classify = HeadShape(
            "classifier", dense="dense", pooling=POOLING[pooling], late=pooling == "late"
        )
        words = HeadShape("lm_head", has_bias=config.mlp_bias)
        return {"classify": classify, "tokens": HeadShape("classifier"), "fill-mask": words}
