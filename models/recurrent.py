"""A recurrent layer that reads from both ends (Hochreiter and Schmidhuber, 1997). Knows no file."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.onnx import is_in_onnx_export
from torch.onnx.ops import symbolic

from satchel.models.ops import OPSET, Attributes

ORDER = (0, 3, 1, 2)  # of PyTorch's gates input, forget, cell, output: as ONNX has them
BACK = (0, 2, 3, 1)


class BothWaysLstm(nn.Module):
    """An LSTM of either direction, side by side. Weights are as ONNX has them, [2, 4 * width, ...] with
    gates input, output, forget, cell, and all biases [2, 8 * width]; they stay float32."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.weight_in = nn.Parameter(torch.empty(2, 4 * width, size))
        self.weight_back = nn.Parameter(torch.empty(2, 4 * width, width))
        self.bias = nn.Parameter(torch.empty(2, 8 * width))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 2 * width] of x [batch, length, size]."""
        if is_in_onnx_export():
            attributes: Attributes = {"hidden_size": self.width, "direction": "bidirectional"}
            inputs = (x.transpose(0, 1), self.weight_in, self.weight_back, self.bias)
            shape = (x.shape[1], 2, x.shape[0], self.width)
            y = symbolic("::LSTM", inputs, attributes, dtype=x.dtype, shape=shape, version=OPSET)
            return y.permute(2, 0, 1, 3).flatten(2)
        zeros = torch.zeros(2, x.shape[0], self.width)
        parts = []
        for way in range(2):
            biases = self.bias[way].chunk(2)
            weights = [self.weight_in[way], self.weight_back[way], *biases]
            parts += [gates(weight, BACK) for weight in weights]
        y, _, _ = torch.lstm(x, (zeros, zeros), parts, True, 1, 0.0, False, True, True)
        return y


def gates(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Rows [4 * width, ...] with the gates in another order."""
    return weight.unflatten(0, (4, -1))[list(order)].flatten(0, 1)
