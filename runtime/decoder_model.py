"""What an app holds of a decoder-only model: generation, conversations, scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.adapter import Adapter
from satchel.runtime.batch import Generation, Stream
from satchel.runtime.bundle import Bundle
from satchel.runtime.cache import CHUNK
from satchel.runtime.cancel import Cancel
from satchel.runtime.chat_format import ChatFormat, Tools, encode_chat
from satchel.runtime.decoder_session import FEW, DecoderSession, Run
from satchel.runtime.errors import UsageError
from satchel.runtime.generation import Prompt, TextModel
from satchel.runtime.grammar import Grammar
from satchel.runtime.kept_text import KeptText
from satchel.runtime.messages import checked_messages, texts_of
from satchel.runtime.sample_answers import SampleAnswer, of_decoder, target_probe
from satchel.runtime.session import open_session
from satchel.runtime.template import Message
from satchel.runtime.text import tokenizing
from satchel.runtime.tool_use import Choice, ToolUse, tool_use
from satchel.runtime.workloads import Workload, decoding, prefills, some_ids


@dataclass(frozen=True)
class Score:
    """How likely a text is: `logprobs[i]` is that of `tokens[i + 1]` after those before it."""

    tokens: list[int]
    logprobs: NDArray[np.float32]

    @property
    def perplexity(self) -> float:
        """Exponential of the mean negative log-probability."""
        return float(np.exp(-self.logprobs.mean(dtype=np.float64)))


class DecoderModel(TextModel):
    """A loaded decoder-only bundle. Safe to use from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        self.decoder = DecoderSession(open_session(bundle, "decoder", threads), self.manifest)
        self.graphs = {"decoder": self.decoder}
        chat = self.manifest.chat
        self._chat_format = ChatFormat.from_dict(chat) if chat is not None else None
        self._last = KeptText(self.decoder)  # conversation

    @property
    def samples(self) -> dict[str, str]:
        return {"decoder": "windows"}

    def workloads(self) -> Iterator[Workload]:
        yield from prefills(self.decoder)
        yield decoding(self.decoder)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        return of_decoder(self.decoder, target_probe(self.manifest))

    def first_token(self) -> None:
        ids = some_ids(self.manifest.vocab_size, (min(FEW, self.manifest.context),))
        self.decoder.start().append(ids.tolist())

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Tools = (),
        tool_choice: Choice = "auto",
        parallel_tool_calls: bool = True,
        grammar: Grammar | None = None,
        **options: Any,
    ) -> Generation:
        """Answer a conversation, a list of {"role": ..., "content": ...}.

        What the conversation shares with the last one is not computed again. Options as for `stream`.
        `tools` are functions in OpenAI's form, which the answer may call (`tool_calls`), or has to where
        `tool_choice` is "required" or one of them; `grammar` is then the form of an answer without calls.
        """
        use = self.tool_use(tools, tool_choice, parallel_tool_calls, grammar)
        stream = self.chat_stream(messages, grammar=grammar, use=use, **options)
        for _ in stream:
            pass
        if use is None:
            return stream.result
        reader = use.reader()
        text = reader.add(stream.result.text)[0] + reader.close()[0]
        return replace(stream.result, text=text, tool_calls=reader.calls)

    def chat_stream(
        self,
        messages: Sequence[Message],
        *,
        max_new_tokens: int | EllipsisType | None = ...,
        stop: str | Sequence[str] | None = None,
        grammar: Grammar | None = None,
        kept: KeptText | None = None,
        draft: TextModel | None = None,
        use: ToolUse | None = None,
        **options: Any,
    ) -> Stream:
        """Answer a conversation piece by piece; as `chat`.

        With `use`, which `tool_use` makes, calls are in the text: its `reader` finds them.
        """
        form = grammar if use is None else use.grammar
        asked = self.streamable(options, max_new_tokens, stop, form, kept, draft)
        if use is not None:
            asked = replace(asked, shown=use.marks)
        ids, cancel = self.encode_chat(messages, use.tools if use else None), Cancel()
        return Stream(self._batch([ids], asked, False, cancel, self.conversation(cancel)))

    def conversation(self, cancel: Cancel) -> AbstractContextManager[Run]:
        return self._last.lease(cancel, lambda: self.decoder.start(1, cancel))

    def keep(self, prompt: Prompt | None = None) -> KeptText:
        """A text that stays read, of a prompt or empty: to go on from, to branch, to save."""
        text = KeptText(self.decoder)
        if prompt is not None:
            text.read(self.prompt_ids(prompt))
        return text

    def load_kept(self, path: str | Path) -> KeptText:
        """A text that `KeptText.save` wrote; StorageError where it is damaged or of another bundle."""
        return KeptText.load(self.decoder, Path(path))

    def adapted(self, path: str | Path) -> DecoderModel:
        """This model with an adapter that `satchel adapter` made; it shares the graph and its weights.

        Both answer side by side, and each keeps its own conversation. Raises StorageError for a file
        that is damaged or of another bundle, UsageError where the bundle takes no adapters.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.decoder = self.decoder.adapted(
            Adapter.load(Path(path), self.decoder.session, self.manifest)
        )
        other.graphs = {"decoder": other.decoder}
        other._last = KeptText(other.decoder)
        return other

    def tool_use(
        self,
        tools: Tools,
        choice: Choice = "auto",
        parallel: bool = True,
        answer: Grammar | None = None,
    ) -> ToolUse | None:
        """How an answer of this bundle uses functions; None where there are none to use.

        Raises UnsupportedError where the bundle's chat template takes none.
        """
        form = None if self._chat_format is None else self._chat_format.tools
        return tool_use(form, self.tokenizer, tools, choice, parallel, answer)

    def encode_chat(self, messages: Sequence[Message], tools: Tools | None = None) -> list[int]:
        """Ids of a conversation up to where the answer begins, with functions that it may call."""
        if self._chat_format is None:
            raise UsageError("this bundle has no chat template; use generate")
        text = "".join(texts_of([checked_messages(messages), tools or ()]))
        with tokenizing(text, self.prompt_limit):
            return encode_chat(self.tokenizer, self._chat_format, messages, True, tools)

    def logits(self, prompt: Prompt) -> NDArray[np.float32]:
        """float32 [length, vocab]: at each position of a text or ids, the next token's logits."""
        return self.decoder.logits(self.prompt_ids(prompt))

    def score(self, prompt: Prompt) -> Score:
        """The log-probability of each token of a text or ids after those before it."""
        ids = self.prompt_ids(prompt)
        if len(ids) < 2:
            raise UsageError("a score needs at least two tokens")
        run, logprobs = self.decoder.start(), []
        run.reserve(np.array([len(ids) - 1]))
        for start in range(0, len(ids) - 1, CHUNK):
            piece = ids[start : min(start + CHUNK, len(ids) - 1)]
            logits = run.append(piece, every=True)
            logits -= logits.max(1, keepdims=True)
            targets = np.asarray(ids[start + 1 : start + 1 + len(piece)])
            chosen = logits[np.arange(len(piece)), targets]
            logprobs.append(chosen - np.log(np.exp(logits).sum(1)))
        return Score(list(ids), np.concatenate(logprobs))

    def _before(self, prompt: list[int]) -> list[int]:
        return prompt

    def _lease(self, prompts: list[list[int]], cancel: Cancel) -> AbstractContextManager[Run]:
        return self.decoder.lease(len(prompts), cancel)
