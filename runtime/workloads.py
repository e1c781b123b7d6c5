"""What a bundle is timed at, by the kinds of graphs it has. Knows no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.decoder_session import DecoderSession, Run
from satchel.runtime.encoder_session import EncoderSession, made_inputs
from satchel.runtime.source_graph import SourceEncoder

PROMPT, DECODE = 128, 64
LENGTHS = (16, 128, 512)
SOURCE, SOURCES = 64, (1, 8)  # tokens of a source, and how many at once
BATCHES = ((1, 16), (1, 128), (8, 128), (1, 512))  # texts x tokens, for encoders
IMAGE_BATCHES = (1, 4)
ROUNDS = 5


@dataclass(frozen=True)
class Workload:
    """One thing that a bundle is timed at."""

    name: str
    ready: Callable[[], Callable[[], object]]  # prepares it and gives the call to be timed
    amount: int = 1  # how much a call gets done
    times: int = 1  # calls at most; the first of several warms up
    seconds: str | None = None  # the names of its figures
    rate: str | None = None


def prefills(decoder: DecoderSession) -> Iterator[Workload]:
    """Prompts of some lengths, each read from an empty cache."""
    ids = some_ids(decoder.vocab_size, (max(LENGTHS),)).tolist()

    def reading(length: int) -> Callable[[], Callable[[], object]]:
        def ready() -> Callable[[], object]:
            run = decoder.start()
            return lambda: run.append(ids[:length])

        return ready

    for length in LENGTHS:
        if length < decoder.context:
            yield Workload(
                f"prefill {length}",
                reading(length),
                length,
                seconds=f"first_token_{length}_seconds",
                rate=f"prefill_{length}_per_second",
            )


def steps(
    name: str, rate: str, begin: Callable[[], tuple[Run, Any]], context: int, rows: int = 1
) -> Workload:
    """Greedy tokens of `rows` texts, one each in a call; `begin` gives a run and its logits."""

    def ready() -> Callable[[], object]:
        run, logits = begin()
        active = np.ones(rows, bool)

        def step() -> None:
            nonlocal logits
            logits = run.step(logits.argmax(1), active)

        return step

    return Workload(name, ready, rows, min(DECODE, context // 2), rate=rate)


def decoding(decoder: DecoderSession) -> Workload:
    """Greedy tokens after a prompt."""
    length = min(PROMPT, decoder.context // 2)
    ids = some_ids(decoder.vocab_size, (length,)).tolist()

    def begin() -> tuple[Run, Any]:
        run = decoder.start()
        return run, run.append(ids)

    return steps(f"step after {length}", "decode_per_second", begin, decoder.context)


def translating(encoder: SourceEncoder, decoder: DecoderSession, start: int) -> Iterator[Workload]:
    """Sources, alone and in a batch, and greedy targets of them."""
    length = min(SOURCE, encoder.context)
    for count in SOURCES:
        sources = some_ids(encoder.vocab_size, (count, length)).tolist()

        def reading(sources: list[list[int]] = sources) -> Callable[[], object]:
            return lambda: encoder(sources)

        def begin(sources: list[list[int]] = sources) -> tuple[Run, Any]:
            run = decoder.reading(encoder(sources)).start(len(sources))
            return run, run.prefill([[start]] * len(sources))

        name = f"source_{count}x{length}"
        yield Workload(
            f"source {count}x{length}",
            reading,
            count * length,
            1 + ROUNDS,
            seconds=f"{name}_seconds",
            rate=f"{name}_per_second",
        )
        rate = f"decode_{count}_per_second"
        yield steps(f"step of {count}", rate, begin, decoder.context, count)


def encoding(
    role: str, encoder: EncoderSession, kind: str, inputs: Mapping[str, dict[str, NDArray[Any]]]
) -> Iterator[Workload]:
    """Batches for one graph of an encoder, by the name of their size; `kind` is texts or images."""
    for name, batch in inputs.items():

        def ready(batch: dict[str, NDArray[Any]] = batch) -> Callable[[], object]:
            return lambda: encoder(batch)

        yield Workload(
            f"batch {name}",
            ready,
            len(next(iter(batch.values()))),
            1 + ROUNDS,
            seconds=f"{role}_{name}_seconds",
            rate=f"{role}_{name}_{kind}_per_second",
        )


def image_batches(size: Sequence[int], alone: bool) -> dict[str, dict[str, NDArray[Any]]]:
    """Images, which are all zeros; one `alone` where they are read one by one."""
    return {
        f"{count}_images": {"pixel_values": np.zeros((count, 3, *size), np.float32)}
        for count in IMAGE_BATCHES[: 1 if alone else None]
    }


def text_batches(
    encoder: EncoderSession, context: int, padded: bool
) -> dict[str, dict[str, NDArray[Any]]]:
    """Texts of some lengths; where all texts are `padded`, of that one."""
    sizes = [(count, context) for count in (1, 8)] if padded else BATCHES
    texts = {}
    for count, length in [size for size in sizes if size[1] <= context] or [(1, context)]:
        ids = some_ids(encoder.vocab_size, (count, length))
        texts[f"{count}x{length}"] = made_inputs(ids, encoder.input_names)
    return texts


def some_ids(vocab_size: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Ids that are the same in every run."""
    return np.random.default_rng(0).integers(0, vocab_size, shape)
