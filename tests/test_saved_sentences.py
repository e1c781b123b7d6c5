"""sentence-transformers folders of every generation: vectors and scores as the library has them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
from sentence_transformers.sentence_transformer import modules as models

import satchel
from tests.loading import load_as
from tests.saved.compare import PAIR, TEXTS, export, near
from tests.saved.environments import python_of, save_all
from tests.saved.rows import ROWS
from tests.saved.save_sentences import save
from tests.saved.save_with import save as save_checkpoint
from tests.saved.sentence_rows import CROSS_ENCODERS, SENTENCES

pytest_plugins = "tests.saved.fixtures"

NAMED = {row["name"]: row for row in [*SENTENCES, *CROSS_ENCODERS]}
QUICK = ["mean", "dense", "prompts", "cross-one", "cross-three-identity"]
VERSIONS = {  # of sentence-transformers and of the transformers of its time
    "3.4.1": ("transformers==4.46.3", ("modernbert", "qwen3")),
    "5.1.2": ("transformers==4.57.6", ()),
}
PASSAGES = [PAIR[1], TEXTS[0], TEXTS[1], "x", "the dog " * 40]
# Folders that keep no length: the library itself reads a long text beyond the positions.
OVERLONG = {"3.4.1": ("cross-one-sigmoid", "cross-xlm")}
TRIED = [
    (version, name)
    for version, (_, later) in VERSIONS.items()
    for name, row in NAMED.items()
    if not row["of"].startswith(later) and name not in OVERLONG.get(version, ())
]


def judge(folder: Path, out: Path, silent: bool = False) -> None:
    """Export a folder and compare with the library of this environment."""
    ours = export(folder, out)
    if folder.name.startswith("cross"):
        theirs = sentence_transformers.CrossEncoder(str(folder), device="cpu")
        compare_scores(ours, theirs, silent)
        return
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    texts = [*TEXTS, "the dog " * 40]
    near(ours.embed(texts), theirs.encode(texts), "vectors")
    for name in theirs.prompts:
        expected = theirs.encode(TEXTS, prompt_name=name)
        near(ours.embed(TEXTS, prompt=name), expected, f"vectors with the prompt {name}")


def compare_scores(ours: Any, theirs: Any, silent: bool = False) -> None:
    """Scores and ranks; those of a `silent` folder, which says nothing of a CrossEncoder, are what a
    pipeline of transformers makes of it."""
    pairs = [(PAIR[0], passage) for passage in PASSAGES]
    expected = theirs.predict(pairs)
    if expected.ndim == 2:
        if silent:
            expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
        found = np.array([list(row.scores.values()) for row in ours.classify(pairs)])
        near(found, expected, "scores")
        return
    ranked = ours.rank(PAIR[0], PASSAGES)
    found = np.array([row.score for row in sorted(ranked, key=lambda row: row.index)])
    near(found, expected, "scores")
    order = [row["corpus_id"] for row in theirs.rank(PAIR[0], PASSAGES)]
    assert [row.index for row in ranked] == order


def checkpoints_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the models that sentence encoders are made of."""
    return [ROWS[name] for name in dict.fromkeys(row["of"] for row in rows)]


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMED],
)
def test_folders_of_this_version(name: str, vocabularies: Path, tmp_path: Path) -> None:
    row = NAMED[name]
    for source in checkpoints_of([row]):
        save_checkpoint(source, vocabularies, tmp_path / source["name"])
    save(row, tmp_path, tmp_path / "made" / name)
    judge(tmp_path / "made" / name, tmp_path / "bundle")


def test_a_folder_around_a_decoder_embeds(vocabularies: Path, tmp_path: Path) -> None:
    save_checkpoint(ROWS["qwen3-tied-base"], vocabularies, tmp_path / "qwen3")
    trunk = models.Transformer(str(tmp_path / "qwen3"))
    width = trunk.get_embedding_dimension()
    pooling = models.Pooling(width, pooling_mode="lasttoken")
    sentence_transformers.SentenceTransformer(modules=[trunk, pooling], device="cpu").save(
        str(tmp_path / "made")
    )
    satchel.pack(tmp_path / "made", tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.EncoderModel, tmp_path / "bundle")
    assert model.manifest.task == "embed"
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "made"), device="cpu")
    text = "a folder around a decoder"
    np.testing.assert_allclose(model.embed([text]), theirs.encode([text]), atol=1e-4)


@functools.cache
def _folders(version: str, vocabularies: Path, place: Path) -> Path:
    rows = [NAMED[name] for other, name in TRIED if other == version]
    python = python_of(f"sentence-transformers=={version}", VERSIONS[version][0])
    made = save_all(
        python, "save_with.py", checkpoints_of(rows), vocabularies, place / f"of-{version}"
    )
    return save_all(python, "save_sentences.py", rows, made, place / f"sentences-{version}")


@pytest.mark.slow
@pytest.mark.parametrize(("version", "name"), TRIED)
def test_folders_of_older_versions(
    version: str,
    name: str,
    vocabularies: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> None:
    made = _folders(version, vocabularies, tmp_path_factory.getbasetemp())
    judge(made / name, tmp_path / "b", silent=version.startswith("3."))
