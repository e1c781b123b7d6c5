"""Which model may draft for which: a decoder whose ids mean the same. Knows no graph."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from satchel.runtime.bundle import TOKENIZER
from satchel.runtime.errors import UsageError, shown


def check_draft(model: Any, draft: Any, known: set[str]) -> None:
    """UsageError, which says why, where one loaded model cannot draft for another.

    `known` are the sha256 of tokenizers that were found to be as the model's; it grows.
    """
    if getattr(getattr(draft, "manifest", None), "task", None) != "generate":
        raise UsageError(f"draft is {shown(draft)}; expected a decoder, as satchel.load gives")
    if model.manifest.task != "generate":
        raise UsageError(f"a draft does not fit a bundle made for {shown(model.manifest.task)}")
    name, other = (shown(one.bundle.folder.name, 60) for one in (model, draft))
    if not model.manifest.reads_ahead_exactly:
        raise UsageError(
            f"a draft would change texts of {name}, whose logits are not the same for ids read together: "
            "export it again with this satchel"
        )
    if draft.manifest.cache.windows:
        raise UsageError(
            f"the draft {other} keeps windows alone, which cannot be rolled back: export it with "
            "--cache int8"
        )
    files = [one.manifest.files[TOKENIZER].sha256 for one in (model, draft)]
    if files[1] not in (files[0], *known):
        _check_ids(model.tokenizer, draft.tokenizer, name, other)
        known.add(files[1])


def _check_ids(mine: Tokenizer, others: Tokenizer, name: str, other: str) -> None:
    """Every id must be the same piece of text in both."""
    pieces, drafted = (one.get_vocab(with_added_tokens=True) for one in (mine, others))
    if pieces == drafted:
        return
    piece = min(
        (one for one in pieces.keys() | drafted.keys() if pieces.get(one) != drafted.get(one)),
        key=lambda one: (pieces.get(one, drafted.get(one, 0)), one),
    )
    theirs, its = (shown(one.get(piece, "missing")) for one in (pieces, drafted))
    raise UsageError(
        f"the draft {other} has another tokenizer than {name}: {shown(piece, 40)} is {its} there, "
        f"{theirs} here"
    )
