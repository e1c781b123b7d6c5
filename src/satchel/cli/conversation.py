"""``satchel chat``: turns on a terminal or from a pipe. Knows no model."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from satchel.cli.chat_file import ChatFile
from satchel.cli.terminal import readable
from satchel.runtime.errors import SatchelError, UsageError

COMMANDS = "Ctrl-C stops an answer, /reset starts over, /quit or Ctrl-D leaves."


def converse(model: Any, chat: ChatFile, settings: dict[str, Any]) -> None:
    """Read lines, stream answers; the conversation stays read between turns."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() editing and history
    terminal = sys.stdin.isatty()
    if terminal:
        print(COMMANDS)
    while True:
        try:
            text = input("> " if terminal else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:  # at the prompt it clears the line, as shells do
            print()
            continue
        except UnicodeDecodeError as error:
            raise UsageError("the message is not UTF-8", "PROMPT_ENCODING") from error
        if text == "/quit":
            return
        if text == "/reset":
            chat.reset()
        elif text:
            chat.messages.append({"role": "user", "content": text})
            try:
                answer = _answer(model, chat.messages, settings | {"kept": chat.kept})
            except SatchelError as error:
                if not terminal:
                    raise
                print(f"error[{error.code}]: {error}; /reset starts over")
                chat.messages.pop()
            else:
                chat.messages.append({"role": "assistant", "content": answer})
                chat.save()


def _answer(model: Any, messages: list[dict[str, str]], settings: dict[str, Any]) -> str:
    """Stream the answer to `messages` and return its text, also where Ctrl-C cut it."""
    stream = model.chat_stream(messages, **settings)
    began, text = time.perf_counter(), ""
    with _interrupting(stream.cancel):
        for piece in stream:
            text += piece
            print(readable(piece), end="", flush=True)
    generation = stream.result
    print()
    if sys.stdout.isatty():
        seconds = time.perf_counter() - began
        print(f"[{len(generation.tokens)} tokens, {len(generation.tokens) / seconds:.0f}/s, "
              f"{generation.finish_reason}]")  # fmt: skip
    return text


@contextlib.contextmanager
def _interrupting(cancel: Callable[[], None]) -> Any:
    """Ctrl-C calls `cancel` instead of ending the program."""
    before = signal.signal(signal.SIGINT, lambda number, frame: cancel())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
