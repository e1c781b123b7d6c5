"""Text to ids, and ids to text as they come. Knows no model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tokenizers import Tokenizer

from satchel.runtime.errors import BundleError, LimitError, SatchelError, UsageError, shown

CHARACTERS_PER_TOKEN = 32  # no text of a context's length has more; longer is refused unread
PATIENCE = 32  # ids whose text may wait: more than any script needs, little enough to decode again
BYTE_TOKEN = re.compile("<0x[0-9A-Fa-f]{2}>")


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


def decoded(tokenizer: Tokenizer, tokens: list[int]) -> str:
    """The text of ids that a model has chosen, without special tokens."""
    return str(tokenizer.decode(tokens, skip_special_tokens=True)) if tokens else ""


class TextStream:
    """Turns ids into pieces of text: whole characters only, nothing of a stop string.

    The pieces and `close` are the text up to the stop string complete first. What later ids may change
    waits for at most PATIENCE ids. Of special tokens those in `shown` are text too.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        stop: Sequence[str] = (),
        shown: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self.tokenizer = tokenizer
        self.stop = stop
        self.shown = shown
        self.stopped = False
        self._ids: list[int] = []  # a window: the ids of the last piece and those since
        self._settled = 0  # how many of them are in text that was handed on
        self._held = ""  # text that may be the start of a stop string

    def add(self, token: int) -> str:
        """The text that `token` completes, possibly none."""
        if token in self.shown:
            piece = self._rest() + self.shown[token]
            self._ids, self._settled = [], 0
            return self._until_stop(piece)
        if not self._decode([token, token]):  # twice, because a decoder may strip a first space
            return ""  # a special token, or none at all
        self._ids.append(token)
        end = self._whole()
        piece = self._decode(self._ids[:end])[len(self._decode(self._ids[: self._settled])) :]
        if piece:
            # The settled ids stay in the window: decoders treat the first id of a text differently.
            del self._ids[: self._settled]
            self._settled = end - self._settled
        return self._until_stop(piece)

    def close(self) -> str:
        """The rest when no more ids come: an unfinished character becomes a replacement."""
        if self.stopped:
            return ""
        rest = self._until_stop(self._rest())
        rest, self._held = rest + self._held, ""
        return rest

    def _rest(self) -> str:
        """Text of the ids in the window that has not been handed on."""
        return self._decode(self._ids)[len(self._decode(self._ids[: self._settled])) :]

    def _whole(self) -> int:
        """How many ids of the window are in text that later ids leave as it is."""
        size = len(self._ids)
        if size - self._settled <= PATIENCE:
            # One wrong byte makes a byte-fallback decoder give up all bytes in a row.
            waits = BYTE_TOKEN.fullmatch(self.tokenizer.id_to_token(self._ids[-1]) or "")
            return self._settled if waits or self._broken(size) else size
        # A character has at most four bytes. Where the last four ids end none, they are not text.
        ends = range(size, size - 4, -1)
        return next((end for end in ends if not self._broken(end)), size - 4)

    def _broken(self, end: int) -> bool:
        return self._decode(self._ids[:end]).endswith("\N{REPLACEMENT CHARACTER}")

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)) if ids else ""

    def _until_stop(self, piece: str) -> str:
        if not self.stop:
            return piece
        text = self._held + piece
        # Whichever is complete first, so that it does not matter how the text came in pieces.
        hits = [
            (text.find(stop) + len(stop), text.find(stop)) for stop in self.stop if stop in text
        ]
        if hits:
            self.stopped, self._held = True, ""
            return text[: min(hits)[1]]
        hold = max(overlap(text, stop) for stop in self.stop)
        self._held = text[len(text) - hold :]
        return text[: len(text) - hold]


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
