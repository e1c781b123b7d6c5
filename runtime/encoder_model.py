"""What an app holds: a loaded encoder bundle with the methods that fit its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from satchel.runtime.areas import SegmentsImages
from satchel.runtime.bundle import Bundle
from satchel.runtime.depths import EstimatesDepth
from satchel.runtime.encoder_session import EncoderSession, made_inputs
from satchel.runtime.encoder_texts import Preparation
from satchel.runtime.errors import LimitError, UsageError, shown
from satchel.runtime.hypotheses import ZeroShot
from satchel.runtime.image import ImageFormat
from satchel.runtime.items import check_count, listed
from satchel.runtime.manifest import Labels
from satchel.runtime.objects import DetectsObjects
from satchel.runtime.pages import ReadsPages
from satchel.runtime.pieces import assembled
from satchel.runtime.sample_answers import SampleAnswer, of_encoder
from satchel.runtime.scores import (
    Classification,
    Filled,
    Ranked,
    activated,
    classified,
)
from satchel.runtime.session import open_session
from satchel.runtime.spans import Answer, Span, best_answers, merge_labels
from satchel.runtime.task_model import for_its_task
from satchel.runtime.text_vectors import TextVectors
from satchel.runtime.token_vectors import TokenVectors
from satchel.runtime.workloads import Workload, encoding, image_batches, text_batches

Array = NDArray[np.float32]
STATES = "last_hidden_state"


class EncoderModel(
    ZeroShot,
    TextVectors,
    TokenVectors,
    ReadsPages,
    SegmentsImages,
    EstimatesDepth,
    DetectsObjects,
):
    """A loaded encoder bundle. Safe to use from several threads.

    A text gives the same alone and among others. Methods that take a list keep its order; an empty list
    gives an empty result.
    """

    writes = False

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        manifest = bundle.manifest
        self.graphs: Mapping[str, EncoderSession] = {
            role: EncoderSession(open_session(bundle, role, threads), graph, manifest.vocab_size)
            for role, graph in manifest.graphs.items()
        }
        self.preparation = Preparation(bundle) if manifest.text is not None else None
        self.image_format = (
            ImageFormat.from_dict(manifest.image) if manifest.image is not None else None
        )

    @property
    def samples(self) -> dict[str, str]:
        return {
            role: "pictures" if "pixel_values" in encoder.input_names else "lines"
            for role, encoder in self.graphs.items()
        }

    def workloads(self) -> Iterator[Workload]:
        context = self.manifest.context
        for role, encoder in self.graphs.items():
            if self.samples[role] == "pictures":
                sizes = image_batches(self._images().usual[0], encoder.alone)
                yield from encoding(role, encoder, "images", sizes)
            else:
                padded = self._text().settings.pad_to_context is not None
                sizes = text_batches(encoder, context, padded)
                yield from encoding(role, encoder, "texts", sizes)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        for role, probe in self.manifest.probe.items():
            encoder, ids = self.graphs[role], probe["ids"]
            sample: dict[str, NDArray[Any]]
            other: dict[str, NDArray[Any]] | None
            if ids is not None:
                sample = made_inputs(np.array([ids], np.int64), encoder.input_names)
                other = {name: value[:, ::-1] for name, value in sample.items()}
            else:
                form = self._images()
                pair = ({"pixel_values": form.pixels(one)[None]} for one in form.pictures(2))
                sample, another = pair
                other = None if encoder.alone else another
            yield from of_encoder(role, encoder, sample, other, probe)

    @overload
    def classify(
        self, texts: str | tuple[str, str], *, prompt: str | None = None
    ) -> Classification: ...

    @overload
    def classify(
        self, texts: list[str] | list[tuple[str, str]], *, prompt: str | None = None
    ) -> list[Classification]: ...

    @for_its_task
    def classify(self, texts: Any, *, prompt: str | None = None) -> Any:
        """A Classification of a text, or a list of them; a pair of texts is a tuple.

        `prompt` names one of the bundle's prompts to put before each text, or the first of a pair.
        """
        single = isinstance(texts, str | tuple)
        items = [texts] if single else listed("texts", texts)
        classifications = [
            classified(row, self._labels()) for row in self._text_logits(items, prompt)
        ]
        return classifications[0] if single else classifications

    @for_its_task
    def rank(
        self, query: str, passages: Sequence[str], *, prompt: str | None = None
    ) -> list[Ranked]:
        """Passages by how well they answer `query`, best first, by a cross-encoder or by their tokens.

        `prompt` names one of the bundle's prompts to put before the query.
        """
        if isinstance(passages, str):
            raise UsageError("passages are one text; expected a list of texts")
        if self.manifest.multi_vector is not None:
            matches = self.matched(query, listed("passages", passages), prompt)
            order = np.argsort([-score for score in matches], kind="stable")
            return [Ranked(int(index), matches[index]) for index in order]
        labels = self._labels()
        if len(labels.names) != 1:
            raise UsageError(f"ranking needs a bundle with one label; it has {len(labels.names)}")
        pairs = [(query, text) for text in listed("passages", passages)]
        logits = self._text_logits(pairs, prompt)
        scores = [float(activated(row, labels.scores)[0]) for row in logits]
        # By logits: where a sigmoid is 1 to the last bit, scores no longer tell which is the better.
        order = np.argsort([-float(row[0]) for row in logits], kind="stable")
        return [Ranked(int(index), scores[index]) for index in order]

    @overload
    def tokens(self, texts: str, *, window: int | None = None) -> list[Span]: ...

    @overload
    def tokens(self, texts: list[str], *, window: int | None = None) -> list[list[Span]]: ...

    @for_its_task
    def tokens(self, texts: Any, *, window: int | None = None) -> Any:
        """Labelled spans of a text with character offsets into it, or a list of them for each text.

        Too long a text is cut with a warning; with `window`, it is read in pieces that overlap by that
        many tokens.
        """
        single, items = isinstance(texts, str), listed("texts", texts)
        prepare = self._text()
        pieces = [
            [prepare.encode(text)] if window is None else prepare.pieces(text, window)
            for text in items
        ]
        rows = iter(self._logits([piece for parts in pieces for piece in parts]))
        spans = []
        for text, parts in zip(items, pieces, strict=True):
            logits = [next(rows) for _ in parts]
            offsets, words, joined = assembled(parts, logits, window or 0)
            scores = activated(joined, "softmax")
            spans.append(merge_labels(text, offsets, words, scores, self._labels().names))
        return spans[0] if single else spans

    @for_its_task
    def answer(self, question: str, context: str, *, longest: int = 30) -> Answer:
        """The span of `context` that answers `question`, of at most `longest` tokens.

        A context of any length is read in overlapping pieces.
        """
        return self.answers(question, context, top=1, longest=longest)[0]

    @for_its_task
    def answers(
        self, question: str, context: str, *, top: int = 5, longest: int = 30
    ) -> list[Answer]:
        """The `top` likeliest answers, likeliest first; one with empty text says there is none."""
        check_count("top", top)
        check_count("longest", longest)
        parts, overlap = self._text().question(question, context)
        logits = self._logits(parts)
        # That one piece has no answer says nothing of the others: the least sure of it counts.
        none = min((rows[0] for rows in logits), key=lambda row: float(row.sum()))
        offsets, _, joined = assembled(parts, logits, overlap)
        return best_answers(context, offsets, joined, none, longest=longest, top=top)

    @for_its_task
    def fill_mask(self, text: str, *, top: int = 5) -> list[Filled]:
        """The `top` likeliest tokens for the one mask in `text`, likeliest first."""
        check_count("top", top)
        tokenizer, mask = self._text().tokenizer, self.manifest.tokens.mask
        if mask is None:
            raise UsageError("this bundle's tokenizer has no mask token")
        name = str(tokenizer.id_to_token(mask))
        ids = self._text().encode(text).ids
        places = [place for place, token in enumerate(ids) if token == mask]
        if len(places) != 1:
            raise UsageError(f"the text has {len(places)} masks; write one as {name}")
        [(_, logits)] = self.graphs["encoder"].texts([ids])
        scores = activated(logits[places[0]], "softmax")
        filled = []
        for index in np.argsort(-scores, kind="stable")[:top].tolist():
            token = tokenizer.decode([index], skip_special_tokens=False).strip()
            filled.append(Filled(token, float(scores[index]), text.replace(name, token)))
        return filled

    @for_its_task
    def hidden_states(self, text: str | Sequence[int]) -> Array:
        """float32 [length, hidden]: the last layer's states of a text or ids, special tokens included."""
        ids = self._text().row_of(text) if isinstance(text, str) else _one_row(text)
        if len(ids) > self.manifest.context:
            raise LimitError(f"{len(ids)} ids; the model takes {self.manifest.context}")
        [(_, states)] = self._text_encoder().texts([ids], output=STATES)
        return states

    @for_its_task
    def image_hidden_states(self, image: Any) -> Array:
        """float32 [length, hidden]: the last layer's states of an image, class token first if any."""
        pixels = self._images().pixels(image)[None]
        states: Array = self.graphs["image"]({"pixel_values": pixels}, STATES)[0]
        return states

    @for_its_task
    def embed_images(self, images: Any) -> Array:
        """float32 [n, dim] of images: paths, bytes, PIL images or uint8 arrays [height, width, 3]."""
        return self._image_answers(images)

    @for_its_task
    def classify_images(self, images: Any) -> list[Classification]:
        """A Classification per image."""
        return [classified(row, self._labels()) for row in self._image_answers(images)]

    def _text(self) -> Preparation:
        assert self.preparation is not None
        return self.preparation

    def _images(self) -> ImageFormat:
        assert self.image_format is not None
        return self.image_format

    def _text_encoder(self) -> EncoderSession:
        return self.graphs.get("text") or self.graphs["encoder"]

    def _labels(self) -> Labels:
        assert self.manifest.labels is not None
        return self.manifest.labels

    def _text_logits(
        self, items: Sequence[Any], prompt: str | None = None, whole_pair: bool = False
    ) -> list[Array]:
        """Logits of texts and of pairs of texts, behind a prompt."""
        pairs = [item if isinstance(item, tuple) else (item,) for item in items]
        wrong = [pair for pair in pairs if len(pair) not in (1, 2) or pair[-1] is None]
        if wrong:
            raise UsageError(f"expected a text or a tuple of two, got {shown(wrong[0])}")
        prepare = self._text()
        return self._logits_of(
            [prepare.read(prompt, *pair, whole_pair=whole_pair) for pair in pairs]
        )

    def _logits(self, encodings: Sequence[Encoding]) -> list[Array]:
        return self._logits_of([(encoding.ids, encoding.type_ids) for encoding in encodings])

    def _logits_of(self, read: Sequence[tuple[list[int], list[int]]]) -> list[Array]:
        """Logits of ids with their token types."""
        told = self._text().settings.token_types
        types = [types for _, types in read] if told else None
        rows: list[Any] = [None] * len(read)
        for index, logits in self.graphs["encoder"].texts([ids for ids, _ in read], types):
            rows[index] = logits
        return rows

    def _image_answers(self, images: Any) -> Array:
        encoder, form = self.graphs["image"], self._images()
        items = list(images) if isinstance(images, list | tuple) else [images]
        rows = np.zeros((len(items), encoder.answer_size), np.float32)
        for row, item in zip(rows, items, strict=True):  # one alone is hundreds of patches already
            row[:] = encoder({"pixel_values": form.pixels(item)[None]})[0]
        return rows


def _one_row(ids: Any) -> list[Any]:
    """Ids as a list; what they are is checked where they run."""
    array = np.asarray(ids)
    if array.ndim != 1:
        raise UsageError(f"ids have the shape {list(array.shape)}; expected those of one text")
    return array.tolist()
