"""What an app holds of a model that reads images: an image in, a text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Self

from satchel.runtime.batch import Generation, Stream
from satchel.runtime.bundle import Bundle
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_session import DecoderSession, Run
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.generation import Prompt, TextModel
from satchel.runtime.ids import caller_ids
from satchel.runtime.image import ImageFormat, Pixels
from satchel.runtime.options import unfit
from satchel.runtime.sample_answers import SampleAnswer, of_target, target_probe
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SensedEncoder
from satchel.runtime.task_model import TaskModel
from satchel.runtime.text import tokenizing
from satchel.runtime.workloads import Workload, steps

UNFIT = ("kept", "draft", *unfit("read_images"))


class PictureText(TextModel):
    """Texts of `pictures`. Their prompts are what the texts themselves begin with."""

    pictures: Sequence[Pixels] = ()

    def __init__(self, bundle: Bundle, encoder: SensedEncoder, decoder: DecoderSession) -> None:
        super().__init__(bundle)
        self.encoder, self.decoder = encoder, decoder

    def of(self, pictures: Sequence[Pixels]) -> Self:
        """This one, of those pictures."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"pictures": pictures}
        return other

    def encode(self, text: str) -> list[int]:
        with tokenizing(text, self.prompt_limit):
            return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt, of which there may be none."""
        if isinstance(prompt, str):
            return self.encode(prompt) if prompt else []
        return caller_ids(prompt, self.manifest.vocab_size) if len(prompt) else []

    def marked(self, tokens: list[int]) -> str:
        """Text of ids, with special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False))

    def _before(self, prompt: list[int]) -> list[int]:
        assert self.manifest.seq2seq is not None
        start = [self.manifest.seq2seq.start]
        replaced = bool(prompt) and self.manifest.seq2seq.prompt_starts
        return prompt if replaced or prompt[:1] == start else start + prompt

    @contextmanager
    def _reading(self, cancel: Cancel) -> Iterator[Run]:
        """The pictures are read only when the generation begins, and can be cancelled."""
        decoder = self.decoder.reading(self.encoder(self.pictures, cancel))
        with decoder.lease(len(self.pictures), cancel) as run:
            yield run

    def _lease(self, prompts: list[list[int]], cancel: Cancel) -> AbstractContextManager[Run]:
        return self._reading(cancel)


class ImageTextModel(TaskModel):
    """A loaded bundle that reads images. Safe to use from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        self.image = ImageFormat.from_dict(self.manifest.image or {})
        self.encoder = SensedEncoder(open_session(bundle, "encoder", threads), self.manifest)
        self.decoder = DecoderSession(open_session(bundle, "decoder", threads), self.manifest)
        self.graphs = {"encoder": self.encoder, "decoder": self.decoder}
        self.writer = PictureText(bundle, self.encoder, self.decoder)

    @property
    def samples(self) -> dict[str, str]:
        return {"decoder": "read pictures"}

    def sources(self, count: int) -> list[Pixels]:
        """The pictures that checks are made with."""
        return [self.image.pixels(one) for one in self.image.pictures(count)]

    def workloads(self) -> Iterator[Workload]:
        pictures = self.sources(1)
        yield Workload(
            "image", lambda: lambda: self.encoder(pictures), times=3, seconds="image_seconds"
        )
        yield steps("step", "decode_per_second", self._begun, self.decoder.context)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        first, second = self.sources(2)
        return of_target(self.decoder, self.encoder, (first, second), target_probe(self.manifest))

    def first_token(self) -> None:
        self._begun()

    def _begun(self) -> tuple[Run, Any]:
        """A run for one picture, and the logits of its first token."""
        assert self.manifest.seq2seq is not None
        run = self.decoder.reading(self.encoder(self.sources(1))).start()
        return run, run.append([self.manifest.seq2seq.start])

    def read_images(
        self,
        images: Sequence[object],
        *,
        prompt: Prompt = "",
        special_tokens: bool = False,
        **options: Any,
    ) -> list[Generation]:
        """The texts of images in one batch, each what it is alone.

        An image is a path, the bytes of a file, a Pillow image or uint8 [height, width, 3]. Every text
        begins with `prompt`, a text or ids, which the Generation leaves out. With `special_tokens` texts
        have theirs, as those that mark Donut's fields. `options` are
        `max_new_tokens`, `stop`, `grammar`, `cancel` and the fields of Options, but for those that look
        at a source's ids.
        """
        if isinstance(images, str | bytes) or not isinstance(images, Sequence):
            raise UsageError(f"images is a {type(images).__name__}; expected a list of images")
        _check(options)
        if not images:
            return []
        ids = self.writer.prompt_ids(prompt)
        writer = self.writer.of([self.image.pixels(image) for image in images])
        generations: list[Generation] = writer.generate([ids] * len(images), **options)
        if not special_tokens:
            return generations
        return [replace(one, text=self.writer.marked(one.tokens)) for one in generations]

    def read_image_stream(self, image: object, *, prompt: Prompt = "", **options: Any) -> Stream:
        """The text of an image, piece by piece."""
        _check(options)
        ids = self.writer.prompt_ids(prompt)
        return self.writer.of([self.image.pixels(image)]).stream(ids, **options)


def _check(options: dict[str, Any]) -> None:
    for name in UNFIT:
        if options.get(name) is not None:
            raise UsageError(f"{shown(name)} has no effect on the text of an image")
