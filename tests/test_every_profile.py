"""Every architecture in every profile: its graphs are right, and int8 crashes in none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.measure.verification import verify
from satchel.models.architectures import ARCHITECTURES, of_family
from satchel.quantize.profiles import NAMES
from tests.config_keys import LIKE
from tests.test_architectures import CASES
from tests.test_encoder_images import save_pictured
from tests.tiny import save_checkpoint
from tests.tiny_encoders import save_encoder
from tests.tiny_gliner import save_gliner
from tests.tiny_image_text import save_image_text
from tests.tiny_moonshine import save_moonshine
from tests.tiny_other_code import TASKS, save_other
from tests.tiny_pages import save_page_encoder
from tests.tiny_seq2seq import save_seq2seq
from tests.tiny_sound import save_sound
from tests.tiny_speech import save_speech
from tests.tiny_timm import save_mobilenet

# How near an answer is to float32: the weights are noise, which need not pass.
QUALITY = ("mean KL", "likeliest", "perplexity", "cosine", "correlation")
QUICK = {("olmo2", "int8"), ("gpt_neox", "int4"), ("albert", "int8-portable"), ("vit", "int4")}


def saved(model_type: str) -> Callable[[Path], Any]:
    """What writes a tiny checkpoint of a model type to a folder."""
    if model_type in of_family("decoder"):
        return lambda folder: save_checkpoint(folder, model_type, **CASES[model_type][1])
    if model_type in of_family("encoder-decoder", "text"):
        return lambda folder: save_seq2seq(folder, model_type)
    if model_type == "vision-encoder-decoder":
        return save_image_text
    if model_type == "mobilenet_v3":
        return save_mobilenet
    if model_type in of_family("encoder", "images"):
        return lambda folder: save_pictured(folder, model_type)
    if model_type in of_family("encoder", "sound"):
        return lambda folder: save_sound(folder, model_type)
    if model_type == "whisper":
        return save_speech
    if model_type == "moonshine":
        return save_moonshine
    if model_type == "gliner":
        return save_gliner
    if model_type == "layoutlmv3":
        return save_page_encoder
    if model_type in LIKE:
        return lambda folder: save_other(folder, model_type)
    return lambda folder: save_encoder(folder, model_type)


@pytest.mark.parametrize(
    ("model_type", "profile"),
    [
        pytest.param(
            model_type,
            profile,
            marks=[] if (model_type, profile) in QUICK else [pytest.mark.slow],
        )
        for model_type in ARCHITECTURES
        if model_type != "static-embedding"  # a table: nothing of it is quantised
        for profile in NAMES
    ],
)
def test_a_bundle_of_every_architecture_and_profile(
    model_type: str, profile: str, tmp_path: Path
) -> None:
    saved(model_type)(tmp_path / "checkpoint")
    packed = satchel.pack(
        tmp_path / "checkpoint",
        tmp_path / "out",
        profile=profile,
        task="embed" if model_type in LIKE and model_type in of_family("encoder", "text") else None,
        adapter=TASKS[0] if model_type == "jina_xlm_roberta" else None,
        force=profile != "fp32",
    )
    assert packed.manifest.quantization["name"] == profile
    failed = [item.name for item in packed.checks if not item.passed]
    assert all(any(word in name for word in QUALITY) for name in failed), failed
    rows = verify(satchel.load(tmp_path / "out", threads=1))
    assert rows and all(np.isfinite(row.value) and row.passed for row in rows), rows
