"""A request of a file of cases, put to a loaded bundle; the answer as plain JSON. Knows no file."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.measure.conformance.made_inputs import image, sound, text, texts
from satchel.runtime.batch import Generation
from satchel.runtime.encoder_model import EncoderModel
from satchel.runtime.errors import SatchelError, UsageError, shown
from satchel.runtime.sound_model import SoundModel
from satchel.runtime.text import TextStream, tokenizing

Given = dict[str, Any]
SHOWN = 24  # numbers of an array that stand in a file beside its hash
MOST_TOKENS = 1 << 19  # of a text that is only tokenized
REFUSED = "refused"


def answer(model: Any, kind: str, given: Given) -> Given:
    """What `model` answers to a request of this kind. Raises what the runtime does, and UsageError for a
    kind that is not known."""
    if kind not in KINDS:
        raise UsageError(f"cases of the kind {shown(kind)} are unknown to this satchel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a text is cut
        return KINDS[kind](model, given)


def tokenizer_of(model: Any) -> Any:
    """The tokenizer of a bundle that reads text, None of others."""
    if isinstance(model, EncoderModel):
        return model.preparation.tokenizer if model.preparation is not None else None
    return None if isinstance(model, SoundModel) else model.tokenizer


def _refused(model: Any, given: Given) -> Given:
    try:
        answer(model, given["kind"], given["input"])
    except SatchelError as error:
        return {"code": error.code, "exit_status": error.exit_status}
    return {"code": None, "exit_status": 0}


def _encode(model: Any, given: Given) -> Given:
    whole, pair = text(given["text"]), text(given.get("pair"))
    with tokenizing(whole, MOST_TOKENS), tokenizing(pair or "", MOST_TOKENS):
        special = given["special_tokens"]
        encoding = tokenizer_of(model).encode(whole, pair, add_special_tokens=special)
    return {
        "ids": encoding.ids,
        "types": encoding.type_ids,
        "starts": [start for start, _ in encoding.offsets],
        "ends": [end for _, end in encoding.offsets],
        "words": encoding.word_ids,
        "sequences": encoding.sequence_ids,
    }


def _decode(model: Any, given: Given) -> Given:
    skip = given["skip_special_tokens"]
    return {"text": str(tokenizer_of(model).decode(given["ids"], skip_special_tokens=skip))}


def _pieces(model: Any, given: Given) -> Given:
    stream = TextStream(tokenizer_of(model), given.get("stop", ()))
    pieces: list[str] = []
    for token in given["ids"]:
        pieces.append(stream.add(token))
        if stream.stopped:
            break
    pieces.append(stream.close())
    return {"pieces": pieces, "stopped": stream.stopped}


def _source(model: Any, given: Given) -> Given:
    languages = given.get("source_lang"), given.get("target_lang")
    return {"ids": list(model.encode_source(text(given["text"]), *languages))}


def _logits(model: Any, given: Given) -> Given:
    if "source" in given:
        return summary(model.logits(given["source"], given["target"]))
    return summary(model.logits(given["ids"]))


def _score(model: Any, given: Given) -> Given:
    score = model.score(_prompt(given["prompt"]))
    return {"tokens": score.tokens, "logprobs": numbers(score.logprobs)}


def _generate(model: Any, given: Given) -> Given:
    rows = model.generate(list(map(_prompt, given["prompts"])), **_options(given))
    lists = [row if isinstance(row, list) else [row] for row in rows]
    return {"generations": [[_generation(one) for one in row] for row in lists]}


def _stream(model: Any, given: Given) -> Given:
    stream = model.stream(_prompt(given["prompt"]), **_options(given))
    pieces = list(stream)
    return {"pieces": pieces, "generation": _generation(stream.result)}


def _conversation(model: Any, given: Given) -> Given:
    model.require("chat")
    return {"ids": list(model.encode_chat(_messages(given)))}


def _chat(model: Any, given: Given) -> Given:
    generation = model.chat(_messages(given), **_options(given))
    return {"generation": _generation(generation)}


def _translate(model: Any, given: Given) -> Given:
    languages = {name: given.get(name) for name in ("source_lang", "target_lang")}
    return {"texts": model.translate(texts(given["texts"]), **languages, **_options(given))}


def _embed(model: Any, given: Given) -> Given:
    settings = {name: given.get(name) for name in ("prompt", "window")}
    return _vectors(model.embed(texts(given["texts"]), **settings))


def _states(model: Any, given: Given) -> Given:
    return summary(model.hidden_states(_prompt(given["prompt"])))


def _classify(model: Any, given: Given) -> Given:
    found = model.classify(texts(given["texts"]), prompt=given.get("prompt"))
    return {"classifications": [_classification(one) for one in found]}


def _rank(model: Any, given: Given) -> Given:
    passages = texts(given["passages"])
    ranked = model.rank(text(given["query"]), passages, prompt=given.get("prompt"))
    return {"ranked": [{"index": one.index, "score": number(one.score)} for one in ranked]}


def _tokens(model: Any, given: Given) -> Given:
    found = model.tokens(texts(given["texts"]), window=given.get("window"))
    return {"spans": [list(map(_plain, spans)) for spans in found]}


def _answers(model: Any, given: Given) -> Given:
    question, context = text(given["question"]), text(given["context"])
    found = model.answers(question, context, top=given["top"], longest=given["longest"])
    return {"answers": list(map(_plain, found))}


def _fill_mask(model: Any, given: Given) -> Given:
    return {"filled": list(map(_plain, model.fill_mask(text(given["text"]), top=given["top"])))}


def _pixels(model: Any, given: Given) -> Given:
    return summary(model.image_format.pixels(image(given["image"])))


def _embed_images(model: Any, given: Given) -> Given:
    return _vectors(model.embed_images([image(one) for one in given["images"]]))


def _classify_images(model: Any, given: Given) -> Given:
    found = model.classify_images([image(one) for one in given["images"]])
    return {"classifications": [_classification(one) for one in found]}


def _segment_images(model: Any, given: Given) -> Given:
    labels, found = model.manifest.labels.names, []
    for areas in model.segment_images([image(one) for one in given["images"]]):
        shares = areas.shares()
        found.append(
            {
                "size": list(areas.places.shape),
                "shares": numbers(shares.get(label, 0.0) for label in labels),
            }
        )
    return {"areas": found}


def _estimate_depth(model: Any, given: Given) -> Given:
    found = model.estimate_depth([image(one) for one in given["images"]])
    return {"maps": [summary(one) for one in found]}


def _detect_objects(model: Any, given: Given) -> Given:
    found = model.detect_objects([image(one) for one in given["images"]], threshold=0.0)
    return {
        "objects": [
            [
                {"label": one.label, "score": number(one.score), "boxes": numbers(one.box)}
                for one in objects
            ]
            for objects in found
        ]
    }


def _image_states(model: Any, given: Given) -> Given:
    return summary(model.image_hidden_states(image(given["image"])))


def _features(model: Any, given: Given) -> Given:
    waveform = sound(given["sound"], model.audio.sampling_rate)
    found = summary(model.audio.log_mel(waveform, silence=given.get("silence", 0)))
    del found["sha256"]  # sums in float64 that every library adds up in its own order
    return found


def _transcribe(model: Any, given: Given) -> Given:
    model.require("transcribe")
    rate = model.audio.sampling_rate
    names = ("language", "task", "timestamps")
    asked = {name: given[name] for name in names if given.get(name) is not None}
    waveform = sound(given["sound"], rate)
    found = model.transcribe(waveform, sample_rate=rate, **asked, **_options(given))
    segments = [_plain(segment) for segment in found.segments]
    return {
        "text": found.text,
        "language": found.language,
        "duration": number(found.duration),
        "segments": segments,
    }


def _languages(model: Any, given: Given) -> Given:
    model.require("detect_language")
    rate = model.audio.sampling_rate
    found = model.detect_language(sound(given["sound"], rate), sample_rate=rate)
    return {"languages": {code: number(chance) for code, chance in found.items()}}


# What several kinds share differs in what is looked at: a port learns which part of it fails.
WRITTEN = ("greedy", "processors", "sampling", "beams", "stops", "batches")
KINDS: dict[str, Callable[[Any, Given], Given]] = {
    "encode": _encode,
    "decode": _decode,
    "pieces": _pieces,
    "source": _source,
    "logits": _logits,
    "score": _score,
    **dict.fromkeys(WRITTEN, _generate),
    "stream": _stream,
    "conversation": _conversation,
    "chat": _chat,
    "translate": _translate,
    "embed": _embed,
    "states": _states,
    "classify": _classify,
    "rank": _rank,
    "tokens": _tokens,
    "answers": _answers,
    "fill_mask": _fill_mask,
    "pixels": _pixels,
    "embed_images": _embed_images,
    "classify_images": _classify_images,
    "segment_images": _segment_images,
    "estimate_depth": _estimate_depth,
    "detect_objects": _detect_objects,
    "image_states": _image_states,
    "features": _features,
    "transcribe": _transcribe,
    "languages": _languages,
    REFUSED: _refused,
}


def summary(array: NDArray[np.float32]) -> Given:
    """Shape, hash of all bytes (float32, little-endian) and some numbers of an array."""
    flat = np.ascontiguousarray(array, "<f4").reshape(-1)
    last = flat[-array.shape[-1] :]
    spread = np.linspace(0, len(flat) - 1, SHOWN).astype(int).tolist()
    places = sorted({*spread, len(flat) - len(last) + int(last.argmax())})
    return {
        "shape": list(array.shape),
        "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
        "places": places,
        "values": numbers(flat[places]),
    }


def number(value: Any) -> float:
    """A number in as many digits as tell float32 apart."""
    return float(f"{float(value):.9g}")


def numbers(values: Iterable[Any]) -> list[float]:
    return [number(value) for value in values]


def _prompt(given: Any) -> Any:
    """Ids as they are, or a text."""
    return given if isinstance(given, list) else text(given)


def _messages(given: Given) -> Any:
    return [
        {**message, "content": text(message["content"])} if "content" in message else message
        for message in given["messages"]
    ]


def _options(given: Given) -> Given:
    """Options as the runtime takes them: the keys of a mapping in JSON are texts."""
    options = dict(given.get("options", {}))
    if isinstance(bias := options.get("logit_bias"), dict):
        options["logit_bias"] = {int(token): value for token, value in bias.items()}
    return options | {name: given[name] for name in ("max_new_tokens", "stop") if name in given}


def _generation(one: Generation) -> Given:
    return {
        "text": one.text,
        "tokens": one.tokens,
        "finish_reason": one.finish_reason,
        "prompt_tokens": one.prompt_tokens,
        "logprobs": numbers(one.logprobs),
        "score": None if one.score is None else number(one.score),
    }


def _classification(one: Any) -> Given:
    scores = {name: number(score) for name, score in one.scores.items()}
    return {"label": one.label, "score": number(one.score), "scores": scores}


def _vectors(rows: NDArray[np.float32]) -> Given:
    return {"shape": list(rows.shape), "vectors": [numbers(row) for row in rows]}


def _plain(one: Any) -> Given:
    """The fields of a span, an answer, a word or a segment."""
    return {
        name: number(value) if isinstance(value, float | np.floating) else value
        for name, value in vars(one).items()
    }
