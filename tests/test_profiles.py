"""Bundles of every profile: a text gives the same logits however it is read, and close ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.quantize import cache8, prepare
from satchel.quantize.calibrate import watched
from satchel.runtime.bundle import open_bundle
from satchel.runtime.cache import CHUNK
from satchel.runtime.errors import LimitError, UsageError
from tests.loading import load_as
from tests.narrow import skip_where_narrow
from tests.test_architectures import CASES, some_ids
from tests.tiny import save_checkpoint

PROFILES = ("int8", "int8-portable", "int4")
# What differs from a case beside it only in how positions are made, in biases or in where norms stand:
# attention and the rounding of its inputs, which this is about, are the same.
REPEATED = {
    *("llama-biases", "llama-linear", "llama-llama3", "llama-yarn", "mistral-full", "qwen3-bias"),
    *("smollm3-interval", "olmo2-wide", "gpt2-scaled", "gpt_neox-serial", "gemma", "gemma3"),
    *("granite", "granite-biases", "olmo3", "ministral", "ministral3-short", "mistral3"),
    *("mistral3-mistral", "exaone4", "exaone4-full", "ernie4_5", "arcee", "arcee-biases"),
    *("apertus-plain", "helium", "glm", "glm4", "cohere-norms", "cohere2", "nemotron"),
    *("phi", "starcoder2", "starcoder2-plain", "stablelm", "stablelm-parallel", "falcon-new"),
    *("falcon-one-norm", "gpt_bigcode-heads", "opt-narrow", "gptj", "codegen", "bloom-odd", "mpt"),
    "mpt-scaled",
}
EXPORTS: list[Any] = [
    pytest.param(name, "int8", "int8", marks=[pytest.mark.slow] if name in REPEATED else [])
    for name in CASES
]
EXPORTS += [("llama-tied", name, "int8") for name in PROFILES[1:]]
# Windows, no rotary positions, some layers without, keys apart from queries, a table of its own length,
# positions as a bias.
PAIRED = ("gemma2", "gpt2", "smollm3", "qwen3", "phi3-longrope", "bloom")
EXPORTS += [(name, "int8", "float32") for name in PAIRED]


def exported(folder: Path, name: str, **options: Any) -> Any:
    """A tiny bundle; noise need not pass the checks of quality."""
    model_type, overrides = CASES[name]
    context = 64 if "longrope" in name else None
    save_checkpoint(folder / "checkpoint", model_type, **overrides)
    satchel.pack(folder / "checkpoint", folder / "out", context=context, force=True, **options)
    return satchel.load(folder / "out", threads=1)


def operators(model: Any) -> Counter[str]:
    graph = onnx.load(str(model.bundle.path("decoder.onnx")), load_external_data=False).graph
    return Counter(node.op_type for node in graph.node)


@pytest.mark.parametrize("name, profile, cache", EXPORTS)
def test_every_way_of_reading_gives_the_same_bits(
    name: str, profile: str, cache: str, tmp_path: Path
) -> None:
    if (name, profile) == ("llama-tied", "int4"):
        skip_where_narrow()
    model = exported(tmp_path, name, profile=profile, cache=cache)
    decoder = model.decoder
    assert decoder.geometry.dtype == cache and model.manifest.reads_ahead_exactly
    ids = some_ids(24)
    whole = decoder.logits(ids)
    run = decoder.start()
    stepped = [run.append(ids[:8])[0].copy()]
    stepped += [run.step(np.array([token]))[0].copy() for token in ids[8:]]
    np.testing.assert_array_equal(stepped, whole[7:])
    pieces = decoder.start()
    for start, end in ((0, 5), (5, 7), (7, 24)):
        pieced = pieces.append(ids[start:end])
    np.testing.assert_array_equal(pieced[0], whole[-1])
    batch = decoder.start(3)
    first = batch.prefill([ids[:9], ids[:3], ids[:16]]).copy()
    np.testing.assert_array_equal(first, whole[[8, 2, 15]])
    after = batch.step(np.array([ids[9], ids[3], ids[16]]))
    if cache == "int8":
        np.testing.assert_array_equal(after, whole[[9, 3, 16]])
    else:  # to the last bits of attention, and what int8 activations make of those
        np.testing.assert_allclose(after, whole[[9, 3, 16]], atol=0.1)


@pytest.mark.parametrize("cache", ["int8", "float32"])
def test_long_prompts_of_a_batch_are_read_as_each_is_alone(cache: str, tmp_path: Path) -> None:
    """In pieces, and only as long as they are; a row's neighbours keep what they have."""
    decoder = exported(tmp_path, "llama", cache=cache).decoder
    ids = some_ids(256)
    whole = decoder.logits(ids)
    lengths = np.array([CHUNK + 1, 3, 2 * CHUNK - 3, CHUNK])
    batch = decoder.start(len(lengths))
    first = batch.prefill([ids[:length] for length in lengths])
    np.testing.assert_array_equal(first, whole[lengths - 1])
    np.testing.assert_array_equal(batch.lengths, lengths)
    after = batch.step(np.array(ids)[lengths])
    np.testing.assert_allclose(after, whole[lengths], atol=0 if cache == "int8" else 0.1)


