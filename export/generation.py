"""How a checkpoint's author means targets to be generated: generation_config.json, checked."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from satchel.models.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, shown

WHOLE = {  # name -> the least that is meant; 0 and 1 are how files say that an option is off
    "num_beams": 2,
    "no_repeat_ngram_size": 1,
    "encoder_no_repeat_ngram_size": 1,
    "min_length": 1,
    "max_length": 2,
    "min_new_tokens": 1,
    "max_new_tokens": 1,
}
MOST = 1 << 20


def target_start(checkpoint: Checkpoint, vocab_size: int) -> int:
    """The id that targets begin with. Raises CheckpointError where no file says one."""
    for name in ("decoder_start_token_id", "bos_token_id"):
        for config in (checkpoint.generation_config, checkpoint.config):
            value = config.get(name)
            if value is not None:
                if not (_is_whole(value) and 0 <= value < vocab_size):
                    raise CheckpointError(
                        f"{name} {shown(value)} is outside 0..{vocab_size - 1}", "CKPT_CONFIG"
                    )
                return int(value)
    raise CheckpointError(
        "neither generation_config.json nor config.json has a decoder_start_token_id", "CKPT_CONFIG"
    )


def search_defaults(checkpoint: Checkpoint, vocab_size: int) -> dict[str, Any]:
    """The recommended options of a search, with the names and meanings of generation_config.json.

    Options that are off are left out. Raises CheckpointError for a value that an option cannot have.
    """
    # transformers reads config.json where there is no generation_config.json.
    config = checkpoint.generation_config or checkpoint.config
    found: dict[str, Any] = {}

    def keep(name: str, valid: Callable[[Any], bool], off: Callable[[Any], bool]) -> None:
        value = config.get(name)
        if value is None or value == []:
            return
        if not valid(value):
            raise CheckpointError(
                f"generation_config.json: {name} = {shown(value)} is no option of a search",
                "CKPT_CONFIG",
            )
        if not off(value):
            found[name] = value

    def is_id(value: Any) -> bool:
        return _is_whole(value) and 0 <= value < vocab_size

    def are_ids(value: Any) -> bool:
        return isinstance(value, list) and all(map(is_id, value))

    def never(value: Any) -> bool:
        return False

    for name, least in WHOLE.items():
        keep(name, lambda v: _is_whole(v) and 0 <= v <= MOST, partial(operator.gt, least))
    keep("length_penalty", _is_number, lambda v: v == 1)
    keep("early_stopping", lambda v: isinstance(v, bool) or v == "never", operator.not_)
    for name in ("forced_bos_token_id", "forced_eos_token_id"):
        keep(name, lambda v: is_id(v) or are_ids(v), never)
    for name in ("suppress_tokens", "begin_suppress_tokens"):
        keep(name, are_ids, never)
    keep("bad_words_ids", lambda v: isinstance(v, list) and all(v) and all(map(are_ids, v)), never)
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and abs(value) < MOST
