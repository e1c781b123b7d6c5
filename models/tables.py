"""The tables of words of an encoder-decoder: one for all, or others for sources and the head."""

from __future__ import annotations

from collections.abc import Sequence

from satchel.models.weights import Tensors, equal

WORDS, SOURCE_WORDS, HEAD = "words.weight", "encoder.embeddings.words.weight", "lm_head.weight"
THEIRS = {
    SOURCE_WORDS: "encoder.embed_tokens.weight",
    WORDS: "decoder.embed_tokens.weight",
    HEAD: HEAD,
}


def tables(named: Tensors, tied: bool, order: Sequence[str]) -> Tensors:
    """`named` with the decoder's table as WORDS, and beside it those of sources and head that differ.

    WORDS of `named` is a shared table. Where `tied`, missing ones are that or the first of `order`;
    else a head has to be there.
    """
    # As transformers 5 reads them: a file has one table under any of its names, and often under several.
    rest = dict(named)
    shared = rest.pop(WORDS, None)
    own = {ours: rest.pop(theirs, None) for ours, theirs in THEIRS.items()}
    if tied:
        shared = shared or next((own[name] for name in order if own[name] is not None), None)
    words = own[WORDS] or shared
    if words is not None:
        rest[WORDS] = words
    for name, kept in ((SOURCE_WORDS, False), (HEAD, not tied)):
        table = own[name] or (None if kept else shared)
        if table is not None and (kept or not (table is words or equal(table, words))):
            rest[name] = table
    return rest
