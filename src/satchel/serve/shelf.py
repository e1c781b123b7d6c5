"""The bundles of a server: opened when first asked for, let go when nobody asks. Knows no HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import satchel
from satchel.runtime import sealed
from satchel.runtime.adapter import origin_of
from satchel.runtime.bundle import manifest_text
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.kept_file import Origin
from satchel.runtime.manifest import Manifest
from satchel.serve.scheduler import Scheduler

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Serving:
    """How bundles are run."""

    slots: int = 8
    waiting: int = 256
    keep: float = 1800.0  # seconds without a request after which a bundle is let go
    prefix_bytes: int = 256 << 20
    threads: int | None = None
    kernels: bool = True


class Loaded:
    """An open bundle. What is not written by the scheduler runs in a thread of its own, one at a time."""

    def __init__(self, model: Any, settings: Serving) -> None:
        self.model = model
        self.scheduler: Scheduler | None = None
        if isinstance(model, DecoderModel):
            self.scheduler = Scheduler(
                model, settings.slots, settings.waiting, settings.prefix_bytes
            )
        self._thread = ThreadPoolExecutor(1, "satchel-model")

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Do something with the model, when those who asked before have their answers."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Finish what is running."""
        if self.scheduler is not None:
            self.scheduler.close()
        self._thread.shutdown()


class Entry:
    """One bundle, open or not; with a `base` the same bundle with an adapter."""

    def __init__(
        self,
        name: str,
        folder: Path,
        manifest: Manifest,
        settings: Serving,
        base: Entry | None = None,
        adapter: Path | None = None,
    ) -> None:
        self.name, self.folder, self.manifest = name, folder, manifest
        self.settings = settings
        self.base, self.adapter = base, adapter
        self.loaded: Loaded | None = None
        self.users = 0
        self.used = time.monotonic()
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Loaded]:
        """The open bundle, which stays open meanwhile."""
        self.users += 1
        try:
            async with self._lock:
                if self.loaded is None:
                    self.loaded = Loaded(await self._model(), self.settings)
            yield self.loaded
        finally:
            self.users -= 1
            self.used = time.monotonic()
            if self.base is not None:  # whose graph it runs
                self.base.used = self.used

    async def _model(self) -> Any:
        if self.base is not None:
            async with self.base.use() as open_base:
                return await asyncio.to_thread(open_base.model.adapted, self.adapter)
        return await asyncio.to_thread(
            satchel.load,
            self.folder,
            threads=self.settings.threads,
            kernels=self.settings.kernels,
        )

    async def let_go(self, now: float | None = None) -> None:
        """Close the bundle where nobody has used it for long; without `now`, in any case."""
        async with self._lock:
            rested = now is None or (not self.users and now - self.used >= self.settings.keep)
            if self.loaded is not None and rested:
                loaded, self.loaded = self.loaded, None
                await asyncio.to_thread(loaded.close)


class Shelf:
    """All bundles of a server, by the names of their folders, and with adapters as bundle:adapter.

    `adapters` are files by name; each is of one of the bundles.
    """

    def __init__(
        self, folders: list[str], settings: Serving, adapters: Mapping[str, str] | None = None
    ) -> None:
        self.settings = settings
        self.entries: dict[str, Entry] = {}
        for text in folders:
            folder = Path(text)
            name = folder.resolve().name
            if name in self.entries:
                raise UsageError(f"two bundles are called {name!r}: rename one folder")
            manifest = sealed.read(manifest_text(folder))
            self.entries[name] = Entry(name, folder, manifest, settings)
        bases = list(self.entries.values())
        for name, file in (adapters or {}).items():
            base = self._base(Path(file), bases)
            full = f"{base.name}:{name}"
            adapted = (base.folder, base.manifest, settings, base, Path(file))
            self.entries[full] = Entry(full, *adapted)

    def _base(self, file: Path, bases: list[Entry]) -> Entry:
        """The bundle that an adapter was made for."""
        made_for = origin_of(file)
        for base in bases:
            if base.manifest.family == "decoder" and Origin.of(base.manifest) == made_for:
                return base
        raise UsageError(
            f"--adapter: {shown(file)} was made for a bundle that is not served: {made_for}"
        )

    async def sweep(self) -> None:
        """Let go what has not been used for long, for ever."""
        while True:
            await asyncio.sleep(min(10.0, max(0.1, self.settings.keep / 4)))
            for entry in self.entries.values():
                await entry.let_go(time.monotonic())

    async def close(self) -> None:
        """Finish what is running and close all."""
        for entry in self.entries.values():
            await entry.let_go()
