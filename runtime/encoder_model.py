"""What an app holds: a loaded encoder bundle with the methods that fit its task."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.encoder import Encoder
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.image import ImageFormat
from satchel.runtime.session import open_session
from satchel.runtime.spans import Answer, Span, best_answer, merge_labels
from satchel.runtime.text import load_tokenizer, tokenizing

Array = NDArray[np.float32]
METHODS = {  # task -> the methods of a bundle made for it
    "generate": ("generate", "stream", "chat", "chat_stream", "score", "logits"),
    "embed": ("embed", "hidden_states"),
    "classify": ("classify", "rank", "hidden_states"),
    "tokens": ("tokens", "hidden_states"),
    "answer": ("answer", "hidden_states"),
    "fill-mask": ("fill_mask", "hidden_states"),
    "image-embed": ("embed_images", "hidden_states"),
    "image-classify": ("classify_images", "hidden_states"),
    "text-image-embed": ("embed", "embed_images"),
}
ALL_METHODS = frozenset(name for names in METHODS.values() for name in names)


@dataclass(frozen=True)
class Classification:
    """The likeliest label of a text or image, its score, and the scores of all labels."""

    label: str
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Ranked:
    """A passage's place in the list it came from, and how well it answers the query."""

    index: int
    score: float


@dataclass(frozen=True)
class Filled:
    """A token for a masked place, its probability, and the text with it filled in."""

    token: str
    score: float
    text: str


