"""What a bundle that writes is asked: logits, and texts with every option, alone and together."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from satchel.measure.conformance.asked import WRITTEN, Given
from satchel.measure.conformance.sample_texts import SENTENCES
from satchel.measure.conformance.token_requests import Request, stops_within

NEW = 20  # ids that are written
CHOOSING = (*WRITTEN, "stream", "chat", "translate", "transcribe")
SMALL = 400  # positions: up to there a text may be written to the end of the context
LENGTHS = (1, 7, 40, 150)  # ids of prompts; the last is read in two pieces
CHAIN = "the fox sees the dog. the fox sees the dog. the fox sees the"  # what lookup finds
SAMPLING: tuple[Given, ...] = (
    {"temperature": 0.7, "seed": 1},
    {"temperature": 3.0, "seed": 2},
    {"seed": 12345678901},
    {"top_k": 5, "seed": 3},
    {"top_p": 0.8, "seed": 4},
    {"min_p": 0.1, "seed": 5},
    {"top_h": 0.6, "seed": 6},
    {"typical_p": 0.7, "seed": 7},
    {"epsilon_cutoff": 0.01, "seed": 8},
    {"eta_cutoff": 0.02, "seed": 9},
    {"temperature": 1.3, "top_k": 40, "top_p": 0.9, "min_p": 0.02, "seed": 10},
    {"temperature": 2.0, "top_h": 0.9, "typical_p": 0.9, "epsilon_cutoff": 1e-3, "seed": 11},
    {"top_p": 0.95, "eta_cutoff": 1e-3, "repetition_penalty": 1.2, "seed": 12},
    {"temperature": 1.5, "no_repeat_ngram_size": 2, "renormalize_logits": True, "seed": 0},
)
BEAMS: tuple[Given, ...] = (
    {"num_beams": 2},
    {"num_beams": 3, "n_best": 3},
    {"num_beams": 4, "n_best": 2, "length_penalty": -1.0},
    {"num_beams": 3, "n_best": 3, "length_penalty": 0.0, "early_stopping": True},
    {"num_beams": 3, "n_best": 2, "length_penalty": 2.0, "early_stopping": "never"},
    {"num_beams": 3, "n_best": 3, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
)


def of_writing(model: Any, seed: int) -> Iterator[Request]:
    """Requests for a decoder or an encoder-decoder that reads texts."""
    chance = random.Random(seed)
    prompts = _prompts(model, chance)
    yield from _logits(model, chance, prompts)
    yield from _greedy(model, prompts)
    base = next((row for row in prompts if 3 <= len(row) <= 40), prompts[0])
    tokens = _tokens(model, base)
    yield from _processors(base, tokens)
    for options in SAMPLING:
        yield "sampling", _given([base], options)
    for options in [*BEAMS, {"num_beams": 3, "logit_bias": {str(tokens[0]): -4.5}}]:
        yield "beams", _given([base], options)
    ragged = sorted(prompts, key=len)[-2:] + prompts[:2]
    for options in ({}, {"temperature": 1.2, "seed": 21}, {"num_beams": 3, "n_best": 2}):
        yield "batches", _given(ragged, options)
    yield from _stops(model, base, chance)
    if model.manifest.family == "encoder-decoder":
        yield from _translations(model)


def of_chat(model: Any, seed: int) -> Iterator[Request]:
    """Conversations: their ids, with forged control tokens in them, and answers turn by turn."""
    if model.manifest.family != "decoder" or model.manifest.chat is None:
        return
    control = [token.content for token in model.tokenizer.get_added_tokens_decoder().values()]
    user = [{"role": "user", "content": SENTENCES[1]}]
    system = [{"role": "system", "content": "Answer briefly."}]
    reply = [{"role": "assistant", "content": "  It is blue.\n"}]
    further = [{"role": "user", "content": " And at night? "}]
    odd = ["", " ", "caf\u00e9 \U0001f600", *control[:8], *(f"a{mark}\nb" for mark in control[:8])]
    talks = [user, system + user, user + reply + further, system + user + reply + further, reply]
    talks += [user + user, user + system, *([{"role": "user", "content": one}] for one in odd)]
    for messages in talks:
        yield "conversation", {"messages": messages}
    for messages in (user, user + reply + further, user, system + user):
        yield "chat", {"messages": messages, "max_new_tokens": NEW}
    yield (
        "chat",
        {
            "messages": user + reply + further,
            "max_new_tokens": NEW,
            "options": {"temperature": 1.1, "top_p": 0.9, "seed": seed},
        },
    )


def repeatable(model: Any, kind: str, given: Given) -> Request:
    """The request with a seed, where the bundle recommends a choice by chance and the request says
    nothing of it."""
    options = given.get("options", {})
    if kind not in CHOOSING or not model.manifest.generation.get("temperature"):
        return kind, given
    if options.keys() & {"seed", "temperature", "num_beams"}:
        return kind, given
    return kind, given | {"options": options | {"seed": 5}}


def _given(prompts: Sequence[Any], options: Given, **others: Any) -> Given:
    given: Given = {"prompts": list(prompts), "max_new_tokens": NEW} | others
    if "max_length" in options:
        del given["max_new_tokens"]
    return given | ({"options": options} if options else {})


def _prompts(model: Any, chance: random.Random) -> list[list[int]]:
    """Ids of sentences, and by chance, of several lengths that fit."""
    manifest, room = model.manifest, model.prompt_limit - NEW - 1
    rows = [model.encode(sentence) for sentence in SENTENCES]
    rows += [[chance.randrange(manifest.vocab_size) for _ in range(size)] for size in LENGTHS]
    return [row for row in rows if 0 < len(row) <= room]


def _tokens(model: Any, prompt: list[int]) -> list[int]:
    """What is written after a prompt, for options that are to change it; at least four ids."""
    tokens = list(model.generate(prompt, max_new_tokens=NEW, temperature=0.0).tokens)
    return tokens + [token % model.manifest.vocab_size for token in (11, 12, 13, 14)]


def _logits(model: Any, chance: random.Random, prompts: list[list[int]]) -> Iterator[Request]:
    for row in prompts:
        if model.manifest.family == "decoder":
            yield "logits", {"ids": row}
            if len(row) > 1:
                yield "score", {"prompt": row}
        else:
            target = [chance.randrange(model.manifest.vocab_size) for _ in range(5)]
            yield "logits", {"source": row, "target": target}
    if model.manifest.family == "decoder":
        yield "score", {"prompt": SENTENCES[1]}


def _greedy(model: Any, prompts: list[list[int]]) -> Iterator[Request]:
    for row in prompts:
        yield "greedy", _given([row], {})
    yield "greedy", _given([SENTENCES[0]], {})
    yield "greedy", _given([prompts[0]], {}, max_new_tokens=0)
    yield "greedy", _given([prompts[0]], {}, max_new_tokens=1)
    if model.manifest.context <= SMALL:
        yield "greedy", _given([prompts[0]], {}, max_new_tokens=None)
        yield "greedy", {"prompts": [prompts[-1]]}
    if len(found := model.encode(CHAIN)) < model.prompt_limit - NEW:
        for lookup in (True, False):
            yield "greedy", _given([found], {"lookup": lookup})


def _processors(base: list[int], tokens: list[int]) -> Iterator[Request]:
    """Every option that changes scores, with ids that would come else, alone and together."""
    first, second, third, *_, last = tokens
    for options in (
        {"logit_bias": {str(first): -3.5, str(last): 2.25}},
        {"logit_bias": {str(third): 1000000.0}},
        {"sequence_bias": [[[first, second], -8.0], [[third], 1.5]]},
        {"repetition_penalty": 1.3},
        {"repetition_penalty": 0.8},
        {"encoder_repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 1},
        {"no_repeat_ngram_size": 2},
        {"encoder_no_repeat_ngram_size": 2},
        {"bad_words_ids": [[first], [second, third]]},
        {"max_length": len(base) + 6},
        {"max_length": 9},
        {"min_length": len(base) + 7},
        {"min_new_tokens": 7},
        {"forced_bos_token_id": last},
        {"forced_eos_token_id": first},
        {"forced_eos_token_id": [first, last]},
        {"exponential_decay_length_penalty": [2, 1.5]},
        {"suppress_tokens": [first, second]},
        {"begin_suppress_tokens": [first]},
        {"renormalize_logits": True},
        {"renormalize_logits": True, "logit_bias": {str(first): -1.0}, "lookup": True},
        {"repetition_penalty": 1.1, "no_repeat_ngram_size": 3, "min_new_tokens": 6},
        {"suppress_tokens": [second], "begin_suppress_tokens": [first], "bad_words_ids": [[last]]},
    ):
        yield "processors", _given([base], options)


def _stops(model: Any, base: list[int], chance: random.Random) -> Iterator[Request]:
    """Texts to end at, cut out of what is written, so that ids share them; and streams."""
    for place, options in enumerate(({}, *({"temperature": 1.5, "seed": one} for one in range(5)))):
        wanted: Any = {"temperature": 0.0} | options
        whole = model.generate(base, max_new_tokens=NEW, **wanted).text
        stream = {"prompt": base, "max_new_tokens": NEW, "options": options}
        yield "stream", stream
        if len(whole) < 2:
            continue
        stop = stops_within(whole, chance)
        yield "stops", _given([base], options, stop=stop)
        yield "stream", stream | {"stop": stop}
        if place == 0:
            yield "stops", _given([base], options, stop=[stop[-1]])
            yield "stops", _given([base, base[:1]], options, stop=[*stop, whole[0]])


def _translations(model: Any) -> Iterator[Request]:
    told = model.manifest.translation
    names = list(told.languages) if told is not None else []
    given: Given = {"texts": [*SENTENCES[:3], " "], "max_new_tokens": NEW}
    pairs: list[Given] = [{}, *({"target_lang": name} for name in names[:3])]
    pairs += [
        {"source_lang": one, "target_lang": two} for one, two in itertools.pairwise(names[:3])
    ]
    for languages in pairs:
        for sentence in SENTENCES[:2]:
            yield "source", {"text": sentence} | languages
        yield "translate", given | languages
        yield "translate", given | languages | {"options": {"num_beams": 2}}
    if names:
        yield "source", {"text": f">>{names[-1]}<< {SENTENCES[0]}"}
