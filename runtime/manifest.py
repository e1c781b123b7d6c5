"""The manifest: all that the runtime needs to know of a bundle, so that it guesses nothing.

What may stand together is said in `rules.py`, how it is written and read in `sealed.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OPEN_LAYERS = "open_layers"  # in `quantization`: the layers take adapters
MANIFEST = "manifest.json"
FORMAT = "satchel-bundle"
FORMAT_VERSION = 2
PARTS = ("key", "value")
PROMPT_MASK = (
    "prompt_mask"  # input of a text encoder: 1 for tokens of a prompt that its vector leaves out
)
WORDS, LABELS = (
    "word_places",
    "label_places",
)  # inputs where spans are scored: tokens that words begin with
BOXES, FARTHEST_SIDE = "bbox", 1000  # input of a page's boxes, whose sides are from 0 to that
NOWHERE = (0, 0, 0, 0)  # the box of tokens that stand for no word
STATES_CHANGED = (
    "states_changed"  # in `extra`: modules change states of tokens before they are pooled
)
CACHE_DTYPES = {"float32": 4, "int8": 1}  # bytes of a number


@dataclass(frozen=True)
class File:
    """A file of the bundle: its size in bytes and its sha256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Port:
    """An input or output of a graph; an axis is a size or the name of a dynamic one."""

    name: str
    dtype: str
    axes: list[int | str]


@dataclass(frozen=True)
class Graph:
    """An ONNX file of the bundle and its signature."""

    file: str
    inputs: list[Port]
    outputs: list[Port]


@dataclass(frozen=True)
class CacheGeometry:
    """Keys and values of a decoder: per layer two tensors [batch, kv_heads, capacity, head_dim].

    A call may write to `spare` positions behind the longest text. `windows`, if there are any, has for
    each layer how many positions a token sees where the layer keeps only the last of them
    (`sliding_window_cache` of GroupQueryAttention), else None.
    """

    layers: int
    kv_heads: int
    head_dim: int
    dtype: str = "float32"
    spare: int = 0
    windows: list[int | None] = field(default_factory=list)

    @property
    def bytes_per_position(self) -> int:
        """Memory of one position of one text, over all layers, as far as all of them keep it."""
        return self.layers * 2 * self.kv_heads * self.head_dim * CACHE_DTYPES[self.dtype]


@dataclass(frozen=True)
class Tokens:
    """Ids of special tokens; generation ends at any of `eos`."""

    bos: int | None = None
    eos: list[int] = field(default_factory=list)
    pad: int | None = None
    mask: int | None = None


@dataclass(frozen=True)
class TextInput:
    """How an encoder's texts are prepared, and what its vectors are."""

    max_length: int  # tokens that a text is cut to
    lower_case: bool = False  # once; now the tokenizer does it
    normalized: bool = False  # vectors have unit length
    similarity: str = "cosine"
    prompts: dict[str, str] = field(default_factory=dict)  # by name, they go before a text
    default_prompt: str | None = None  # the name of the one used unasked
    pad_to_context: int | None = None  # the id that fills every text up to the context
    cut_left: bool = False  # of a text that is too long the end is kept
    token_types: bool = True  # the model is told which tokens are of the second text of a pair


@dataclass(frozen=True)
class MultiVector:
    """How texts are read, and which of their tokens have vectors that count, in a model that gives one of
    every token (ColBERT). Queries are filled up to `expand_to` tokens with the id `expand_with`."""

    query_length: int  # tokens that a query is cut to
    document_length: int
    expand_to: int = 0
    expand_with: int | None = None
    skipped: list[int] = field(default_factory=list)  # ids whose vectors are left out
    skipped_in: list[str] = field(default_factory=list)  # "query", "document"
    mean: bool = False  # a query's score is the mean over its tokens, not the sum


@dataclass(frozen=True)
class Entities:
    """How labels are written before a text that is searched for spans they fit: each behind the token
    `mark`, and `separator` behind the last."""

    mark: str
    separator: str
    longest: int  # words of a span
    most_words: int  # that a text is cut to
    marked: bool = True  # a label is read off its mark; else off the token behind that


@dataclass(frozen=True)
class Labels:
    """Names of a head's outputs; `scores` is softmax, sigmoid or identity."""

    names: list[str]
    scores: str


@dataclass(frozen=True)
class Seq2seqUse:
    """How an encoder-decoder model is used: its targets begin with the id `start`, and a source has
    at most `source_context` tokens."""

    start: int
    source_context: int
    prompt_starts: bool = (
        False  # a prompt of a target stands in the place of `start`, not behind it
    )


SOURCE, TARGET = "source", "target"  # in place of an id: that language's


@dataclass(frozen=True)
class Translation:
    """How a translation model is told its languages."""

    languages: dict[str, int]  # the ids of their tokens, by name
    prefix: list[int | str]  # before the ids of a source; SOURCE and TARGET stand for languages
    suffix: list[int | str]  # behind them
    # How else a target's language is told: its id is "forced" after the first of the target's, or is
    # that first ("start"), or only stands in the "source".
    target: str
    source_lang: str | None = None
    target_lang: str | None = None
    unknown: int | None = None  # in place of ids beyond the vocabulary: pieces that the model lacks


@dataclass(frozen=True)
class Speech:
    """How a speech model is asked to write.

    After its first id come those of the language and of the task, where it has several, then
    `no_timestamps` unless timestamps are wanted.
    """

    languages: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    language: str | None = None  # heard where it is None
    task: str = "transcribe"
    no_timestamps: int | None = None  # the ids behind it are timestamps, in steps of the encoder
    latest_start: int | None = None  # steps that the first timestamp of a window has at most
    timestamps: bool = False  # whether they are wanted where nobody says
    tokens_per_second: float | None = None  # of a sound, at most


@dataclass(frozen=True)
class Source:
    """Where the weights came from."""

    name: str
    sha256: str
    licence: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Content of manifest.json."""

    family: str
    architecture: str
    task: str
    context: int
    vocab_size: int
    graphs: dict[str, Graph]
    files: dict[str, File]
    tokens: Tokens
    source: Source
    cache: CacheGeometry | None = None
    seq2seq: Seq2seqUse | None = None
    translation: Translation | None = None
    text: TextInput | None = None
    multi_vector: MultiVector | None = None
    entities: Entities | None = None
    labels: Labels | None = None
    image: dict[str, Any] | None = None
    speech: Speech | None = None
    audio: dict[str, Any] | None = None
    generation: dict[str, Any] = field(default_factory=dict)
    chat: dict[str, Any] | None = None
    quantization: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    verified: bool = False
    onnxruntime: str = "1.30"
    required_features: list[str] = field(default_factory=list)
    satchel_version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)  # a reader leaves it alone
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def reads_ahead_exactly(self) -> bool:
        """Whether a decoder's logits are the same for ids read together and one by one."""
        # A lone id takes another kernel, whose sums differ in the last bits, and int8 activations now and
        # then make that larger. An int8 cache rounds it away, and with a spare position there is no lone
        # id. Of what was read in a source, by attention in float32, that cannot be said.
        cache = self.cache
        exact = cache is not None and (cache.dtype == "int8" or cache.spare > 0)
        return self.seq2seq is None and (exact or self.quantization.get("name") == "fp32")

    @property
    def reads_text(self) -> bool:
        """Whether the bundle has a tokenizer; one for images alone has none."""
        return self.cache is not None or self.text is not None
