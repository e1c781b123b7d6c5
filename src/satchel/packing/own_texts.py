"""Texts that an export reads: those of the package, or a file of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from satchel.runtime.errors import UsageError, shown

FEWEST_CHARACTERS = 300  # of a file, but spaces: scripts and formulas have words without any
FAMILIAR = 0.8  # of the tokens of a text: a vocabulary that knows fewer was made for other texts


def read_texts(option: str, path: str | Path | None) -> list[str] | None:
    """The lines of the file that `option` names, if it does; UsageError where they are too few."""
    if path is None:
        return None
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        missing = "" if Path(path).exists() else ", there is none"
        raise UsageError(
            f"{option} {shown(path)}: not a file of texts in UTF-8{missing}"
        ) from error
    texts = [line for line in lines if line.strip()]
    if sum(len("".join(text.split())) for text in texts) < FEWEST_CHARACTERS:
        raise UsageError(
            f"{option} {shown(path)}: expected at least {FEWEST_CHARACTERS} characters, "
            "a text per line"
        )
    return texts


def unfamiliar(tokenizer: bytes, texts: Sequence[str]) -> str | None:
    """A remark where a vocabulary hardly knows the shipped `texts` that it is judged on."""
    model = json.loads(tokenizer)["model"]
    encoder = Tokenizer.from_buffer(tokenizer)
    token = model.get("unk_token")
    unknown = encoder.token_to_id(token) if isinstance(token, str) else model.get("unk_id")
    batch = encoder.encode_batch(list(texts), add_special_tokens=False)
    ids = [index for text in batch for index in text.ids]
    known = sum(index != unknown for index in ids) / max(1, len(ids))
    if known >= FAMILIAR:
        return None
    return (
        f"the vocabulary knows {known:.0%} of the tokens of the shipped text: --calibration FILE and "
        "--quality-text FILE fix scales and judge by texts that are meant for the model"
    )
