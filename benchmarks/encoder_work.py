"""What every encoder is given, and how its vectors are judged. Starts and times nothing."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from encoder_peers import CALIBRATION, REFERENCE, EncoderEntrant
from environment import TEXT
from interleave import WorkerError
from numpy.typing import NDArray

from satchel.measure.fidelity import sentences
from satchel.runtime.bundle import Bundle
from satchel.runtime.encoder_texts import Preparation

Shape = tuple[int, int]
CALLS: dict[Shape, int] = {  # batch x length -> calls that make one sample
    (1, 16): 100,
    (1, 128): 30,
    (8, 128): 6,
    (1, 512): 6,
}
SENTENCES = 50
WORDS = (5, 250)  # fewest and most of a text of the corpus
STRIDE = 512  # ids between the batches of two rounds


@dataclass
class Work:
    """The same inputs for all, and the vectors that each made of them."""

    inputs: dict[str, Any]
    shapes: list[Shape]
    vectors: dict[tuple[str, str], NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: Bundle, texts: int) -> Work:
        """Ids to cut batches from, sentences as ids, and a corpus with its lengths in tokens."""
        preparation = Preparation(bundle)
        text = TEXT.read_text("utf-8")
        later = sentences(limit=10**6)[CALIBRATION:]  # none that a peer was calibrated on
        some = later[:: len(later) // SENTENCES][:SENTENCES]
        corpus = ragged_texts(text.split(), texts)
        with warnings.catch_warnings(action="ignore"):  # some of them are cut, by every engine
            tokens = [len(preparation.rows(one)[0]) for one in corpus]
        inputs = {
            "ids": preparation.tokenizer.encode(text, add_special_tokens=False).ids,
            "sentences": [preparation.rows(sentence)[0] for sentence in some],
            "texts": corpus,
            "tokens": tokens,
        }
        return cls(inputs, [shape for shape in CALLS if shape[1] <= bundle.manifest.context])

    def start(self, number: int) -> int:
        """Where in the ids the batches of a round begin."""
        largest = max(count * length for count, length in CALLS)
        return number * STRIDE % (len(self.inputs["ids"]) - largest)

    def keep(self, entrant: EncoderEntrant, check: str, vectors: NDArray[Any], count: int) -> None:
        """Remember vectors, refused unless they are numbers and as many as were asked for."""
        if vectors.ndim != 2 or len(vectors) != count:
            raise WorkerError(f"vectors of shape {vectors.shape}; expected {count} of them")
        if not np.isfinite(vectors).all():
            raise WorkerError("the vectors are not finite")
        self.vectors[entrant.name, check] = vectors

    def check_tokens(self, counts: Sequence[int]) -> None:
        """Refuse an engine that reads other tokens of the corpus than satchel's tokenizer gives."""
        pairs = list(zip(counts, self.inputs["tokens"], strict=True))
        if other := sum(count != expected for count, expected in pairs):
            raise WorkerError(f"{other} of {len(pairs)} texts have another number of tokens")

    def compare(self, entrant: EncoderEntrant) -> None:
        """How far an entrant's vectors point where those of float32 do, check by check."""
        batches = [str(shape) for shape in self.shapes]
        checks = {"sentences": ["sentences"], "batches": batches, "corpus": ["corpus"]}
        for check, names in checks.items():
            ours = [self.vectors.get((entrant.name, name)) for name in names]
            theirs = [self.vectors.get((REFERENCE, name)) for name in names]
            pairs = [
                (our, their)
                for our, their in zip(ours, theirs, strict=True)
                if our is not None and their is not None
            ]
            if not pairs:
                continue
            if any(our.shape != their.shape for our, their in pairs):
                entrant.failure = f"{check}: the vectors have another size than {REFERENCE}'s"
                continue
            values = np.concatenate([cosines(*pair) for pair in pairs])
            entrant.agreement[check] = {"mean": float(values.mean()), "min": float(values.min())}


def ragged_texts(words: Sequence[str], count: int) -> list[str]:
    """`count` passages of 5 to 250 words, the same on every machine."""
    chance, texts = random.Random(0), []
    for _ in range(count):
        length = chance.randint(*WORDS)
        start = chance.randrange(len(words) - length)
        texts.append(" ".join(words[start : start + length]))
    return texts


def whole_texts(bundle: Bundle, count: int) -> list[str]:
    """Passages that no engine cuts: they do so at different lengths."""
    preparation = Preparation(bundle)
    texts = ragged_texts(TEXT.read_text("utf-8").split(), 20 * count)
    with warnings.catch_warnings(action="ignore"):  # those that are cut
        return [text for text in texts if len(preparation.rows(text)[0]) < preparation.limit][
            :count
        ]


def cosines(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
    """[n] cosines of vectors [n, dim] with others, row by row."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    result: NDArray[Any] = (ours * theirs).sum(1) / lengths
    return result
