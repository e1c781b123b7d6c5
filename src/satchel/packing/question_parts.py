"""Whether a tokenizer parts a question from its text as a model that knows it by them expects."""

from __future__ import annotations

from tokenizers import Tokenizer

from satchel.models.encoder import ReferenceEncoder
from satchel.runtime.errors import UnsupportedError

SEPARATORS = 3  # as RoBERTa's tokenizer writes them: two behind the question, one behind the text


def check_separators(model: ReferenceEncoder, tokenizer: bytes) -> None:
    """Refuse a tokenizer with which transformers' Longformer would not find the question."""
    wanted = (getattr(tower.trunk, "separator", None) for tower in model.towers.values())
    separator = next((token for token in wanted if token is not None), None)
    if model.task != "answer" or separator is None:
        return
    count = Tokenizer.from_buffer(tokenizer).encode("a", "a").ids.count(separator)
    if count != SEPARATORS:
        raise UnsupportedError(
            f"the tokenizer parts question and text by {count} tokens of the id {separator} "
            f"(config.json: sep_token_id); {model.architecture} finds the question by {SEPARATORS}"
        )
