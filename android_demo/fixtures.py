"""Bundles of every architecture and head with their cases, for the tests of other runtimes.

``python android_demo/fixtures.py FOLDER [NAME=BUNDLE ...]`` makes what is missing in FOLDER/NAME/bundle
from the tests' tiny random checkpoints, adds bundles that exist (as NAME), and writes
FOLDER/NAME/cases.json anew. PYTHONPATH has to name the root of the repository.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

import satchel
from satchel.measure.conformance import case_file
from tests.conftest import shorten
from tests.test_encoder_images import save_pictured
from tests.test_made_tokenizers import LLAMA
from tests.test_translate import KINDS, SIZE
from tests.tiny import CHATML, byte_tokenizer, save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_sentencepiece import FAIRSEQ, T5, trained
from tests.tiny_seq2seq import SIZES, save_seq2seq
from tests.tiny_speech import RULES, save_speech

FUZZ, FUZZ_ALIKE = 200, 10  # texts by chance, and where another bundle has the same tokenizer
MOST_WRITTEN = 24  # ids, where nobody says how many
ENDS = [257, 12, 40, 111, 150, 300]  # ids that end a text, so that some do
Save = Callable[[Path], Any]


@dataclass(frozen=True)
class Fixture:
    """How a checkpoint is saved, and the export's options."""

    save: Save
    options: dict[str, Any] = field(default_factory=dict)
    fuzz: int = FUZZ_ALIKE


def decoder(folder: Path, model_type: str, **overrides: Any) -> None:
    """A chat model whose texts end now and then."""
    save_checkpoint(folder, model_type, **overrides)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder, "tokenizer_config.json", {"chat_template": CHATML, "eos_token": "<|im_end|>"})
    _write(folder, "generation_config.json", {"eos_token_id": ENDS})


def sampling(folder: Path) -> None:
    """A model whose checkpoint recommends to sample."""
    decoder(folder, "llama")
    recommended = {"do_sample": True, "temperature": 0.8, "top_k": 30, "top_p": 0.9}
    _write(folder, "generation_config.json", {"eos_token_id": ENDS, **recommended})


def pieces(folder: Path, name: str, save: Save, model: bytes, file: str, **config: Any) -> None:
    """A checkpoint with a SentencePiece model in place of its tokenizer."""
    save(folder)
    (folder / "tokenizer.json").unlink()
    (folder / file).write_bytes(model)
    _write(folder, "tokenizer_config.json", {"tokenizer_class": f"{name}Tokenizer", **config})


def searching(folder: Path) -> None:
    """A T5 whose checkpoint recommends beams, with a SentencePiece model."""
    save = partial(save_seq2seq, model_type="t5", vocab_size=800, eos_token_id=1)
    pieces(folder, "T5", save, trained(**T5), "spiece.model", extra_ids=20)
    beams = {"num_beams": 2, "length_penalty": 0.8, "max_length": MOST_WRITTEN}
    start = {"decoder_start_token_id": 257, "eos_token_id": 1, "pad_token_id": 0}
    _write(folder, "generation_config.json", beams | start)


def translator(folder: Path, name: str) -> None:
    """One of the models that are told languages."""
    tokenizer, model_type, model, files, overrides = KINDS[name]
    end = 0 if name == "marian" else 2
    sizes: dict[str, Any] = {"vocab_size": SIZE, "eos_token_id": end, "decoder_start_token_id": end}
    save_seq2seq(folder, model_type, **sizes, **overrides)
    (folder / "tokenizer.json").unlink()
    spm = "source.spm" if name == "marian" else "sentencepiece.bpe.model"
    contents = {spm: model, "tokenizer_config.json": {"tokenizer_class": f"{tokenizer}Tokenizer"}}
    for file, content in (contents | files).items():
        if isinstance(content, bytes):
            (folder / file).write_bytes(content)
        else:
            _write(folder, file, content)


def listener(folder: Path, **rules: Any) -> None:
    """A Whisper; a rule that is None is left out."""
    save_speech(folder, {name: v for name, v in (RULES | rules).items() if v is not None})


def _write(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content))


def _fixtures() -> dict[str, Fixture]:
    fp32, int8, cached = {"profile": "fp32"}, {"profile": "int8"}, {"cache": "int8"}
    loose = {"profile": "int8", "cache": "float32"}
    found = {}
    for name, more in DECODERS.items():
        save = partial(decoder, model_type=name, **more)
        found[f"{name}-fp32"] = Fixture(save, fp32, FUZZ if name == "llama" else FUZZ_ALIKE)
        found[f"{name}-int8"] = Fixture(save, int8 | cached)
    llama = partial(decoder, model_type="llama")
    found["llama-loose"] = Fixture(llama, loose)
    for profile in ("int8-portable", "int4"):
        found[f"llama-{profile}"] = Fixture(llama, {"profile": profile})
    found["llama-sampling"] = Fixture(sampling, fp32)
    save = partial(save_checkpoint, model_type="llama", vocab_size=704)
    spm = partial(pieces, name="Llama", save=save, model=trained(**LLAMA), file="tokenizer.model")
    found["llama-pieces"] = Fixture(spm, fp32, FUZZ)
    for name in SIZES:
        save = partial(save_seq2seq, model_type=name)
        found[f"{name}-fp32"] = Fixture(save, fp32)
        if name in ("t5", "bart", "encoder-decoder"):
            found[f"{name}-int8"] = Fixture(save, int8 | cached)
            found[f"{name}-loose"] = Fixture(save, loose)
    found["t5-pieces"] = Fixture(searching, fp32, FUZZ)
    for name in KINDS:
        found[f"{name}-told"] = Fixture(partial(translator, name=name), fp32, FUZZ)
    return found | _readers() | _listeners()


