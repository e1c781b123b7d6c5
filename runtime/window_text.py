"""The ids that a speech model writes of one window. Knows no sound."""

from __future__ import annotations

from satchel.runtime.beam import Search, beam_search
from satchel.runtime.cancel import Cancel, Cancelled
from satchel.runtime.decoder_session import DecoderSession
from satchel.runtime.generation_loop import generate
from satchel.runtime.lookup import Lookup
from satchel.runtime.manifest import Manifest
from satchel.runtime.options import Options
from satchel.runtime.processors import processors
from satchel.runtime.row import Row
from satchel.runtime.sample import Sampler
from satchel.runtime.sources import Sources
from satchel.runtime.timestamps import Timestamps

MOST = 1 << 31  # ids: no limit


def written(
    decoder: DecoderSession,
    manifest: Manifest,
    sources: Sources,
    prompt: list[int],
    options: Options,
    asked: int | None,  # how many ids the caller wants
    most: int,  # where he does not say
    timestamps: Timestamps | None,
    cancel: Cancel,
) -> list[int]:
    """The ids behind the prompt. Raises Cancelled."""
    ends, room, advice = manifest.tokens.eos, manifest.context - len(prompt), manifest.generation
    # transformers does not count the prompt as a part of max_length here.
    advised = advice.get("max_new_tokens", advice.get("max_length", room))
    limit = min(room, asked or min(most, advised))
    changes = processors(
        options, manifest.vocab_size, ends, start=len(prompt), limit=limit, source=prompt
    )
    if timestamps is not None:
        changes.append(timestamps)
    with decoder.reading(sources).lease(1, cancel) as run:
        if options.num_beams > 1:
            search = Search(prompt, changes, limit)
            beam_search(run, [search], options, ends)
            tokens, reason = search.found[0].tokens, search.found[0].finish_reason
        else:
            row = Row(prompt, Sampler(options, changes), limit, len(prompt))
            row.drafters = [Lookup(prompt)] if options.lookup else []
            for _ in generate(run, [row], ends):
                pass
            tokens, reason = row.tokens, row.finish_reason or ""
    if reason == "cancelled":
        raise Cancelled("the transcription was cancelled")
    return tokens
