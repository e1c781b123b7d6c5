"""How a speech checkpoint's author means it to be asked: generation_config.json and tokens, checked."""

from __future__ import annotations

import re
from typing import Any

from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.errors import CheckpointError, shown
from satchel.runtime.manifest import Speech
from satchel.runtime.spoken import TOKEN, code_of, near

FILE = "generation_config.json"
NOT_FOLLOWED = {
    **dict.fromkeys(
        ("compression_ratio_threshold", "logprob_threshold", "no_speech_threshold"),
        "a window is read once",
    ),
    "condition_on_prev_tokens": "a window is read for itself",
    "return_token_timestamps": "segments have times, and words none",
}
TASKS = ("transcribe", "translate")
LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
NO_TIMESTAMPS = "<|notimestamps|>"
MULTILINGUAL_VOCAB = 51865  # of OpenAI's models; those for English alone have one id less


def speech_rules(
    checkpoint: Checkpoint, tokenizer: bytes, vocab_size: int, positions: int
) -> Speech:
    """The ids that ask for a language, a task and timestamps, and which are asked for by default.

    Files older than generation_config.json's keys for them name none: then the tokenizer's special
    tokens say. Raises CheckpointError for ids that the model lacks.
    """
    config = checkpoint.generation
    vocabulary = Tokenizer.from_buffer(tokenizer).get_vocab()
    languages = _ids(config, "lang_to_id", LANGUAGE, vocabulary, vocab_size)
    tasks = _ids(config, "task_to_id", TOKEN, vocabulary, vocab_size)
    tasks = {name: tasks[name] for name in TASKS if name in tasks}
    forced = _forced(config, checkpoint.config)
    many = vocab_size >= MULTILINGUAL_VOCAB or not forced.isdisjoint(languages.values())
    if not config.get("is_multilingual", many) or not tasks:
        languages, tasks = {}, {}
    no_timestamps = config.get("no_timestamps_token_id", vocabulary.get(NO_TIMESTAMPS))
    if no_timestamps is not None:
        _check_id("no_timestamps_token_id", no_timestamps, vocab_size)
        if no_timestamps + 1 + positions >= vocab_size:
            no_timestamps = None  # the model was trained without
    latest = config.get("max_initial_timestamp_index")
    if latest is not None and not (type(latest) is int and latest >= 0):
        raise _refusal("max_initial_timestamp_index", latest)
    language, task = _defaults(config, forced, languages, tasks)
    timed = config.get("return_timestamps") or False
    if not isinstance(timed, bool) or (timed and no_timestamps is None):
        raise _refusal("return_timestamps", timed)
    return Speech(languages, tasks, language, task, no_timestamps, latest, timed)


def speech_remarks(checkpoint: Checkpoint) -> list[str]:
    """Notes on what a file asks for and a transcript does without."""
    config = checkpoint.generation
    return [
        f"{FILE}: {name} = {shown(config[name])} is not followed: {reason}"
        for name, reason in NOT_FOLLOWED.items()
        if config.get(name) not in (None, False)
    ]


def _ids(
    config: dict[str, Any],
    key: str,
    pattern: re.Pattern[str],
    vocabulary: dict[str, int],
    vocab_size: int,
) -> dict[str, int]:
    """Name to id, by a key of generation_config.json or by the tokens of that pattern."""
    listed = config.get(key)
    if listed is None:
        listed = {token: index for token, index in vocabulary.items() if pattern.fullmatch(token)}
    if not isinstance(listed, dict):
        raise _refusal(key, listed)
    for token, index in listed.items():
        _check_id(f"{key}: {shown(token, 40)}", index, vocab_size)
    by_id = sorted(listed.items(), key=lambda item: item[1])
    return {_name(token): index for token, index in by_id}


def _forced(config: dict[str, Any], older: dict[str, Any]) -> set[Any]:
    """The ids that older files force to begin a text."""
    forced = config.get("forced_decoder_ids", older.get("forced_decoder_ids")) or []
    try:
        return {token for _, token in forced}
    except (TypeError, ValueError) as error:
        raise _refusal("forced_decoder_ids", forced) from error


def _defaults(
    config: dict[str, Any],
    forced: set[Any],
    languages: dict[str, int],
    tasks: dict[str, int],
) -> tuple[str | None, str]:
    """The language and the task that are asked for where nobody says: a name, or forced ids."""
    language, task = config.get("language"), config.get("task")
    if language is None:
        language = next((name for name, token in languages.items() if token in forced), None)
    if task is None:
        task = next((name for name, token in tasks.items() if token in forced), TASKS[0])
    if language is not None and languages:
        code = code_of(language, languages) if isinstance(language, str) else None
        if code is None:
            raise CheckpointError(
                f"{FILE}: language = {shown(language, 40)} is unknown; "
                f"{near(str(language), languages)}",
                "CKPT_CONFIG",
            )
        language = code
    if tasks and task not in tasks:
        raise _refusal("task", task)
    return (language if languages else None), str(task)


def _name(token: str) -> str:
    match = TOKEN.fullmatch(token)
    return match[1] if match else token


def _check_id(name: str, value: Any, vocab_size: int) -> None:
    if type(value) is not int or not 0 <= value < vocab_size:
        raise CheckpointError(
            f"{FILE}: {name} {shown(value)} is outside 0..{vocab_size - 1}",
            "CKPT_CONFIG",
        )


def _refusal(name: str, value: Any) -> CheckpointError:
    return CheckpointError(
        f"{FILE}: {name} = {shown(value)} makes no sense for this model",
        "CKPT_CONFIG",
    )
