"""Regular expressions from a stranger's file, matched in a process of their own under a limit of time.

An expression of a few characters may take years on a short name, and Python's cannot be stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from satchel.runtime.errors import CheckpointError, shown

LONGEST = 4096  # characters of an expression
SECONDS = 10.0
CHILD = """
import json, re, sys
patterns, names = json.load(sys.stdin)
found = []
for pattern in patterns:
    try:
        fits = re.compile(pattern).fullmatch
    except (re.error, OverflowError, RecursionError):
        found.append(None)
        continue
    found.append([name for name in names if fits(name)])
json.dump(found, sys.stdout)
"""


def matched(
    patterns: Sequence[str], names: Sequence[str], where: str, seconds: float = SECONDS
) -> dict[str, frozenset[str]]:
    """By pattern, the names that it matches as a whole. `where` is what an error begins with.

    Raises CheckpointError for one that is no regular expression, or takes too long.
    """
    if not patterns:
        return {}
    for pattern in patterns:
        if len(pattern) > LONGEST:
            raise CheckpointError(
                f"{where}: an expression of {len(pattern)} characters is too long"
            )
    # -I: nothing in the current folder, which may be the stranger's, is imported.
    command = [sys.executable, "-I", "-c", CHILD]
    request = json.dumps([list(patterns), list(names)]).encode()
    try:
        done = subprocess.run(command, input=request, capture_output=True, timeout=seconds)
        found: list[list[str] | None] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(
            f"{where}: {shown(patterns[0])} takes longer than {seconds:g} s to match"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{where}: {shown(patterns[0])} cannot be matched") from error
    for pattern, matches in zip(patterns, found, strict=True):
        if matches is None:
            raise CheckpointError(f"{where}: {shown(pattern)} is no regular expression")
    return {pattern: frozenset(names or ()) for pattern, names in zip(patterns, found, strict=True)}
