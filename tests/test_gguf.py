"""GGUF in, Hugging Face form out: against transformers, in every storage type, and damaged."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from satchel.checkpoints.gguf import load_gguf
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError, UsageError
from tests.gguf_files import CASES, SMALL, convert, random_model, real_file, sizes, write

Kind = gguf.GGMLQuantizationType
QWEN3 = sizes("qwen3", random_model("qwen3", **SMALL).config)


@pytest.mark.parametrize("case", CASES)
def test_round_trip(case: str, tmp_path: Path) -> None:
    """Weights, and a config that gives the same model: equal logits."""
    model_type, options = CASES[case]
    arch, model = model_type.removesuffix("_text"), random_model(model_type, **options)
    path = write(tmp_path / "m.gguf", sizes(arch, model.config), convert(model, arch))
    checkpoint = load_gguf(path)
    expected = model.state_dict()
    if model.config.tie_word_embeddings:
        del expected["lm_head.weight"]
    assert checkpoint.tensors.keys() == expected.keys()
    loaded = {name: tensor.load() for name, tensor in checkpoint.tensors.items()}
    for name, weight in loaded.items():
        assert weight.shape == checkpoint.tensors[name].shape and weight.dtype == torch.float32
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-6)
    rebuilt = random_model(**checkpoint.config | {"pad_token_id": None})
    assert rebuilt.config.tie_word_embeddings == model.config.tie_word_embeddings
    rebuilt.load_state_dict(loaded, strict=not model.config.tie_word_embeddings)
    ids = torch.randint(96, (1, 60))
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(ids).logits, model(ids).logits, rtol=0, atol=1e-4)
    assert checkpoint.tokenizer is None and len(checkpoint.sha256) == 64


@pytest.mark.parametrize("name", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4"])
def test_storage_types(name: str, tmp_path: Path) -> None:
    kind, values = (
        Kind.__members__[name],
        np.random.default_rng(0).normal(size=(70, 64)).astype(np.float32),
    )
    tensors = {"blk.2.attn_q.weight": values, "odd": values}
    checkpoint = load_gguf(write(tmp_path / "m.gguf", QWEN3, tensors, kind))
    assert checkpoint.tensors.keys() == {"model.layers.2.self_attn.q_proj.weight", "odd"}
    expected = gguf.dequantize(gguf.quantize(values, kind), kind)
    np.testing.assert_array_equal(checkpoint.tensors["odd"].load().numpy(), expected)


@pytest.mark.parametrize("name", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"])
def test_storage_types_without_a_writer(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("satchel.checkpoints.gguf.SLAB", 512)  # several slabs
    kind = Kind.__members__[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    # Small bytes make blocks with finite scales.
    data = np.random.default_rng(0).integers(0, 60, (5, 256 // block * size), np.uint8)
    loaded = load_gguf(write(tmp_path / "m.gguf", QWEN3, {"odd": data}, kind)).tensors["odd"]
    assert loaded.shape == (5, 256)
    np.testing.assert_array_equal(loaded.load().numpy(), gguf.dequantize(data, kind))


def test_real_weights() -> None:
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    path = real_file()
    checkpoint = load_gguf(path)
    config = transformers.AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    weights = load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)["tensors"]
    assert checkpoint.tensors.keys() == weights.keys()
    for name, tensor in checkpoint.tensors.items():
        assert torch.equal(tensor.load(), weights[name]), name
    for key in ("hidden_size", "num_key_value_heads", "head_dim", "vocab_size", "hidden_act"):
        assert checkpoint.config[key] == getattr(config, key)
    assert checkpoint.config["rope_theta"] == 100000.0 and checkpoint.config["rms_norm_eps"] == 1e-5
    assert checkpoint.config["tie_word_embeddings"] and checkpoint.licence == "apache-2.0"


FAULTS: dict[str, tuple[dict[str, Any], type[SatchelError], str]] = {
    "architecture": ({"general.architecture": "mamba"}, UnsupportedError, "'mamba'; known: llama,"),
    "split": ({"split.count": 3}, UnsupportedError, "one of 3 parts"),
    "missing": ({"qwen3.block_count": None}, CheckpointError, "lacks the metadata block_count"),
    "wrong type": ({"qwen3.block_count": 7.5}, CheckpointError, "expected int"),
    "zero": ({"qwen3.attention.head_count": 0}, CheckpointError, "expected a positive number"),
    "not finite": ({"qwen3.rope.freq_base": float("inf")}, CheckpointError, "expected float"),
    "experts": ({"qwen3.expert_count": 8}, UnsupportedError, "qwen3.expert_count = 8, which"),
    "unknown": ({"qwen3.attention.scale": 2.0}, UnsupportedError, "not understood"),
    "longrope": ({"qwen3.rope.scaling.type": "longrope"}, UnsupportedError, "'longrope'; known"),
    "rotation": ({"qwen3.rope.dimension_count": 16}, UnsupportedError, "but heads of 32"),
    "alignment": ({"general.alignment": 48}, CheckpointError, "expected a power of two"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_metadata(fault: str, tmp_path: Path) -> None:
    changes, error, message = FAULTS[fault]
    metadata = {key: v for key, v in (QWEN3 | changes).items() if v is not None}
    path = write(tmp_path / "m.gguf", metadata, {"odd": np.ones((2, 32))})
    with pytest.raises(error, match=f"^'m.gguf' .*{message}") as raised:
        load_gguf(path)
    assert "\n" not in str(raised.value)


def test_bad_tensors(tmp_path: Path) -> None:
    metadata = sizes("llama", random_model("llama", **SMALL).config)
    path = tmp_path / "m.gguf"
    for name, shape, message in (
        ("blk.0.attn_q.weight", (60, 64), "60 rows in blk.0.attn_q.weight for 4 heads"),
        ("rope_freqs.weight", (16,), "not those of Llama 3"),
        ("rope_freqs.weight", (8,), r"\(8,\) rope_freqs for heads of 32"),
    ):
        write(path, metadata, {name: np.arange(1, 1 + np.prod(shape)).reshape(shape)})
        with pytest.raises(SatchelError, match=message):
            load_gguf(path)
    write(path, metadata, {"ids": np.zeros((1, 4), np.uint8)}, Kind.I32)
    with pytest.raises(UnsupportedError, match="stores tensor 'ids' as I32"):
        load_gguf(path)


def test_bad_files(tmp_path: Path) -> None:
    tensors = {"odd": np.ones((2, 32)), "add": np.ones((2, 32))}
    good = write(tmp_path / "good.gguf", QWEN3, tensors).read_bytes()
    cases = {
        b"": "not a GGUF file",
        b"PK" + good: "not a GGUF file",
        good[:8]: "cut short or damaged",
        good[: good.index(b"odd") + 9]: "cut short or damaged",
        good[:-1]: "tensor 'add' ends at byte",
        good[:4] + struct.pack(">I", 3) + good[8:]: "big-endian",
        good[:4] + struct.pack("<I", 9) + good[8:]: "version 9",
        good[:8] + b"\xff" * 8 + good[16:]: "18446744073709551615 tensors",
        good.replace(b"odd", b"o\xffd"): "not UTF-8",
        good.replace(b"add", b"odd"): "tensor 'odd' twice",
        good.replace(b"qwen3.rope.freq_base", b"qwen3.context_length"): "context_length' twice",
    }
    for number, (content, message) in enumerate(cases.items()):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(content)
        with pytest.raises(
            (CheckpointError, UnsupportedError), match=f"^'{path.name}' .*{message}"
        ):
            load_gguf(path)
    with pytest.raises(CheckpointError, match=r"'no\.gguf' cannot be read: No such file"):
        load_gguf(tmp_path / "no.gguf")


def test_damage_never_surprises(tmp_path: Path) -> None:
    """Whatever single byte of the header is wrong: a checkpoint, or one of our errors."""
    good = write(tmp_path / "good.gguf", QWEN3, {"odd": np.ones((2, 32))}).read_bytes()
    numbers, path = random.Random(0), tmp_path / "m.gguf"
    refused = 0
    for position in range(4, good.index(b"odd") + 40):
        damaged = bytearray(good)
        damaged[position] = numbers.randrange(256)
        path.write_bytes(damaged)
        try:
            load_gguf(path)
        except (CheckpointError, UnsupportedError):
            refused += 1
    assert refused > 300


def test_without_the_package(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UsageError, match=r"needs the gguf package: pip install 'satchel\[gguf\]'"):
        load_gguf(Path("any.gguf"))
