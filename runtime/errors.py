"""The errors a person can cause. Knows nothing of what raises them.

Each is one line: what was found, what was expected, what to do. The command line prints
``error[CODE]: message`` and exits with ``exit_status``. Only ``code`` is stable.
"""

from __future__ import annotations


class SatchelError(Exception):
    """Base of every error satchel raises on purpose."""

    exit_status = 1
    default_code = "ERROR"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code or self.default_code


class UsageError(SatchelError, ValueError):
    """An option or argument that makes no sense."""

    exit_status = 2
    default_code = "USAGE"


class CheckpointError(SatchelError):
    """The source checkpoint is damaged, incomplete or contradicts itself."""

    exit_status = 3
    default_code = "CHECKPOINT"


class BundleError(SatchelError):
    """The bundle on disk is not what its manifest says."""

    exit_status = 4
    default_code = "BUNDLE"


class UnsupportedError(SatchelError):
    """Valid input that satchel does not (yet) turn into a right graph."""

    exit_status = 5
    default_code = "UNSUPPORTED"


class FidelityError(SatchelError):
    """The exported bundle does not answer as the checkpoint does."""

    exit_status = 5
    default_code = "FIDELITY"


class LimitError(SatchelError):
    """Too long, too large, or out of memory."""

    exit_status = 6
    default_code = "LIMIT"


class StorageError(SatchelError):
    """Reading from or writing to disk failed."""

    exit_status = 7
    default_code = "STORAGE"


def shown(name: object, limit: int = 120) -> str:
    """A name that came from a file, safe to print: ASCII, escaped, cut at `limit` characters.

    Numbers, true, false and nothing stand without quotes.
    """
    if name is None or isinstance(name, int | float):
        text = repr(name)
        return text if len(text) <= limit else text[: limit - 3] + "..."
    text = ascii(str(name))
    return text if len(text) <= limit else text[: limit - 4] + "...'"


def install(extra: str) -> str:
    """How to get the packages of an extra, for an error that misses one."""
    return f"pip install 'satchel[{extra}]' (from a clone: pip install '.[{extra}]')"
