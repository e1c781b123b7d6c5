"""Which scheme each layer gets: a profile is a table from layer role to scheme. Knows no graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from satchel.runtime.errors import UsageError, shown

FEW_OUTPUTS = 32  # of a head of a few labels: `channel8` would save nothing, so it stays float32
Kind = Literal["fp32", "blocks8", "blocks4", "channel8"]


@dataclass(frozen=True)
class Scheme:
    """How one layer's weights are stored and multiplied.

    fp32      as they are
    blocks8   8-bit weights, symmetric, one float32 scale per `block` inputs of each output; activations
              int8 per row and block inside the kernel (MatMulNBits, accuracy_level 4). The better
              kernel for one row, which only reads weights
    blocks4   likewise with 4 bits, and a zero point of 4 bits for each block
    channel8  8-bit weights, symmetric, one float32 scale per output; activations uint8 with a scale
              from calibration or one per token (MatMulIntegerToFloat). The better kernel for many rows

    With either, a row's result does not depend on its batch, on padding or on how the text was cut.
    """

    kind: Kind
    block: int = 0


@dataclass(frozen=True)
class Profile:
    """A named set of schemes; the role of a layer is the last part of its name, as in down_proj.

    `alone` holds what is different for a graph that is the only one of its bundle: a decoder reads all
    weights for one new token, while beside an encoder it has the rows of beams and batches. `roles` is
    what is different by role, `spread` the same where the stream was rotated: its numbers are all alike,
    so that a fixed scale does for them, and prompts gain by it. `layers` is what is different for layers
    by name or pattern, `tables` for embeddings and heads tied to one, which read the same bytes, and
    `tables_beside` for those in a bundle of several graphs. `rotated` turns the reference model before it
    is traced (`rotate.py`), `smoothed` says that its MLPs were changed too (`smooth.py`), `compensated`
    rounds weights by what calibration reads (`rounding.py`), `cache` is what keys and values are kept as,
    and with `paired` a step over a float32 cache gives what a prefill does (`steps.py`).
    """

    name: str
    default: Scheme
    tables: Scheme
    alone: dict[str, Scheme] = field(default_factory=dict)
    roles: dict[str, Scheme] = field(default_factory=dict)
    spread: dict[str, Scheme] = field(default_factory=dict)
    layers: dict[str, Scheme] = field(default_factory=dict)
    tables_beside: Scheme | None = None
    rotated: bool = False
    smoothed: bool = False
    compensated: bool = False
    cache: Literal["float32", "int8"] = "float32"
    paired: bool = False

    def scheme(self, layer: str, graph: str) -> Scheme:
        """The scheme of the linear layer with this dotted name in that graph."""
        usual = self.roles.get(_role(layer), self.alone.get(graph, self.default))
        return self._named(layer) or usual

    def table(self, layer: str) -> Scheme:
        """The scheme of the embedding with this dotted name."""
        return self._named(layer) or self.roles.get(_role(layer), self.tables)

    def _named(self, layer: str) -> Scheme | None:
        found = [scheme for name, scheme in self.layers.items() if matches(layer, name)]
        return found[0] if found else None

    def compensates(self, scheme: Scheme) -> bool:
        """Whether weights of that scheme are rounded by what calibration reads.

        Blocks of eight bits are not: they are near enough, and what is won in divergence is lost in
        perplexity.
        """
        return self.compensated and scheme.kind in ("blocks4", "channel8")

    def turned(self, changes: Collection[str]) -> Profile:
        """The same profile once the reference model was turned: `changes` as `rotate` names them."""
        roles = self.roles | (self.spread if "stream" in changes else {})
        return replace(self, rotated=bool(changes), roles=roles)

    def keeping(self, layers: Collection[str]) -> Profile:
        """The same profile with some layers in float32, by names as in `matches`."""
        return replace(self, layers=dict.fromkeys(layers, FP32) | self.layers)

    def among(self, graphs: Collection[str]) -> Profile:
        """The same profile for a bundle of these graphs."""
        if len(graphs) == 1:
            return self
        return replace(self, alone={}, tables=self.tables_beside or self.tables, paired=False)

    def caching(self, dtype: str | None) -> Profile:
        """The same profile with keys and values kept as float32 or int8; None changes nothing."""
        match dtype:
            case None:
                return self
            case "float32" | "int8":
                return replace(self, cache=dtype)
        raise UsageError(f"--cache {shown(dtype)} is unknown; known: float32, int8")

    @property
    def calibrated(self) -> bool:
        """Whether it wants to know what the layers of a model are given."""
        kinds = {scheme.kind for scheme in (self.default, *self.alone.values())}
        return "channel8" in kinds or self.compensated or self.cache == "int8"

    def to_dict(self, graphs: Iterable[str]) -> dict[str, Any]:
        """For the manifest of a bundle with these graphs."""
        return {
            "name": self.name,
            "graphs": {graph: asdict(self.alone.get(graph, self.default)) for graph in graphs},
            "tables": asdict(self.tables),
            "roles": {role: asdict(scheme) for role, scheme in self.roles.items()},
            "layers": {name: asdict(scheme) for name, scheme in self.layers.items()},
            "rotated": self.rotated,
            "smoothed": self.smoothed,
            "compensated": self.compensated,
            "cache": self.cache,
        }


def matches(layer: str, name: str) -> bool:
    """Whether `name` is that of a layer, the last part of it, or a pattern with asterisks."""
    return name in (layer, _role(layer)) or fnmatchcase(layer, name)


def _role(layer: str) -> str:
    return layer.rpartition(".")[2]


FP32, BLOCKS8, CHANNEL8 = Scheme("fp32"), Scheme("blocks8", 64), Scheme("channel8")
SMALL = {
    # Position tables are read a row at a time and added to the residual stream: nothing to gain.
    "wpe": FP32,
    "position_embeddings": FP32,
    "token_type_embeddings": FP32,
    "untied": FP32,
}
PROFILES = {
    "fp32": Profile("fp32", FP32, FP32),
    "int8": Profile(
        "int8",
        CHANNEL8,
        BLOCKS8,
        {"decoder": BLOCKS8},
        SMALL,
        tables_beside=CHANNEL8,
        spread={"qkv_proj": CHANNEL8, "gate_up_proj": CHANNEL8},
        rotated=True,
        compensated=True,
        cache="int8",
        paired=True,
    ),
    # Integer products alone: the same to the last bit, and fast, on x86, Arm and WebAssembly.
    "int8-portable": Profile(
        "int8-portable",
        CHANNEL8,
        CHANNEL8,
        {},
        SMALL,
        rotated=True,
        compensated=True,
        cache="int8",
        paired=True,
    ),
    "int4": Profile(
        "int4",
        Scheme("blocks4", 32),
        BLOCKS8,
        {},
        SMALL,
        rotated=True,
        compensated=True,
        cache="int8",
        paired=True,
    ),
}


def named(name: str) -> Profile:
    """The profile of that name."""
    if name not in PROFILES:
        raise UsageError(f"--profile {shown(name)} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]
