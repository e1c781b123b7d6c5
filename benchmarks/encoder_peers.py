"""Who is measured on encoders: satchel, and each peer in its own environment. Takes no time itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import shares
from environment import OFFLINE, REQUIREMENTS, TEXT, WORKERS, Home, optimum_setting
from interleave import Entrant, WorkerError
from variants import variants

from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import Pooling, Unit
from satchel.measure.fidelity import sentences
from satchel.runtime.bundle import Bundle, sha256_of

CALIBRATION = 300  # sentences, as sentence-transformers takes by default
REFERENCE = "PyTorch fp32"  # what the others' vectors are held to
FUSIONS = "O2"  # the most that leave the graph exact


@dataclass
class EncoderEntrant(Entrant):
    """An engine that is called directly (`command`), and with its library around it."""

    library: list[str] = field(default_factory=list)
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)  # cosines with PyTorch


@dataclass(frozen=True)
class Settings:
    """What all entrants are given alike, and where peers come from."""

    home: Home
    inputs: Path
    threads: int
    checkpoint: Path
    modules: SentenceModules

    @property
    def common(self) -> list[str]:
        """What every worker is told."""
        return ["--inputs", str(self.inputs), "--threads", str(self.threads)]

    @property
    def pooling(self) -> list[str]:
        """What a worker whose graph ends with the states is told."""
        steps = [step for step in self.modules.steps if not isinstance(step, Unit)]
        modes = steps[0].modes if len(steps) == 1 and isinstance(steps[0], Pooling) else ()
        if len(modes) != 1 or modes[0] not in ("mean", "cls"):
            raise WorkerError("peers are measured with mean or cls pooling and no dense layer")
        return ["--pooling", modes[0], *(["--normalize"] if self.modules.normalize else [])]


def satchel(bundle: Bundle, settings: Settings) -> list[EncoderEntrant]:
    """The bundle, run by this Python on either kernels."""
    worker = str(WORKERS / "satchel_encoder_worker.py")
    command = [sys.executable, worker, str(bundle.folder), *settings.common]
    weights = settings.checkpoint / "model.safetensors"
    same = weights.exists() and sha256_of(weights) == bundle.manifest.source.sha256
    note = None if same else f"The bundle was not made from {weights}: the weights may differ."
    library, work = [*command, "--library"], shares.of_bundle(bundle)
    return [
        EncoderEntrant(name, [*command, *how], bundle.size, note, library=[*library, *how], **work)
        for name, how in variants().items()
    ]


def pytorch(settings: Settings) -> EncoderEntrant:
    """The checkpoint in float32."""
    python = settings.home.python("pytorch")
    return _peer(REFERENCE, python, "torch", settings.checkpoint, "model.safetensors", settings)


def optimum_onnx(settings: Settings) -> EncoderEntrant:
    """Dynamic int8, one scale per output channel, at the setting of this processor."""
    return _optimum_onnx("optimum-onnx int8", settings, [optimum_setting()])


def optimum_onnx_fused(settings: Settings) -> EncoderEntrant:
    """The same after optimum's fusions, which few people do, but which is faster."""
    name = f"optimum-onnx {FUSIONS} int8"
    return _optimum_onnx(name, settings, [optimum_setting(), FUSIONS])


def openvino_weights(settings: Settings) -> EncoderEntrant:
    """Int8 weights; OpenVINO quantises activations as it goes."""
    return _openvino("OpenVINO int8 weights", settings, "openvino_model", [])


def openvino_static(settings: Settings) -> EncoderEntrant:
    """Int8 weights and activations, calibrated on the shipped text."""
    folder = settings.home.folder / "calibration"
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"text": text}) + "\n" for text in sentences(CALIBRATION)]
    (folder / "train.jsonl").write_text("".join(lines), "utf-8")
    return _openvino("OpenVINO int8 static", settings, "openvino_model_int8", [str(folder)])


PEERS: dict[str, Callable[[Settings], EncoderEntrant]] = {
    "pytorch": pytorch,
    "optimum-onnx": optimum_onnx,
    "optimum-onnx-fused": optimum_onnx_fused,
    "openvino-weights": openvino_weights,
    "openvino-static": openvino_static,
}


def prepared(peer: str, settings: Settings) -> EncoderEntrant:
    """One of PEERS, or why it could not be made ready."""
    try:
        return PEERS[peer](settings)
    except (WorkerError, OSError) as error:
        return EncoderEntrant(peer, failure=str(error))


def _optimum_onnx(name: str, settings: Settings, how: list[str]) -> EncoderEntrant:
    python = settings.home.python("optimum-onnx")
    folder = converted(python, "optimum-onnx", settings, how)
    file = "onnx/model_int8.onnx"
    return _peer(f"{name} ({how[0]})", python, "onnx", folder, file, settings)


def _openvino(name: str, settings: Settings, stem: str, how: list[str]) -> EncoderEntrant:
    # torchvision's wheel fits only the torch it was built with, and a text needs none.
    python = settings.home.python("openvino", without=["torchvision"])
    folder = converted(python, "openvino", settings, how)
    return _peer(name, python, "openvino", folder, f"openvino/{stem}.xml", settings)


def converted(python: str, environment: str, settings: Settings, how: list[str]) -> Path:
    """The checkpoint as an environment's convert script makes it."""
    script = WORKERS / f"{environment.replace('-', '_')}_convert.py"
    home = settings.home
    given = [settings.checkpoint / "model.safetensors", settings.checkpoint / "config.json"]
    origins = [*given, script, REQUIREMENTS / f"{environment}.txt", TEXT]
    name = "-".join([environment, *(Path(word).name for word in how)])
    variables = OFFLINE | {"HF_HOME": str(home.folder / "huggingface")}

    def convert(target: Path) -> None:
        home.run([python, str(script), str(settings.checkpoint), str(target), *how], variables)

    return home.made(name, origins, convert)


def _peer(
    name: str, python: str, backend: str, folder: Path, file: str, settings: Settings
) -> EncoderEntrant:
    """The two workers of a backend of sentence-transformers."""
    direct = "pytorch" if backend == "torch" else backend
    graph = [] if backend == "torch" else ["--file", file]
    common = [str(folder), *settings.common, *graph]
    path = folder / file
    parts = [path, path.with_suffix(".bin"), folder / "tokenizer.json"]
    return EncoderEntrant(
        name,
        [python, str(WORKERS / f"{direct}_encoder_worker.py"), *common, *settings.pooling],
        sum(part.stat().st_size for part in parts if part.exists()),
        arithmetic="fp32" if backend == "torch" else "int8",
        library=[
            python,
            str(WORKERS / "sentence_transformers_worker.py"),
            *common,
            "--backend",
            backend,
        ],
    )
