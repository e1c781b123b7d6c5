"""Text to ids, and ids to text as they come. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tokenizers import Tokenizer

from satchel.runtime.errors import BundleError, LimitError, SatchelError, UsageError, shown

CHARACTERS_PER_TOKEN = 32  # no text of a context's length has more; longer is refused unread


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json, without the truncation or padding it may ask for."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except BaseException as error:  # tokenizers panics with a BaseException of its own
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise BundleError(
            f"{path.name} is not usable: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@contextmanager
def tokenizing(text: str, context: int) -> Iterator[None]:
    """Refuse what must not reach the tokenizer, and turn its exceptions into ours."""
    if not isinstance(text, str):
        raise UsageError(f"expected a text, got {type(text).__name__}")
    if len(text) > CHARACTERS_PER_TOKEN * context:
        raise LimitError(
            f"the prompt has {len(text)} characters, far more than a context of {context} tokens "
            "holds",
            "PROMPT_TOO_LONG",
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the text holds a lone surrogate at character {error.start}", "PROMPT_ENCODING"
        ) from None
    try:
        yield
    except SatchelError:
        raise
    except BaseException as error:  # a panic again
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise UsageError(
            f"the text cannot be tokenized: {shown(error)}", "PROMPT_ENCODING"
        ) from None


class TextStream:
    """Turns ids into pieces of text: whole characters only, nothing of a stop string.

    The pieces and `close` concatenated are the text of all ids, up to a stop string if one occurred.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self.tokenizer = tokenizer
        self.stop = stop
        self.stopped = False
        self._ids: list[int] = []  # a window: the ids of the last character and those since
        self._settled = 0  # how many of them are in text that was handed on
        self._held = ""  # text that may be the start of a stop string

    def add(self, token: int) -> str:
        """The text that `token` completes, possibly none."""
        self._ids.append(token)
        before = self._decode(self._ids[: self._settled])
        now = self._decode(self._ids)
        if now.endswith("\N{REPLACEMENT CHARACTER}") or len(now) <= len(before):
            return ""  # an unfinished character, or nothing yet
        # The settled ids stay in the window: some decoders treat the first id of a text differently.
        self._ids = self._ids[self._settled :]
        self._settled = len(self._ids)
        return self._until_stop(now[len(before) :])

    def close(self) -> str:
        """The rest when no more ids come: an unfinished character becomes one replacement."""
        if self.stopped:
            return ""
        before, now = self._decode(self._ids[: self._settled]), self._decode(self._ids)
        rest = self._until_stop(now[len(before) :])
        rest, self._held = rest + ("" if self.stopped else self._held), ""
        return rest

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)) if ids else ""

    def _until_stop(self, piece: str) -> str:
        if not self.stop:
            return piece
        text = self._held + piece
        found = [text.find(stop) for stop in self.stop if stop in text]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        hold = max(_overlap(text, stop) for stop in self.stop)
        self._held = text[len(text) - hold :]
        return text[: len(text) - hold]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
