"""How a sentence-transformers folder prepares texts: its first module's settings and its prompts."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from satchel.checkpoints.files import inside, optional_json
from satchel.checkpoints.sentence_steps import (
    LOGITS,
    SCORES,
    TOKENS,
    VECTOR,
    check_keys,
)
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

MODEL = "config_sentence_transformers.json"
PYLATE = "ColBERT"  # the kind of its folders
TRANSFORMER_CONFIGS = [
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
]
TRANSFORMER_KEYS = frozenset(
    """backend config_args config_kwargs do_lower_case document_length max_seq_length modality_config
    model_args model_kwargs module_output_name processing_kwargs processor_kwargs query_expansion
    query_length tokenizer_args tokenizer_name_or_path transformer_task unpad_inputs""".split()  # noqa: SIM905
)
OUTPUTS = {  # transformer_task -> (field of the model's output, the feature's name)
    "feature-extraction": ("last_hidden_state", TOKENS),
    "sequence-classification": ("logits", SCORES),
    "fill-mask": ("logits", TOKENS),
    "text-generation": ("logits", LOGITS),
}
PARTS = (
    "text",
    "image",
    "message",
)  # kinds of input; a model of the first two has get_text_features, get_image_features
OF_BOTH = ("pooler_output", None)  # what of those methods' output: version 4 gave the vector itself
CLIP = {  # modality_config of a CLIPModel, which older versions did not write
    part: {"method": f"get_{part}_features", "method_output_name": "pooler_output"}
    for part in PARTS[:2]
}
LOADING = (  # arguments of every loader that change no answer
    "cache_dir", "force_download", "local_files_only", "revision", "token", "trust_remote_code",
)  # fmt: skip
NUMBERS = ("attn_implementation", "dtype", "torch_dtype")
HARMLESS = {  # arguments of loaders that change no answer
    "model": (
        *LOADING, *NUMBERS, "add_pooling_layer", "device_map", "low_cpu_mem_usage", "use_safetensors",
    ),
    "processor": (*LOADING, "model_max_length", "padding_side", "use_fast"),
    "config": (*LOADING, *NUMBERS),
}  # fmt: skip
CALL = {  # arguments of a tokenizer's call -> the values that change no answer
    "padding": (True, False, "longest", "max_length", "do_not_pad"),
    "pad_to_multiple_of": None,  # any
    "return_tensors": None,
    "verbose": None,
    "logits_to_keep": None,
    "truncation": (True, "longest_first"),
    "add_special_tokens": (True,),
    "return_attention_mask": (True, None),
}
UNLIMITED = 1 << 30
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


@dataclass(frozen=True)
class Lengths:
    """How long queries and documents are read by a model of token vectors, None where nothing says; and
    what fills a query up to `expand_to` tokens: `token`, or the mask. `fixed` queries are cut there too,
    and with `attend` other tokens see what was filled in."""

    query: int | None = None
    document: int | None = None
    expand_to: int | None = None
    token: str | None = None
    fixed: bool = False
    attend: bool = False


@dataclass(frozen=True)
class Transformer:
    """The first module."""

    task: str = "feature-extraction"  # its transformer_task
    output: str = TOKENS  # the feature that it writes
    vectors: bool = False  # that is a vector at once, as of models of texts and images
    max_length: int | None = None  # tokens a text is cut to; None: what the tokenizer's files say
    filled: bool = False  # all texts are filled up to the longest
    lower_case: bool = False
    # Where texts are written as messages of a chat, how those are given to the template: "flat" or
    # "structured", or "auto", as the template looks; and whether it is asked to open an answer.
    messages: str | None = None
    opened: bool = False
    lengths: Lengths = Lengths()


@dataclass(frozen=True)
class Pylate:
    """What PyLate keeps in config_sentence_transformers.json: `skipped` words of documents, and the
    `prefixes` of queries and documents, which are tokens where the vocabulary has them."""

    lengths: Lengths
    skipped: tuple[str, ...]
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What config_sentence_transformers.json says; `kind` is the class that wrote the folder."""

    kind: str = "SentenceTransformer"
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: str = "cosine"
    truncate: int | None = None  # numbers of a vector that are kept
    active: int | None = None  # numbers of a sparse vector that are kept, the others being 0
    activation: str | None = None
    mean_of_tokens: bool = False  # a query's score is the mean over its tokens, not the sum
    pylate: Pylate | None = None


