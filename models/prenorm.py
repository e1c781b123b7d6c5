"""Encoders whose norms stand before attention and MLP, with one more behind the last block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.layers import MLP, Block, LayerNorm, RMSNorm, Rope, SelfAttention

BEFORE = (  # BERT's names of the parts, where the norms stand before them
    (r"^(roberta|esm)\.", ""),
    (r"\.attention\.(self_attn_layer_norm|LayerNorm)\.", ".input_layernorm."),
    (r"^(encoder\.layer\.\d+)\.LayerNorm\.", r"\1.post_attention_layernorm."),
    (r"^encoder\.(LayerNorm|emb_layer_norm_after)\.", "trunk.final_norm."),
)


class PreNormEncoder(nn.Module):
    """A trunk of embeddings, `layers.Block`s and a last norm."""

    unused: tuple[str, ...] = ()

    def __init__(self, embeddings: nn.Module, blocks: Iterable[nn.Module], norm: RMSNorm) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = nn.ModuleList(blocks)
        self.final_norm = norm

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """States [batch, length, hidden] of int64 ids [batch, length]."""
        x, residual = self.embeddings(input_ids, token_type_ids), None
        for block in self.layers:
            x, residual = block(x, residual, None)
        return self.final_norm.add(x, residual)[0]


def bert_block(config: EncoderConfig, rope: Rope | None = None) -> Block:
    """A block of BERT's parts."""
    size = config.hidden_size
    norms = [LayerNorm(size, config.eps) for _ in range(2)]
    attention = SelfAttention(size, config.num_attention_heads, rope)
    return Block(attention, MLP(size, config.intermediate_size, config.hidden_act), norms)


def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
    """BERT's names to those of `layers.Block`."""
    named = bert.Model.sanitize(weights.rename(tensors, BEFORE), config)
    return weights.rename(named, [(r"^(trunk\.layers\.\d+)\.attention\.", r"\1.self_attn.")])
