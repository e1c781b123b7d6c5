"""A cache that keeps no more than a sliding window sees: the same answers, in less memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satchel
from satchel.runtime.cache import ROOM
from satchel.runtime.errors import SatchelError
from tests.tiny import VOCAB, save_checkpoint

WINDOW = 40
SIZES: dict[str, dict[str, Any]] = {
    "mistral": {},
    "gemma3_text": {"head_dim": 32, "query_pre_attn_scalar": 24, "sliding_window_pattern": 2},
}
LONG = 640  # positions, several times what is kept


@pytest.fixture(scope="module", params=SIZES)
def bundles(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same checkpoint with a whole cache and with one of windows."""
    folder = tmp_path_factory.mktemp(request.param)
    sizes = {"sliding_window": WINDOW, "max_position_embeddings": 1024, "num_hidden_layers": 4}
    overrides: dict[str, Any] = sizes | SIZES[request.param]
    save_checkpoint(folder / "in", request.param, **overrides)
    for cache in ("int8", "int8-window"):
        satchel.pack(folder / "in", folder / cache, cache=cache, force=True)
    return satchel.load(folder / "int8"), satchel.load(folder / "int8-window")


def some_ids(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, length).tolist()


def test_the_manifest_says_so_and_checks_ran(bundles: Any) -> None:
    whole, windowed = (model.manifest for model in bundles)
    assert not whole.cache.windows and set(windowed.cache.windows) <= {WINDOW, None}
    assert windowed.required_features == ["window-cache"] and windowed.onnxruntime == "1.31"
    text = (bundles[0].bundle.folder / "manifest.json").read_text()
    assert "windows" not in json.loads(text)["cache"]  # older readers know no such field
    checks = {item["name"]: item for item in windowed.parity["checks"]}
    assert checks["steps behind a window"]["passed"]
    assert "mean KL behind a window" in checks


def test_logits_of_a_long_text_are_the_same(bundles: Any) -> None:
    whole, windowed = bundles
    ids = some_ids(LONG)
    np.testing.assert_array_equal(whole.logits(ids), windowed.logits(ids))


def test_steps_are_a_prefill_to_the_last_bit(bundles: Any) -> None:
    _, model = bundles
    ids = some_ids(LONG, 1)
    expected, run = model.logits(ids), model.decoder.start()
    run.append(ids[:100])
    for start in range(100, 400, 37):
        np.testing.assert_array_equal(run.append(ids[start : start + 37])[0], expected[start + 36])
    for place in range(433, 500):
        found = run.step(np.array(ids[place : place + 1]))[0]
        np.testing.assert_array_equal(found, expected[place])


def test_ragged_batches_and_beams_write_the_same(bundles: Any) -> None:
    whole, windowed = bundles
    prompts = [some_ids(length, length) for length in (300, 30, 251)]
    for options in ({}, {"num_beams": 3}, {"temperature": 1.0, "seed": 3}):
        texts = [
            [row.tokens for row in model.generate(prompts, max_new_tokens=60, **options)]
            for model in bundles
        ]
        assert texts[0] == texts[1], options
    assert windowed.decoder.geometry.windows and not whole.decoder.geometry.windows


@pytest.mark.parametrize("times", [2, 6])
def test_lookup_rolls_back_what_can_be(bundles: Any, times: int) -> None:
    prompt = some_ids(60, 5) * times
    found = [model.generate(prompt, max_new_tokens=80, lookup=True) for model in bundles]
    plain = bundles[1].generate(prompt, max_new_tokens=80, lookup=False)
    assert found[0].tokens == found[1].tokens == plain.tokens


@pytest.mark.parametrize(
    ("length", "shared"), [(500, 0), (500, 300), (500, 499), (500, 500), (232, 100), (232, 231)]
)
def test_a_prefix_is_reused_where_it_is_kept_and_read_anew_where_not(
    bundles: Any, length: int, shared: int
) -> None:
    _, model = bundles
    first, more = some_ids(length, 7), some_ids(40, 8)
    text = [*first[:shared], *more]
    run = model.decoder.start()
    run.append(first)
    left = run.reuse(text)
    kept = length <= WINDOW + ROOM or shared == length
    assert len(left) == (len(more) if kept else len(text))
    np.testing.assert_array_equal(run.append(left)[0], model.logits(text)[-1])


def test_memory_stays_that_of_the_windows(bundles: Any) -> None:
    whole, windowed = bundles
    sizes = []
    for model in (whole, windowed):
        run = model.decoder.start(2)
        run.reserve(np.array([1000, 1000]))
        sizes.append(sum(array.nbytes for array in run.cache.arrays.values()))
    windows = windowed.manifest.cache.windows
    share = sum(1000 if window is None else window + ROOM for window in windows) / len(windows)
    assert sizes[1] / sizes[0] == pytest.approx(share / 1024, rel=0.03)


def test_a_model_without_shorter_windows_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "in", "llama")
    with pytest.raises(SatchelError, match="no layer has a sliding window"):
        satchel.pack(tmp_path / "in", tmp_path / "out", cache="int8-window")
    save_checkpoint(tmp_path / "wide", "mistral", sliding_window=200)  # of 256 positions
    with pytest.raises(SatchelError, match="shorter, by 192"):
        satchel.pack(tmp_path / "wide", tmp_path / "out", cache="int8-window")
    assert not (tmp_path / "out").exists()
