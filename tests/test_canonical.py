"""Tokenizers whose class changes texts before they see them: the bundle's does the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.tokenization.canonical import canonical
from satchel.tokenization.tokenizer import bundle_tokenizer
from tests.tiny_sentencepiece import read as read_folder
from tests.tiny_sentencepiece import write_folder

TEXTS = {  # as written -> what SigLIP reads
    "A Photo, of a CAT!": "a photo of a cat",
    "  two\n\t spaces. ": "two spaces",
    "it's  (o.k.) #1 [x] {y} ~z\\": "its ok 1 x y z",
    "!?": "",
    "": "",
    "Grüße, ÄÖ\u00a7": "grüße äö\u00a7",
    "狐狸, 🦊": "狐狸 🦊",
    "\u2581a\u2581b": "a b",
}


def plain_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """A SentencePiece model's pieces as a tokenizer, without any normalisation."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    end = next(index for index, (piece, _) in enumerate(pieces) if piece == "</s>")
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", end)])
    return tokenizer


def checkpoint(tokenizer: Tokenizer, model_type: str = "siglip", **config: Any) -> Checkpoint:
    return Checkpoint(
        source="tiny",
        config={"model_type": model_type},
        tensors={},
        tokenizer=json.loads(tokenizer.to_str()),
        tokenizer_config=config,
    )


@pytest.fixture
def letters() -> Tokenizer:
    signs = sorted({"\u2581", *"".join([*TEXTS, *TEXTS.values()])} - set(" \n\t"))
    return plain_tokenizer([("<unk>", 0.0), ("</s>", 0.0), *((sign, -3.0) for sign in signs)])


@pytest.mark.parametrize(
    "config",
    [{}, {"tokenizer_class": "SiglipTokenizer"}, {"tokenizer_class": "SiglipTokenizerFast"}],
)
def test_siglip_reads_lower_case_without_punctuation(config: Any, letters: Tokenizer) -> None:
    made = bundle_tokenizer(checkpoint(letters, **config), 200)
    ours = Tokenizer.from_buffer(made)
    for text, read in TEXTS.items():
        assert ours.encode(text).ids == letters.encode(read).ids
    twice = checkpoint(ours, **config)
    again = Tokenizer.from_buffer(bundle_tokenizer(twice, 200))
    assert [again.encode(text).ids for text in TEXTS] == [ours.encode(text).ids for text in TEXTS]


def test_each_class_has_its_own_way(letters: Tokenizer) -> None:
    def reads(text: str, model_type: str, **config: Any) -> str:
        source = checkpoint(letters, model_type, **config)
        assert source.tokenizer is not None
        ids = Tokenizer.from_str(json.dumps(canonical(source, source.tokenizer))).encode(text).ids
        return next(
            read
            for read in ("A cat!", "a cat!", "a cat", "A cat")
            if letters.encode(read).ids == ids
        )

    assert reads("A cat!", "siglip", do_lower_case=False) == "A cat"
    assert reads("A cat!", "siglip", tokenizer_class="Siglip2Tokenizer") == "a cat!"
    assert reads("A cat!", "siglip", tokenizer_class="PreTrainedTokenizerFast") == "A cat!"
    assert reads("A cat!", "bert") == "A cat!"
    assert reads("A cat!", "bert", do_lower_case=True) == "A cat!"


def test_equals_the_class_of_transformers(tmp_path: Path) -> None:
    trainer = pytest.importorskip("sentencepiece").SentencePieceTrainer
    import transformers

    corpus = (Path(__file__).parent.parent / "quantize/text/quality.txt").read_text("utf-8")
    trainer.train(
        sentence_iterator=iter(corpus.lower().splitlines()),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=300,
        unk_id=0,
        eos_id=1,
        bos_id=-1,
        pad_id=-1,
        minloglevel=2,
    )
    theirs = transformers.SiglipTokenizer(str(tmp_path / "spiece.model"))
    model = theirs.sp_model
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))]
    made = bundle_tokenizer(checkpoint(plain_tokenizer(pieces)), 300)
    ours = Tokenizer.from_buffer(made)
    theirs.save_pretrained(tmp_path / "saved")  # which writes spiece.model and no tokenizer.json
    write_folder(
        tmp_path / "saved", "Siglip", (tmp_path / "spiece.model").read_bytes(), "siglip", 300
    )
    from_model = Tokenizer.from_buffer(bundle_tokenizer(read_folder(tmp_path / "saved"), 300))
    # In a row of equal digits several cuts are equally likely.
    lines = [one for one in corpus.splitlines() if not re.search(r"\d", one)]
    for text in [*TEXTS, *lines]:
        assert ours.encode(text).ids == theirs(text).input_ids, text
        assert from_model.encode(text).ids == theirs(text).input_ids, text
