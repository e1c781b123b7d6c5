"""Write the cases of the Java tests of encoders and speech: what is given, and what Python makes of it.

python android_demo/core/tools/encoder_cases.py, in the root of the repository.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from satchel.runtime.audio import AudioFormat, sample_sounds
from satchel.runtime.image import ImageFormat, sample_images
from satchel.runtime.spans import best_answers, merge_labels
from satchel.runtime.spoken import code_of
from satchel.runtime.timestamps import Timestamps

FOLDER = Path("android_demo/core/src/test/resources/satchel")
PIECES = [
    *"abcd AB.,- \n",
    *("é", "e\u0301", "\u0301", "東", "の", "ก", "ุ", "ง", "नम", "स्", "🦊", "👩\u200d👧", "\u200d"),
    *("한", "ß", "\u0661", "½", "\u00a0", "\u3000", "\U0001d518", "𠀀", "Ⅷ"),
]
LABELS = ["B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "Z", "E-mail", "U-boat"]
END, FIRST, STEPS = 20, 30, 50
Case = dict[str, Any]
RANDOM, CHOICE = np.random.default_rng(7), random.Random(7)


def some_text(longest: int) -> str:
    return "".join(CHOICE.choice(PIECES) for _ in range(CHOICE.randint(0, longest)))


def some_tokens(text: str) -> list[tuple[int, int, int | None]]:
    """Where tokens start and end, and their words; some are bytes of the character before."""
    tokens: list[tuple[int, int, int | None]] = []
    place = word = 0
    while place < len(text):
        if tokens and CHOICE.random() < 0.12:
            tokens.append(tokens[-1])
        end = min(len(text), place + CHOICE.choice([1, 1, 2, 3]))
        word += CHOICE.random() < 0.3
        tokens.append((place, end, word if CHOICE.random() < 0.95 else None))
        place = end
    return [(0, 0, None), *tokens, (0, 0, None)]


def shortly(numbers: NDArray[np.float32]) -> list[float]:
    """With as few digits as tell them apart."""
    return [float(str(number)) for number in numbers.ravel()]


def of_tokens(kind: str, text: str, tokens: list[tuple[int, int, int | None]]) -> Case:
    starts, ends, words = zip(*tokens, strict=True)
    return {
        "kind": kind,
        "text": text,
        "starts": starts,
        "ends": ends,
        "words": [-1 if word is None else word for word in words],
    }


def spans(count: int) -> Iterator[Case]:
    for _ in range(count):
        text = some_text(20)
        tokens = some_tokens(text)
        names = [*CHOICE.sample(LABELS, CHOICE.randint(1, 5)), "O"]
        scores = RANDOM.random((len(tokens), len(names))).round(3).astype(np.float32)
        places = [(start, end) for start, end, _ in tokens]
        found = merge_labels(text, places, [word for *_, word in tokens], scores, names)
        yield {
            **of_tokens("spans", text, tokens),
            "scores": [round(float(score), 3) for score in scores.ravel()],
            "names": names,
            "found": [[one.label, one.text, one.start, one.end, one.score] for one in found],
        }


def answers(count: int) -> Iterator[Case]:
    for _ in range(count):
        text = some_text(25)
        tokens = some_tokens(text)
        logits = RANDOM.normal(0, 3, (len(tokens), 2)).round(2).astype(np.float32)
        none = RANDOM.normal(0, 3, 2).round(2).astype(np.float32)
        bounds = {"longest": CHOICE.choice([1, 2, 30]), "top": CHOICE.choice([1, 3, 20])}
        places = [(start, end) for start, end, _ in tokens]
        found = best_answers(text, places, logits, none, **bounds)
        yield {
            **of_tokens("answers", text, tokens),
            "logits": [round(float(logit), 2) for logit in logits.ravel()],
            "none": [round(float(logit), 2) for logit in none],
            **bounds,
            "found": [[one.text, one.start, one.end, one.score, one.no_answer] for one in found],
        }


def pictures() -> Iterator[Case]:
    for size in [(5, 7), (16, 15), (33, 20)]:
        found = [picture.ravel().tolist() for picture in sample_images(size, 2)]
        yield {"kind": "pictures", "size": size, "found": found}
    for index in range(36):
        before, after = RANDOM.integers(1, 14, 2).tolist(), RANDOM.integers(1, 14, 2).tolist()
        picture = RANDOM.integers(0, 256, (*before, 3), np.uint8)
        resized = Image.fromarray(picture).resize(after[::-1], index % 6)
        yield {
            "kind": "resize",
            "size": [*before, *after],
            "filter": index % 6,
            "bytes": picture.ravel().tolist(),
            "found": np.asarray(resized).ravel().tolist(),
        }
    forms: list[Case] = [
        {"resize": [7, 9]},
        {"shortest_edge": 6},
        {"shortest_edge": 9, "longest_edge": 11},
        {"rescale": 0.5},
        {},
    ]
    whole = {
        "size": [8, 6],
        "resize": None,
        "shortest_edge": None,
        "longest_edge": None,
        "resample": 3,
        "rescale": 1 / 255,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.3, 0.4],
    }
    for form in forms:
        for size in [(8, 6), (5, 4), (9, 13)]:
            picture = RANDOM.integers(0, 256, (*size, 3), np.uint8)
            yield {
                "kind": "pixels",
                "image": whole | form,
                "size": size,
                "bytes": picture.ravel().tolist(),
                "found": shortly(ImageFormat.from_dict(whole | form).pixels(picture)),
            }


def numbers() -> Case:
    random = np.random.default_rng(0)
    found = [*random.integers(0, 30522, 5).tolist(), *random.integers(0, 256, 7, np.uint8).tolist()]
    found += [random.uniform(2, 9), *random.normal(0, 1, 4000)[::100].tolist()]
    return {"kind": "numbers", "found": found}


def features() -> Iterator[Case]:
    for sizes in ([16_000, 12, 80, 40, 1], [16_000, 80, 400, 160, 1], [22_050, 20, 442, 111, 1]):
        names = ("sampling_rate", "mels", "n_fft", "hop_length", "seconds")
        raw = dict(zip(names, sizes, strict=True))
        form = AudioFormat.from_dict(raw)
        _, sound = sample_sounds(form, 2)
        for length, silence in ((len(sound), 0), (len(sound) // 3, 0), (len(sound), len(sound))):
            found = form.log_mel(sound[:length], silence)
            yield {
                "kind": "features",
                "audio": raw,
                "length": length,
                "silence": silence,
                "shape": found.shape,
                "found": shortly(found.ravel()[::97]),
            }


def timestamps(count: int) -> Iterator[Case]:
    size = FIRST + STEPS + 1
    for index in range(count):
        kinds = RANDOM.random(index % 9) < 0.5
        times = np.sort(RANDOM.integers(FIRST, size, len(kinds)))
        tokens = np.where(kinds, times, RANDOM.integers(0, END, len(kinds))).tolist()
        scores = RANDOM.normal(0, 2, size).round(2).astype(np.float32)
        latest = CHOICE.choice([None, 10])
        case = {"scores": [round(float(score), 2) for score in scores], "tokens": tokens}
        Timestamps(FIRST, END, latest)(scores, np.array([7, 8, *tokens]), len(tokens))
        ruled = np.isneginf(scores).nonzero()[0].tolist()
        yield {"kind": "rules", **case, "latest": latest, "found": ruled}
        if tokens:
            cuts, following = Timestamps(FIRST, END).cut(tokens, STEPS)
            parts = [[cut.start, cut.end, cut.tokens] for cut in cuts]
            yield {"kind": "cut", "tokens": tokens, "found": parts, "following": following}


def languages() -> Iterator[Case]:
    known = ["en", "de", "zh", "ht"]
    for asked in ("en", "English", " GERMAN ", "<|de|>", "xx", "Mandarin", "haitian creole", "fr"):
        yield {"kind": "language", "asked": asked, "known": known, "found": code_of(asked, known)}


def write(name: str, cases: list[Case]) -> None:
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    (FOLDER / name / "cases.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    write("encoder", [*spans(80), *answers(40), *pictures(), numbers()])
    write("speech", [*features(), *timestamps(60), *languages()])
