"""Translation: languages told as transformers tells them, files line by line."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import satchel
from satchel.cli.main import main
from satchel.measure.fidelity import sentences
from satchel.runtime import sealed
from satchel.runtime.errors import BundleError, UsageError
from tests.test_made_tokenizers import BPE, NLLB, m2m_files, marian_files
from tests.tiny_sentencepiece import FAIRSEQ, trained
from tests.tiny_seq2seq import save_seq2seq

SIZE = 1100
TEXTS = ["Hello, world!", "The caf\u00e9 was closed on Monday.", *sentences(3)]
Told = tuple[str, str, dict[str, Any]]  # source, target, and what generate is given for it
KINDS: dict[str, tuple[str, str, bytes, dict[str, Any], dict[str, Any]]] = {
    # tokenizer, model type, .model, further files, overrides of the model
    "mbart": ("MBart", "mbart", trained(**FAIRSEQ), {}, {}),
    "mbart50": ("MBart50", "mbart", trained(**FAIRSEQ), {}, {}),
    "m2m_100": ("M2M100", "m2m_100", trained(**BPE, **FAIRSEQ), m2m_files(), {}),
    "marian": ("Marian", "marian", trained(**FAIRSEQ, half=0), marian_files(), {}),
    "nllb": (
        "Nllb", "m2m_100", trained(**BPE, **FAIRSEQ),
        {"special_tokens_map.json": {"additional_special_tokens": NLLB}}, {},
    ),
}  # fmt: skip
PAIRS = {
    "mbart": ("de_DE", "ro_RO"),
    "mbart50": ("de_DE", "sv_SE"),
    "m2m_100": ("de", "fr"),
    "marian": (None, "de"),
    "nllb": ("fra_Latn", "zho_Hans"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The name of a kind of checkpoint, its folder, the model of transformers, and its bundle."""
    name = str(request.param)
    tokenizer, model_type, model, files, overrides = KINDS[name]
    place = tmp_path_factory.mktemp(name)
    folder = place / "checkpoint"
    end = 0 if name == "marian" else 2
    size: dict[str, Any] = {"vocab_size": SIZE, "eos_token_id": end, "decoder_start_token_id": end}
    reference = save_seq2seq(folder, model_type, **size, **overrides)
    (folder / "tokenizer.json").unlink()
    spm = "source.spm" if name == "marian" else "sentencepiece.bpe.model"
    contents = {spm: model, "tokenizer_config.json": {"tokenizer_class": f"{tokenizer}Tokenizer"}}
    for file, content in (contents | files).items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / file).write_bytes(data)
    satchel.pack(folder, place / "bundle", profile="fp32")
    return name, folder, reference, satchel.load(place / "bundle")


def expected_source(name: str, model: Any, folder: Path, text: str) -> list[int]:
    """Ids by the tokenizer of transformers, told the languages of PAIRS."""
    source, target = PAIRS[name]
    if name == "nllb":  # whose class numbers languages unlike the checkpoints
        ids = model.tokenizer.encode(text, add_special_tokens=False).ids
        return [model.manifest.translation.languages[source], *ids, 2]
    kind = getattr(transformers, f"{KINDS[name][0]}Tokenizer")
    tokenizer = kind.from_pretrained(folder)
    if name == "marian":
        return list(tokenizer(f">>{target}<< {text}")["input_ids"])
    tokenizer.src_lang = source
    return list(tokenizer(text)["input_ids"])


@pytest.mark.parametrize("beams", [1, 3])
def test_as_transformers(kind: Any, beams: int) -> None:
    name, folder, reference, model = kind
    source_lang, target_lang = PAIRS[name]
    told = {"source_lang": source_lang, "target_lang": target_lang}
    index = model.manifest.translation.languages[target_lang]
    begun: dict[str, Any] = {"mbart": {"decoder_start_token_id": index}, "marian": {}}.get(
        name, {"forced_bos_token_id": index}
    )
    sources = [expected_source(name, model, folder, text) for text in TEXTS]
    assert [model.encode_source(text, **told) for text in TEXTS] == sources
    found = model.targets(sources, target_lang, num_beams=beams, max_new_tokens=12)
    for text, source, target in zip(TEXTS, sources, found, strict=True):
        ids = reference.generate(
            torch.tensor([source]), num_beams=beams, max_new_tokens=12, do_sample=False, **begun
        )[0].tolist()[1:]
        end = reference.config.eos_token_id
        assert target.tokens == ids[: ids.index(end) if end in ids else None], text
    alone = model.translate(TEXTS[0], **told, num_beams=beams, max_new_tokens=12)
    assert alone == found[0].text


