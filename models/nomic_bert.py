"""Nomic BERT (Nussbaum et al., 2024): rotary positions and SwiGLU, no biases in the blocks.

Its files are of two kinds: what transformers 5 saves, and what the authors' own code does, with the
keys of GPT-2 and fused projections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, rotary_bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import GatedMLP

OFF = """causal mlp_fc1_bias mlp_fc2_bias parallel_block parallel_block_tied_norm prenorm qkv_proj_bias
    rotary_emb_interleaved scale_attn_by_inverse_layer_idx use_rms_norm""".split()  # noqa: SIM905


@dataclass(frozen=True, kw_only=True)
class Config(rotary_bert.Config):
    """config.json of model_type nomic_bert. With a `rotary_scaling_factor` texts beyond
    `max_trained_positions` would turn by their own length: a bundle ends there."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = rotary_bert.Config.KEYS | {
        "hidden_size": ("hidden_size", "n_embd"),
        "num_hidden_layers": ("num_hidden_layers", "n_layer"),
        "num_attention_heads": ("num_attention_heads", "n_head"),
        "intermediate_size": ("intermediate_size", "n_inner"),
        "layer_norm_eps": ("layer_norm_eps", "layer_norm_epsilon"),
        "rope_theta": ("rope_theta", "rotary_emb_base"),
    }
    cosmetic: ClassVar[frozenset[str]] = rotary_bert.Config.cosmetic | frozenset(
        """attn_pdrop dense_seq_output embd_pdrop fused_bias_fc fused_dropout_add_ln
        pad_vocab_size_multiple reorder_and_upcast_attn resid_pdrop use_flash_attn
        use_xentropy""".split()  # noqa: SIM905
    )
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        **dict.fromkeys(OFF, (False,)),
        "activation_function": ("swiglu",),
        "moe_every_n_layers": (0,),
        "num_experts": (0,),
        "rotary_emb_fraction": (1,),
        "scale_attn_weights": (True,),
    }

    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    rope_theta: float = 1000.0
    n_positions: int | None = None
    max_trained_positions: int = 2048
    rotary_scaling_factor: float | None = None

    @property
    def positions(self) -> int:
        most = self.n_positions or self.max_position_embeddings
        return min(most, self.max_trained_positions) if self.rotary_scaling_factor else most


class Model(rotary_bert.Model):
    """The trunk of Nomic BERT."""

    biased = False

    @staticmethod
    def mlp(config: EncoderConfig) -> nn.Module:
        return GatedMLP(config.hidden_size, config.intermediate_size, config.hidden_act, bias=False)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        named = rotary_bert.Model.sanitize(tensors, config)
        return weights.fuse(named, rotary_bert.GATED, "gate_up_proj")

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        shapes = bert.Model.heads(config)
        words = HeadShape(
            "cls.predictions.decoder",
            dense="cls.predictions.transform.dense",
            act=config.hidden_act,
            norm="cls.predictions.transform.layer_norm",
            out_bias="cls.predictions.bias",
        )
        return {"classify": shapes["classify"], "tokens": shapes["tokens"], "fill-mask": words}
