"""Which scheme each layer gets: a profile is a table from layer role to scheme. Knows no graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from satchel.runtime.errors import UsageError

Kind = Literal["fp32", "blocks8"]


@dataclass(frozen=True)
class Scheme:
    """How one layer's weights are stored and multiplied.

    fp32     as they are
    blocks8  8-bit weights, symmetric, one float32 scale per `block` inputs of each output; activations
             int8 per row and block inside the kernel (MatMulNBits, accuracy_level 4), so that a row's
             result does not depend on its batch, on padding or on how the text was cut
    """

    kind: Kind
    block: int = 0


@dataclass(frozen=True)
class Profile:
    """A named set of schemes; the role of a layer is the last part of its name, as in down_proj."""

    name: str
    default: Scheme
    roles: dict[str, Scheme] = field(default_factory=dict)

    def scheme(self, layer: str) -> Scheme:
        """The scheme of the layer with this dotted name."""
        return self.roles.get(layer.rpartition(".")[2], self.default)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


FP32 = Scheme("fp32")
PROFILES = {
    "fp32": Profile("fp32", FP32),
    # Position tables are read a row at a time and added to the residual stream: nothing to gain.
    "int8": Profile(
        "int8",
        Scheme("blocks8", 64),
        {"wpe": FP32, "position_embeddings": FP32, "token_type_embeddings": FP32},
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name."""
    if name not in PROFILES:
        raise UsageError(f"--precision {name} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]
