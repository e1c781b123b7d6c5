"""config.json of a model put together from two, of which one reads and the other writes: one in it for
each of them. Knows no architecture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

from satchel.models.seq2seq_config import Seq2seqConfig
from satchel.runtime.errors import UnsupportedError, shown

ROLES = ("is_decoder", "add_cross_attention")  # keys that say which of the two it is


@dataclass(frozen=True, kw_only=True)
class PairedConfig(Seq2seqConfig):
    """Base of their configurations."""

    encoder: dict[str, Any]
    decoder: dict[str, Any]

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        values = cls.values(raw, ignored_keys)
        for name in ("encoder", "decoder"):
            if name in values:
                part = values[name]
                values[name] = {key: part[key] for key in part if key not in ignored_keys}
                values["vocab_size"] = part.get("vocab_size")  # in the end the decoder's
        return cls.made(values)


def inner_config(name: str, raw: Mapping[str, Any], known: Mapping[str, ModuleType]) -> Any:
    """That of the "encoder" or the "decoder", by the module of its model_type."""
    writes = name == "decoder"
    for key in ROLES:
        if bool(raw.get(key)) != writes:
            raise UnsupportedError(
                f"config.json: {key} = {shown(raw.get(key))} of the {name}; expected {writes}"
            )
    if raw.get("model_type") not in known:
        raise UnsupportedError(
            f"config.json: the {name} is of model_type {shown(raw.get('model_type'))}; known here: "
            f"{', '.join(known)}"
        )
    plain = {key: raw[key] for key in raw if key not in ROLES}
    return known[raw["model_type"]].Config.from_dict(plain)
