"""What the manifest says of a model that gives a vector of every token (ColBERT)."""

from __future__ import annotations

import dataclasses

from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.models.encoder import ExpandedTower, ReferenceEncoder
from satchel.runtime.errors import UnsupportedError, shown
from satchel.runtime.manifest import MultiVector
from satchel.tokenization.tokenizer import special_token_texts


def multi_vector(
    checkpoint: Checkpoint, model: ReferenceEncoder, tokenizer: bytes
) -> tuple[ReferenceEncoder, MultiVector | None]:
    """`model` with the length of its texts and what fills queries up, and what the manifest says."""
    sentence = checkpoint.sentence
    if model.task != "multi-vector" or sentence is None or sentence.scored is None:
        return model, None
    reader: Tokenizer = Tokenizer.from_buffer(tokenizer)
    said, scored = sentence.lengths, sentence.scored
    texts = special_token_texts(checkpoint, usual=True)
    filler = None
    if said.expand_to is not None:
        token = said.token or texts.get("mask_token")
        filler = reader.token_to_id(token) if token is not None else None
        if filler is None or reader.encode("").ids[-1:] == [filler]:
            raise UnsupportedError(
                f"query_expansion with {shown(token)} is not supported; expected a token of the "
                "vocabulary that ends no text"
            )
        for tower in model.towers.values():
            if isinstance(tower, ExpandedTower):
                tower.filler = filler
    to = said.expand_to or 0
    query = to if said.fixed else max(said.query or model.max_length, to)
    document = said.document or model.max_length
    query, document = min(query, model.context), min(document, model.context)
    if to > query:
        raise UnsupportedError(f"query_expansion to {to} tokens is beyond the model's {query}")
    unknown = texts.get("unk_token")
    ids = {word: reader.token_to_id(word) for word in scored.words}
    nothing = reader.token_to_id(unknown) if unknown is not None else None
    skipped = {
        index
        for word, index in ids.items()
        if index is not None and (index != nothing or word == unknown)
    }
    told = MultiVector(
        query,
        document,
        expand_to=to,
        expand_with=filler,
        skipped=sorted(skipped),
        skipped_in=[kind for kind in ("query", "document") if kind in scored.kinds],
        mean=sentence.settings.mean_of_tokens,
    )
    return dataclasses.replace(model, max_length=max(query, document)), told
