"""Clients that ask a server many things and leave some of them halfway. Takes no time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from interleave import WorkerError
from server_clients import COMPLETIONS, events

LEAVING = 0.5  # share of the requests whose clients leave, if they have no answer by then
LATEST = 0.3  # seconds after which a client that waits for a whole answer leaves at the latest


@dataclass(frozen=True)
class Known:
    """A request and the answer that Python gives alone."""

    body: Mapping[str, Any]
    text: str
    reason: str  # why it ends


@dataclass(frozen=True)
class Visit:
    """A request as one client makes it: it leaves after so many events, or seconds, or not at all."""

    known: Known
    events: int | None = None
    seconds: float | None = None
    stream: bool = False


@dataclass
class Outcome:
    """How visits went, and what was seen meanwhile."""

    counts: Counter[str] = field(default_factory=Counter)  # finished, left, wrong, failed
    first_failure: str = ""
    resident: list[int] = field(default_factory=list)  # bytes of the server, after every visit


def visits(known: Sequence[Known], count: int, seed: int) -> Iterator[Visit]:
    """`count` visits, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        one, stream, leaves = chance.choice(known), chance.random() < 0.5, chance.random() < LEAVING
        if stream:
            last = chance.randint(0, int(one.body["max_tokens"])) if leaves else None
            yield Visit(one, events=last, stream=True)
        else:
            yield Visit(one, seconds=chance.uniform(0, LATEST) if leaves else None)


async def soak(
    client: httpx.AsyncClient,
    address: str,
    plans: Iterable[Visit],
    clients: int,
    resident: Callable[[], int],
) -> Outcome:
    """Make all visits, so many at once; `resident` tells the bytes of the server's memory."""
    outcome, left = Outcome(), iter(plans)

    async def come_and_go() -> None:
        for visit in left:
            outcome.counts[await _visited(client, address + COMPLETIONS, visit, outcome)] += 1
            outcome.resident.append(resident())

    await asyncio.gather(*(come_and_go() for _ in range(clients)))
    return outcome


async def _visited(client: httpx.AsyncClient, url: str, visit: Visit, outcome: Outcome) -> str:
    """How one visit ended, in a word."""
    ask = _streamed if visit.stream else _whole
    try:
        async with asyncio.timeout(visit.seconds):
            answer = await ask(client, url, visit)
    except TimeoutError:
        return "left"
    except (httpx.HTTPError, WorkerError) as error:
        outcome.first_failure = outcome.first_failure or f"{type(error).__name__}: {error}"
        return "failed"
    if answer is None:
        return "left"
    if answer != (visit.known.text, visit.known.reason):
        expected = (visit.known.text, visit.known.reason)
        outcome.first_failure = outcome.first_failure or f"{answer}; expected {expected}"
        return "wrong"
    return "finished"


async def _whole(client: httpx.AsyncClient, url: str, visit: Visit) -> tuple[str, str]:
    response = await client.post(url, json=visit.known.body)
    if response.status_code != 200:
        raise WorkerError(response.text[:300])
    [choice] = response.json()["choices"]
    return choice["text"], choice["finish_reason"]


async def _streamed(client: httpx.AsyncClient, url: str, visit: Visit) -> tuple[str, str] | None:
    """None where the client has left."""
    text, reason, seen = "", "", 0
    source = events(client, url, {**visit.known.body, "stream": True})
    try:
        async for event in source:
            if visit.events is not None and seen >= visit.events:
                return None
            seen += 1
            [choice] = event["choices"]
            text += choice["text"]
            reason = choice["finish_reason"] or reason
    finally:
        await source.aclose()  # which hangs up
    return text, reason
