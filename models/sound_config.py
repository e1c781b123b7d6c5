"""config.json of encoders of sound: what all of them have. Knows no architecture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models.vision_config import Labelled, wrong
from satchel.runtime.errors import UnsupportedError, shown

NORMS = ("group", "layer")
MOST = 1 << 14  # of a convolution's channels, kernel and stride
CHANNELS, STRIDES, KERNELS = [512] * 7, [5, 2, 2, 2, 2, 2, 2], [10, 3, 3, 3, 3, 2, 2]


@dataclass(frozen=True, kw_only=True)
class HearingConfig(Labelled):
    """What heads and blocks of all encoders of sound have."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        """activation_dropout adapter_kernel_size adapter_stride apply_spec_augment codevector_dim
        conformer_conv_dropout contrastive_logits_temperature ctc_loss_reduction ctc_zero_infinity
        diversity_loss_weight feat_proj_dropout feat_quantizer_dropout final_dropout layerdrop
        mask_feature_length mask_feature_min_masks mask_feature_prob mask_time_length
        mask_time_min_masks mask_time_prob num_adapter_layers num_codevector_groups
        num_codevectors_per_group num_negatives output_hidden_size proj_codevector_dim tdnn_dilation
        tdnn_dim tdnn_kernel xvector_output_dim""".split()  # noqa: SIM905
    )

    vocab_size: int | None = 32
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    use_weighted_layer_sum: bool = False  # a classifier reads the states of all layers
    classifier_proj_size: int = 256

    def __post_init__(self) -> None:
        self.check_sizes()
        self.check_activation("hidden_act")
        self.check_divides("num_attention_heads")
        if not 1 <= self.classifier_proj_size <= MOST:
            raise wrong(f"classifier_proj_size = {self.classifier_proj_size} is outside 1..{MOST}")

    def check_divides(self, key: str) -> None:
        """Raise CheckpointError where a count does not divide the hidden size."""
        count = getattr(self, key)
        if count < 1 or self.hidden_size % count:
            raise wrong(f"{key} = {count} does not divide hidden_size = {self.hidden_size}")

    def check_weighing(self) -> None:
        """Raise UnsupportedError where a classifier cannot read the states of all layers."""

    @property
    def input_name(self) -> str:
        """That of the graph."""
        return "input_values"

    @property
    def states_size(self) -> int:
        """Columns of the states that heads read."""
        return self.hidden_size

    @property
    def facts(self) -> dict[str, int]:
        """How frames are made of samples."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SoundConfig(HearingConfig):
    """Convolutions over samples, then blocks over frames."""

    feat_extract_norm: str = "group"  # of the first convolution over time, or of all over channels
    feat_extract_activation: str = "gelu"
    conv_dim: list[int] | None = None
    conv_stride: list[int] | None = None
    conv_kernel: list[int] | None = None
    conv_bias: bool = False
    num_feat_extract_layers: int | None = None
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    do_stable_layer_norm: bool = False  # norms before the parts of a block

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation("feat_extract_activation")
        if self.feat_extract_norm not in NORMS:
            raise UnsupportedError(
                f"config.json: feat_extract_norm {shown(self.feat_extract_norm)} is not supported; "
                f"known: {', '.join(NORMS)}"
            )
        self.check_divides("num_conv_pos_embedding_groups")
        sizes = [self.num_conv_pos_embeddings, *sum(self.convs, ())]
        if not all(1 <= size <= MOST for size in sizes):
            raise wrong(f"a convolution has a size outside 1..{MOST}")
        self.check_same("num_feat_extract_layers", len(self.convs), "conv_dim")

    def check_weighing(self) -> None:
        if self.do_stable_layer_norm:
            raise UnsupportedError(
                "config.json: use_weighted_layer_sum = True with do_stable_layer_norm = True is not "
                "supported: transformers 4 weighs the last state behind the last norm, 5 before it"
            )

    @property
    def facts(self) -> dict[str, int]:
        return {"stride": self.stride, "field": self.field}

    @property
    def convs(self) -> list[tuple[int, int, int]]:
        """Channels, kernel and stride of each convolution over samples."""
        named = {"conv_dim": CHANNELS, "conv_kernel": KERNELS, "conv_stride": STRIDES}
        lists = [getattr(self, key) or usual for key, usual in named.items()]
        if [] in (self.conv_dim, self.conv_kernel, self.conv_stride) or len({*map(len, lists)}) > 1:
            raise wrong(f"{', '.join(named)} are not lists of one length")
        return list(zip(*lists, strict=True))

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(stride for _, _, stride in self.convs)

    @property
    def field(self) -> int:
        """Samples that a frame is made of."""
        samples = 1
        for _, kernel, stride in reversed(self.convs):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def norms_features(self) -> bool:
        """Whether a norm stands before the projection of the convolutions' output."""
        return True

    @property
    def scales_positions(self) -> bool:
        """Whether channels are scaled before the convolution that tells positions."""
        return False