def test_what_a_person_may_get_wrong(kind: Any) -> None:
    name, _, _, model = kind
    source, target = PAIRS[name]
    wrong = {"mbart": "de", "mbart50": "sv", "m2m_100": "fra", "marian": "fra", "nllb": "zho_Han"}
    near = {
        "mbart": "de_DE", "mbart50": "sv_SE", "m2m_100": "fr", "marian": "fr", "nllb": "zho_Hans",
    }  # fmt: skip
    with pytest.raises(UsageError, match=f"is unknown; near it: .*{near[name]}"):
        model.translate("x", source_lang=source, target_lang=wrong[name])
    with pytest.raises(UsageError, match="'??' is unknown; known: .*".replace("??", r"\?\?")):
        model.encode_source("x", target_lang="??")
    with pytest.raises(UsageError, match="target_lang is needed; known: "):
        model.translate("x", source_lang=source)
    with pytest.raises(UsageError, match="n_best does not apply"):
        model.translate("x", source_lang=source, target_lang=target, n_best=2, num_beams=2)
    assert model.translate(["", " \t"], source_lang=source, target_lang=target) == ["", ""]
    if name == "marian":
        with pytest.raises(UsageError, match="told the target alone"):
            model.translate("x", source_lang="en", target_lang="de")
        with pytest.raises(UsageError, match="'nl' is unknown"):
            model.encode(">>nl<< Hello")
        german = model.encode_source("Hello", target_lang="de")
        assert model.encode(">>de<< Hello") == german == [3, *german[1:]]


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


Run = Callable[..., int]


@pytest.fixture
def run(kind: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    name, _, _, model = kind
    source, target = PAIRS[name]

    def run(data: bytes, *more: str) -> int:
        piped(monkeypatch, data)
        told = ["--target-lang", target, *(["--source-lang", source] if source else [])]
        return main(["translate", str(model.bundle.folder), *told, "--max-new-tokens", "8", *more])

    return run


def test_lines_keep_their_order(kind: Any, run: Run, capfdbinary: Any) -> None:
    name, _, _, model = kind
    lines = ["", *sentences(40), "  ", TEXTS[1], ""]
    assert run(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\n") == 0
    written = capfdbinary.readouterr().out.decode().split("\n")
    assert written.pop() == "" and len(written) == len(lines)
    told = {"source_lang": PAIRS[name][0], "target_lang": PAIRS[name][1], "max_new_tokens": 8}
    for line, text in list(zip(lines, written, strict=True))[::5]:
        assert text == " ".join(model.translate(line, **told).splitlines())
    assert written[0] == written[-1] == written[41] == ""


def test_lines_that_cannot_be_read(run: Run, capfd: Any) -> None:
    assert run(b"fine\nbroken \xff\n") == 2
    out, error = capfd.readouterr()
    assert out == "" and error == ("error[PROMPT_ENCODING]: standard input: line 2 is not UTF-8\n")
    assert run(b"fine\n" + b"very long " * 300 + b"\n") == 6
    out, error = capfd.readouterr()
    assert out == "" and "line 2: the source has" in error and error.count("\n") == 1
    assert run(b"fine\n", "--target-lang", "xx-XX") == 2
    assert "is unknown" in capfd.readouterr().err
    assert run(b"") == 0 and capfd.readouterr().out == ""


def test_a_bundle_without_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    save_seq2seq(tmp_path / "t5", "t5")
    satchel.pack(tmp_path / "t5", tmp_path / "bundle", profile="fp32")
    command = ["translate", str(tmp_path / "bundle"), "--max-new-tokens", "4"]
    piped(monkeypatch, b"one\n\ntwo\n")
    assert main(command) == 0 and capfd.readouterr().out.count("\n") == 3
    piped(monkeypatch, b"one\n")
    assert main([*command, "--target-lang", "de"]) == 2
    assert "target_lang = 'de': this bundle is told no languages" in capfd.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        {"target": "first"},
        {"languages": {"de_DE": 5000}},
        {"prefix": ["middle"]},
        {"suffix": [-1]},
        {"unknown": 99999},
        {"target_lang": "xx"},
    ],
)
def test_a_manifest_that_contradicts_itself(kind: Any, change: dict[str, Any]) -> None:
    manifest = kind[3].manifest
    told = dataclasses.replace(manifest.translation, **change)
    with pytest.raises(BundleError, match="translation"):
        sealed.read(sealed.written(dataclasses.replace(manifest, translation=told)))
