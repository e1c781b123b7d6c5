"""Relative positions as T5 has them (Raffel et al., 2020): a bias per head and bucket of distances."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FARTHEST = 128  # tokens; beyond, all distances are one bucket


def distance_buckets(
    distance: Tensor, buckets: int, farthest: int = FARTHEST, both: bool = True
) -> Tensor:
    """Bucket of ``key position - query position``: exact when near, logarithmic farther off.

    Half the buckets are for keys that follow, unless not `both` directions are seen.
    """
    half = buckets // 2 if both else buckets
    exact = half // 2
    apart = distance.abs() if both else (-distance).clamp(min=0)
    # In float32 and this order, because a bucket's edge must fall where training had it.
    logarithm = torch.log(apart.float() / exact) / math.log(farthest / exact)
    far = (exact + (logarithm * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(apart < exact, apart, far) + (half * (distance > 0) if both else 0)


class DistanceBias(nn.Module):
    """What is added to the scores, by distance: a table [distances, heads] from -reach to `most`.

    `most` is `reach`, or 0 where no key that follows is seen. Beyond `reach` all distances are alike.
    """

    def __init__(self, heads: int, reach: int, both: bool) -> None:
        super().__init__()
        self.reach, self.most = reach, reach if both else 0
        self.weight = nn.Parameter(torch.empty(self.reach + self.most + 1, heads))

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """float32 [batch, heads, queries, keys] of int64 positions [batch, queries] and [keys]."""
        distance = (keys - queries[..., None]).clamp(-self.reach, self.most) + self.reach
        # Gathered per head: a permuted last axis fails torch.export for an odd number of heads.
        return self.weight.T[:, distance].transpose(0, 1)

    @staticmethod
    def table(biases: Tensor, buckets: int, reach: int, both: bool) -> Tensor:
        """The bias of every distance, written out from that of the buckets [buckets, heads]."""
        if len(biases) != buckets:
            raise RuntimeError(f"{len(biases)} rows for {buckets} buckets")
        distances = torch.arange(-reach, reach + 1 if both else 1, device="cpu")
        return biases[distance_buckets(distances, buckets, reach, both).to(biases.device)]