class EncoderModel:
    """A loaded encoder bundle. Safe to use from several threads.

    Results do not depend on what else is in a call: a text gives the same alone and among others.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self.manifest = manifest = bundle.manifest
        self.encoders = {
            role: Encoder(open_session(bundle, role, threads), graph, manifest.vocab_size)
            for role, graph in manifest.graphs.items()
        }
        self.tokenizer: Tokenizer | None = None
        if TOKENIZER in manifest.files:
            self.tokenizer = load_tokenizer(bundle.path(TOKENIZER))
        self.image_format = (
            ImageFormat.from_dict(manifest.image) if manifest.image is not None else None
        )

    def embed(
        self, texts: str | Sequence[str], *, prompt: str | None = None, window: int | None = None
    ) -> Array:
        """float32 [n, dim] of n texts, at unit length where the checkpoint says so.

        `prompt` names one of the bundle's prompts to put before each text. A text longer than the
        model takes is cut with a warning; with `window`, it is split into pieces that overlap by
        that many tokens, and their vectors are averaged by length.
        """
        self._require("embed")
        texts = [texts] if isinstance(texts, str) else list(texts)
        rows, owners = [], []
        for index, text in enumerate(texts):
            for piece in self._pieces(self._prompted(text, prompt), window):
                rows.append(piece)
                owners.append(index)
        encoder = self.encoders.get("text") or self.encoders["encoder"]
        vectors: list[Array | None] = [None] * len(texts)
        for index, vector in encoder.texts(rows):
            owner, weighted = owners[index], vector * np.float32(len(rows[index]))
            before = vectors[owner]
            vectors[owner] = weighted if before is None else before + weighted
        lengths = np.bincount(owners, [len(row) for row in rows], minlength=len(texts))
        result = np.array(vectors, np.float32) / lengths[:, None].astype(np.float32)
        assert self.manifest.text is not None
        if window is not None and self.manifest.text.normalized:
            result /= np.linalg.norm(result, axis=1, keepdims=True)
        return result

    def classify(self, texts: str | Sequence[str] | Sequence[tuple[str, str]]) -> Any:
        """A Classification of a text, or a list of them; a pair of texts is a tuple."""
        self._require("classify")
        single = isinstance(texts, str | tuple)
        items: list[Any] = [texts] if single else list(texts)
        results = [self._classification(row) for row in self._text_logits(items)]
        return results[0] if single else results

    def rank(self, query: str, passages: Sequence[str]) -> list[Ranked]:
        """Passages by how well they answer `query`, best first, by a cross-encoder."""
        self._require("rank")
        labels = self._labels()
        if len(labels.names) != 1:
            raise UsageError(f"ranking needs a bundle with one label; it has {len(labels.names)}")
        logits = self._text_logits([(query, passage) for passage in passages])
        scores = [float(activated(row, labels.scores)[0]) for row in logits]
        order = np.argsort([-score for score in scores], kind="stable")
        return [Ranked(int(index), scores[index]) for index in order]

    def tokens(self, text: str) -> list[Span]:
        """Labelled spans of `text` with character offsets into it; B- and I- labels are merged."""
        self._require("tokens")
        encoding = self._encode(text)
        labels = self._labels()
        [(_, logits)] = self.encoders["encoder"].texts([encoding.ids])
        return merge_labels(text, encoding.offsets, activated(logits, "softmax"), labels.names)

    def answer(self, question: str, context: str, *, longest: int = 30) -> Answer:
        """The span of `context` that answers `question`, of at most `longest` tokens.

        A context that is too long is read in overlapping pieces; the likeliest answer wins.
        """
        self._require("answer")
        tokenizer, limit = self._tokenizer(), self._max_length()
        with tokenizing(question + context, self.manifest.context * 64):
            lead = len(tokenizer.encode(question, "").ids)
            room = limit - lead
            if room < 2:
                raise UsageError(f"the question has {lead} tokens; at most {limit - 2} leave room")
            whole = tokenizer.encode(context, add_special_tokens=False)
        best = Answer("", 0, 0, -1.0)
        for start in range(0, max(1, len(whole.ids)), max(1, room // 2)):
            part = whole.offsets[start : start + room]
            first, last = (part[0][0], part[-1][1]) if part else (0, 0)
            found = self._answer_in(question, context[first:last], longest)
            if found.text and (not best.text or found.score > best.score):
                best = Answer(found.text, found.start + first, found.end + first, found.score)
            elif not best.text and best.score < found.score:
                best = found
            if start + room >= len(whole.ids):
                break
        return best

    def fill_mask(self, text: str, *, top: int = 5) -> list[Filled]:
        """The `top` likeliest tokens for the one mask in `text`, likeliest first."""
        self._require("fill_mask")
        tokenizer = self._tokenizer()
        mask = self.manifest.tokens.mask
        ids = self._encode(text).ids
        places = [place for place, token in enumerate(ids) if token == mask]
        if mask is None or len(places) != 1:
            name = tokenizer.id_to_token(mask) if mask is not None else "none"
            raise UsageError(f"the text has {len(places)} masks; write one as {name}")
        [(_, logits)] = self.encoders["encoder"].texts([ids])
        scores = activated(logits[places[0]], "softmax")
        order = np.argsort(-scores)[:top]
        token_text = str(tokenizer.id_to_token(mask))
        filled = [(str(tokenizer.decode([int(i)])).strip(), float(scores[i])) for i in order]
        return [Filled(token, score, text.replace(token_text, token)) for token, score in filled]

    def hidden_states(self, text: str | Sequence[int]) -> Array:
        """float32 [length, hidden]: the last layer's states of a text or ids, special tokens included."""
        ids = self._encode(text).ids if isinstance(text, str) else list(text)
        if not ids:
            raise UsageError("the text is empty", "EMPTY_PROMPT")
        [(_, states)] = self.encoders["encoder"].texts([ids], output="last_hidden_state")
        return states

    def embed_images(self, images: Any) -> Array:
        """float32 [n, dim] of images: paths, bytes, PIL images or uint8 arrays [height, width, 3]."""
        self._require("embed_images")
        return self._image_answers(images)

    def classify_images(self, images: Any) -> list[Classification]:
        """A Classification per image."""
        self._require("classify_images")
        return [self._classification(row) for row in self._image_answers(images)]

    def __getattr__(self, name: str) -> Any:
        if name in ALL_METHODS:  # one that this class lacks, as generate
            self._require(name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _require(self, method: str) -> None:
        fitting = METHODS.get(self.manifest.task, ())
        if method not in fitting:
            raise UsageError(
                f"{method} does not fit a bundle made for {self.manifest.task}; use "
                f"{' or '.join(fitting)}",
                "WRONG_TASK",
            )

    def _tokenizer(self) -> Tokenizer:
        if self.tokenizer is None:
            raise UsageError("this bundle takes images, not text", "WRONG_TASK")
        return self.tokenizer

    def _labels(self) -> Any:
        assert self.manifest.labels is not None
        return self.manifest.labels

    def _max_length(self) -> int:
        assert self.manifest.text is not None
        return self.manifest.text.max_length

    def _padded(self, ids: list[int]) -> list[int]:
        """A few models were trained on texts that are all filled up to the context."""
        pad = self.manifest.text.pad_to_context if self.manifest.text is not None else None
        return ids if pad is None else ids + [pad] * (self.manifest.context - len(ids))

    def _prompted(self, text: str, prompt: str | None) -> str:
        settings = self.manifest.text
        assert settings is not None
        name = prompt if prompt is not None else settings.default_prompt
        if name is not None and name not in settings.prompts:
            known = ", ".join(settings.prompts) or "none"
            raise UsageError(f"prompt {shown(name)} is unknown; the bundle has {known}")
        if not isinstance(text, str):
            raise UsageError(f"expected a text, got {type(text).__name__}")
        return settings.prompts[name] + text if name is not None else text

    def _tokenize(self, text: str, pair: str | None = None) -> Encoding:
        settings = self.manifest.text
        if settings is not None and settings.lower_case:
            text, pair = text.lower(), pair.lower() if pair is not None else None
        with tokenizing(text + (pair or ""), 64 * self.manifest.context):
            return self._tokenizer().encode(text, pair)

    def _encode(self, text: str, pair: str | None = None) -> Encoding:
        """Ids of a text or pair; what exceeds the model's length is cut, with a warning."""
        encoding, limit = self._tokenize(text, pair), self._max_length()
        if len(encoding.ids) > limit:
            warnings.warn(
                f"a text of {len(encoding.ids)} tokens is cut to {limit}", UserWarning, stacklevel=3
            )
            tokenizer = Tokenizer.from_str(self._tokenizer().to_str())
            tokenizer.enable_truncation(limit, strategy="longest_first")
            encoding = tokenizer.encode(text, pair)
        return encoding

    def _pieces(self, text: str, window: int | None) -> list[list[int]]:
        """The ids of a text: one row, or overlapping rows where it is too long and `window` is set."""
        limit = self._max_length()
        if window is None:
            return [self._padded(self._encode(text).ids)]
        special = self._tokenizer().num_special_tokens_to_add(False)
        if not 0 <= window < limit - special:
            raise UsageError(f"window = {window}; expected 0 to {limit - special - 1}")
        encoding = self._tokenize(text)
        if len(encoding.ids) <= limit:
            return [encoding.ids]
        tokenizer = Tokenizer.from_str(self._tokenizer().to_str())
        tokenizer.enable_truncation(limit, stride=window)
        cut = tokenizer.encode(text)
        return [cut.ids, *(piece.ids for piece in cut.overflowing)]

    def _text_logits(self, items: Sequence[Any]) -> list[Array]:
        if not items:
            raise UsageError("the list of texts is empty", "EMPTY_PROMPT")
        encodings = [self._encode(*((item,) if isinstance(item, str) else item)) for item in items]
        results: list[Any] = [None] * len(items)
        rows = self.encoders["encoder"].texts(
            [encoding.ids for encoding in encodings], [encoding.type_ids for encoding in encodings]
        )
        for index, logits in rows:
            results[index] = logits
        return results

    def _classification(self, logits: Array) -> Classification:
        labels = self._labels()
        scores = activated(logits, labels.scores)
        best = int(scores.argmax())
        named = dict(zip(labels.names, map(float, scores), strict=True))
        return Classification(labels.names[best], float(scores[best]), named)

    def _answer_in(self, question: str, context: str, longest: int) -> Answer:
        encoding = self._encode(question, context)
        [(_, logits)] = self.encoders["encoder"].texts([encoding.ids], [encoding.type_ids])
        inside = [part == 1 for part in encoding.sequence_ids]
        return best_answer(context, encoding.offsets, inside, logits, longest)

    def _image_answers(self, images: Any) -> Array:
        single = isinstance(images, str | bytes | np.ndarray) or not isinstance(images, Sequence)
        items = [images] if single else list(images)
        if not items:
            raise UsageError("the list of images is empty", "EMPTY_PROMPT")
        assert self.image_format is not None
        encoder = self.encoders.get("image") or self.encoders["encoder"]
        # One at a time: an image is a batch of hundreds of patches already.
        rows = [
            encoder({"pixel_values": self.image_format.pixels(item)[None]})[0] for item in items
        ]
        return np.stack(rows)


def activated(logits: Array, scores: str) -> Array:
    """Scores over the last axis: softmax, sigmoid or the logits themselves."""
    if scores == "identity":
        return logits
    if scores == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)
