"""Round a matrix to steps so that what it makes of its inputs changes least. Knows no operator.

GPTQ (Frantar et al., 2023): the error of one input's weights is made good by those of the inputs
still to come, as far as the two go together in the calibration text; inputs that matter most go first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]
DAMPING = 0.01  # of the mean energy of an input, added to each
ROWS = 4096  # rounded at once, to bound memory
BATCH = 64  # inputs whose errors are passed on together
SHRINKS = np.linspace(1, 0.6, 17)  # of a group's range, tried for the least error


@dataclass(frozen=True)
class Grid:
    """The steps of a matrix: values 0..top, less a zero point, times a scale, per group of inputs.

    `zero` is the zero point of all groups; None means that each has its own.
    """

    group: int
    top: int
    zero: int | None


@dataclass(frozen=True)
class Rounded:
    """`values` uint8 [outputs, inputs]; `scales` float32 and `zeros` uint8 [outputs, groups]."""

    values: NDArray[np.uint8]
    scales: Array
    zeros: NDArray[np.uint8]


def rounded(weight: Array, grid: Grid, moment: Array | None = None) -> Rounded:
    """`weight` [outputs, inputs] on the steps of `grid`; the last group may be shorter.

    `moment` [inputs, inputs] is the mean of x xᵀ over inputs x. Without it each weight goes to the
    nearest step of the whole range of its group.
    """
    if moment is None:
        pieces = [_nearest(weight[row : row + ROWS], grid) for row in range(0, len(weight), ROWS)]
    else:
        pieces = [_compensated(torch.tensor(weight), torch.from_numpy(moment), grid)]
    values, scales, zeros = (torch.cat(part) for part in zip(*pieces, strict=True))
    return Rounded(values.byte().numpy(), scales.numpy(), zeros.byte().numpy())


def _nearest(rows: Array, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    blocks = _blocks(torch.tensor(rows), grid)
    scales, zeros = _spread(blocks, grid)
    values = _steps(blocks, scales[..., None], zeros[..., None], grid)
    return values.byte().flatten(1)[:, : rows.shape[1]], scales, zeros


def _compensated(matrix: Tensor, moment: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    energy = moment.diagonal()
    scales, zeros = _fitted(_blocks(matrix, grid), _blocks(energy[None], grid), grid)
    order = energy.argsort(descending=True)
    # Inputs first, and numpy: the loop is of small steps over one input's weights of all outputs.
    left = matrix.T[order].contiguous()  # [inputs, outputs]
    factor = _inverse_factor(moment[order][:, order])
    step, zero = (part.T.contiguous().numpy() for part in (scales, zeros))  # [groups, outputs]
    groups, values = order.numpy() // grid.group, np.empty(left.shape, np.uint8)
    for start in range(0, len(left), BATCH):
        end = min(start + BATCH, len(left))
        batch, shares = left[start:end].numpy(), factor[start:end, start:end].numpy()
        errors = np.empty_like(batch)
        for row, group in enumerate(groups[start:end]):
            wanted, scale, middle = batch[row], step[group], zero[group]
            levels = np.clip(np.rint(wanted / scale + middle), 0, grid.top)
            errors[row] = (wanted - (levels - middle) * scale) / shares[row, row]
            batch[row + 1 :] -= shares[row, row + 1 :, None] * errors[row]
            values[start + row] = levels
        left[end:] -= factor[start:end, end:].T @ torch.from_numpy(errors)
    placed = np.empty_like(values)
    placed[order.numpy()] = values
    return torch.from_numpy(np.ascontiguousarray(placed.T)), scales, zeros


def _blocks(matrix: Tensor, grid: Grid) -> Tensor:
    """[rows, groups, group] of [rows, inputs], filled up with zeros."""
    padded = torch.nn.functional.pad(matrix, (0, -matrix.shape[1] % grid.group))
    return padded.view(len(matrix), -1, grid.group)


def _steps(x: Tensor, scales: Tensor, zeros: Tensor, grid: Grid) -> Tensor:
    return (x / scales + zeros).round_().clamp_(0, grid.top)


def _spread(blocks: Tensor, grid: Grid, shrink: float = 1.0) -> tuple[Tensor, Tensor]:
    """Scale and zero point that spread the steps over `shrink` of each group's range."""
    if grid.zero is not None:
        reach = blocks.abs().amax(-1) * shrink
        scale = reach / min(grid.zero, grid.top - grid.zero)
        zero = torch.full_like(scale, grid.zero)
    else:
        low, high = blocks.amin(-1).clamp(max=0) * shrink, blocks.amax(-1).clamp(min=0) * shrink
        scale = (high - low) / grid.top
        zero = (-low / torch.where(scale == 0, 1, scale)).round()
    return torch.where(scale == 0, 1, scale), zero  # a group of zeros: any scale will do


def _fitted(blocks: Tensor, energy: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Scale and zero point per group, of those tried the ones with the least error by `energy`."""
    best = torch.full(blocks.shape[:2], torch.inf)
    scales, zeros = torch.ones_like(best), torch.zeros_like(best)
    for shrink in SHRINKS:
        scale, zero = _spread(blocks, grid, float(shrink))
        steps = _steps(blocks, scale[..., None], zero[..., None], grid)
        wrong = ((steps - zero[..., None]) * scale[..., None] - blocks).square_()
        error = (wrong * energy).sum(-1)
        better = error < best
        best = torch.where(better, error, best)
        scales, zeros = torch.where(better, scale, scales), torch.where(better, zero, zeros)
    return scales, zeros


def _inverse_factor(moment: Tensor) -> Tensor:
    """The upper Cholesky factor of the inverse of a moment, in whose row i is how an error of input i is
    shared out among those behind it."""
    damped = moment.double()
    damped.diagonal().add_(max(DAMPING * float(damped.diagonal().mean()), 1e-12))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()
