"""What a bundle's tokenizer is asked: texts to ids, ids to text, whole and piece by piece."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from satchel.measure.conformance.asked import Given, tokenizer_of
from satchel.measure.conformance.sample_texts import HAND, SENTENCES, by_chance

Request = tuple[str, Given]  # its kind, and what is given
PAIRED = 8  # texts by hand, each with the next
PIECES = 40  # of the tokenizer's own, in texts by chance
LONGEST = 40  # ids that are decoded


def of_tokens(model: Any, fuzz: int, seed: int) -> Iterator[Request]:
    """Texts by hand and `fuzz` more by chance; those of an encoder in pairs too."""
    tokenizer = tokenizer_of(model)
    if tokenizer is None:
        return
    chance = random.Random(seed)
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    every = sorted(tokenizer.get_vocab())
    pieces = [chance.choice(every) for _ in range(PIECES)] + added[:PIECES]
    texts = [*HAND, *_around(added[:PIECES]), *by_chance(fuzz, seed, pieces)]
    for place, text in enumerate(texts):
        special = (True, False) if place < len(HAND) else (bool(place % 2),)
        yield from (("encode", {"text": text, "special_tokens": one}) for one in special)
    if not model.writes:
        yield from _pairs(texts)
    yield from _back(model, texts, chance)


def _around(added: list[str]) -> Iterator[str]:
    """Added tokens alone, between letters, between spaces, and one after the other."""
    for token in added:
        yield from (token, f"a{token}b", f"a  {token}  b", f"{token}{token} {token.upper()}")


def _pairs(texts: list[str]) -> Iterator[Request]:
    for first, second in itertools.pairwise(texts[4 : 5 + PAIRED]):
        yield "encode", {"text": first, "pair": second, "special_tokens": True}
    for first, second in itertools.pairwise(SENTENCES):
        yield "encode", {"text": first, "pair": second, "special_tokens": False}


def _back(model: Any, texts: list[str], chance: random.Random) -> Iterator[Request]:
    """The ids of texts, cut anywhere, and ids by chance, turned into text."""
    tokenizer, size = tokenizer_of(model), model.manifest.vocab_size
    rows = [[], [size - 1]]
    for place, text in enumerate(texts):
        ids = list(tokenizer.encode(text).ids)
        start = chance.randrange(3) if place % 2 else 0
        rows.append(ids[start : start + LONGEST])
        if place % 4 == 0:
            rows.append([chance.randrange(size) for _ in range(chance.randint(1, 12))])
    for place, ids in enumerate(row for row in rows if all(token < size for token in row)):
        yield "decode", {"ids": ids, "skip_special_tokens": place % 3 > 0}
        if not model.writes:
            continue
        given: Given = {"ids": ids}
        whole = str(tokenizer.decode(ids, skip_special_tokens=True)) if ids else ""
        if place % 2 and len(whole) > 2:
            given["stop"] = stops_within(whole, chance)
        yield "pieces", given


def stops_within(text: str, chance: random.Random) -> list[str]:
    """One to three pieces of a text, as it is likely split over ids, and one that is not in it."""
    stops = []
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text))
        stops.append(text[start : start + chance.randint(1, 5)])
    return [*stops, text[-1] + "\u2603"]
