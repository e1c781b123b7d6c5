"""An encoder's texts become ids, as the manifest's `text` says. Knows no graph."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.errors import LimitError, UsageError, shown
from satchel.runtime.task import TASKS
from satchel.runtime.text import load_tokenizer, tokenizing
from satchel.runtime.text_messages import TextMessages

MOST_TOKENS = 1 << 19  # with `tokenizing` 16 million characters; more is no text for one vector
MOST_SHARED = 128  # tokens of a context that two pieces share
FIRST_LOOK = 64  # characters per token read at first of a text that will be cut


class Preparation:
    """Tokenizer and settings of an encoder's texts, which are cut to `limit` tokens (None: as the bundle
    says)."""

    def __init__(self, bundle: Bundle, limit: int | None = None) -> None:
        assert bundle.manifest.text is not None
        self.settings = bundle.manifest.text
        self.context = bundle.manifest.context
        self.limit = self.settings.max_length if limit is None else limit
        self.path: Path = bundle.path(TOKENIZER)
        self.tokenizer = load_tokenizer(self.path)
        self.messages: TextMessages | None = None  # where texts are written as messages of a chat
        if bundle.manifest.chat is not None:
            count = 2 if TASKS[bundle.manifest.task].pairs else 1
            given = (bundle.manifest.chat, self.settings.prompts, count)
            self.messages = TextMessages.from_dict(*given)
        self._refuses = False
        self._cutters: dict[tuple[int, str, bool, int | None], Tokenizer] = {}

    def refusing(self) -> Preparation:
        """The same, which refuses a text that is to be cut: LimitError."""
        other = copy.copy(self)
        other._refuses = True
        return other

    def behind(self, prompt: str | None, text: str) -> str:
        """A text behind a prompt: the one of that name, or the default one."""
        if not isinstance(text, str):
            raise UsageError(f"expected a text, got {type(text).__name__}")
        return self._prompt(prompt) + text

    def cut(self, text: str, pair: str | None = None, whole_pair: bool = False) -> Encoding:
        """Ids of a text or pair; what exceeds the model's length is cut.

        With `whole_pair` that is taken from the text alone.
        """
        other = "" if pair is None else pair
        with tokenizing(text, MOST_TOKENS), tokenizing(other, MOST_TOKENS):
            second = self._beginning(pair) if pair is not None else None
            if whole_pair and len(self.tokenizer.encode("", second).ids) >= self.limit:
                raise UsageError(
                    f"{shown(pair)} leaves no room for the text: the model reads {self.limit} tokens"
                )
            side = "only_first" if whole_pair else "longest_first"
            cutter = self._cutter(0, side, left=self.settings.cut_left)
            return cutter.encode(self._beginning(text), second)

    def encode(self, text: str, pair: str | None = None, whole_pair: bool = False) -> Encoding:
        """The same, with a warning where something is cut."""
        encoding = self.cut(text, pair, whole_pair)
        if encoding.overflowing:
            self._warn()
        return encoding

    def row(self, text: str, limit: int) -> list[int]:
        """The ids of a text, at most `limit` of them; what exceeds that is cut, with a warning."""
        with tokenizing(text, MOST_TOKENS):
            cutter = self._cutter(0, left=self.settings.cut_left, limit=limit)
            encoding = cutter.encode(self._beginning(text))
        if encoding.overflowing:
            warnings.warn(f"a text of more than {limit} tokens is cut", UserWarning, stacklevel=5)
        return list(encoding.ids)

    def read(
        self, prompt: str | None, *texts: str, whole_pair: bool = False
    ) -> tuple[list[int], list[int]]:
        """Ids and token types of a text or a pair, the first behind a prompt, or all as messages."""
        if self.messages is None:
            encoding = self.encode(self.behind(prompt, texts[0]), (*texts, None)[1], whole_pair)
            return encoding.ids, encoding.type_ids
        for text in texts:
            if not isinstance(text, str):
                raise UsageError(f"expected a text, got {type(text).__name__}")
        self._prompt(prompt)  # it has to be known
        name = prompt or self.settings.default_prompt or ""
        ids = self._written(self.messages, name, texts)
        return ids, [0] * len(ids)

    def together(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Texts as they can be read: each, or each with the next where only pairs are."""
        count = self.messages.count if self.messages is not None else 1
        return [tuple(texts[at : at + count]) for at in range(len(texts) - count + 1)]

    def _written(self, messages: TextMessages, name: str, texts: Sequence[str]) -> list[int]:
        """Ids of messages; of those that are too long the text is cut, and not what ends the last."""
        text = messages.render(name, [self._cased(text) for text in texts])
        with tokenizing(text, MOST_TOKENS):
            cutter = self._cutter(0, left=self.settings.cut_left)
            encoding = cutter.encode(text, add_special_tokens=False)
        ids = list(encoding.ids)
        if encoding.overflowing:
            self._warn()
        if len(ids) >= self.limit:
            encode = lambda said: self.tokenizer.encode(said, add_special_tokens=False).ids  # noqa: E731
            end = messages.ending(name, encode)[-len(ids) :]
            ids[len(ids) - len(end) :] = end
        return ids

    def _warn(self) -> None:
        if self._refuses:
            raise LimitError(f"a text has more than {self.limit} tokens", "PROMPT_TOO_LONG")
        warnings.warn(f"a text of more than {self.limit} tokens is cut", UserWarning, stacklevel=5)

    def pieces(self, text: str, overlap: int) -> list[Encoding]:
        """A text in as many encodings as it takes; neighbours share `overlap` tokens."""
        self._check_window(overlap)
        with tokenizing(text, MOST_TOKENS):
            whole = self._cutter(overlap).encode(self._cased(text))
        return [whole, *whole.overflowing]

    def question(self, question: str, context: str) -> tuple[list[Encoding], int]:
        """Pairs of the question and a piece of the context, and how many tokens neighbours share."""
        with tokenizing(question, MOST_TOKENS), tokenizing(context, MOST_TOKENS):
            lead = len(self.tokenizer.encode(self._cased(question), "").ids)
            room = self.limit - lead
            if room < 2:
                raise UsageError(
                    f"the question has {lead} tokens; at most {self.limit - 2} leave room"
                )
            overlap = min(MOST_SHARED, room // 2)
            cutter = self._cutter(overlap, "only_second")
            whole = cutter.encode(self._cased(question), self._cased(context))
        return [whole, *whole.overflowing], overlap

    def rows(
        self, text: str, prompt: str | None = None, window: int | None = None
    ) -> list[list[int]]:
        """The ids of a text to embed: one row, or with `window` overlapping rows where it is long.

        None is filled up yet: `padded` is what a graph reads.
        """
        if window is None:
            return [self.read(prompt, text)[0]]
        if self.messages is not None:
            raise UsageError("this bundle writes texts as messages of a chat: they have no window")
        text = self.behind(prompt, text)
        return [list(piece.ids) for piece in self.pieces(text, window)]

    def row_of(self, *texts: str, prompt: str | None = None) -> list[int]:
        """The ids that a text, or a pair, is read by."""
        return self.padded(self.read(prompt, *texts)[0])

    def prompt_length(self, prompt: str | None) -> int:
        """Tokens of the prompt of that name, or of the default one."""
        return self.length_of_prompt(self._prompt(prompt))

    def length_of_prompt(self, text: str) -> int:
        """Tokens of a prompt, without a special one at their end.

        Counted of the prompt alone, as sentence-transformers does, also where it and a text share one.
        """
        if not text:
            return 0
        ids = self.cut(text).ids
        last = self.tokenizer.get_added_tokens_decoder().get(ids[-1]) if ids else None
        return len(ids) - (last is not None and last.special)

    def _check_window(self, window: int) -> None:
        most = self.limit - int(self.tokenizer.num_special_tokens_to_add(False)) - 1
        if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window <= most:
            raise UsageError(f"window = {shown(window)}; expected a whole number from 0 to {most}")

    def _prompt(self, name: str | None) -> str:
        prompts = self.settings.prompts
        name = name if name is not None else self.settings.default_prompt
        if name is not None and name not in prompts:
            known = ", ".join(map(shown, prompts)) or "none"
            raise UsageError(f"prompt {shown(name)} is unknown; the bundle has {known}")
        return prompts[name] if name is not None else ""

    def _cased(self, text: str) -> str:
        return text.lower() if self.settings.lower_case else text

    def padded(self, ids: list[int]) -> list[int]:
        """A few models were trained on texts that are all filled up to the context."""
        pad = self.settings.pad_to_context
        return ids if pad is None else ids + [pad] * (self.context - len(ids))

    def _beginning(self, text: str) -> str:
        """As much of a long text as decides its first tokens; all of it where its end is what is kept."""
        text, size = self._cased(text), FIRST_LOOK * self.limit
        if self.settings.cut_left:
            return text
        # Two lengths' worth: where the text is cut, its last tokens may be other than in the whole.
        while size < len(text) and len(self._cutter(0).encode(text[:size]).overflowing) < 2:
            size *= 2
        return text[:size]

    def _cutter(
        self,
        overlap: int,
        side: str = "longest_first",
        left: bool = False,
        limit: int | None = None,
    ) -> Tokenizer:
        """A tokenizer that cuts, kept; how it cuts is a setting that threads cannot share."""
        key = (overlap, side, left, limit)
        if key not in self._cutters:
            cutter = load_tokenizer(self.path)
            cutter.enable_truncation(
                self.limit if limit is None else limit,
                stride=overlap,
                strategy=side,
                direction="left" if left else "right",
            )
            self._cutters[key] = cutter
        return self._cutters[key]