def _readers() -> dict[str, Fixture]:
    """Encoders of texts and images."""
    fp32, int8 = {"profile": "fp32"}, {"profile": "int8"}
    found = {}
    for task in TASKS:
        save = partial(save_encoder, model_type="bert", task=task)
        found[f"bert-{task}"] = Fixture(save, fp32, FUZZ if task == "answer" else FUZZ_ALIKE)
        found[f"bert-{task}-int8"] = Fixture(save, int8)
    rank = partial(save_encoder, model_type="bert", task="classify", num_labels=1)
    found["bert-rank"] = Fixture(rank, fp32)
    heads = itertools.cycle(TASKS[1:])
    for name in ENCODERS:
        for task in ("embed", next(heads)):
            save = partial(save_encoder, model_type=name, task=task)
            found[f"{name}-{task}"] = Fixture(save, fp32)
    found["modernbert-int8"] = Fixture(partial(save_encoder, model_type="modernbert"), int8)
    save = partial(save_encoder, model_type="xlm-roberta", vocab_size=704)
    spm = partial(
        pieces,
        name="XLMRoberta",
        save=save,
        model=trained(**FAIRSEQ),
        file="sentencepiece.bpe.model",
    )
    found["xlm-roberta-pieces"] = Fixture(spm, fp32, FUZZ)
    for name in IMAGES:
        found[name] = Fixture(partial(save_pictured, name=name), fp32)
    for name in ("vit-classify", "clip"):
        found[f"{name}-int8"] = Fixture(partial(save_pictured, name=name), int8)
    return found


def _listeners() -> dict[str, Fixture]:
    fp32, int8 = {"profile": "fp32"}, {"profile": "int8"}
    one: dict[str, Any] = {"lang_to_id": None, "task_to_id": None, "is_multilingual": False}
    return {
        "whisper": Fixture(listener, fp32, FUZZ),
        "whisper-int8": Fixture(listener, int8),
        "whisper-stamped": Fixture(partial(listener, return_timestamps=True), fp32),
        "whisper-english": Fixture(partial(listener, **one), fp32),
    }


DECODERS: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 24},
    "qwen2": {},
    "qwen3": {"head_dim": 16},
    "smollm3": {},
    "gemma2": {"sliding_window": 24},
    "gemma3_text": {"sliding_window": 24},
    "phi3": {},
    "olmo2": {},
    "gpt2": {},
    "gpt_neox": {"rotary_pct": 1.0},
}
TASKS = ("embed", "classify", "tokens", "answer", "fill-mask")
ENCODERS = ("roberta", "xlm-roberta", "distilbert", "mpnet", "modernbert", "electra", "albert")
IMAGES = ("vit", "vit-classify", "dinov2", "dinov2-classify", "clip", "siglip")


def make(place: Path, fixtures: dict[str, Fixture]) -> None:
    """The bundles of fixtures of one checkpoint unless they are there, and their cases."""
    missing = [name for name in fixtures if not (place / name / "bundle").exists()]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        checkpoint.mkdir()
        if missing:
            fixtures[missing[0]].save(checkpoint)
        for name in missing:
            (place / name).mkdir(parents=True, exist_ok=True)
            # What is random need not pass the checks of quality.
            satchel.pack(checkpoint, place / name / "bundle", force=True, **fixtures[name].options)
    for name, fixture in fixtures.items():
        write_cases(place / name, fixture.fuzz)


def write_cases(folder: Path, fuzz: int) -> None:
    model = satchel.load(folder / "bundle", kernels=False)
    content = case_file.make(model, fuzz)
    (folder / "cases.json").write_text(case_file.written(content), "ascii")


def link(place: Path, name: str, bundle: Path) -> None:
    """A bundle that exists, by hard links where the disk allows: its files must not be symbolic ones."""
    target = place / name / "bundle"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in bundle.iterdir():
        try:
            os.link(path, target / path.name)
        except OSError:
            shutil.copy2(path, target / path.name)
    write_cases(place / name, FUZZ)


def _work(place: Path, names: list[str], bundle: Path | None) -> str:
    torch.set_num_threads(1)  # tiny tensors: threads only wait for each other
    if bundle is not None:
        link(place, names[0], bundle)
    else:
        every = _fixtures()
        make(place, {name: every[name] for name in names})
    return " ".join(names)


def _by_checkpoint() -> list[list[str]]:
    """The names of fixtures, those together that are exports of one checkpoint: it is traced once."""
    groups: dict[str, list[str]] = {}
    for name, fixture in _fixtures().items():
        groups.setdefault(repr(fixture.save), []).append(name)
    return list(groups.values())


def main(arguments: list[str]) -> None:
    """Everything, in as many processes as there are cores, four at most."""
    place = Path(arguments[0])
    given = dict(pair.split("=", 1) for pair in arguments[1:])
    jobs: list[tuple[list[str], Path | None]] = [([name], Path(given[name])) for name in given]
    jobs += [(names, None) for names in _by_checkpoint()]  # real models first: they take longest
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), context, shorten) as pool:
        waiting = [pool.submit(_work, place, names, bundle) for names, bundle in jobs]
        for done in waiting:
            print(done.result(), flush=True)
    known = {name for names, _ in jobs for name in names}
    for folder in place.iterdir():  # of fixtures that are no more
        if folder.name not in known:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
