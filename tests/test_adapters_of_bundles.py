"""Adapters of bundles with open layers: peft's logits, rows of their own, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import satchel
from satchel.cli.main import main
from satchel.packing.convert_lora import convert_lora, low_rank
from satchel.runtime import adapter
from satchel.runtime.errors import FidelityError, SatchelError, UsageError
from satchel.serve.app import Access, Server
from satchel.serve.shelf import Serving, Shelf
from tests.generating import opened
from tests.outcome import refused
from tests.tiny import save_checkpoint
from tests.tiny_lora import save_lora
from tests.tiny_seq2seq import save_seq2seq

IDS = [5, 9, 200, 31, 7, 7, 64, 2]
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROWS = ("q_proj", "down_proj")


def packed(folder: Path, kind: str, lora: dict[str, Any], **options: Any) -> Any:
    """A checkpoint, an adapter of peft, a bundle with open layers; peft's model."""
    save_checkpoint(folder / "base", kind)
    model = save_lora(folder / "base", folder / "lora", **lora)
    satchel.pack(
        folder / "base", folder / "out", open_layers=True, force=True, context=96, **options
    )
    return model


def converted(folder: Path, lora: str = "lora", force: bool = False) -> Path:
    out = folder / f"{lora}.adapter"
    convert_lora(str(folder / "base"), folder / lora, folder / "out", out, force=force)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 bundle with open layers and two adapters of it."""
    folder = tmp_path_factory.mktemp("open")
    packed(folder, "llama", {"target_modules": ALL, "r": 20}, profile="int8", cache="int8")
    save_lora(folder / "base", folder / "small", seed=2, target_modules=list(ROWS))
    for name in ("lora", "small"):
        converted(folder, name, force=True)
    return folder


@pytest.fixture(scope="module")
def closed(made: Path) -> Path:
    """A bundle of the same checkpoint that takes no adapters."""
    satchel.pack(made / "base", made / "closed", profile="fp32", context=96)
    return made / "closed"


@pytest.mark.parametrize(
    "kind, lora",
    [
        ("llama", {"target_modules": ALL, "r": 20}),
        ("gpt2", {"target_modules": ["c_attn", "c_fc", "c_proj"]}),
        ("phi3", {"target_modules": ["qkv_proj", "down_proj"]}),
        ("qwen3", {"target_modules": ["q_proj"], "layers_to_transform": [1]}),
    ],
)
def test_float32_logits_are_those_of_peft(kind: str, lora: dict[str, Any], tmp_path: Path) -> None:
    peft = packed(tmp_path, kind, lora, profile="fp32")
    model = opened(tmp_path / "out")
    before = model.decoder.logits(IDS)
    adapted = model.adapted(converted(tmp_path))
    with torch.inference_mode():
        expected = np.asarray(peft(torch.tensor([IDS])).logits[0])
    scale = np.abs(expected).max()
    assert np.abs(before - expected).max() > 1e-2 * scale, "the adapter changes nothing"
    np.testing.assert_allclose(adapted.decoder.logits(IDS), expected, atol=2e-5 * scale)
    np.testing.assert_array_equal(model.decoder.logits(IDS), before)


def test_an_open_bundle_without_adapter_is_the_bundle(
    made: Path, closed: Path, tmp_path: Path
) -> None:
    satchel.pack(made / "base", tmp_path / "open", profile="fp32", context=96, open_layers=True)
    ours, other = opened(tmp_path / "open"), opened(closed)
    np.testing.assert_array_equal(ours.decoder.logits(IDS), other.decoder.logits(IDS))
    assert ours.manifest.quantization["open_layers"] is True
    assert "open_layers" not in other.manifest.quantization


def test_rows_are_their_own_with_an_adapter(made: Path) -> None:
    base = opened(made / "out")
    for name in ("lora", "small"):
        decoder = base.adapted(made / f"{name}.adapter").decoder
        whole = decoder.logits(IDS)
        assert np.abs(whole - base.decoder.logits(IDS)).max() > 0.1
        run = decoder.start()
        steps = [run.append(IDS[:1])[0].copy()]
        steps += [run.step(np.array([token]))[0].copy() for token in IDS[1:]]
        np.testing.assert_array_equal(steps, whole)
        batch = decoder.start(3)
        last = batch.prefill([IDS, IDS[:3], IDS[:6]])
        np.testing.assert_array_equal(last, whole[[7, 2, 5]])


def test_models_answer_side_by_side(made: Path) -> None:
    base = opened(made / "out")
    models = [base, *(base.adapted(made / f"{name}.adapter") for name in ("lora", "small"))]
    asked: dict[str, Any] = {"max_new_tokens": 12, "temperature": 0.0}
    alone = [model.generate(IDS, **asked).tokens for model in models]
    assert len({tuple(tokens) for tokens in alone}) == 3
    streams = [model.stream(IDS, **asked) for model in models]
    for _ in zip(*streams, strict=False):
        pass
    for stream, tokens in zip(streams, alone, strict=True):
        for _ in stream:
            pass
        assert stream.result.tokens == tokens


def test_a_kept_text_is_that_of_its_adapter(made: Path, tmp_path: Path) -> None:
    base = opened(made / "out")
    adapted = base.adapted(made / "lora.adapter")
    adapted.keep(IDS).save(tmp_path / "kept")
    assert base.adapted(made / "lora.adapter").load_kept(tmp_path / "kept").ids == IDS
    for other in (base, base.adapted(made / "small.adapter")):
        with pytest.raises(SatchelError, match="kept with another bundle"):
            other.load_kept(tmp_path / "kept")


def test_factors_multiply_to_the_change() -> None:
    generator = torch.Generator().manual_seed(1)
    change = torch.randn(40, 3, generator=generator) @ torch.randn(3, 24, generator=generator)
    last, first = low_rank(change, 9)
    assert last.shape == (40, 3) and first.shape == (3, 24)
    np.testing.assert_allclose(last @ first, change, atol=1e-5)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "lengths": ({"target_modules": ["q_proj"], "use_dora": True}, "has lengths"),
    "a whole weight": ({"target_modules": ["q_proj"], "modules_to_save": ["norm"]}, "norm.weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_open_layers_do_not_take(name: str, made: Path, tmp_path: Path) -> None:
    settings, words = BAD[name]
    save_lora(made / "base", tmp_path / "lora", **settings)
    out = tmp_path / "x.adapter"
    with pytest.raises(SatchelError, match=words) as found:
        convert_lora(str(made / "base"), tmp_path / "lora", made / "out", out)
    assert "--merge-lora" in str(found.value) and len(str(found.value)) <= 600
    assert not list(tmp_path.glob("*.adapter*"))


def test_an_adapter_too_far_from_the_merged_model(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.adapter").write_text("an older one")
    monkeypatch.setattr("satchel.packing.decoder_recipe.MAX_MEAN_KL", 0.0)
    with pytest.raises(FidelityError, match="--force keeps"):
        convert_lora(str(made / "base"), made / "lora", made / "out", tmp_path / "x.adapter")
    assert [path.name for path in tmp_path.iterdir()] == ["x.adapter"]
    assert (tmp_path / "x.adapter").read_text() == "an older one"


def test_another_bundle_and_closed_layers(made: Path, closed: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "base", "llama", num_hidden_layers=1)
    satchel.pack(
        tmp_path / "base", tmp_path / "other", profile="int4", open_layers=True, force=True
    )
    with pytest.raises(SatchelError, match="was made for another bundle"):
        opened(tmp_path / "other").adapted(made / "lora.adapter")
    out = tmp_path / "x.adapter"
    with pytest.raises(SatchelError, match="was not made of"):
        convert_lora(str(made / "base"), made / "lora", tmp_path / "other", out)
    with pytest.raises(UsageError, match="takes no adapters"):
        opened(closed).adapted(made / "lora.adapter")
    with pytest.raises(UsageError, match="takes no adapters"):
        convert_lora(str(made / "base"), made / "lora", closed, out)
    save_seq2seq(tmp_path / "t5", "t5")
    with pytest.raises(UsageError, match="--adapters keeps the layers of a decoder open"):
        satchel.pack(tmp_path / "t5", tmp_path / "never", open_layers=True)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _edited(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (_cut, "is not as it was written"),
        (_edited, "is not as it was written"),
        (lambda path: path.write_text("a note"), "is no adapter of satchel"),
        (Path.unlink, "is not a file"),
    ],
)
def test_damaged_files(
    spoil: Callable[[Path], None],
    words: str,
    made: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "x.adapter"
    shutil.copy(made / "lora.adapter", path)
    spoil(path)
    run = ["generate", made / "out", "a", "--adapter", path, "--max-new-tokens", "2"]
    refused(capfd, run, "ADAPTER", words, within=tmp_path)


def test_a_file_that_fits_no_layer(made: Path, tmp_path: Path) -> None:
    base = opened(made / "out")
    about, _, _ = adapter.KIND.read(made / "lora.adapter")
    wrong = {"origin": about["origin"], "name": "x", "factors": {"nowhere.lora_A": [1, 1, 2, 16]}}
    path = tmp_path / "x.adapter"
    adapter.KIND.write(path, wrong, [np.zeros(32, np.float32)])
    with pytest.raises(SatchelError, match="does not fit"):
        base.adapted(path)


def test_the_command_line(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.adapter"
    run = ["adapter", str(made / "base"), str(made / "small"), str(made / "out"), str(out)]
    assert main([*run, "--force"]) == 0
    assert "4 layers, of rank" in capfd.readouterr().out
    assert out.read_bytes() == (made / "small.adapter").read_bytes()
    texts = []
    for more in ([], ["--adapter", str(out)]):
        assert main(["generate", str(made / "out"), "ab", "--max-new-tokens", "12", *more]) == 0
        texts.append(capfd.readouterr().out)
    assert texts[0] != texts[1]


def test_the_server_has_a_model_for_each_adapter(made: Path) -> None:
    files = {name: str(made / f"{name}.adapter") for name in ("lora", "small")}
    shelf = Shelf([str(made / "out")], Serving(slots=4, threads=1), files)
    base = opened(made / "out")
    asked: dict[str, Any] = {"max_tokens": 8, "temperature": 0.0}
    with TestClient(Server(shelf, Access()).app(), base_url="http://127.0.0.1") as client:
        listed = [one["id"] for one in client.get("/v1/models").json()["data"]]
        assert listed == ["out", "out:lora", "out:small"]
        for name in (*listed, *listed):
            body = {"model": name, "prompt": "abc", **asked}
            [choice] = client.post("/v1/completions", json=body).json()["choices"]
            adapter_name = name.partition(":")[2]
            model = base.adapted(files[adapter_name]) if adapter_name else base
            assert choice["text"] == model.generate("abc", max_new_tokens=8, temperature=0.0).text


@pytest.mark.parametrize(
    "given, words",
    [
        (["style"], "expected NAME=FILE"),
        (["a:b={lora}"], "expected NAME=FILE"),
        (["a={lora}", "a={lora}"], "given twice"),
        (["a=nowhere.adapter"], "is not a file"),
    ],
)
def test_what_the_server_refuses(
    given: list[str], words: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    named = [text.format(lora=made / "lora.adapter") for text in given]
    code = "ADAPTER" if "file" in words else "USAGE"
    options = [part for text in named for part in ("--adapter", text)]
    refused(capfd, ["serve", made / "out", *options], code, words, within=tmp_path)


def test_an_adapter_of_no_served_bundle(made: Path, closed: Path) -> None:
    with pytest.raises(UsageError, match="for a bundle that is not served"):
        Shelf([str(closed)], Serving(), {"a": str(made / "lora.adapter")})
