"""What the classes that stand in for sentence-transformers' share: opening, prompts, ids of texts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, Unpack, get_type_hints

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from satchel.progress import bars, quiet
from satchel.runtime import load
from satchel.runtime.encoder_model import EncoderModel
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.encoder_texts import Preparation
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.fingerprint import vector_size
from satchel.sentence.arguments import check_count, check_device, refuse, refuse_unknown
from satchel.sentence.kept import bundle_of

BACKENDS = ("onnx",)


class Opening(TypedDict, total=False):
    """What every class takes by name beside its own. Those of REFUSED are there to be refused."""

    device: Any
    prompts: Mapping[str, str | None] | None
    default_prompt_name: str | None
    cache_folder: str | Path | None
    revision: str | None
    local_files_only: bool
    backend: str
    profile: str | Path
    threads: int | None
    kernels: bool
    modules: Any
    trust_remote_code: bool
    token: Any
    model_kwargs: Any
    processor_kwargs: Any
    config_kwargs: Any
    model_card_data: Any


UNSAID: Opening = {  # what counts where an argument is not given; of the others None
    "local_files_only": False,
    "backend": BACKENDS[0],
    "profile": "int8",
    "kernels": True,
    "trust_remote_code": False,
}
REFUSED = (
    "modules",
    "trust_remote_code",
    "token",
    "model_kwargs",
    "processor_kwargs",
    "config_kwargs",
    "model_card_data",
)


class BaseModel:
    """A loaded bundle under the names of sentence-transformers. Safe to use from several threads.

    `bundle` is the folder, `model` the EncoderModel that runs it.
    """

    kind: ClassVar[str] = ""  # the class of sentence-transformers that it stands in for
    owner: ClassVar[str] = ""  # on the hub, of a name that says none
    tasks: ClassVar[tuple[str, ...]] = ()
    usual_prompts: ClassVar[tuple[str, ...]] = ("query", "document")  # which are there in any case
    device = "cpu"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            show_opening(vars(cls)["__init__"])

    def __init__(
        self, model_name_or_path: str | Path | None = None, **opening: Unpack[Opening]
    ) -> None:
        for name in opening.keys() - Opening.__annotations__.keys():
            raise TypeError(f"{self.kind}() got an unexpected keyword argument {name!r}")
        given: dict[str, Any] = {**dict.fromkeys(Opening.__annotations__), **UNSAID, **opening}
        refuse(self.kind, {name: given[name] for name in REFUSED})
        check_device(self.kind, given["device"])
        if model_name_or_path is None or not str(model_name_or_path):
            raise UsageError(f"{self.kind}: model_name_or_path is missing")
        if given["backend"] not in BACKENDS:
            raise UsageError(
                f"{self.kind}: backend = {shown(given['backend'])} is not supported; leave it out"
            )
        self.bundle = bundle_of(
            model_name_or_path, self.kind, self.owner, profile=given["profile"],
            cache=given["cache_folder"], revision=given["revision"], offline=given["local_files_only"],
        )  # fmt: skip
        model = load(self.bundle, threads=given["threads"], kernels=given["kernels"])
        task = model.manifest.task
        if not isinstance(model, EncoderModel) or task not in self.tasks:
            raise UsageError(
                f"{shown(self.bundle)} was made for {shown(task)}; {self.kind} opens bundles made for "
                f"{' or '.join(map(shown, self.tasks))}"
            )
        self.model = model
        self._preparation = Preparation(model.bundle)
        if self._preparation.messages is not None:
            raise UsageError(
                f"{shown(self.bundle)} writes texts as messages of a chat, which {self.kind} does not; "
                "satchel.load opens it"
            )
        settings = self._preparation.settings
        told = {name: text for name, text in (given["prompts"] or {}).items() if text is not None}
        usual = dict.fromkeys(self.usual_prompts, "")
        self.prompts: dict[str, str] = usual | settings.prompts | told
        self.default_prompt_name: str | None = (
            given["default_prompt_name"] or settings.default_prompt
        )
        if self.default_prompt_name is not None:
            self._prompt(None, self.default_prompt_name)

    @property
    def max_seq_length(self) -> int:
        """Tokens that a text is cut to."""
        return self._preparation.limit

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        check_count("max_seq_length", value)
        context = self.model.manifest.context
        least = int(self.tokenizer.num_special_tokens_to_add(False)) + 1
        if not least <= value <= context:
            raise UsageError(
                f"max_seq_length = {value}; the model reads from {least} to {context} tokens"
            )
        self._preparation = Preparation(self.model.bundle, int(value))

    def get_max_seq_length(self) -> int:
        """The older name of max_seq_length."""
        return self.max_seq_length

    @property
    def tokenizer(self) -> Tokenizer:
        """That of the bundle, of the library tokenizers."""
        return self._preparation.tokenizer

    def get_backend(self) -> str:
        """What runs the model: ONNX Runtime."""
        return BACKENDS[0]

    def get_model_kwargs(self) -> list[str]:
        """Further arguments that the model takes: none."""
        return []

    def to(self, device: Any) -> Self:
        """The model, which stays where it is; any device but the processor is refused."""
        check_device(self.kind, device)
        return self

    def cpu(self) -> Self:
        """The model."""
        return self

    def eval(self) -> Self:
        """The model, which never trains."""
        return self

    def tokenize(self, texts: Sequence[Any], **options: Any) -> dict[str, NDArray[np.int64]]:
        """The older name of preprocess."""
        return self.preprocess(texts, **options)

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **others: Any
    ) -> dict[str, NDArray[np.int64]]:
        """What the model reads of texts, or of pairs of them: int64 [n, longest], padded on the right."""
        refuse_unknown(f"{self.kind}.preprocess", others)
        encodings = [self._encoded(item, prompt or "") for item in inputs]
        width = max((len(encoding.ids) for encoding in encodings), default=0)
        pad = self.model.manifest.tokens.pad or 0

        def filled(rows: Iterable[Sequence[int]], value: int) -> NDArray[np.int64]:
            whole = [[*row, *[value] * (width - len(row))] for row in rows]
            return np.array(whole, np.int64).reshape(len(encodings), width)

        made = {"input_ids": filled((one.ids for one in encodings), pad)}
        if self._preparation.settings.token_types:
            made["token_type_ids"] = filled((one.type_ids for one in encodings), 0)
        made["attention_mask"] = filled(([1] * len(one.ids) for one in encodings), 0)
        return made

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.model!r}>"

    def _encoded(self, item: Any, prompt: str) -> Encoding:
        """The ids of a text or of a pair, cut, with a prompt before."""
        parts = item if isinstance(item, tuple | list) else (item,)
        if not 1 <= len(parts) <= 2 or not all(isinstance(part, str) for part in parts):
            raise UsageError(f"expected a text or a pair of texts, got {shown(item)}")
        pair = str(parts[1]) if len(parts) == 2 else None
        return self._preparation.cut(prompt + str(parts[0]), pair)

    def _prompt(self, prompt: str | None, name: str | None) -> str:
        """The text before others: the one given, else that of the name, else the default one."""
        if prompt is not None:
            if not isinstance(prompt, str):
                raise UsageError(f"prompt: expected a text, got {type(prompt).__name__}")
            return prompt
        name = name if name is not None else self.default_prompt_name
        if name is None:
            return ""
        if name not in self.prompts:
            raise UsageError(
                f"prompt name {shown(name)} is unknown; the model has "
                f"{', '.join(map(shown, self.prompts)) or 'none'}"
            )
        return self.prompts[name]

    def _session(self) -> EncoderSession:
        graphs = self.model.graphs
        return graphs.get("text") or graphs["encoder"]

    def _size(self) -> int:
        return vector_size(self.model.manifest)


def show_opening(init: Callable[..., None]) -> None:
    """Let `inspect` and `help` name the arguments of Opening where `init` takes them all at once."""
    signature = inspect.signature(init)
    named = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    named += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=dict(UNSAID).get(name), annotation=hint
        )
        for name, hint in get_type_hints(Opening).items()
    ]
    init.__dict__["__signature__"] = signature.replace(parameters=named)


def listed(inputs: Any) -> tuple[bool, list[Any]]:
    """Whether it is one input, and the inputs as a list. A list or array is many, also an empty one."""
    if isinstance(inputs, np.ndarray) and inputs.ndim and inputs.dtype.kind in "UO":
        return False, inputs.tolist()
    if isinstance(inputs, str) or not isinstance(inputs, Iterable) or hasattr(inputs, "convert"):
        return True, [inputs]  # what converts is an image of PIL
    if isinstance(inputs, np.ndarray | bytes | Mapping):
        return True, [inputs]
    return False, list(inputs)


def watched(results: Iterator[Any], shown_bar: bool | None) -> Iterator[Any]:
    """Results as they come, with a bar on a terminal where one is wanted."""
    stage = bars if shown_bar else quiet
    yield from stage("Batches")(results)
