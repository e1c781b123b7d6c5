"""Tokenizer classes that some text encoders alone have: their bundles cut texts as transformers does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file

from satchel.checkpoints.folder import load_folder
from satchel.runtime.errors import UnsupportedError
from satchel.tokenization.tokenizer import bundle_tokenizer
from tests.class_folders import KINDS, SIZE, TEXTS, assert_alike, save_class, vocabulary, write

AMINO = (
    "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>"
)
PROTEINS = [
    "MKTVRQERLKSIVRILERSKEPVSGAQLAEELSVSRQVIVQDIAYLRSLGYNIVATPRGYVLAGG",
    "M K T <mask> V",
    "mkt MKTJa<mask>b  -.L\tG\n",
    "<cls>MK<eos>TV<pad><null_1> <unk> J <null_2>",
    "",
    "Ünï L你A",
]


def save_esm(folder: Path, **settings: object) -> None:
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(AMINO.split()), "utf-8")
    transformers.EsmTokenizer(folder / "vocab.txt", **settings).save_pretrained(folder)
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    write(folder, "config.json", {"model_type": "esm", "vocab_size": 33})


def test_letters_of_proteins(tmp_path: Path) -> None:
    save_esm(tmp_path / "esm", model_max_length=1024)
    from tokenizers import Tokenizer

    found = Tokenizer.from_buffer(bundle_tokenizer(load_folder(tmp_path / "esm"), 33))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "esm")
    for text in PROTEINS:
        ids = theirs(text).input_ids
        assert found.encode(text).ids == ids, text
        assert found.decode(ids, skip_special_tokens=False) == theirs.decode(ids)
        assert found.encode(text, "MK").ids == theirs(text, "MK").input_ids


def test_camembert(tmp_path: Path) -> None:
    tokens = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"]
    pieces = [tuple(piece) for piece in vocabulary("Unigram", tuple(tokens))["vocab"]]
    pieces.append(("<mask>", 0.0))
    transformers.CamembertTokenizer(vocab=pieces, model_max_length=512).save_pretrained(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    write(tmp_path, "config.json", {"model_type": "camembert", "vocab_size": SIZE})
    assert_alike(tmp_path)


def test_convbert_is_bert(tmp_path: Path) -> None:
    save_class(tmp_path, "Bert")
    write(tmp_path, "config.json", {"model_type": "convbert", "vocab_size": SIZE})
    assert "Bert" in KINDS
    assert_alike(tmp_path, TEXTS[:20])


@pytest.mark.parametrize(
    ("name", "model_type", "words"),
    [
        ("RoFormer", "roformer", "jieba"),
        ("BlenderbotSmall", "blenderbot-small", "rules of its own"),
    ],
)
def test_classes_of_which_no_tokenizer_is_made_are_refused(
    name: str, model_type: str, words: str, tmp_path: Path
) -> None:
    save_class(tmp_path, "Bert")
    write(tmp_path, "config.json", {"model_type": model_type, "vocab_size": SIZE})
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": f"{name}Tokenizer"})
    with pytest.raises(UnsupportedError, match=f"{name}Tokenizer .*{words}"):
        bundle_tokenizer(load_folder(tmp_path), SIZE)