def test_more_threads_than_heads_change_nothing(tmp_path: Path) -> None:
    """Also behind a text of more than a block of keys, as the second cache of a processor holds."""
    save_checkpoint(
        tmp_path / "checkpoint",
        "llama",
        num_hidden_layers=1,
        hidden_size=128,
        num_attention_heads=2,
        max_position_embeddings=4096,
    )
    satchel.pack(tmp_path / "checkpoint", tmp_path / "out", cache="int8", force=True)
    decoder = load_as(satchel.DecoderModel, tmp_path / "out", threads=8).decoder
    ids = some_ids(2300)
    run = decoder.start()
    run.append(ids[:-8])
    steps = [run.step(np.array([token]))[0].copy() for token in ids[-8:]]
    np.testing.assert_array_equal(steps, decoder.logits(ids)[-8:])


def test_a_float32_cache_reaches_to_the_end_of_the_context(tmp_path: Path) -> None:
    """Where the spare position lies behind the last of all."""
    decoder = exported(tmp_path, "llama", cache="float32").decoder
    ids = some_ids(decoder.context)
    run = decoder.start()
    run.append(ids[:-1])
    np.testing.assert_array_equal(run.step(np.array(ids[-1:])), decoder.logits(ids)[-1:])
    with pytest.raises(LimitError, match="context is"):
        run.step(np.array([1]))


def test_a_stream_is_turned_before_it_is_rounded(tmp_path: Path) -> None:
    manifest = exported(tmp_path, "llama-tied", cache="int8").manifest
    checks = {check["name"]: check for check in manifest.parity["checks"]}
    assert checks["rotated against the checkpoint"]["passed"]
    assert manifest.quantization["rotated"] and manifest.cache.bytes_per_position == 2 * 2 * 2 * 16


def test_the_cache_is_int8_where_that_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "FREE", 1.0)  # noise of a tiny model is dear by the usual limit
    assert exported(tmp_path / "free", "llama").manifest.cache.dtype == "int8"
    monkeypatch.setattr(prepare, "FREE", 0.0)
    dear = exported(tmp_path / "dear", "llama").manifest
    assert dear.cache.dtype == "float32" and dear.quantization["cache"] == "float32"
    asked = exported(tmp_path / "asked", "llama", cache="int8").manifest
    assert asked.cache.dtype == "int8"


def test_rounding_a_cache_is_undone(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "qwen3")  # its keys are normed
    model = models.build(load_folder(tmp_path), 64)[0]
    ids = torch.tensor([some_ids(16)])
    with torch.inference_mode(), watched(model) as statistics:
        before = model(ids)
    coarse = [(key * 20, value * 20) for key, value in statistics.caches]
    with torch.inference_mode():
        with cache8.rounding(model, statistics.caches):
            fine = model(ids)
        with cache8.rounding(model, coarse):
            rough = model(ids)
        assert torch.equal(model(ids), before)
    assert 0 < (fine - before).abs().max() < 0.2 * (rough - before).abs().max()


