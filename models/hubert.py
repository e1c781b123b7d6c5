"""HuBERT (Hsu et al., 2021): wav2vec 2.0 by its shape, with parts that some of its checkpoints lack or
have otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models.sound import EPS, POSITIONS, SoundTrunk
from satchel.models.sound_config import SoundConfig
from satchel.models.weights import Tensors

PARTS = [
    f"{POSITIONS}batch_norm.{part}" for part in ("weight", "bias", "running_mean", "running_var")
]
COUNTER = f"{POSITIONS}batch_norm.num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig):
    """config.json of model_type hubert."""

    feat_proj_layer_norm: bool = True
    conv_pos_batch_norm: bool = False

    @property
    def norms_features(self) -> bool:
        return self.feat_proj_layer_norm

    @property
    def scales_positions(self) -> bool:
        return self.conv_pos_batch_norm


class Model(SoundTrunk):
    """The trunk of HuBERT."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: SoundConfig) -> Tensors:
        return _as_gain(SoundTrunk.sanitize(tensors, config))


def _as_gain(tensors: Tensors) -> Tensors:
    """A batch norm that has learned its statistics is a gain and a bias per channel."""
    if any(name not in tensors for name in PARTS) or len({tensors[n].shape for n in PARTS}) > 1:
        return tensors  # the strict load reports what does not fit
    gain, bias, mean, variance = (tensors[name] for name in PARTS)
    rest = {name: t for name, t in tensors.items() if name not in (*PARTS, COUNTER)}

    def scale() -> Tensor:
        return gain.load() * torch.rsqrt(variance.load() + EPS)

    return rest | {
        f"{POSITIONS}scale.weight": LazyTensor(gain.shape, scale),
        f"{POSITIONS}scale.bias": LazyTensor(
            bias.shape, lambda: bias.load() - mean.load() * scale()
        ),
    }
