"""How a translation model is told its languages. Knows no graph."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from tokenizers import Tokenizer

from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import SOURCE, TARGET, Manifest, Translation

SHOWN = 8  # languages in an error
CODE = re.compile(r"\s*>>([^<>]+)<<")  # how a text itself names the language it is to be put into


def known_ids(ids: Iterable[int], told: Translation | None, vocab_size: int) -> list[int]:
    """`ids` with the unknown one for those of pieces that the model lacks."""
    unknown = told.unknown if told is not None else None
    return [index if index < vocab_size or unknown is None else unknown for index in ids]


class Languages:
    """The languages of a manifest; of one without, there are none."""

    def __init__(self, manifest: Manifest) -> None:
        self.told = manifest.translation
        self.vocab_size = manifest.vocab_size

    def encode(
        self,
        tokenizer: Tokenizer,
        text: str,
        source_lang: str | None = None,
        target_lang: str | None = None,
    ) -> list[int]:
        """Ids of a source text. Raises UsageError where a language is unknown or cannot be told."""
        source, target = self._id(SOURCE, source_lang), self._id(TARGET, target_lang)
        told = self.told
        if told is None:
            return list(tokenizer.encode(text).ids)
        if TARGET in told.prefix and (code := CODE.match(text)):
            target, text = self._id(TARGET, code.group(1)), text[code.end() :]
        ids = known_ids(tokenizer.encode(text, add_special_tokens=False).ids, told, self.vocab_size)
        known = {SOURCE: source, TARGET: target}
        around = [[known.get(str(p), p) for p in part] for part in (told.prefix, told.suffix)]
        before, after = ([p for p in part if isinstance(p, int)] for part in around)
        return before + ids + after

    def forced_first_token(self, target_lang: str | None) -> int | None:
        """The id that a target in this language has behind its start, None for any."""
        index = self._id(TARGET, target_lang)
        return index if self.told is not None and self.told.target == "forced" else None

    def start(self, target_lang: str | None) -> int | None:
        """The id that a target in this language begins with, None for that of all targets."""
        index = self._id(TARGET, target_lang)
        return index if self.told is not None and self.told.target == "start" else None

    def require_target(self, target_lang: str | None) -> None:
        """Raise UsageError where a target language is needed and none is given or the default."""
        told = self.told
        if told is not None and told.languages and not (target_lang or told.target_lang):
            raise UsageError(f"target_lang is needed; {_near('', told.languages)}")

    def _id(self, role: str, name: str | None) -> int | None:
        """The id of a language or of the default; UsageError with the nearest where there is none."""
        told = self.told
        if name is None:
            usual = {SOURCE: told.source_lang, TARGET: told.target_lang}[role] if told else None
            return told.languages[usual] if told is not None and usual is not None else None
        if told is None or not told.languages:
            raise UsageError(f"{role}_lang = {shown(name)}: this bundle is told no languages")
        if role == SOURCE and SOURCE not in (*told.prefix, *told.suffix):
            raise UsageError(f"source_lang = {shown(name)}: this bundle is told the target alone")
        if name not in told.languages:
            raise UsageError(
                f"{role}_lang = {shown(name, 40)} is unknown; {_near(name, told.languages)}"
            )
        return told.languages[name]


def _near(name: str, languages: Iterable[str]) -> str:
    """The languages that may have been meant, or some."""
    languages = sorted(languages)
    near = difflib.get_close_matches(name, languages, SHOWN, 0.5)
    near += (
        [] if not name else [other for other in languages if other[:2].lower() == name[:2].lower()]
    )
    if near:
        return f"near it: {', '.join(list(dict.fromkeys(near))[:SHOWN])}"
    more = f" and {len(languages) - SHOWN} more" if len(languages) > SHOWN else ""
    return f"known: {', '.join(languages[:SHOWN])}{more}"
