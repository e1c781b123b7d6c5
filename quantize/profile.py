"""Which scheme each layer gets: a profile is a table from layer role to scheme. Knows no graph."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from satchel.quantize.profiles import NAMES, path_of
from satchel.quantize.schemes import FP32, Scheme, scheme
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import OPEN_LAYERS

CACHES = ("float32", "int8", "int8-window")


@dataclass(frozen=True)
class Profile:
    """A named set of schemes; the role of a layer is the last part of its name, as in down_proj.

    A layer has what `layers` says of it, else `roles`, else `alone`, else `default`.
    """

    name: str
    default: Scheme
    tables: Scheme  # of embeddings and heads tied to one, which read the same bytes
    # By graph, where it is the only one of its bundle: a decoder then reads all weights for one new
    # token, while beside an encoder it has the rows of beams and batches.
    alone: dict[str, Scheme] = field(default_factory=dict)
    roles: dict[str, Scheme] = field(default_factory=dict)
    rotated_roles: dict[str, Scheme] = field(default_factory=dict)  # `roles` of a rotated stream
    layers: dict[str, Scheme] = field(default_factory=dict)  # by name or pattern
    tables_beside: Scheme | None = None  # `tables` in a bundle of several graphs
    rotated: bool = False
    smoothed: bool = False  # MLPs were changed (`smooth.py`)
    compensated: bool = False  # weights are rounded by what calibration reads (`rounding.py`)
    cache: str = "float32"  # what keys and values are kept as
    # Steps over a float32 cache give what a prefill does (`pad_odd_tokens.py`).
    paired: bool = False
    untiled: bool = False  # attention takes the scores of a head at once (`untiled.py`)
    staggered: bool = False  # rows of weights are no whole pages long (`staggered.py`)
    convolved: bool = False  # images of the user fix scales of convolutions (`convolved.py`)
    opened: bool = False  # layers can be given an adapter (`open_layers.py`)
    # Patterns that some layer of the model must have, and who asked for it.
    asked: dict[str, str] = field(default_factory=dict)

    def scheme(self, layer: str, graph: str) -> Scheme:
        """The scheme of the linear layer with this dotted name in that graph."""
        usual = self.roles.get(_role(layer), self.alone.get(graph, self.default))
        return self._named(layer) or usual

    def table(self, layer: str) -> Scheme:
        """The scheme of the embedding with this dotted name."""
        return self._named(layer) or self.roles.get(_role(layer), self.tables)

    def _named(self, layer: str) -> Scheme | None:
        schemes = [scheme for name, scheme in self.layers.items() if matches(layer, name)]
        return schemes[0] if schemes else None

    def compensates(self, scheme: Scheme) -> bool:
        """Whether weights of that scheme are rounded by what calibration reads."""
        return self.compensated and scheme.by_moment

    def after_rotation(self, changes: Collection[str]) -> Profile:
        """The same profile once the reference model was rotated: `changes` as `rotate` names them."""
        roles = self.roles | (self.rotated_roles if "stream" in changes else {})
        return replace(self, rotated=bool(changes), roles=roles)

    def keeping(self, layers: Collection[str]) -> Profile:
        """The same profile with some layers in float32, by names as in `matches`."""
        asked = self.asked | {name: f"--keep-fp32 {shown(name)}" for name in layers}
        return replace(self, layers=dict.fromkeys(layers, FP32) | self.layers, asked=asked)

    def among(self, graphs: Collection[str]) -> Profile:
        """The same profile for a bundle of these graphs."""
        if len(graphs) == 1:
            return self
        return replace(self, alone={}, tables=self.tables_beside or self.tables, paired=False)

    def caching(self, dtype: str | None) -> Profile:
        """The same profile with another of CACHES for keys and values; None changes nothing."""
        if dtype is None:
            return self
        if dtype not in CACHES:
            raise UsageError(f"--cache {shown(dtype)} is unknown; known: {', '.join(CACHES)}")
        return replace(self, cache=dtype)

    @property
    def calibrated(self) -> bool:
        """Whether it wants to know what the layers of a model are given."""
        schemes = (self.default, *self.alone.values(), *self.roles.values(), *self.layers.values())
        ranged = any(scheme.by_range for scheme in schemes)
        return ranged or self.compensated or self.cache != "float32"

    def to_dict(self, graphs: Iterable[str]) -> dict[str, Any]:
        """For the manifest of a bundle with these graphs."""
        return {
            "name": self.name,
            "graphs": {graph: self.alone.get(graph, self.default).to_dict() for graph in graphs},
            "tables": self.tables.to_dict(),
            "roles": {role: scheme.to_dict() for role, scheme in self.roles.items()},
            "layers": {name: scheme.to_dict() for name, scheme in self.layers.items()},
            "rotated": self.rotated,
            "smoothed": self.smoothed,
            "compensated": self.compensated,
            "cache": self.cache,
        } | {key: True for key, said in self._seldom.items() if said}

    @property
    def _seldom(self) -> dict[str, bool]:
        """What the manifest leaves out where it is not so."""
        return {OPEN_LAYERS: self.opened, "convolved": self.convolved}


def matches(layer: str, name: str) -> bool:
    """Whether `name` is that of a layer, the last part of it, or a pattern with asterisks."""
    return name in (layer, _role(layer)) or fnmatchcase(layer, name)


def _role(layer: str) -> str:
    return layer.rpartition(".")[2]


def named(profile: str | Path | Profile) -> Profile:
    """A profile, the shipped one of that name, or what a TOML file says.

    Raises UsageError where there is none such, or a file says what a profile has not.
    """
    if isinstance(profile, Profile):
        return profile
    if str(profile) in NAMES:
        return _read(path_of(str(profile)), str(profile))
    if not str(profile).endswith(".toml"):
        known = f"{', '.join(NAMES)}, or a file that ends in .toml"
        raise UsageError(f"--profile {shown(profile)} is unknown; known: {known}")
    try:
        return _read(Path(profile), f"--profile {shown(profile)}")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--profile {shown(profile)}: not a file that can be read") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--profile {shown(profile)} is not TOML: {shown(error)}") from error


def _read(path: Path, where: str) -> Profile:
    """The profile of a file, which begins as the one that it is `like`, if it names one."""
    stated = tomllib.loads(path.read_text("utf-8"))
    name, like = stated.pop("name", path.stem), stated.pop("like", None)
    own = path.parent == path_of(NAMES[0]).parent
    if not isinstance(name, str) or (name in NAMES and not own):
        raise UsageError(f"{where}: name = {shown(name)}; expected one that no shipped profile has")
    if like is not None and like not in NAMES:
        raise UsageError(f"{where}: like = {shown(like)} is unknown; known: {', '.join(NAMES)}")
    begun = named(like) if like is not None else None
    values: dict[str, Any] = {}
    for key, value in stated.items():
        read = READERS.get(key)
        if read is None:
            known = ", ".join(("name", "like", *READERS))
            raise UsageError(f"{where}: {shown(key)} is unknown; known: {known}")
        try:
            values[key] = read(value)
        except (UsageError, TypeError) as error:
            raise UsageError(f"{where}: {key}: {error}") from error
    if not own:  # the shipped ones name roles that few models have
        values["asked"] = dict.fromkeys(
            [*values.get("roles", {}), *values.get("layers", {})], where
        )
    if begun is not None:
        values |= {key: getattr(begun, key) | values[key] for key in TABLES & values.keys()}
        return replace(begun, name=name, **values)
    for key in ("default", "tables"):
        if key not in values:
            raise UsageError(f"{where}: {key} is missing; name a scheme, or the profile it is like")
    return Profile(name, **values)


def _scheme(value: Any) -> Scheme:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)}; expected the name of a scheme")
    return scheme(value)


def _schemes(value: Any) -> dict[str, Scheme]:
    if not isinstance(value, dict):
        raise TypeError(f"{shown(value)}; expected a table of names and schemes")
    return {name: _scheme(text) for name, text in value.items()}


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{shown(value)}; expected true or false")
    return value


def _cache(value: Any) -> str:
    if value not in CACHES:
        raise TypeError(f"{shown(value)}; expected {' or '.join(CACHES)}")
    return str(value)


TABLES = {"alone", "roles", "rotated_roles", "layers"}
READERS: dict[str, Callable[[Any], Any]] = {  # what a file may say -> how it is read
    "default": _scheme,
    "tables": _scheme,
    "tables_beside": _scheme,
    **dict.fromkeys(sorted(TABLES), _schemes),
    "rotated": _flag,
    "compensated": _flag,
    "cache": _cache,
    "paired": _flag,
    "untiled": _flag,
    "staggered": _flag,
}
