"""Texts and pictures as the inputs that an encoder is calibrated and measured on. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from satchel.models.encoder import ReferenceEncoder
from satchel.runtime.encoder_session import TOKENS_PER_BATCH, EncoderSession, batches, made_inputs
from satchel.runtime.image import ImageFormat
from satchel.runtime.text_messages import TextMessages

Array = NDArray[np.float32]
EXACT_SAMPLES, IMAGES = 8, 32
JUDGED = 4  # of so many images of the user one is measured on
IMAGES_TOGETHER = 4  # in a batch: the scores of many large images need much memory

Sample = dict[str, NDArray[Any]]  # the inputs of one text or image, a batch of one


def texts_as_inputs(
    texts: Sequence[str],
    tokenizer: bytes,
    model: ReferenceEncoder,
    names: tuple[str, ...],
    messages: TextMessages | None,
) -> list[Sample]:
    """Texts as inputs of a text tower; as messages, each with those that follow."""
    encode = Tokenizer.from_buffer(tokenizer)
    encode.no_truncation()
    encode.no_padding()
    pad = padding(model)
    samples = []
    if messages is not None:
        prompt, count = model.default_prompt or "", messages.count
        last = len(texts) - count + 1
        texts = [messages.render(prompt, texts[at : at + count]) for at in range(last)]
    for text in texts:
        ids = encode.encode(text, add_special_tokens=messages is None).ids[: model.max_length]
        if pad is not None:
            ids += [pad] * (model.context - len(ids))
        samples.append(made_inputs(np.array([ids], np.int64), names))
    return samples


def pictures_as_inputs(
    image: ImageFormat, files: Sequence[Path] | None
) -> tuple[list[Sample], list[Sample]]:
    """Pictures to measure on and others to calibrate on, through the checkpoint's preprocessing: made for
    the purpose, or of the user's files each fourth and the rest."""
    if files is None:
        made = [picture_as_input(image, one) for one in image.pictures(2 * IMAGES)]
        return made[:IMAGES], made[IMAGES:]
    given = [picture_as_input(image, file) for file in files]
    judged = given[::JUDGED]
    del given[::JUDGED]
    return judged, given


def picture_as_input(image: ImageFormat, picture: object) -> Sample:
    """A picture through the checkpoint's preprocessing."""
    return {"pixel_values": image.pixels(picture)[None]}


def padding(model: ReferenceEncoder) -> int | None:
    """The id that fills every text up to the context, for the few models trained so."""
    return model.facts.get("pad_token_id") if model.facts.get("pad_to_context") else None


def some_of(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Some of the samples, from beginning to end."""
    return samples[:: max(1, len(samples) // EXACT_SAMPLES)]


def answers_of(encoder: EncoderSession, samples: list[Sample]) -> Iterator[tuple[int, Array]]:
    """(index, answer) of all samples, those of one length together where the graph allows it."""
    inputs = [next(iter(sample.values())) for sample in samples]
    few = TOKENS_PER_BATCH // IMAGES_TOGETHER
    lengths = [few if array.ndim == 4 else array.shape[1] for array in inputs]
    for batch in [[index] for index in range(len(samples))] if encoder.alone else batches(lengths):
        names = samples[batch[0]].keys()
        joined = {name: np.concatenate([samples[i][name] for i in batch]) for name in names}
        yield from zip(batch, encoder(joined), strict=True)
