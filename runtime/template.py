"""Render a Jinja chat template in a sandbox. Knows no tokenizer and no limit on time or memory.

Jinja is optional: at run time only templates that could not become joints come here, at export the
compiler's child process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from satchel.runtime.errors import UsageError, install

OLDEST_SAFE_JINJA = (3, 1, 6)  # before it the sandbox has known escapes
MISSING = f"this bundle's chat template needs Jinja: {install('chat')}"

Message = Mapping[str, Any]
Clock = Callable[[], datetime]


def render_template(
    template: str,
    messages: Sequence[Message],
    add_generation_prompt: bool,
    special_tokens: Mapping[str, str],
    clock: Clock = datetime.now,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """The text of a conversation. Raises whatever the template raises, which is a program."""
    names = {
        **special_tokens,
        "messages": [dict(message) for message in messages],
        "add_generation_prompt": add_generation_prompt,
        "tools": list(tools) if tools else None,
        "documents": None,
    }
    return str(_compiled(template, clock).render(names))


@lru_cache(maxsize=8)
def _compiled(template: str, clock: Clock) -> Any:
    return _environment(clock).from_string(template)


def _environment(clock: Clock) -> Any:
    """What public templates expect: the filters, functions and tags they are written against."""
    try:
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise UsageError(MISSING) from error
    installed = version("jinja2")
    if tuple(int(part) for part in re.findall(r"\d+", installed)[:3]) < OLDEST_SAFE_JINJA:
        raise UsageError(f"Jinja {installed} is not safe: pip install --upgrade 'satchel[chat]'")

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation_tag()]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=raise_exception,
        strftime_now=lambda form: clock().strftime(form),
        # The class itself would hand out dict.update, which changes what the sandbox guards.
        dict=lambda *pairs, **items: dict(*pairs, **items),
        namespace=_namespace(),
    )
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _generation_tag() -> Any:
    """`{% generation %}` marks the assistant's text for training; here it is only its body."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012 - the base class declares it so

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    return GenerationTag


def _namespace() -> Callable[..., Any]:
    """`namespace()` without names that begin with `_`, the road to Python's internals."""
    from jinja2.exceptions import SecurityError
    from jinja2.utils import Namespace

    class PlainNamespace(Namespace):
        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise SecurityError(f"a namespace holds no name like {name!r}")
            super().__setitem__(name, value)

    def namespace(*pairs: Any, **items: Any) -> PlainNamespace:
        made = PlainNamespace()
        for name, value in dict(*pairs, **items).items():
            made[name] = value
        return made

    return namespace