def read_transformer(folder: Path, place: str, kind: str) -> Transformer:
    """The settings of a Transformer module in `place`; what cannot be followed is refused by name."""
    configs = ((name, optional_json(folder, inside(place, name))) for name in TRANSFORMER_CONFIGS)
    name, config = next(((n, c) for n, c in configs if c), (TRANSFORMER_CONFIGS[0], {}))
    check_keys(config, TRANSFORMER_KEYS, name)
    if config.get("tokenizer_name_or_path") is not None:
        raise UnsupportedError(
            f"{name}: tokenizer_name_or_path = {shown(config['tokenizer_name_or_path'])} is not supported"
        )
    task = config.get("transformer_task", "fill-mask" if kind == "MLMTransformer" else None)
    task = task or "feature-extraction"
    if task not in OUTPUTS:
        raise UnsupportedError(
            f"{name}: transformer_task {shown(task)} is not supported; known: {', '.join(OUTPUTS)}"
        )
    if kind == "CLIPModel":
        config = {"modality_config": CLIP, "module_output_name": VECTOR} | config
    output, vectors, messages = _output(config, task, name)
    return Transformer(
        task=task,
        output=output,
        vectors=vectors,
        max_length=_max_length(config, name),
        filled=_filled(config),
        lower_case=config.get("do_lower_case") is True,
        lengths=read_lengths(config, name),
        messages=messages,
        opened=messages is not None and _opened(config, name),
    )


def read_settings(folder: Path) -> Settings:
    """What config_sentence_transformers.json says; all defaults where there is none."""
    config = optional_json(folder, MODEL)
    kind = config.get("model_type") or "SentenceTransformer"
    if kind == PYLATE:
        config = config | {"prompts": prefixed_prompts(config)}
    prompts, default = config.get("prompts") or {}, config.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(p or "", str) for p in prompts.values()):
        raise CheckpointError(f"{MODEL}: prompts are not texts by name")
    prompts = {name: text or "" for name, text in prompts.items()}
    if kind != "CrossEncoder":
        prompts = {"query": "", "document": ""} | prompts  # the library has these two in any case
    if default is not None and default not in prompts:
        raise CheckpointError(
            f"{MODEL}: default_prompt_name {shown(default)} is not the name of a prompt"
        )
    pylate = pylate_of(config) if kind == PYLATE else None
    active = config.get("max_active_dims") if kind == "SparseEncoder" else None
    usual = "dot" if kind == "SparseEncoder" else "cosine"
    similarity, activation = config.get("similarity_fn_name"), config.get("activation_fn")
    return Settings(
        kind=str(kind),
        prompts=prompts,
        default_prompt=default,
        similarity=similarity if similarity in SIMILARITIES else usual,
        truncate=_count(config.get("truncate_dim"), f"{MODEL}: truncate_dim"),
        active=_count(active, f"{MODEL}: max_active_dims"),
        activation=activation if isinstance(activation, str) else None,
        mean_of_tokens=str(similarity).lower() == "meanmaxsim",
        pylate=pylate,
    )


def prefixed_prompts(config: dict[str, Any]) -> dict[str, Any]:
    """The prompts of a PyLate model, which stand behind what it puts before every text."""
    prompts = dict(config.get("prompts") or {})
    for name in ("query", "document"):
        prefix = config.get(f"{name}_prefix") or ""
        if not isinstance(prefix, str):
            raise CheckpointError(f"{MODEL}: {name}_prefix = {shown(prefix)} is no text")
        prompts[name] = prefix + (prompts.get(name) or "").removeprefix(prefix)
    return prompts


def pylate_of(config: dict[str, Any]) -> Pylate:
    """What config_sentence_transformers.json of PyLate says of token vectors, or its usual values."""
    words = config.get("skiplist_words")
    words = list(string.punctuation) if words is None else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise CheckpointError(f"{MODEL}: skiplist_words are not a list of texts")
    lengths = {key: config.get(key) for key in ("query_length", "document_length")}
    if "query_expansion" not in config and config.get("do_query_expansion") is not False:
        attend = config.get("attend_to_expansion_tokens", config.get("attend_to_mask_tokens"))
        length = lengths.pop("query_length") or 32
        expansion = {"strategy": "fixed", "attend": bool(attend), "length": length}
        lengths["query_expansion"] = expansion
    elif config.get("query_expansion") is not None:
        lengths["query_expansion"] = config["query_expansion"]
    prefixes = [config.get(f"{name}_prefix") or "" for name in ("query", "document")]
    return Pylate(read_lengths(lengths, MODEL), tuple(words), tuple(prefixes))


