"""How a checkpoint's author means texts to be generated: generation_config.json, checked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

FILE = "generation_config.json"
NONE: Mapping[str, str] = MappingProxyType({})
MOST = 1 << 20
STOPS, STOP_LENGTH = 16, 256  # what the runtime looks for in a text
TOP_K = 50  # where a file samples and says nothing of it
SAMPLING: dict[str, tuple[float, float, float | None]] = {  # name -> least, most, and what is off
    "top_p": (0, 1, 1),
    "min_p": (0, 1, 0),
    "top_h": (1e-9, 1, None),
    "typical_p": (1e-9, MOST, 1),
    "epsilon_cutoff": (-MOST, MOST, 0),
    "eta_cutoff": (-MOST, MOST, 0),
}
BELOW_ONE = ("typical_p", "epsilon_cutoff", "eta_cutoff")  # 1 and more mean that they are off
WHOLE = {  # name -> the least that is meant; 0 and 1 are how files say that an option is off
    "num_beams": 2,
    "no_repeat_ngram_size": 1,
    "encoder_no_repeat_ngram_size": 1,
    "min_length": 1,
    "max_length": 2,
    "min_new_tokens": 1,
    "max_new_tokens": 1,
}
BEAMS = ("length_penalty", "early_stopping")  # mean nothing without them
PENALTIES = ("repetition_penalty", "encoder_repetition_penalty")
IMPOSSIBLE = {  # what changes a text and would need more than the scores of the next id
    "guidance_scale": "it takes a second run without the prompt",
    "watermarking_config": "marks are not written",
}
ELSEWHERE = "transformers 5 itself only runs it from code of the hub"
NOT_FOLLOWED: dict[str, tuple[Callable[[dict[str, Any], Any], bool], str]] = {
    # name -> whether it would do something in this file, and why it does not here
    "num_beam_groups": (lambda config, value: value != 1, ELSEWHERE),
    "constraints": (lambda config, value: True, ELSEWHERE),
    "force_words_ids": (lambda config, value: True, ELSEWHERE),
    "dola_layers": (lambda config, value: True, ELSEWHERE),
    "penalty_alpha": (lambda config, value: bool(value) and _contrasts(config), ELSEWHERE),
    "token_healing": (lambda config, value: bool(value), "prompts are read as they are"),
    "num_return_sequences": (lambda config, value: value != 1, "ask for n_best when generating"),
    "max_time": (lambda config, value: True, "cancel a generation instead"),
    "is_assistant": (lambda config, value: bool(value), "a bundle writes for no other model"),
}


def source_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Where the recommendations stand: as in transformers, config.json where there is no other file."""
    config = checkpoint.generation
    given = checkpoint.generation_config is not None
    if given or not config.get("force_bos_token_to_be_generated"):
        return config
    return config | {"forced_bos_token_id": config.get("bos_token_id")}


