"""Edited manifests whose digest fits: refused, or as good as before, but never a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.runtime.errors import SatchelError
from tests.manifest_edits import edits, outcomes
from tests.manifests import content_of
from tests.test_encoder_images import save_pictured
from tests.tiny import CHATML, save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_image_text import save_image_text
from tests.tiny_pages import BOXES, WORDS, save_page_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_speech import RATE, save_speech, some_sound

SAMPLE = 40  # edits of each kind of bundle that every run tries
FLIPS = 3500
IMAGE = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
SOUND = some_sound(1.0)


def _chat(folder: Path) -> None:
    save_checkpoint(folder, "llama", num_hidden_layers=1)
    config = {"chat_template": CHATML, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    advice = {"do_sample": False, "repetition_penalty": 1.1, "eos_token_id": [3, 5]}
    (folder / "generation_config.json").write_text(json.dumps(advice))


def _encoder(task: str) -> Callable[[Path], Any]:
    return lambda folder: save_encoder(folder, "bert", task, num_hidden_layers=1)


def _image(name: str) -> Callable[[Path], Any]:
    return lambda folder: save_pictured(folder, name)


Ask = Callable[[Any], Any]
KINDS: dict[str, tuple[Callable[[Path], Any], Ask]] = {  # how it is made, what it is asked
    "decoder": (
        _chat,
        lambda m: [
            m.generate("hello", max_new_tokens=4),
            m.chat([{"role": "user", "content": "hi"}], max_new_tokens=4),
            m.logits([1, 2, 3]),
            m.score("abc"),
        ],
    ),
    "embed": (_encoder("embed"), lambda m: [m.embed(["the fox", "a b c"])]),
    "classify": (_encoder("classify"), lambda m: m.classify(["the fox", ("the dog", "runs")])),
    "tokens": (_encoder("tokens"), lambda m: m.tokens("the fox sees")),
    "answer": (_encoder("answer"), lambda m: m.answer("the fox", "it sees the dog")),
    "fill-mask": (_encoder("fill-mask"), lambda m: m.fill_mask("the [MASK] runs")),
    "page-tokens": (save_page_encoder, lambda m: m.label_words(WORDS, BOXES)),
    "text-to-text": (
        lambda folder: save_seq2seq(folder, "t5"),
        lambda m: [m.generate("hello", max_new_tokens=4), m.generate("ab", num_beams=2)],
    ),
    "speech": (
        save_speech,
        lambda m: [
            m.transcribe(SOUND, sample_rate=RATE),
            m.detect_language(SOUND, sample_rate=RATE),
        ],
    ),
    "image-embed": (_image("dinov2"), lambda m: m.embed_images([IMAGE])),
    "image-classify": (_image("vit-classify"), lambda m: m.classify_images([IMAGE])),
    "image-segment": (_image("segformer"), lambda m: m.segment_images([IMAGE])),
    "image-to-text": (
        save_image_text,
        lambda m: [m.read_images([IMAGE], max_new_tokens=4), m.read_images([IMAGE], num_beams=2)],
    ),
    "depth-estimation": (_image("depth_anything"), lambda m: m.estimate_depth([IMAGE])),
    "object-detection": (_image("yolos"), lambda m: m.detect_objects([IMAGE], threshold=0.0)),
    "text-image-embed": (
        _image("clip"),
        lambda m: [m.embed_images([IMAGE]), m.embed(["the fox"])],
    ),
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def made(kind: str) -> Path:
        folder = root / kind
        if not folder.exists():
            (root / f"{kind}-checkpoint").mkdir()
            KINDS[kind][0](root / f"{kind}-checkpoint")
            satchel.pack(root / f"{kind}-checkpoint", folder, profile="fp32", force=True)
        return folder

    root = tmp_path_factory.mktemp("kinds")
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_some_edits(kind: str, bundles: Callable[[str], Path]) -> None:
    _sweep(kind, bundles(kind), SAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_edit(kind: str, bundles: Callable[[str], Path]) -> None:
    _sweep(kind, bundles(kind), None)


def _sweep(kind: str, folder: Path, count: int | None) -> None:
    content = content_of(folder)
    every = [
        edit
        for edit in edits(content)
        if edit[0][0] not in ("parity", "quality", "probe", "digest")
    ]
    chosen = every if count is None else random.Random(kind).sample(every, count)
    foreign, silent = outcomes(folder, content, chosen, KINDS[kind][1])
    assert not foreign, f"{len(foreign)} of {len(chosen)}:\n" + "\n".join(foreign[:40])
    assert not silent, f"{len(silent)} of {len(chosen)}:\n" + "\n".join(silent[:40])


@pytest.mark.slow
def test_every_flip_is_found(bundles: Callable[[str], Path]) -> None:
    """Of flips that leave valid JSON, too."""
    path = bundles("decoder") / "manifest.json"
    good, numbers, valid = path.read_bytes(), random.Random(1), 0
    try:
        while valid < FLIPS:
            data = bytearray(good)
            data[numbers.randrange(len(good))] ^= 1 << numbers.randrange(8)
            try:
                json.loads(data)
            except ValueError:
                continue
            valid += 1
            path.write_bytes(data)
            with pytest.raises(SatchelError):
                satchel.load(path.parent)
    finally:
        path.write_bytes(good)
