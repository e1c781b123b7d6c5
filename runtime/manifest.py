"""The manifest: all that the runtime needs to know of a bundle, so that it guesses nothing.

Knows no ONNX and no files.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self

from satchel.runtime.errors import BundleError, shown
from satchel.runtime.strict import MANIFEST as MANIFEST
from satchel.runtime.strict import strict_json, typed

FORMAT = "satchel-bundle"
FORMAT_VERSION = 1
FEATURES = frozenset[str]()  # what `required_features` may ask of this runtime
SIZE_LIMIT = 1 << 31
PARTS = ("key", "value")
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

    A call may write to `spare` positions behind the longest text.
    """

    layers: int
    kv_heads: int
    head_dim: int
    dtype: str = "float32"
    spare: int = 0

    @property
    def bytes_per_position(self) -> int:
        """Memory of one position of one text, over all layers."""
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
    """How an encoder's texts are prepared: cut to `max_length` tokens; `prompts` go before a text and
    `default_prompt` names the one used unasked. `normalized` vectors have unit length. `token_types`
    says whether the model is told which tokens are of the second text of a pair."""

    max_length: int
    lower_case: bool = False
    normalized: bool = False
    similarity: str = "cosine"
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    pad_to_context: int | None = None  # the id that fills every text up to the context
    cut_left: bool = False  # of a text that is too long the end is kept
    token_types: bool = True


@dataclass(frozen=True)
class Labels:
    """Names of a head's outputs; `scores` is softmax, sigmoid or identity."""

    names: list[str]
    scores: str


@dataclass(frozen=True)
class Seq2seq:
    """How an encoder-decoder model is used: its targets begin with the id `start`, and a source has
    at most `source_context` tokens."""

    start: int
    source_context: int


SOURCE, TARGET = "source", "target"  # in place of an id: that language's


@dataclass(frozen=True)
class Translation:
    """How a translation model is told its languages; `languages` are the ids of their tokens by name.

    Around the ids of a source go `prefix` and `suffix`, in which "source" and "target" stand for
    the ids of languages. `target` says how else a target's language is told: its id is "forced"
    after the first of the target's, or is that first ("start"), or only stands in the "source".
    Ids beyond the vocabulary are pieces that the model lacks: they are `unknown`.
    """

    languages: dict[str, int]
    prefix: list[int | str]
    suffix: list[int | str]
    target: str
    source_lang: str | None = None
    target_lang: str | None = None
    unknown: int | None = None


