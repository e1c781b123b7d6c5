"""Who is measured in a browser: satchel-web, and transformers.js on the same weights. Takes no
time itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environment import OFFLINE, REQUIREMENTS, WORKERS, Home
from interleave import Entrant, WorkerError

from satchel.runtime.bundle import Bundle

PEER = "transformers-js"


@dataclass
class WebEntrant(Entrant):
    """A library in a tab with one model; `batch` texts at once where the library does not choose."""

    batch: int | None = None


@dataclass(frozen=True)
class Tabs:
    """How tabs are started."""

    home: Home
    threads: int

    def satchel(self, bundle: Bundle) -> list[WebEntrant]:
        """The bundle as satchel-web runs it."""
        command = self._command("satchel", bundle.folder)
        return [WebEntrant("satchel", command, bundle.size)]

    def peers(
        self, task: str, checkpoint: Callable[[], Path], batches: tuple[int, ...]
    ) -> list[WebEntrant]:
        """transformers.js in its 8-bit setting; with several `batches` one entrant for each."""
        try:
            folder = self._converted(task, checkpoint())
            packages = str(self.home.packages(PEER))
        except (WorkerError, OSError) as error:
            return [WebEntrant("transformers.js", failure=str(error))]
        command = [*self._command("transformers_js", folder), "--packages", packages]
        read = [folder / "onnx" / "model_quantized.onnx", *folder.glob("*.json")]
        size = sum(file.stat().st_size for file in read)
        names = [f"transformers.js, {batch} at once" for batch in batches] or ["transformers.js"]
        return [
            WebEntrant(name, command, size, batch=batch)
            for name, batch in zip(names, batches or [None], strict=True)
        ]

    def _command(self, engine: str, model: Path) -> list[str]:
        worker = str(WORKERS / "browser" / "worker.mjs")
        return ["node", worker, engine, str(model), "--threads", str(self.threads)]

    def _converted(self, task: str, checkpoint: Path) -> Path:
        python, script = self.home.python("optimum-onnx"), WORKERS / "transformers_js_convert.py"
        origins = [checkpoint / "model.safetensors", script, REQUIREMENTS / "optimum-onnx.txt"]

        def convert(target: Path) -> None:
            self.home.run([python, str(script), str(checkpoint), str(target), task], OFFLINE)

        return self.home.made(f"{PEER}-{task}", origins, convert)
