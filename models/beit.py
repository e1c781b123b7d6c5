"""BEiT (Bao et al., 2021): ViT placed by a bias of the scores, of each block or of all.

An embedding is what a classifier reads: the mean of the patches, normed, or else the class token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, vit, weights
from satchel.models.encoder import Tower
from satchel.models.heads import MeanHead
from satchel.models.layers import MLP, LayerNorm
from satchel.models.relative import GridBias, GridPlaces, stretched_bias
from satchel.models.vision import Classifier, FirstState, ImageTrunk, VisionBlock
from satchel.models.vision_config import BACKBONE, Labelled, Size, StretchedConfig
from satchel.runtime.errors import UnsupportedError

TASKS = ("image-embed", "image-classify")
TABLE = r"\.relative_position_bias_table$"
RENAMED = (
    (rf"^encoder\.relative_position_bias{TABLE}", "trunk.relative.weight"),
    (rf"\.attention\.attention\.relative_position_bias{TABLE}", ".relative.weight"),
    (r"^pooler\.layernorm\.", "head.norm."),
    *vit.RENAMED,
)
SCALED = {"lambda_1": "self_attn.o_proj", "lambda_2": "mlp.down_proj"}
MAPS = {  # keys that heads for maps of classes read
    "add_fpn",
    "auxiliary_channels",
    "auxiliary_concat_input",
    "auxiliary_loss_weight",
    "auxiliary_num_convs",
    "batch_norm_eps",
    "pool_scales",
    "segmentation_indices",
    "semantic_loss_ignore_index",
    "use_auxiliary_head",
}


@dataclass(frozen=True, kw_only=True)
class Config(StretchedConfig, Labelled):
    """config.json of model_type beit."""

    cosmetic: ClassVar[frozenset[str]] = (
        StretchedConfig.cosmetic | BACKBONE | MAPS | {"use_mask_token", "vocab_size"}
    )

    intermediate_size: int = 3072
    layer_norm_eps: float = 1e-12
    layer_scale_init_value: float = 0.1
    use_absolute_position_embeddings: bool = False
    use_mean_pooling: bool = True
    use_relative_position_bias: bool = False
    use_shared_relative_position_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        relative = self.use_relative_position_bias or self.use_shared_relative_position_bias
        rows, columns = self.grid(self.pixels)
        if relative and rows != columns:
            raise UnsupportedError(
                f"config.json: image_size = {self.image_size} with a bias by relative positions; "
                "satchel takes those of squares"
            )


class BeitBlock(VisionBlock):
    """A block with a bias of its own."""

    def __init__(self, config: Config, relative: GridBias | None) -> None:
        mlp = MLP(config.hidden_size, config.intermediate_size, config.hidden_act)
        super().__init__(config, mlp)
        self.relative = relative

    def forward(
        self, x: Tensor, residual: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.relative is not None:
            bias = self.relative() if bias is None else bias + self.relative()
        return super().forward(x, residual, bias)


class BeitTrunk(ImageTrunk):
    """A trunk whose blocks may share a bias."""

    def __init__(self, config: Config, pixels: Size) -> None:
        size, heads, grid = config.hidden_size, config.num_attention_heads, config.grid(pixels)
        places = GridPlaces(grid, token=True)
        own, shared = config.use_relative_position_bias, config.use_shared_relative_position_bias
        super().__init__(
            config,
            pixels,
            [
                BeitBlock(config, GridBias(heads, places) if own else None)
                for _ in range(config.num_hidden_layers)
            ],
            None if config.use_mean_pooling else LayerNorm(size, config.layer_norm_eps),
            placed=config.use_absolute_position_embeddings,
        )
        self.relative = GridBias(heads, places) if shared else None

    def forward(self, pixels: Tensor) -> Tensor:
        return self.run(self.embedded(pixels), None if self.relative is None else self.relative())


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    vision.check_task("beit", task, TASKS)
    trunk = BeitTrunk(config, config.native(image_size))
    size = config.hidden_size
    labels = len(config.labels.names) if task == "image-classify" else None
    if config.use_mean_pooling:
        head: nn.Module = MeanHead(size, labels, first=1, eps=config.layer_norm_eps)
    else:
        head = FirstState() if labels is None else Classifier(size, labels, first=1, mean_from=None)
    answer, width = ("embedding", size) if labels is None else ("logits", labels)
    return {"image": vision.image_tower(trunk, head, answer, width)}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    before, after = config.grid(config.pixels), config.grid(config.native(image_size))
    left_out = r"\.relative_position_index$|^embeddings\.mask_token$"
    kept = vision.alone(tensors, task, r"^beit\.", left_out, RENAMED, unbiased=["key"])
    if config.layer_scale_init_value > 0:
        kept = vision.layer_scaled(kept, vision.layers(config), SCALED)
    kept = weights.transform(
        kept, r"\.relative\.weight$", lambda table: stretched_bias(table, before, after)
    )
    return vision.with_tokens(vision.stretched(kept, before, after))
