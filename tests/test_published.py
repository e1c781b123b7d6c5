"""Folders with the key sets of published files, tiny within, answer as transformers does on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.saved.compare import check, edit
from tests.saved.published import TEXT_ENCODERS
from tests.saved.published_generators import DECODERS, ENCODER_DECODERS, IMAGE_ENCODERS
from tests.saved.rows import ROWS
from tests.saved.save_with import save
from tests.test_saved_sentences import judge

pytest_plugins = "tests.saved.fixtures"

PUBLISHED = TEXT_ENCODERS | DECODERS | ENCODER_DECODERS | IMAGE_ENCODERS
QUICK = ["smollm2-instruct", "bert-base-uncased", "t5-small", "vit-base-patch16-224"]
PARTS = {"tokenizer": "tokenizer_config.json", "generation": "generation_config.json"}
OLD_MODULES = "sentence_transformers.models"


def write(name: str, vocabularies: Path, folder: Path) -> None:
    """A tiny model of an architecture, then the published keys in the place of those saved."""
    said = PUBLISHED[name]
    row = ROWS[said["row"]] | {"dtype": said.get("dtype", "float32")}
    row = row | {"config": row["config"] | said.get("model", {})}
    save(row, vocabularies, folder)
    saved = json.loads((folder / "config.json").read_text())
    edit(folder, "config.json", lambda _: filled(said["config"], saved))
    for part, file in PARTS.items():
        if part in said:
            path = folder / file
            known = json.loads(path.read_text("utf-8")) if path.exists() else {}
            path.write_text(json.dumps(filled(said[part], saved | known)))
    if "files" in said:
        (folder / "processor_config.json").unlink(missing_ok=True)
        for file, content in said["files"].items():
            (folder / file).write_text(json.dumps(content))


def filled(published: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """`published` with the tiny model's values where it has none of its own."""
    result = {}
    for key, value in published.items():
        if value is ...:
            if key in saved:
                result[key] = saved[key]
        elif value == "pad":  # what Marian must not write
            result[key] = [[saved["pad_token_id"]]]
        elif isinstance(value, dict) and isinstance(saved.get(key), dict):
            result[key] = filled(value, saved[key])
        else:
            result[key] = value
    return result


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PUBLISHED],
)
def test_key_sets_of_published_files(name: str, vocabularies: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("cross-encoder" if PUBLISHED[name].get("cross") else "checkpoint")
    write(name, vocabularies, folder)
    if PUBLISHED[name].get("cross"):
        judge(folder, tmp_path / "bundle")
        return
    options = {"task": PUBLISHED[name]["task"]} if "task" in PUBLISHED[name] else {}
    check(folder, tmp_path / "bundle", **options)


SENTENCES: dict[str, dict[str, Any]] = {  # of 2021 to 2023: pooling by flags, no file of Normalize
    "all-minilm-l6-v2": {"mean": True, "length": 256, "unit": True},
    "bge-small-en": {"mean": False, "length": 512, "unit": True},
    "e5-small": {"mean": True, "length": 512, "unit": True},
    "multi-qa": {"mean": True, "length": 64, "unit": False},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SENTENCES)
def test_sentence_encoders_as_published(name: str, vocabularies: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / name, SENTENCES[name]
    save(ROWS["bert-base"], vocabularies, folder)
    edit(folder, "config.json", lambda config: config | {"_name_or_path": "nreimers/MiniLM"})
    edit(folder, "tokenizer_config.json", lambda config: config | {"do_lower_case": True})
    edit(folder, "tokenizer.json", lambda content: content | {
        "truncation": {"max_length": 128, "strategy": "LongestFirst", "stride": 0,
                       "direction": "Right"},
    })  # fmt: skip
    chain = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{OLD_MODULES}.{kind}"}
        for index, (path, kind) in enumerate(chain[: 2 + said["unit"]])
    ]
    pooling = {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": not said["mean"],
        "pooling_mode_mean_tokens": said["mean"],
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.6.1", "pytorch": "1.8.1"}
    files = {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": said["length"], "do_lower_case": False},
        "config_sentence_transformers.json": {"__version__": versions},
    }
    (folder / "1_Pooling").mkdir()
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))
    judge(folder, tmp_path / "bundle")
