"""Pooling that leaves a prompt's tokens out (include_prompt false): vectors as the library has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from satchel.checkpoints.folder import load_folder
from satchel.measure.verification import verify
from satchel.runtime import rules
from satchel.runtime.errors import BundleError, UnsupportedError
from satchel.runtime.manifest import PROMPT_MASK, Port
from tests.test_sentence_bundles import LONG, MODEL, TEXTS, assert_close, edit, packed, save_chain

parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
PROMPTS = {
    "query": "to the ",
    "open": "of a",  # whose last token is another before some texts
    "masked": "it is [MASK]",
    "long": "the fox sees it " * 40,  # longer than any text may be
    "none": "",
}


@pytest.mark.filterwarnings("ignore:a text of more than")
def test_every_mode_and_prompt(tmp_path: Path) -> None:
    pooling = parts.Pooling(64, MODES, include_prompt=False)
    theirs = save_chain(tmp_path, [pooling], prompts=PROMPTS, default_prompt_name="query")
    ours = packed(tmp_path)
    assert [port.name for port in ours.manifest.graphs["encoder"].inputs][1:] == [PROMPT_MASK]
    texts = [*TEXTS, LONG, "", "s", *TEXTS]
    for name in PROMPTS:
        assert_close(ours.embed(texts, prompt=name), theirs.encode(texts, prompt_name=name))
    assert_close(ours.embed(texts), theirs.encode(texts))
    for text in texts:
        assert_close(ours.embed(text), theirs.encode([text]))
    assert all(row.passed for row in verify(ours))
    whole = ours.embed(LONG, prompt="query", window=4)
    assert whole.shape == (1, 6 * 64)
    _check_rules(ours.manifest)


def _check_rules(manifest: Any) -> None:
    """The input goes with vectors of texts alone, and with their axes."""
    graph = manifest.graphs["encoder"]
    wide = Port(PROMPT_MASK, "int64", ["batch", 1])
    inputs = [wide if port.name == PROMPT_MASK else port for port in graph.inputs]
    graphs = {"encoder": dataclasses.replace(graph, inputs=inputs)}
    with pytest.raises(BundleError, match=f"{PROMPT_MASK}' has axes"):
        rules.check(dataclasses.replace(manifest, graphs=graphs))
    with pytest.raises(BundleError, match=f"input {PROMPT_MASK} has no place"):
        rules.check(dataclasses.replace(manifest, task="fill-mask"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:a text of more than")
def test_behind_other_modules_in_int8(tmp_path: Path) -> None:
    torch.manual_seed(1)
    chain = [parts.Pooling(64, "mean", include_prompt=False), parts.Normalize()]
    theirs = save_chain(tmp_path, chain, prompts=PROMPTS)
    ours = packed(tmp_path, "int8", force=True)
    for name in PROMPTS:
        expected = theirs.encode(TEXTS, prompt_name=name)
        assert ((ours.embed(TEXTS, prompt=name) * expected).sum(-1) > 0.99).all()


def test_a_cross_encoder_of_modules_has_none(tmp_path: Path) -> None:
    chain = [parts.Pooling(64, include_prompt=False), parts.Dense(64, 1)]
    save_chain(tmp_path, chain, prompts={"query": "to the "})
    edit(tmp_path / "made" / MODEL, model_type="CrossEncoder")
    edit(tmp_path / "made" / "2_Dense" / "config.json", module_output_name="scores")
    with pytest.raises(UnsupportedError, match="include_prompt false"):
        load_folder(tmp_path / "made")
