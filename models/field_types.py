"""Whether a value of config.json is of the type that its field is hinted to hold. Knows no field."""

from __future__ import annotations

import types
import typing
from typing import Any

from satchel.runtime.errors import CheckpointError, shown

WHOLE = 1 << 53  # a whole number beyond this is a mistake


def accepts_none(hint: Any) -> bool:
    """Whether null is a value of the field."""
    return isinstance(hint, types.UnionType) and type(None) in hint.__args__


def typed(key: str, value: Any, hint: Any) -> Any:
    """`value` if it is of the hinted type (an int passes for a float), or an error."""
    allowed = hint.__args__ if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in allowed)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and abs(value) > WHOLE:
        raise CheckpointError(f"config.json: {key} = {shown(value)} is too large", "CKPT_CONFIG")
    if float in kinds and whole:
        value = float(value)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds if kind is not types.NoneType)
        raise CheckpointError(
            f"config.json: {key} = {shown(value)} is not a {expected}", "CKPT_CONFIG"
        )
    if isinstance(value, list):
        return _typed_items(key, value, allowed)
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise CheckpointError(f"config.json: {key} = {value} is not finite", "CKPT_CONFIG")
    return value


def _typed_items(key: str, value: list[Any], allowed: tuple[Any, ...]) -> list[Any]:
    """`value` if its items are of the type that the one list in `allowed` is hinted to hold."""
    kind = next(typing.get_args(hint)[0] for hint in allowed if typing.get_origin(hint) is list)
    for item in value:
        if not isinstance(item, kind):
            wanted = getattr(kind, "__name__", kind)  # types joined have no name
            raise CheckpointError(
                f"config.json: {key} holds {shown(item, 60)}, which is not a {wanted}",
                "CKPT_CONFIG",
            )
    return value