@pytest.mark.parametrize(
    "name, profile, blocks, integers, tables",
    [
        ("llama-tied", "int8", 2 * 2 + 1, 2 * 2, 1),
        ("gpt2", "int8", 2 * 4 + 1, 0, 1),  # its stream cannot be rotated
        ("llama-tied", "int8-portable", 0, 2 * 4 + 1, 0),  # so small a table stays float32
        ("llama-tied", "int4", 2 * 4 + 1, 0, 1),
    ],
)
def test_a_profile_has_its_products(
    name: str, profile: str, blocks: int, integers: int, tables: int, tmp_path: Path
) -> None:
    found = operators(exported(tmp_path, name, profile=profile))
    assert (found["MatMulNBits"], found["MatMulIntegerToFloat"]) == (blocks, integers)
    assert found["GatherBlockQuantized"] == tables


def test_int4_is_smaller(tmp_path: Path) -> None:
    bundles = {name: exported(tmp_path / name, "llama", profile=name) for name in PROFILES}
    assert bundles["int4"].bundle.size < bundles["int8"].bundle.size


def test_layers_stay_float32_when_asked(tmp_path: Path) -> None:
    model = exported(tmp_path, "llama", keep_fp32=["down_proj", "*.layers.1.*"])
    found = operators(model)
    assert found["FusedMatMul"] == 2 + 3
    assert found["MatMulNBits"] == 1 + 1 and found["MatMulIntegerToFloat"] == 2
    assert set(model.manifest.quantization["layers"]) == {"down_proj", "*.layers.1.*"}


def test_tuning_buys_the_costliest_layers_more_bits(tmp_path: Path) -> None:
    loose = exported(tmp_path / "loose", "llama", profile="int4", tune=1e3)
    tight = exported(tmp_path / "tight", "llama", profile="int4", tune=1e-2)
    assert not loose.manifest.quantization["layers"]
    kinds = Counter(item["kind"] for item in tight.manifest.quantization["layers"].values())
    assert kinds["blocks8"]
    assert tight.manifest.quality["mean_kl"] < loose.manifest.quality["mean_kl"]


def test_calibration_by_a_text_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("\n".join(f"line {i} of a text that is somebody's own" for i in range(40)))
    save_checkpoint(tmp_path / "checkpoint", "llama")
    scales = []
    for number, calibration in enumerate((None, own)):
        out = tmp_path / str(number)
        satchel.pack(
            tmp_path / "checkpoint", out, calibration=calibration, cache="int8", force=True
        )
        graph = onnx.load(str(open_bundle(out).path("decoder.onnx"))).graph
        arrays = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
        scales.append(arrays["cache.0.k_scale"])
    assert not np.array_equal(scales[0], scales[1])


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "profile": ({"profile": "int2"}, "--profile 'int2' is unknown; known: int8"),
    "cache": ({"cache": "int4"}, "--cache 'int4' is unknown; known: float32, int8"),
    "no layer": ({"keep_fp32": ["middle_proj"]}, "--keep-fp32 'middle_proj': no such layer"),
    "no budget": ({"tune": 0.0}, "--tune 0.0; expected a loss above 0"),
    "nothing to tune": ({"tune": 0.1, "profile": "fp32"}, "--tune has no effect"),
    "nothing to calibrate": (
        {"calibration": "few", "profile": "fp32"},
        "--calibration has no effect",
    ),
    "no file": ({"calibration": "nowhere.txt"}, "--calibration 'nowhere.txt': not a file"),
    "bytes": ({"calibration": "bytes"}, "not a file of texts in UTF-8"),
    "bytes to judge": ({"quality_text": "bytes"}, "--quality-text 'bytes': not a file of texts"),
    "few words": ({"calibration": "few"}, "expected at least 300 characters"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_honoured_raises(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bytes").write_bytes(b"\xff\xfe\xff" * 400)
    Path("few").write_text("three words only")
    save_checkpoint(tmp_path / "checkpoint", "llama")
    options, message = BAD[name]
    with pytest.raises(UsageError, match=message.replace("*", r"\*")):
        satchel.pack("checkpoint", "out", **options)
    assert not Path("out").exists()
