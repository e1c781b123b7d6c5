"""Move a scale per channel between two linear layers, where nothing between them minds.

SmoothQuant (Xiao et al., 2022): a channel that goes further than the others makes the int8 step of
its block or token coarse. The layer that makes it is divided by a factor and the layer that reads it
multiplied; the model is the same.
"""

from __future__ import annotations

import torch
from torch import nn

from satchel.models.layers import MLP, GatedMLP
from satchel.quantize.calibrate import Statistics

POWERS = {"relu": 1, "relu2": 2}  # to which they raise a positive factor
STRENGTH = 0.5  # how much of the difference the weights take over
LEAST = 1e-5
# Of the median channel's reach: one that calibration hardly saw may go as far in another text.
FLOOR = 0.25


@torch.no_grad()
def smooth(model: nn.Module, statistics: Statistics) -> bool:
    """Even out what goes into the last layer of every MLP that allows it, in place; whether any did.

    MLPs that are gated or have ReLU, or its square, allow it. `statistics` follow what `model` becomes.
    """
    changed = False
    for name, mlp in model.named_modules():
        below = f"{name}.down_proj"
        if below not in statistics.ranges:
            continue
        if isinstance(mlp, GatedMLP):  # it multiplies with its `up` half
            above, rows = mlp.gate_up_proj, slice(mlp.down_proj.in_features, None)
        elif isinstance(mlp, MLP) and mlp.act in POWERS:
            above, rows = mlp.up_proj, slice(None)
        else:
            continue
        reach = torch.from_numpy(statistics.largest(below))
        reach = reach.clamp(min=max(LEAST, FLOOR * float(reach.median())))
        columns = mlp.down_proj.weight.data.abs().amax(0).clamp(min=LEAST)
        factors = reach**STRENGTH / columns ** (1 - STRENGTH)
        factors /= factors.log().mean().exp()
        inner = factors ** (1 / POWERS[mlp.act]) if isinstance(mlp, MLP) else factors
        above.weight.data[rows] /= inner[:, None]
        if above.bias is not None:
            above.bias.data[rows] /= inner
        mlp.down_proj.weight.data *= factors
        low, high = statistics.ranges[below]
        statistics.ranges[below] = low / factors.numpy(), high / factors.numpy()
        changed = True
    return changed
