"""Error rates and speed on the held-out words, for bundles and for the checkpoint itself.

    python examples/g2p/evaluate.py bundles/g2p-int8 bundles/g2p-fp32 examples/g2p/checkpoint

A folder with a manifest.json runs with satchel, one with a config.json with `transformers`. Words
are spelled greedily, in batches of like length; `alone` is one word at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from data import judge, pronunciations

Speller = Callable[[list[str]], list[str]]
BATCH, ALONE = 64, 200


def satchel_speller(folder: Path) -> Speller:
    import satchel

    model = satchel.load(folder)
    return lambda words: [each.text for each in model.generate(words)]


def transformers_speller(folder: Path) -> Speller:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.inference_mode()
    def spell(words: list[str]) -> list[str]:
        answers = model.generate(**tokenizer(words, padding=True, return_tensors="pt"))
        return tokenizer.batch_decode(answers, skip_special_tokens=True)

    return spell


def speller(folder: Path) -> Speller:
    """What turns words into phonemes, for either kind of folder."""
    if (folder / "manifest.json").exists():
        return satchel_speller(folder)
    return transformers_speller(folder)


def in_batches(spell: Speller, words: list[str]) -> dict[str, str]:
    """Word -> phonemes."""
    found = {}
    alike = sorted(words, key=len)
    for start in range(0, len(alike), BATCH):
        piece = alike[start : start + BATCH]
        found |= zip(piece, spell(piece), strict=True)
    return found


def speed(spell: Speller, words: list[str]) -> tuple[float, float]:
    """(words per second one at a time, words per second in batches)."""
    spell(words[:1])
    began = time.perf_counter()
    for word in words[:ALONE]:
        spell([word])
    alone = len(words[:ALONE]) / (time.perf_counter() - began)
    began = time.perf_counter()
    in_batches(spell, words)
    return alone, len(words) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="bundles or checkpoints")
    parser.add_argument("--part", default="test", choices=("test", "dev", "train"))
    parser.add_argument("--words", type=int, help="only so many, spread over the part")
    options = parser.parse_args()

    entries = list(pronunciations(options.part).items())
    if options.words:
        entries = entries[:: max(1, len(entries) // options.words)][: options.words]
    words, expected = [word for word, _ in entries], [several for _, several in entries]
    print(f"{len(words)} words of the {options.part} part")
    for folder in options.folders:
        spell = speller(folder)
        found = in_batches(spell, words)
        alone, batched = speed(spell, words[:: max(1, len(words) // 1000)])
        print(f"\n{folder}: {alone:.0f} words/s alone, {batched:.0f} in batches of {BATCH}")
        for name, errors in judge([found[word] for word in words], expected).items():
            print(f"  {name:28} PER {errors.phonemes:6.2%}  WER {errors.words:6.2%}")


if __name__ == "__main__":
    main()
