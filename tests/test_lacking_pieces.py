"""Translation models whose tokenizer makes ids that the model lacks, saved by transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

import satchel
from satchel.measure.fidelity import sentences
from tests.loading import load_as
from tests.test_made_tokenizers import BPE, fairseq_ids, marian_files
from tests.tiny_sentencepiece import FAIRSEQ, trained
from tests.tiny_seq2seq import save_seq2seq


def marian(folder: Path) -> tuple[Any, int]:
    """A Marian tokenizer and the number of its embeddings: pieces outside of vocab.json are none."""
    files = marian_files()
    (folder / "source.spm").write_bytes(trained(**FAIRSEQ, half=0))
    (folder / "target.spm").write_bytes(files["target.spm"])
    vocab = files["vocab.json"]
    (folder / "vocab.json").write_text(json.dumps(vocab))
    spm = [str(folder / f"{side}.spm") for side in ("source", "target")]
    return transformers.MarianTokenizer(*spm, str(folder / "vocab.json")), len(vocab)


def m2m_100(folder: Path) -> tuple[Any, int]:
    """A tokenizer of M2M-100 whose vocab.json lacks pieces."""
    model = trained(**BPE, **FAIRSEQ)
    (folder / "spm.model").write_bytes(model)
    vocab = dict(list(fairseq_ids(model, []).items())[:650])
    (folder / "vocab.json").write_text(json.dumps(vocab))
    files = str(folder / "vocab.json"), str(folder / "spm.model")
    return transformers.M2M100Tokenizer(
        *files, src_lang="en", tgt_lang="de", model_max_length=512
    ), len(vocab) + 110


@pytest.mark.parametrize("make, model_type", [(marian, "marian"), (m2m_100, "m2m_100")])
def test_the_default_profile_calibrates_on_what_the_model_has(
    make: Any, model_type: str, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    tokenizer, size = make(tmp_path / "files")
    folder, end = tmp_path / "checkpoint", tokenizer.eos_token_id
    special = {"eos_token_id": end, "decoder_start_token_id": end}
    save_seq2seq(folder, model_type, vocab_size=size, **special)
    (folder / "tokenizer.json").unlink()
    tokenizer.save_pretrained(folder)
    satchel.pack(folder, tmp_path / "out", force=True)
    model = load_as(satchel.Seq2seqModel, tmp_path / "out", threads=1)
    text = sentences(1)[0]
    expected = [
        index if index < size else tokenizer.unk_token_id for index in tokenizer(text).input_ids
    ]
    assert model.encode_source(text, *(("en", "de") if model_type == "m2m_100" else ())) == expected