def target_start(checkpoint: Checkpoint, vocab_size: int) -> int:
    """The id that targets begin with. Raises CheckpointError where no file says one."""
    for config in (checkpoint.generation, checkpoint.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            value = config.get(name)
            if value is not None:
                if not (_is_whole(value) and 0 <= value < vocab_size):
                    raise CheckpointError(
                        f"{name} {shown(value)} is outside 0..{vocab_size - 1}", "CKPT_CONFIG"
                    )
                return int(value)
    raise CheckpointError(
        f"neither {FILE} nor config.json has a decoder_start_token_id", "CKPT_CONFIG"
    )


def recommended(
    checkpoint: Checkpoint, vocab_size: int, asked: Mapping[str, str] = NONE
) -> tuple[dict[str, Any], list[str]]:
    """The recommended options under the runtime's names, and notes on what is not followed.

    Without options that are off or `asked` of the caller. Raises CheckpointError for an impossible
    value, UnsupportedError for an option that no bundle can honour.
    """
    config = source_of(checkpoint)
    for name, reason in IMPOSSIBLE.items():
        value = config.get(name)
        if value is not None and value != 1:
            raise UnsupportedError(
                f"{FILE}: {name} = {shown(value)} is not supported: {reason}; "
                "remove the key to export without it"
            )
    notes = [
        f"{FILE}: {name} = {shown(config[name])} is not followed: {reason}"
        for name, (active, reason) in NOT_FOLLOWED.items()
        if config.get(name) is not None and active(config, config[name])
    ]
    options = _sampling(config, notes) | _others(config, vocab_size)
    for name in (name for name in asked if name in options):
        notes.append(f"the checkpoint recommends {name} = {options[name]}: {asked[name]}")
    dropped = {*asked, *(BEAMS if "num_beams" in asked else ())}
    options = {name: value for name, value in options.items() if name not in dropped}
    if "num_beams" in options:
        alone = {"temperature": "do_sample", "stop_strings": "stop_strings"}
        notes += [
            f"{FILE}: {key} is not followed while there are beams"
            for name, key in alone.items()
            if name in options
        ]
    return options, notes


def _sampling(config: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The options of sampling; none where the file does not sample."""
    if not config.get("do_sample"):
        return {}
    temperature = _checked(config, "temperature", lambda v: _is_number(v) and 0 <= v <= 1e4)
    if temperature == 0:
        notes.append(f"{FILE}: do_sample with temperature = 0 is greedy")
        return {}
    options: dict[str, Any] = {"temperature": 1.0 if temperature is None else temperature}
    top_k = _checked(config, "top_k", lambda v: _is_whole(v) and v >= 0)
    if top_k != 0:
        options["top_k"] = TOP_K if top_k is None else min(top_k, MOST)
    for name, (least, most, off) in SAMPLING.items():
        value = _checked(config, name, partial(_is_between, least, most))
        if value is None or value == off or (name in BELOW_ONE and not 0 < value < 1):
            continue
        options[name] = value
    if options.get("top_p") == 0:  # the best id is always left
        del options["top_p"]
        options["top_k"] = 1
    return options


def _others(config: dict[str, Any], vocab_size: int) -> dict[str, Any]:
    """The options of every way to choose the next id, and of beams and lengths."""
    options: dict[str, Any] = {}

    def keep(name: str, valid: Callable[[Any], bool], off: Callable[[Any], bool]) -> None:
        value = config.get(name)
        if value is None or value == []:
            return
        value = _checked(config, name, valid)
        if not off(value):
            options[name] = value

    def is_id(value: Any) -> bool:
        return _is_whole(value) and 0 <= value < vocab_size

    def are_ids(value: Any) -> bool:
        return isinstance(value, list) and all(map(is_id, value))

    def are_biases(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(pair, list)
            and len(pair) == 2
            and are_ids(pair[0])
            and bool(pair[0])
            and _is_number(pair[1])
            for pair in value
        )

    def never(value: Any) -> bool:
        return False

    for name, least in WHOLE.items():
        keep(name, lambda v: _is_whole(v) and 0 <= v <= MOST, partial(operator.gt, least))
    if config.get("min_new_tokens") is not None:
        options.pop("min_length", None)  # of the two, the one that says more
    keep("length_penalty", _is_number, lambda v: v == 1)
    keep("early_stopping", lambda v: isinstance(v, bool) or v == "never", operator.not_)
    for name in PENALTIES:
        # 0 and 1 are how files say that it is off.
        keep(name, lambda v: _is_number(v) and 0 <= v <= 1e3, lambda v: v in (0, 1))
    keep("sequence_bias", are_biases, never)
    for name in ("forced_bos_token_id", "forced_eos_token_id"):
        keep(name, lambda v: is_id(v) or are_ids(v), never)
    for name in ("suppress_tokens", "begin_suppress_tokens"):
        keep(name, are_ids, never)
    keep("bad_words_ids", lambda v: isinstance(v, list) and all(v) and all(map(are_ids, v)), never)
    keep("exponential_decay_length_penalty", _is_decay, lambda v: v[1] == 1)
    keep("stop_strings", _are_stops, never)
    keep("renormalize_logits", lambda v: isinstance(v, bool), operator.not_)
    return options


def _checked(config: dict[str, Any], name: str, valid: Callable[[Any], bool]) -> Any:
    value = config.get(name)
    if value is not None and not valid(value):
        raise CheckpointError(
            f"{FILE}: {name} = {shown(value)} is no option of a generation", "CKPT_CONFIG"
        )
    return value


def _contrasts(config: dict[str, Any]) -> bool:
    """Whether a file that has a penalty_alpha asks for contrastive search."""
    top_k, beams = config.get("top_k"), config.get("num_beams")
    return config.get("do_sample") is not True and beams in (None, 1) and top_k not in (0, 1)


def _is_decay(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and _is_whole(value[0])
        and 0 <= value[0] <= MOST
        and _is_number(value[1])
        and 1e-3 <= value[1] <= 1e3
    )


def _are_stops(value: Any) -> bool:
    stops = [value] if isinstance(value, str) else value
    return (
        isinstance(stops, list)
        and len(stops) <= STOPS
        and all(isinstance(stop, str) and 0 < len(stop) <= STOP_LENGTH for stop in stops)
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_between(least: float, most: float, value: Any) -> bool:
    return _is_number(value) and bool(least <= value <= most)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and abs(value) < MOST
