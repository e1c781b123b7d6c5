"""What a bundle is asked that makes no sense, and must be refused with the same code everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from satchel.measure.conformance.asked import Given
from satchel.measure.conformance.token_requests import Request
from satchel.runtime.text import CHARACTERS_PER_TOKEN

HALF = {"units": [97, 0xD83D, 98]}  # half a pair of UTF-16
OPTIONS: tuple[Given, ...] = (
    {"temprature": 1.0},
    {"temperature": -1.0},
    {"temperature": "hot"},
    {"temperature": True},
    {"temperature": 0.0, "seed": 1},
    {"temperature": 10001.0},
    {"top_k": 0},
    {"top_k": 2.5},
    {"top_p": 1.5},
    {"top_p": 0.0},
    {"min_p": -0.1},
    {"top_h": 0.0},
    {"typical_p": 2.0},
    {"epsilon_cutoff": 1.0},
    {"eta_cutoff": -0.5},
    {"seed": -1},
    {"seed": 1.5},
    {"num_beams": 0},
    {"num_beams": 1000000},
    {"num_beams": 2, "seed": 1},
    {"num_beams": 2, "n_best": 3},
    {"num_beams": 2, "lookup": True},
    {"num_beams": 2, "early_stopping": "soon"},
    {"n_best": 2},
    {"length_penalty": 2.0},
    {"early_stopping": True},
    {"num_beams": 2, "length_penalty": 101.0},
    {"logit_bias": {"-1": 1.0}},
    {"logit_bias": {"1": "much"}},
    {"logit_bias": {"100000000": 1.0}},
    {"sequence_bias": [[[], 1.0]]},
    {"sequence_bias": [[1, 2.0]]},
    {"repetition_penalty": 0.0},
    {"encoder_repetition_penalty": -1.0},
    {"no_repeat_ngram_size": -1},
    {"bad_words_ids": [[]]},
    {"bad_words_ids": [1, 2]},
    {"bad_words_ids": [[100000000]]},
    {"max_length": 0},
    {"max_length": 5},
    {"min_new_tokens": 99},
    {"min_length": 3, "min_new_tokens": 3},
    {"forced_bos_token_id": -1},
    {"forced_eos_token_id": [100000000]},
    {"exponential_decay_length_penalty": [2]},
    {"exponential_decay_length_penalty": [-2, 1.5]},
    {"suppress_tokens": []},
    {"suppress_tokens": [1.5]},
    {"begin_suppress_tokens": [100000000]},
    {"renormalize_logits": "yes"},
    {"lookup": 1},
)
STOPS: tuple[Any, ...] = ([""], ["x" * 257], ["a"] * 17, ["a", ""])
TALKS: tuple[Any, ...] = (
    [],
    [{"role": "user"}],
    [{"role": "wizard", "content": "x"}],
    [{"role": "user", "content": "x", "name": "y"}],
    [{"role": "user", "content": HALF}],
    [{"role": "user", "content": 7}],
)


def of_refusals(model: Any) -> Iterator[Request]:
    """Requests that fit the bundle, each spoilt in one way, and one for every method of any task.

    Whether a bundle refuses what it is asked is found out when it is asked.
    """
    manifest = model.manifest
    if manifest.speech is not None:
        requests = _hearing(model)
    elif model.writes:
        requests = _writing(model)
    elif manifest.text is not None:
        requests = _reading(model)
    else:
        requests = iter(())
    yield from requests
    yield from _of_other_tasks()


def _of_other_tasks() -> Iterator[Request]:
    """One request for every method, of which few fit."""
    image = {"height": 8, "width": 8, "seed": 0}
    yield "embed", {"texts": []}
    yield "classify", {"texts": []}
    yield "rank", {"query": "a", "passages": []}
    yield "tokens", {"texts": []}
    yield "answers", {"question": "a", "context": "b", "top": 0, "longest": 1}
    yield "fill_mask", {"text": "a", "top": 0}
    yield "embed_images", {"images": []}
    yield "classify_images", {"images": []}
    yield "greedy", {"prompts": ["a"], "max_new_tokens": -1}
    yield "stream", {"prompt": "a", "max_new_tokens": -1}
    yield "translate", {"texts": ["a"], "max_new_tokens": -1}
    yield "chat", {"messages": [], "max_new_tokens": 1}
    yield "score", {"prompt": [0]}
    yield "transcribe", {"sound": {"samples": 0, "seed": 0}}
    yield "states", {"prompt": []}
    yield "image_states", {"image": image | {"height": 0}}


def _texts(kind: str, name: str, size: int, longest: int) -> Iterator[Request]:
    """Prompts that are none, for a bundle that reads so many ids."""
    more: Given = {"max_new_tokens": 4} if kind != "score" else {}
    prompts: list[Any] = ["", [], [0, size], [-1], [True], [0.5], HALF, [0] * (longest + 2)]
    prompts.append({"repeat": "x", "times": CHARACTERS_PER_TOKEN * longest + 1})
    for prompt in prompts:
        yield kind, {name: [prompt] if name == "prompts" else prompt} | more


def _writing(model: Any) -> Iterator[Request]:
    vocab, longest = model.manifest.vocab_size, model.prompt_limit
    start = [token % vocab for token in range(3, 11)]
    given: Given = {"prompts": [start], "max_new_tokens": 8}
    for options in OPTIONS:
        # A bound of its own would hide what is wrong with max_length.
        alone = {"prompts": [start]} if "max_length" in options else given
        yield "greedy", alone | {"options": options}
    for stop in STOPS:
        yield "greedy", given | {"stop": stop}
    yield "greedy", given | {"options": {"num_beams": 2}, "stop": ["a"]}
    yield "greedy", given | {"options": {"max_length": 9}}
    yield "greedy", given | {"max_new_tokens": "many"}
    yield "greedy", given | {"prompts": [start, start], "options": {"lookup": True}}
    yield "stream", {"prompt": start, "max_new_tokens": 8, "options": {"num_beams": 2}}
    yield from _texts("greedy", "prompts", vocab, longest)
    yield from _texts("stream", "prompt", vocab, longest)
    if model.manifest.family == "decoder":
        yield from _texts("score", "prompt", vocab, longest)
        yield "logits", {"ids": []}
        yield "logits", {"ids": [vocab]}
        for messages in TALKS:
            yield "chat", {"messages": messages, "max_new_tokens": 4}
        talk = [{"role": "user", "content": "x"}]
        yield "chat", {"messages": talk, "max_new_tokens": 4, "options": {"num_beams": 2}}
        return
    yield "logits", {"source": [], "target": [0]}
    yield "logits", {"source": [0], "target": [vocab]}
    for languages in ({"source_lang": "xx"}, {"target_lang": "xx"}):
        yield "translate", {"texts": ["a"], "max_new_tokens": 4} | languages
    yield "translate", {"texts": ["a"], "max_new_tokens": 4, "options": {"n_best": 1}}
    yield "translate", {"texts": [HALF], "max_new_tokens": 4}


def _hearing(model: Any) -> Iterator[Request]:
    given: Given = {"sound": {"samples": 1000, "seed": 1}}
    for more in (
        {"language": "xx"},
        {"task": "sing"},
        {"max_new_tokens": 0},
        {"options": {"max_length": 9}},
        {"options": {"encoder_repetition_penalty": 1.5}},
        {"options": {"temperature": -1.0}},
        {"options": {"num_beams": 2, "seed": 1}},
        {"options": {"temprature": 1.0}},
    ):
        yield "transcribe", given | more
    yield "languages", {"sound": {"samples": 0, "seed": 0}}


def _reading(model: Any) -> Iterator[Request]:
    vocab, limit = model.manifest.vocab_size, model.preparation.limit
    for prompt in ([], [vocab], [-1], [3] * (model.manifest.context + 1), HALF):
        yield "states", {"prompt": prompt}
    for texts in ([HALF], ["a", 7]):
        yield "embed", {"texts": texts}
        yield "tokens", {"texts": texts}
        yield "classify", {"texts": texts}
    yield "embed", {"texts": ["a"], "prompt": "no such prompt"}
    yield "classify", {"texts": ["a"], "prompt": "no such prompt"}
    for window in (-1, limit, 10**6):
        yield "embed", {"texts": ["a"], "window": window}
        yield "tokens", {"texts": ["a"], "window": window}
    question = {"repeat": "why ", "times": limit}
    for given in ({"question": question}, {"top": 0}, {"longest": 0}, {"context": HALF}):
        yield "answers", {"question": "a", "context": "b", "top": 1, "longest": 5} | given
    for text in ("no mask", "[MASK] <mask> [MASK] <mask>", HALF):
        yield "fill_mask", {"text": text, "top": 5}
    yield "rank", {"query": HALF, "passages": ["a"]}
