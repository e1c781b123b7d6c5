"""`satchel serve`: bundles behind an address. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import logging
import re
from pathlib import Path
from typing import Any

from satchel.cli.command import add_verb
from satchel.runtime.errors import StorageError, UsageError, install, shown

EXAMPLES = """
satchel serve my-bundle my-embedder
satchel serve my-bundle --adapter style=my-style.adapter
satchel serve my-bundle --port 9000 --api-key-file keys.txt --slots 4 --keep 10m
"""
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def serve(options: argparse.Namespace) -> None:
    """bundles behind an address, with OpenAI's interface"""
    try:
        import uvicorn

        from satchel.serve.app import LOOPBACK, Access, Server
    except ModuleNotFoundError as error:
        raise UsageError(f"serve needs {error.name}: {install('serve')}") from None
    from satchel.serve.shelf import Serving, Shelf

    for name in ("slots", "queue", "port"):
        if not 0 < getattr(options, name) < 65536:
            raise UsageError(
                f"--{name} {getattr(options, name)}; expected a number from 1 to 65535"
            )
    settings = Serving(
        slots=options.slots,
        waiting=options.queue,
        keep=_seconds(options.keep),
        prefix_bytes=options.prefix_mb << 20,
        threads=options.threads,
        kernels=not options.no_kernels,
    )
    keys = _keys(options.api_key_file) if options.api_key_file else ()
    outside = options.host not in LOOPBACK
    if outside and not keys and not options.no_key:
        raise UsageError(
            f"--host {shown(options.host)} lets other machines ask: give --api-key-file, or --no-key "
            "to let all of them"
        )
    shelf = Shelf(options.bundle, settings, _adapters(options.adapter))
    server = Server(shelf, Access(keys, None if outside else LOOPBACK))
    names = ", ".join(server.shelf.entries)
    print(f"serving {names} on http://{options.host}:{options.port}/ (Ctrl-C ends it)", flush=True)
    # asyncio warns of each stream whose client has left, until that is noticed.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # Finishes what is running when it is told to end.
    uvicorn.run(
        server.app(),
        host=options.host,
        port=options.port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=60,
    )


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise UsageError(f"--keep {shown(text)}; expected a time such as 90s, 30m or 2h")
    return float(found[1]) * SECONDS[found[2]]


def _adapters(given: list[str]) -> dict[str, str]:
    """Files by name, of NAME=FILE."""
    adapters: dict[str, str] = {}
    for text in given:
        name, _, file = text.partition("=")
        if not re.fullmatch(r"[\w.-]+", name) or not file:
            raise UsageError(f"--adapter {shown(text)}; expected NAME=FILE, a name without colons")
        if name in adapters:
            raise UsageError(f"--adapter {shown(name)} is given twice")
        adapters[name] = file
    return adapters


def _keys(path: str) -> tuple[str, ...]:
    """The keys of a file, one a line."""
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"--api-key-file {shown(path)} cannot be read: {shown(error)}") from None
    keys = tuple(line.strip() for line in lines if line.strip())
    if not keys:
        raise UsageError(f"--api-key-file {shown(path)} has no key: one a line")
    return keys


def add(verbs: Any) -> None:
    """`serve` with its options."""
    command = add_verb(verbs, "serve", serve, EXAMPLES)
    command.add_argument("bundle", nargs="+", help="folders made by satchel export")
    command.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="what satchel adapter made of one of the bundles: the model bundle:NAME",
    )
    command.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    command.add_argument("--port", type=int, default=8080, metavar="N", help="default: 8080")
    command.add_argument(
        "--api-key-file", metavar="FILE", help="keys of those who may ask, one a line"
    )
    command.add_argument(
        "--no-key", action="store_true", help="let other machines ask without a key"
    )
    command.add_argument(
        "--slots", type=int, default=8, metavar="N", help="texts written at once; default: 8"
    )
    command.add_argument(
        "--queue", type=int, default=256, metavar="N", help="requests that may wait; default: 256"
    )
    command.add_argument(
        "--keep",
        default="30m",
        metavar="TIME",
        help="how long a bundle that nobody asks stays open; default: 30m",
    )
    command.add_argument(
        "--prefix-mb",
        type=int,
        default=256,
        metavar="N",
        help="memory for beginnings that texts share; default: 256",
    )
    command.add_argument("--threads", type=int, metavar="N", help="default: the physical cores")
    command.add_argument(
        "--no-kernels", action="store_true", help="ONNX Runtime's own kernels, not satchel's"
    )