def read_lengths(config: dict[str, Any], where: str) -> Lengths:
    """`query_length`, `document_length` and `query_expansion`."""
    query, document = (
        _count(config.get(key), f"{where}: {key}") for key in ("query_length", "document_length")
    )
    expansion = config.get("query_expansion")
    if expansion is None:
        return Lengths(query, document)
    known = {"strategy", "attend", "token", "length"}
    length = _count(expansion.get("length"), where) if isinstance(expansion, dict) else None
    if (
        length is None
        or not expansion.keys() <= known
        or not (
            expansion.get("strategy") in ("fixed", "min")
            and expansion.get("attend", False) in (True, False)
            and isinstance(expansion.get("token"), str | None)
            and (query is None or query >= length)
        )
    ):
        raise UnsupportedError(
            f"{where}: query_expansion = {shown(expansion)} with query_length = {query} is not "
            "supported; known: a strategy (fixed, min), a length up to query_length, attend, token"
        )
    return Lengths(
        query, document, length, expansion.get("token"), expansion["strategy"] == "fixed",
        expansion.get("attend", False),
    )  # fmt: skip


def _output(config: dict[str, Any], task: str, where: str) -> tuple[str, bool, str | None]:
    """The name of the feature that the module writes, whether it is a vector at once, and how messages
    are written if texts become some; it must come from where its task's does."""
    expected, name = OUTPUTS[task]
    modalities = config.get("modality_config")
    if modalities is None:
        return name, False, None
    if not isinstance(modalities, dict):
        raise CheckpointError(f"{where}: modality_config = {shown(modalities)}")
    name = str(config.get("module_output_name") or name)
    messages = _messages(modalities, where)
    told = {part: modalities[part] for part in PARTS if isinstance(modalities.get(part), dict)}
    methods = {part: value.get("method") for part, value in told.items()}
    outputs = [value.get("method_output_name") for value in told.values()]
    outputs = [
        value[0] if isinstance(value, list) and len(value) == 1 else value for value in outputs
    ]
    vectors = all(method == f"get_{part}_features" for part, method in methods.items())
    known = OF_BOTH if vectors else (expected,)
    forward = all(method == "forward" for method in methods.values())
    if told and (vectors or forward) and all(output in known for output in outputs):
        return name, vectors, messages
    raise UnsupportedError(
        f"{where}: modality_config takes {shown(outputs)} of {shown(methods)}; supported is "
        f"{expected} of forward, or pooler_output of get_text_features and get_image_features"
    )


def _messages(modalities: dict[str, Any], where: str) -> str | None:
    """How texts become messages of a chat, which they do wherever messages are a kind of input."""
    if "message" not in modalities:
        return None
    told = modalities["message"]
    form = told.get("format", "auto") if isinstance(told, dict) else told
    if form not in ("flat", "structured", "auto"):
        raise UnsupportedError(
            f"{where}: modality_config: format {shown(form)} of messages is not supported"
        )
    return str(form)


def _opened(config: dict[str, Any], where: str) -> bool:
    """Whether the chat template is asked to open an answer; anything else it may not be asked."""
    arguments = dict((config.get("processing_kwargs") or {}).get("chat_template") or {})
    opened = arguments.pop("add_generation_prompt", False)
    if arguments.pop("restore_suffix", True) is not True:
        arguments["restore_suffix"] = False
    check_keys(arguments, (), f"{where}: processing_kwargs: chat_template")
    return opened is True


def _filled(config: dict[str, Any]) -> bool:
    """Whether texts are filled up to the longest that is allowed."""
    processing = config.get("processing_kwargs") or {}
    arguments = (processing.get("text") or {}) | (processing.get("common") or {})
    return arguments.get("padding") == "max_length"


def _max_length(config: dict[str, Any], where: str) -> int | None:
    """The tokens that a text is cut to. A call's argument outdoes the loader's, that the old key."""
    stated = _count(config.get("max_seq_length"), f"{where}: max_seq_length")
    for part, harmless in HARMLESS.items():
        for key in (f"{part}_kwargs", f"{part if part != 'processor' else 'tokenizer'}_args"):
            arguments = config.get(key) or {}
            check_keys(arguments, harmless, f"{where}: {key}")
            length = _count(arguments.get("model_max_length"), f"{where}: model_max_length")
            stated = length or stated
    processing = config.get("processing_kwargs") or {}
    for part in ("text", "common"):  # the second outdoes the first
        arguments = processing.get(part) or {}
        for key, value in arguments.items():
            same = CALL.get(key, ())
            if key == "max_length":
                stated = _count(value, f"{where}: max_length") or stated
            elif key == "truncation" and value in (False, "do_not_truncate"):
                return UNLIMITED
            elif same is not None and value not in same:
                raise UnsupportedError(
                    f"{where}: processing_kwargs: {key} = {shown(value)} is not supported"
                )
    return stated


def _count(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        raise CheckpointError(f"{where} = {shown(value)}; expected a count of at least 1")
    return int(min(value, UNLIMITED))
