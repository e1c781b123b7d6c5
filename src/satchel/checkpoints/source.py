"""Where a checkpoint comes from: a folder, a GGUF file or a hub id.

Looking at what the user named needs none of the packages that reading it does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from satchel.checkpoints.file_names import TOKENIZER_FILES
from satchel.runtime.errors import (
    CheckpointError,
    StorageError,
    UnsupportedError,
    UsageError,
    install,
    shown,
)

if TYPE_CHECKING:
    from satchel.checkpoints.checkpoint import Checkpoint

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
WANTED = [
    "*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "*.tiktoken",
    "chat_template.jinja",
    "chat_template.json",
    "README.md",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "[0-9]*_*/config.json",  # of the modules of sentence-transformers
    "[0-9]*_*/sentence_*_config.json",
    "[0-9]*_*/*token*.json",
    "[0-9]*_*/vocab*",
    "[0-9]*_*/*.model",
]


def find(source: str, revision: str | None = None) -> Path | None:
    """The folder or .gguf file that the user named, None for a hub id. Raises where it is neither."""
    path = Path(source)
    if path.is_file() and path.suffix != ".gguf":
        _refuse_file(path)
    if not path.exists():
        if HUB_ID.fullmatch(source):
            return None
        raise CheckpointError(f"{shown(source)} does not exist and is not a hub id (owner/name)")
    if not (path.is_dir() or path.is_file()):
        raise CheckpointError(f"{shown(source)} is neither a folder nor a .gguf file")
    if revision is not None:
        raise UsageError(f"--revision applies to hub ids; {shown(source)} is a local path")
    return path


def _refuse_file(path: Path) -> None:
    from satchel.checkpoints.files import PICKLED

    if any(path.match(pattern) for pattern in PICKLED):
        raise UnsupportedError(
            f"{shown(path.name)} holds pickled weights, which can run code when read; convert "
            "the checkpoint to safetensors where you trust it",
            "PICKLE_REFUSED",
        )
    raise CheckpointError(f"{shown(path)} is neither a folder nor a .gguf file")


def open_source(source: str, revision: str | None = None) -> Checkpoint:
    """Open what the user named: a Hugging Face folder, a .gguf file, or a hub id ``owner/name``.

    Only a hub id, and only when no file of that name exists, opens a connection.
    """
    from satchel.checkpoints.folder import load_folder
    from satchel.checkpoints.gguf import load_gguf

    path = find(source, revision)
    if path is None:
        return load_folder(download(source, revision))
    return load_folder(path) if path.is_dir() else load_gguf(path)


def download(hub_id: str, revision: str | None, offline: bool = False) -> Path:
    """Fetch the files of a hub repository into its cache; weights as safetensors only.

    `offline` looks into the cache alone.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )
    except ImportError as error:
        raise UsageError(
            f"downloading {shown(hub_id)} needs huggingface_hub: {install('hub')}"
        ) from error
    wanted = [*WANTED, *TOKENIZER_FILES]
    try:
        return Path(
            snapshot_download(
                hub_id, revision=revision, allow_patterns=wanted, local_files_only=offline
            )
        )
    except HFValidationError as error:
        raise UsageError(f"{shown(hub_id)} is not a hub id: {shown(error)}") from error
    except LocalEntryNotFoundError as error:
        if offline:
            raise StorageError(f"{shown(hub_id)} is not in the hub's cache") from error
        raise StorageError(f"cannot reach the hub for {shown(hub_id)}, nor is it cached") from error
    except (HfHubHTTPError, OSError) as error:
        raise StorageError(f"cannot download {shown(hub_id)}: {shown(error)}") from error
