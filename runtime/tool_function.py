"""A function that a model may call, as OpenAI's interface has it: name, description, JSON schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from satchel.runtime.errors import UsageError, shown

NAME = re.compile("[a-zA-Z0-9_-]{1,64}")
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class Function:
    """One function: its `parameters` are a JSON schema of an object; `strict` holds every call to it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False

    @classmethod
    def of(cls, tool: object, number: int) -> Function:
        """Read one tool. Raises UsageError where it is none."""
        match tool:
            case {"type": "function", "function": {"name": str(name)} as given} if NAME.fullmatch(
                name
            ):
                parameters = given.get("parameters")
                schema = dict(NOTHING if parameters is None else parameters)
                if schema.setdefault("type", "object") != "object":
                    raise UsageError(
                        f"tool {number}: parameters are the schema of an object, "
                        f"not of {shown(schema['type'])}"
                    )
                description = given.get("description") or ""
                return cls(name, description, schema, given.get("strict") is True)
        raise UsageError(
            f'tool {number} must be {{"type": "function", "function": {{"name": ..., "description": '
            f'..., "parameters": ...}}}}, not {shown(tool)}'
        )

    @property
    def tool(self) -> dict[str, Any]:
        """As a chat template takes it."""
        about = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": about}

    def schema(self, free: bool) -> Mapping[str, Any]:
        """What arguments are held to: where the call is `free`, a schema only if it is strict."""
        return {"type": "object"} if free and not self.strict else self.parameters