@dataclass(frozen=True)
class Speech:
    """How a model that hears is asked to write: after its first id come those of the language and of the
    task, where it has several, then `no_timestamps` unless timestamps are wanted.

    The ids after `no_timestamps` are timestamps, steps of one position of the encoder; the first that
    is written is at most `latest_start` steps. `language` is heard where it is None.
    """

    languages: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    language: str | None = None
    task: str = "transcribe"
    no_timestamps: int | None = None
    latest_start: int | None = None


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
    seq2seq: Seq2seq | None = None
    translation: Translation | None = None
    text: TextInput | None = None
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
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def reads_ahead_exactly(self) -> bool:
        """Whether a decoder's logits are the same for ids read together and one by one.

        A lone id takes another kernel, whose sums differ in the last bits, and int8 activations now and
        then make that larger. An int8 cache rounds it away, and with a spare position there is no lone
        id. Of what was read in a source, by attention in float32, that cannot be said.
        """
        cache = self.cache
        exact = cache is not None and (cache.dtype == "int8" or cache.spare > 0)
        return self.seq2seq is None and (exact or self.quantization.get("name") == "fp32")

    def to_json(self) -> str:
        """Text of manifest.json, the same for the same content."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read manifest.json; BundleError says which field is wrong."""
        raw = strict_json(text)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise BundleError(f"{MANIFEST} is not the manifest of a satchel bundle")
        version = raw.get("format_version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise BundleError(f"{MANIFEST}: format_version {shown(version)}", "BUNDLE_VERSION")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"the bundle has format version {version}, this satchel reads up to "
                f"{FORMAT_VERSION}: update satchel",
                "BUNDLE_VERSION",
            )
        manifest: Self = typed(cls, raw, "manifest")
        manifest._check_sizes()
        missing = set(manifest.required_features) - FEATURES
        if missing:
            raise BundleError(
                f"the bundle needs {shown(sorted(missing))}, which this satchel lacks: update it",
                "BUNDLE_VERSION",
            )
        return manifest

    @property
    def reads_text(self) -> bool:
        """Whether the bundle has a tokenizer; one for images alone has none."""
        return self.cache is not None or self.text is not None

    def _check_sizes(self) -> None:
        """Sizes are possible, and a decoder's graph has the cache and logits that they promise."""
        cache, sizes = self.cache, {}
        if self.reads_text:
            sizes = {"context": self.context, "vocab_size": self.vocab_size}
        if cache is not None:
            sizes |= {
                "layers": cache.layers,
                "kv_heads": cache.kv_heads,
                "head_dim": cache.head_dim,
            }
        for name, size in sizes.items():
            if not 0 < size < SIZE_LIMIT:
                raise BundleError(
                    f"{MANIFEST}: {name} = {shown(size)}; expected 1..{SIZE_LIMIT - 1}"
                )
        if cache is not None and cache.spare not in (0, 1):
            raise BundleError(f"{MANIFEST}: spare = {shown(cache.spare)}; expected 0 or 1")
        if self.family == "encoder-decoder":
            self._check_seq2seq()
        if self.family in ("decoder", "encoder-decoder") and "decoder" in self.graphs:
            self._check_ports()

    def _check_seq2seq(self) -> None:
        found = self.seq2seq
        if found is None or not 0 <= found.start < self.vocab_size:
            raise BundleError(f"{MANIFEST}: seq2seq = {shown(found)} has no first id of targets")
        if not 0 < found.source_context < SIZE_LIMIT:
            raise BundleError(f"{MANIFEST}: source_context = {shown(found.source_context)}")
        if self.translation is not None:
            self._check_translation(self.translation)
        if self.speech is not None:
            self._check_speech(self.speech)

    def _check_translation(self, told: Translation) -> None:
        ids = [*told.languages.values(), *told.prefix, *told.suffix, told.unknown or 0]
        names = {told.source_lang, told.target_lang} - {None}
        if (
            any(
                index not in range(self.vocab_size)
                for index in ids
                if index not in (SOURCE, TARGET)
            )
            or told.target not in ("forced", "start", SOURCE)
            or not names <= told.languages.keys()
        ):
            raise BundleError(f"{MANIFEST}: translation = {shown(told)} contradicts itself")

    def _check_speech(self, found: Speech) -> None:
        ids = [*found.languages.values(), *found.tasks.values()]
        if found.no_timestamps is not None:
            assert self.seq2seq is not None
            ids += [found.no_timestamps, found.no_timestamps + 1 + self.seq2seq.source_context]
        outside = [token for token in ids if not 0 <= token < self.vocab_size]
        if outside:
            raise BundleError(f"{MANIFEST}: speech: id {outside[0]} is outside the vocabulary")
        if bool(found.languages) != bool(found.tasks) or (
            found.tasks and found.task not in found.tasks
        ):
            raise BundleError(f"{MANIFEST}: speech: task = {shown(found.task)} has no id")
        if found.language is not None and found.language not in found.languages:
            raise BundleError(f"{MANIFEST}: speech: language = {shown(found.language)} has no id")
        if self.audio is None:
            raise BundleError(f"{MANIFEST}: speech without audio")

    def _check_ports(self) -> None:
        """The decoder's graph, and an encoder's beside it, have the tensors that `cache` promises."""
        cache = self.cache
        if cache is None or cache.dtype not in CACHE_DTYPES:
            known = " or ".join(CACHE_DTYPES)
            raise BundleError(f"{MANIFEST}: a decoder needs a cache of {known}, not {shown(cache)}")
        sizes = [cache.kv_heads, cache.head_dim]
        crossing = ["cross.{}."] if self.family == "encoder-decoder" else []
        own = {"decoder": ["past_key_values.{}.", "present.{}.", *crossing], "encoder": crossing}
        for role, prefixes in own.items():
            graph = self.graphs.get(role)
            if graph is None:
                continue  # opening it says so
            axes = {port.name: port.axes for port in [*graph.inputs, *graph.outputs]}
            promised = {"logits": [self.vocab_size]} if role == "decoder" else {}
            for layer in range(cache.layers):
                here = {f"{p.format(layer)}{part}": sizes for p in prefixes for part in PARTS}
                promised |= here
                if not here.keys() <= axes.keys():
                    break
            for name, expected in promised.items():
                if axes.get(name, [])[1::2] != expected:
                    raise BundleError(
                        f"{MANIFEST}: {shown(name)} has axes {shown(axes.get(name))}, whereas "
                        f"vocab_size and cache ask for {expected}",
                        "BUNDLE_IO",
                    )
