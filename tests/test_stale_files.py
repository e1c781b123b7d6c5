"""Files that others have outlived: an index that lags behind, a generation_config.json half filled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.export.generation_config import recommended, target_start
from satchel.runtime.errors import CheckpointError
from satchel.tokenization.tokenizer import more_ends, special_tokens
from tests.saved.compare import edit
from tests.test_saved_classes import decodes_alike
from tests.tiny import VOCAB, save_checkpoint
from tests.tiny_seq2seq import save_seq2seq

INDEX, GENERATION = "model.safetensors.index.json", "generation_config.json"


def sharded(folder: Path) -> dict[str, str]:
    """A Llama in shards; tensor to file."""
    save_checkpoint(folder, "llama").save_pretrained(folder, max_shard_size="100KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    found: dict[str, str] = json.loads((folder / INDEX).read_text())["weight_map"]
    assert len(set(found.values())) > 2
    return found


STALE = {
    "more": lambda names: names | {"model.ghost.weight": names["model.norm.weight"]},
    "less": lambda names: {key: names[key] for key in names if key != "model.norm.weight"},
    "swapped": lambda names: (
        names | {key: names["model.norm.weight"] for key in ("model.layers.0.mlp.up_proj.weight",)}
    ),
}


@pytest.mark.parametrize("stale", STALE)
def test_what_the_files_of_an_index_hold_is_read(stale: str, tmp_path: Path) -> None:
    names = STALE[stale](sharded(tmp_path))
    edit(tmp_path, INDEX, lambda index: index | {"weight_map": names})
    decodes_alike(tmp_path)
    [note] = load_folder(tmp_path).notes
    assert "disagree on 1 tensors" in note


def test_a_file_that_the_index_has_no_name_of_is_missed(tmp_path: Path) -> None:
    names = sharded(tmp_path)
    [alone, *_] = [n for n in names if list(names.values()).count(names[n]) == 1]
    edit(tmp_path, INDEX, lambda i: i | {"weight_map": {n: names[n] for n in names if n != alone}})
    with pytest.raises(CheckpointError, match="1 missing: "):
        models.build(load_folder(tmp_path))


def test_one_file_goes_before_an_index(tmp_path: Path) -> None:
    sharded(tmp_path)
    save_checkpoint(tmp_path, "llama", rms_norm_eps=1e-5)
    decodes_alike(tmp_path)


def as_generated(folder: Path, content: dict[str, Any] | None, **config: Any) -> None:
    """The ids that a BART of transformers writes are those of our options from the same files."""
    edit(folder, "config.json", lambda old: old | config)
    (folder / GENERATION).unlink(missing_ok=True)
    if content is not None:
        (folder / GENERATION).write_text(json.dumps(content))
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).generation_config
    checkpoint = load_folder(folder)
    options, _ = recommended(checkpoint, VOCAB)
    for name in ("num_beams", "no_repeat_ngram_size", "repetition_penalty", "max_length"):
        assert options.get(name) == getattr(theirs, name), name
    start = theirs.decoder_start_token_id
    expected = theirs.bos_token_id if start is None else start
    if expected is not None:  # else transformers writes nothing at all
        assert target_start(checkpoint, VOCAB) == expected


@pytest.mark.parametrize(
    "content", [None, {}, {"max_length": 9}, {"bos_token_id": 5}, {"decoder_start_token_id": 6}]
)
@pytest.mark.parametrize("model_type", ["bart", "encoder-decoder"])
def test_config_json_is_read_where_there_is_no_other_file(
    model_type: str, content: dict[str, Any] | None, tmp_path: Path
) -> None:
    save_seq2seq(tmp_path, model_type)
    as_generated(tmp_path, content, num_beams=3, no_repeat_ngram_size=2)


def test_the_decoder_of_a_pair_says_how_it_writes(tmp_path: Path) -> None:
    save_seq2seq(tmp_path, "encoder-decoder")
    config = json.loads((tmp_path / "config.json").read_text())
    inner = config["decoder"] | {"num_beams": 4, "max_length": 17, "repetition_penalty": 1.5}
    as_generated(tmp_path, None, decoder=inner, max_length=30)
    as_generated(tmp_path, {"num_beams": 2}, decoder=inner)


def test_ends_that_transformers_does_not_know_are_told(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "llama")
    edit(tmp_path, "config.json", lambda old: old | {"eos_token_id": 7})
    for content, told in (({"eos_token_id": [7]}, 0), ({"eos_token_id": 9}, 1), ({}, 1), (None, 0)):
        (tmp_path / GENERATION).unlink(missing_ok=True)
        if content is not None:
            (tmp_path / GENERATION).write_text(json.dumps(content))
        checkpoint = load_folder(tmp_path)
        tokens = special_tokens(checkpoint, json.dumps(checkpoint.tokenizer).encode(), VOCAB)
        assert 7 in tokens.eos
        notes = more_ends(checkpoint, tokens)
        assert len(notes) == told and all("transformers writes on" in note for note in notes)
