"""manifest.json to dataclasses, strictly: a value of the wrong type is refused by its field's name."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import MANIFEST


def strict_json(text: str) -> Any:
    """The value of a JSON text; BundleError where a key occurs twice or something is not JSON."""
    try:
        raw = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_finite,
        )
        json.dumps(raw, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not valid JSON: {shown(error)}") from error
    return raw


def typed(kind: Any, value: Any, where: str) -> Any:
    """`value` from JSON as the annotated type `kind`; a key that is no field of it is refused."""
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind)
        for entry in dataclasses.fields(kind):
            required = (
                entry.default is dataclasses.MISSING
                and entry.default_factory is dataclasses.MISSING
            )
            if required and entry.name not in value:
                raise BundleError(f"{MANIFEST}: {where} lacks {entry.name}")
        for name in value:
            if name not in hints:
                raise BundleError(f"{MANIFEST}: {where} has {shown(name)}, which is unknown here")
        known = {name: typed(hints[name], value[name], name) for name in value}
        return typing.cast(Any, kind)(**known)
    if origin is dict and isinstance(value, dict):
        kind = arguments[1]
        return {name: typed(kind, value[name], f"{where} {shown(name, 40)}") for name in value}
    if origin is list and isinstance(value, list):
        return [typed(arguments[0], item, where) for item in value]
    if arguments and origin not in (dict, list):  # a union: the first member that fits
        if value is None and type(None) in arguments:
            return None
        members = [member for member in arguments if member is not type(None)]
        for member in members[:-1]:
            try:
                return typed(member, value, where)
            except BundleError:
                continue
        return typed(members[-1], value, where)
    fits = isinstance(kind, type) and isinstance(value, kind)
    if fits and not (isinstance(value, bool) and kind is not bool):
        return value
    raise BundleError(f"{MANIFEST}: {where} = {shown(value)} has the wrong type")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return mapping


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > 24:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise ValueError(f"{digits} is too large")
    return number
