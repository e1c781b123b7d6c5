"""What encoders of texts and images, and models that hear, are asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from satchel.measure.conformance.asked import Given
from satchel.measure.conformance.sample_texts import SENTENCES
from satchel.measure.conformance.token_requests import Request
from satchel.runtime.audio import WaveFormat

LONG = " ".join(SENTENCES * 12)
TEXTS = (*SENTENCES, "a", "x, y; z.", "Paris is the capital of France. Berlin is not.", LONG)
LOST = "\u4e16\u754c, e\u0301! (the fox) \U0001f600 runs"
QUESTION = "Who sees the dog?"
CONTEXT = "It is late. The fox sees the dog, and the cat runs. " * 2
ASKED = {  # of images, by task
    "image-embed": "embed_images",
    "text-image-embed": "embed_images",
    "image-classify": "classify_images",
    "image-segment": "segment_images",
    "depth-estimation": "estimate_depth",
    "object-detection": "detect_objects",
}
SIZES = ((50, 70), (33, 129), (90, 40))  # of images that are resized


def of_texts(model: Any) -> Iterator[Request]:
    """Requests for the task of an encoder that reads texts."""
    manifest = model.manifest
    assert manifest.text is not None
    for given in (SENTENCES[1], LOST, LONG):
        yield "states", {"prompt": given}
    yield "states", {"prompt": [number % manifest.vocab_size for number in range(3, 20)]}
    if "embed" in manifest.task:
        yield from _vectors([None, *manifest.text.prompts])
    else:
        yield from getattr(_Heads, manifest.task.replace("-", "_"))(model)


def _vectors(prompts: list[str | None]) -> Iterator[Request]:
    for prompt in prompts:
        yield "embed", {"texts": [*TEXTS, LOST], "prompt": prompt}
    for window in (0, 4):
        yield "embed", {"texts": [LONG, SENTENCES[0]], "window": window}
    yield "embed", {"texts": []}
    yield "embed", {"texts": [""]}


class _Heads:
    """Requests by the name of a task."""

    @staticmethod
    def classify(model: Any) -> Iterator[Request]:
        pairs: list[Any] = [list(pair) for pair in itertools.pairwise(TEXTS)]
        yield "classify", {"texts": [*TEXTS, LOST]}
        yield "classify", {"texts": pairs}
        for prompt in model.manifest.text.prompts:
            yield "classify", {"texts": [*TEXTS[:2], *pairs[:2]], "prompt": prompt}
        yield "rank", {"query": QUESTION, "passages": list(TEXTS)}
        yield "rank", {"query": QUESTION, "passages": []}

    @staticmethod
    def multi_vector(model: Any) -> Iterator[Request]:
        for prompt in (None, *model.manifest.text.prompts):
            yield "rank", {"query": QUESTION, "passages": [*TEXTS, LOST], "prompt": prompt}
        yield "rank", {"query": LONG, "passages": [LONG]}
        yield "rank", {"query": QUESTION, "passages": []}

    @staticmethod
    def tokens(model: Any) -> Iterator[Request]:
        yield "tokens", {"texts": [*TEXTS, LOST, "", " \n"]}
        for window in (0, 5):
            yield "tokens", {"texts": [LONG, LOST], "window": window}

    @staticmethod
    def answer(model: Any) -> Iterator[Request]:
        for context in (CONTEXT, LOST, CONTEXT * 8, ""):
            for top, longest in ((1, 30), (5, 30), (8, 3)):
                yield "answers", {
                    "question": QUESTION, "context": context, "top": top, "longest": longest,
                }  # fmt: skip

    @staticmethod
    def fill_mask(model: Any) -> Iterator[Request]:
        number = model.manifest.tokens.mask
        mask = model.preparation.tokenizer.id_to_token(number) if number is not None else "[MASK]"
        for given in (
            f"the {mask} sees the dog.",
            f"{mask}",
            f"e\u0301 {mask} caf\u00e9",
            f"it{mask}s",
        ):
            yield "fill_mask", {"text": given, "top": 5}
        yield "fill_mask", {"text": f"The fox {mask}", "top": 1}


def of_images(model: Any) -> Iterator[Request]:
    """Images of the model's size and, where Pillow is installed, of others."""
    form = model.image_format
    sizes = form.usual[:1]
    if find_spec("PIL") is not None:
        sizes += SIZES
    images = [
        {"height": height, "width": width, "seed": seed}
        for height, width in sizes
        for seed in range(2 if (height, width) == form.usual[0] else 1)
    ]
    for image in images:
        yield "pixels", {"image": image}
    kind = ASKED[model.manifest.task]
    yield kind, {"images": images}
    yield kind, {"images": []}
    yield "image_states", {"image": images[0]}


def of_letters(model: Any) -> Iterator[Request]:
    """Sounds of one frame, of some, and beyond a window."""
    form = model.audio
    long = (form.window + 7) * form.stride + form.field + 3
    for seed, samples in enumerate(
        (form.field, form.sampling_rate, 2 * form.sampling_rate + 5, long)
    ):
        yield "transcribe", {"sound": {"samples": samples, "seed": seed}}
    yield "transcribe", {"sound": {"samples": form.field - 1, "seed": 0}}


def of_sound(model: Any) -> Iterator[Request]:
    """Sounds within a window and beyond, with a silence in them, and nothing but silence."""
    rate, window = model.audio.sampling_rate, model.audio.window_samples
    short: Given = {"samples": window * 2 // 5, "seed": 1}
    whole: Given = {"samples": window, "seed": 2}
    long: Given = {"samples": window * 5 // 2 + 123, "seed": 3}
    broken: Given = {"samples": window * 3, "seed": 4, "silence": [window // 2, window * 5 // 2]}
    silent: Given = {"samples": rate, "seed": 5, "silence": [0, rate]}
    stamped, waves = model.timestamps is not None, isinstance(model.audio, WaveFormat)
    for sound in (short, whole, silent) if not waves else ():
        yield "features", {"sound": sound}
    if not waves:
        yield "features", {"sound": long, "silence": window}
    for sound in (short, whole, silent, *((long, broken) if stamped or waves else ())):
        yield "transcribe", {"sound": sound}
        if stamped:
            yield "transcribe", {"sound": sound, "timestamps": True}
    speech = model.speech
    languages = list(speech.languages)[:3]
    for language in [*languages, *(["auto"] if languages else [])]:
        for task in speech.tasks:
            yield "transcribe", {"sound": short, "language": language, "task": task}
    for options in ({"num_beams": 3}, {"temperature": 1.2, "seed": 7}, {"no_repeat_ngram_size": 2}):
        yield "transcribe", {"sound": short, "max_new_tokens": 16, "options": options}
    if languages:
        yield "languages", {"sound": short}
        yield "languages", {"sound": long}
