"""One decoder, many who ask: a thread that writes all their texts together. Knows no HTTP.

Each round admits who waits, reads a piece of one prompt, chooses the next id of every text, tells who
listens, and reads the ids chosen. So nobody waits for a long prompt, and a text is what it is alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from satchel.runtime.cache import CHUNK
from satchel.runtime.continuous import ContinuousBatch
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Logits, Run
from satchel.runtime.errors import LimitError, SatchelError
from satchel.runtime.prefixes import PrefixCache
from satchel.runtime.row import Row
from satchel.runtime.text import TextStream

OLDEST_EVERY = (
    4  # of so many pieces one is of the prompt that came first, the others of the shortest
)


@dataclass(eq=False)
class Written:
    """One text that is asked for."""

    row: Row
    stream: TextStream
    told: int = 0  # of the row's tokens


@dataclass(eq=False)
class Job:
    """A prompt and the texts that go on from it.

    `listen(number, piece, tokens)` is told of text `number` what has become certain, and the new ids;
    with the last piece the row has a `finish_reason`. It must not wait.
    """

    prompt: Sequence[int]
    texts: list[Written]
    listen: Callable[[int, str, list[int]], None]
    cancelled: bool = False
    run: Run | None = None  # while the prompt is being read
    reused: int = 0  # ids of the prompt that were known already
    left: list[int] = field(default_factory=list)  # ids that are still to be read

    def cancel(self) -> None:
        """End it within a step. From any thread."""
        self.cancelled = True


class Scheduler:
    """Writes the texts of one decoder in a thread of its own, `slots` of them at once.

    `waiting` jobs at most stand in the queue; `prefix_bytes` is for beginnings that texts share.
    """

    def __init__(self, model: DecoderModel, slots: int, waiting: int, prefix_bytes: int) -> None:
        self.model = model
        self.slots = slots
        self.waiting = waiting
        self.prefixes = PrefixCache(model.decoder, prefix_bytes)
        self._batch = ContinuousBatch(model.decoder, model.manifest.tokens.eos)
        self._queue: deque[Job] = deque()
        self._reading: list[Job] = []
        self._writing: dict[int, tuple[Job, int]] = {}  # by id() of the row: whose text it is
        self._pieces = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="satchel-scheduler", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Ask for texts. Raises LimitError where too many wait already."""
        if len(job.texts) > self.slots:
            raise LimitError(f"{len(job.texts)} texts at once; this server writes {self.slots}")
        with self._change:
            if self._closing:
                raise LimitError("the server is closing", "CLOSING")
            if len(self._queue) >= self.waiting:
                raise LimitError(
                    f"{len(self._queue)} requests wait already; try again later", "BUSY"
                )
            self._queue.append(job)
            self._change.notify()

    @property
    def load(self) -> dict[str, int]:
        """How many jobs wait and texts are written, and bytes of kept beginnings."""
        reading = sum(len(job.texts) for job in self._reading)
        return {
            "waiting": len(self._queue),
            "running": reading + len(self._batch.rows),
            "prefix_bytes": self.prefixes.size,
        }

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not (self._queue or self._reading or self._batch.rows)

    def close(self) -> None:
        """Finish what was asked for and end the thread."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._change:
                while self.idle and not self._closing:
                    self._change.wait()
                if self.idle:
                    return
                self._admit()
            self._round()

    def _round(self) -> None:
        try:
            self._read_piece()
            for row in self._batch.rows:
                if self._writing[id(row)][0].cancelled:
                    row.finish_reason = "cancelled"
            self._batch.choose()
            for row in list(self._batch.rows):
                self._tell(row)
            self._batch.step()
        except SatchelError as error:  # of the graph: whoever is in it cannot go on
            self._fail(error)

    def _admit(self) -> None:
        while self._queue:
            job = self._queue[0]
            taken = sum(len(other.texts) for other in self._reading) + len(self._batch.rows)
            if not job.cancelled and taken + len(job.texts) > self.slots:
                return
            self._queue.popleft()
            if job.cancelled:
                self._end(job, "cancelled")
                continue
            job.run = self.prefixes.start(job.prompt)
            job.left = list(job.prompt[len(job.run.ids) :])
            job.reused = len(job.run.ids)
            self._reading.append(job)

    def _read_piece(self) -> None:
        """Read on in one prompt; when it is whole its texts join."""
        for job in [job for job in self._reading if job.cancelled]:
            self._reading.remove(job)
            self._end(job, "cancelled")
        if not self._reading:
            return
        self._pieces += 1
        job = self._reading[0]
        if self._pieces % OLDEST_EVERY:
            job = min(self._reading, key=lambda one: len(one.left))
        assert job.run is not None
        try:
            logits = job.run.append(job.left[:CHUNK])
        except SatchelError as error:
            self._reading.remove(job)
            self._end(job, "error", error)
            return
        del job.left[:CHUNK]
        if not job.left:
            self._reading.remove(job)
            self._join(job, job.run, logits)

    def _join(self, job: Job, run: Run, logits: Logits) -> None:
        self.prefixes.keep(run.ids, run.cache)
        for number, text in enumerate(job.texts):
            if text.row.limit < 1:
                text.row.finish_reason = "length"
                job.listen(number, "", [])
                continue
            self._writing[id(text.row)] = (job, number)
            self._batch.join(text.row, run, logits)
        run.cache.release()
        job.run = None

    def _tell(self, row: Row) -> None:
        """Hand on what has become certain of a text, and let it go where it ends."""
        job, number = self._writing[id(row)]
        text = job.texts[number]
        tokens = row.tokens[text.told :]
        piece = "".join(text.stream.add(token) for token in tokens)
        text.told = len(row.tokens)
        if text.stream.stopped:
            row.finish_reason = "stop"
        if row.finish_reason is not None:
            piece += text.stream.close()
            if text.stream.stopped:
                row.finish_reason = "stop"
            del self._writing[id(row)]
            if row.finish_reason not in ("cancelled", "error"):
                self.prefixes.keep(*self._batch.held(row))
        if piece or tokens or row.finish_reason is not None:
            job.listen(number, piece, tokens)

    def _end(self, job: Job, reason: str, error: SatchelError | None = None) -> None:
        """End the texts of a job that has not joined."""
        job.run = None
        for number, text in enumerate(job.texts):
            text.row.finish_reason, text.row.error = reason, error
            job.listen(number, "", [])

    def _fail(self, error: SatchelError) -> None:
        for row in self._batch.rows:
            row.finish_reason, row.error = "error", error
            job, number = self._writing.pop(id(row))
            job.listen(number, "", [])
        self._batch = ContinuousBatch(self.model.decoder, self.model.manifest.tokens.eos)
