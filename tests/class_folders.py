"""Folders of every tokenizer class, written by transformers itself, and what it reads from them."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from satchel.checkpoints.folder import load_folder
from satchel.measure.fidelity import sentences
from satchel.tokenization.language_tokens import MBART, MBART_50
from satchel.tokenization.probes import PROBES
from satchel.tokenization.tokenizer import bundle_tokenizer

SIZE = 3000
KINDS = {  # class -> (kind of model, model_type of its checkpoints)
    "Albert": ("Unigram", "albert"),
    "Bart": ("bytes", "bart"),
    "Bert": ("WordPiece", "bert"),
    "Blenderbot": ("bytes", "blenderbot"),
    "CLIP": ("words", "clip"),
    "Deberta": ("bytes", "deberta"),
    "DebertaV2": ("Unigram", "deberta-v2"),
    "DistilBert": ("WordPiece", "distilbert"),
    "Electra": ("WordPiece", "electra"),
    "GPT2": ("bytes", "gpt2"),
    "GPTNeoX": ("bytes", "gpt_neox"),
    "Gemma": ("SentencePiece", "gemma"),
    "Llama": ("SentencePiece", "llama"),
    "MPNet": ("WordPiece", "mpnet"),
    "MBart": ("Unigram", "mbart"),
    "MBart50": ("Unigram", "mbart"),
    "Nllb": ("SentencePiece", "m2m_100"),
    "Pegasus": ("Unigram", "pegasus"),
    "Qwen2": ("bytes", "qwen2"),
    "Roberta": ("bytes", "roberta"),
    "T5": ("Unigram", "t5"),
    "Whisper": ("bytes", "whisper"),
    "XLMRoberta": ("Unigram", "xlm-roberta"),
}
AS_THEY_ARE = {  # classes of which tokenizer.json says all
    "BigBird": ("Unigram", "big_bird"),
    "XLNet": ("Unigram", "xlnet"),
}
TOKENS = {  # in the order of their ids
    "Albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    "Bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "CLIP": ["<|startoftext|>", "<|endoftext|>"],
    "GPT2": ["<|endoftext|>"],
    "GPTNeoX": ["<|endoftext|>", "<|padding|>"],
    "Gemma": ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"],
    "Llama": ["<unk>", "<s>", "</s>"],
    "MPNet": ["<s>", "<pad>", "</s>", "<mask>", "[UNK]"],
    "Qwen2": ["<|endoftext|>"],
    "Roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    "T5": ["<pad>", "</s>", "<unk>", *(f"<extra_id_{n}>" for n in range(100))],
    "Whisper": [
        *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>"),
        *("<|translate|>", "<|transcribe|>", "<|notimestamps|>"),
    ],
    "XLMRoberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
}
TOKENS |= {
    "BigBird": ["<unk>", "</s>", "<s>", "<pad>", "[SEP]", "[MASK]", "[CLS]"],
    "Deberta": ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"],
    "DebertaV2": ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "<unk>"],
    "MBart": [*TOKENS["XLMRoberta"], *MBART],
    "MBart50": [*TOKENS["XLMRoberta"], *MBART_50],
    "Nllb": [*TOKENS["XLMRoberta"], "eng_Latn", "fra_Latn"],
    "Pegasus": [
        "<pad>",
        "</s>",
        "<mask_1>",
        "<mask_2>",
        *(f"<unk_{n}>" for n in range(2, 103)),
        "<unk>",
    ],
    "XLNet": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
    "DistilBert": TOKENS["Bert"],
    "Electra": TOKENS["Bert"],
    "Bart": TOKENS["Roberta"],
    "Blenderbot": TOKENS["Roberta"],
}
TEXTS = [
    *PROBES,
    *sentences(20),
    "Ünïcödé CAFÉ résumé, İstanbul ΑΒΓ 你好世界 ''quoted`` text",
    "a [MASK] b<mask>c <s> x </s>y <|endoftext|> z  <ent> <tag>tagged <unk> [UNK]",
    "<TAG> <Ent>  <ent>  [mask] <MASK>",
]


@functools.cache
def vocabulary(kind: str, tokens: tuple[str, ...]) -> dict[str, Any]:
    """A model of some kind, trained on the shipped text, as in tokenizer.json."""
    made = {
        "WordPiece": models.WordPiece(unk_token="[UNK]"),
        "Unigram": models.Unigram(),
        "bytes": models.BPE(),
        "words": models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"),
        "SentencePiece": models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"),
    }[kind]
    tokenizer = Tokenizer(made)
    first = list(tokens)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any
    if kind == "WordPiece":
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=first)
    elif kind == "Unigram":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        unknown = next(token for token in first if token.startswith("<unk"))
        trainer = trainers.UnigramTrainer(
            vocab_size=700, special_tokens=first, unk_token=unknown, initial_alphabet=["é", "e"]
        )
    elif kind == "SentencePiece":
        first += [f"<0x{byte:02X}>" for byte in range(256)]
        tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
        tokenizer.decoder = decoders.ByteFallback()
        trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=first, max_token_length=6)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        suffix: dict[str, Any] = {"end_of_word_suffix": "</w>"} if kind == "words" else {}
        trainer = trainers.BpeTrainer(
            vocab_size=900, special_tokens=first, initial_alphabet=letters, **suffix
        )
    tokenizer.train_from_iterator([*sentences(300), *TEXTS], trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    if kind == "words":  # every letter may end a word
        for letter in letters:
            model["vocab"].setdefault(f"{letter}</w>", len(model["vocab"]))
    return model


def save_class(folder: Path, name: str, plain: bool = False, **settings: Any) -> Any:
    """Save a tokenizer of class `name` made with `settings`; `plain` ones as vocabulary files alone."""
    kind, model_type = (KINDS | AS_THEY_ARE)[name]
    model = vocabulary(kind, tuple(TOKENS[name]))
    made: dict[str, Any] = {"vocab": model["vocab"]}
    if kind == "Unigram":
        made["vocab"] = [tuple(piece) for piece in model["vocab"]]
    if kind in ("bytes", "words", "SentencePiece"):
        made["merges"] = [tuple(pair) for pair in model["merges"]]
    settings = {"model_max_length": 512, **settings}
    tokenizer = getattr(transformers, f"{name}Tokenizer")(**made, **settings)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    write(folder, "config.json", {"model_type": model_type, "vocab_size": SIZE})
    if plain:
        (folder / "tokenizer.json").unlink()
        if kind == "WordPiece":
            rows = sorted(model["vocab"], key=model["vocab"].__getitem__)
            (folder / "vocab.txt").write_text("".join(f"{row}\n" for row in rows), "utf-8")
        else:
            write(folder, "vocab.json", model["vocab"])
            rows = ["#version: 0.2", *(f"{one} {two}" for one, two in model["merges"])]
            (folder / "merges.txt").write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return tokenizer


def write(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def say(folder: Path, **keys: Any) -> None:
    """Change keys of tokenizer_config.json; None takes one out."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8")) | keys
    write(folder, path.name, {key: value for key, value in config.items() if value is not None})


def ours(folder: Path, size: int = SIZE) -> Tokenizer:
    return Tokenizer.from_buffer(bundle_tokenizer(load_folder(folder), size))


def assert_alike(
    folder: Path, texts: Sequence[str] = TEXTS, size: int = SIZE, around: bool = True
) -> None:
    """The bundle's tokenizer gives the ids, pairs, special tokens and texts of AutoTokenizer."""
    theirs, found = transformers.AutoTokenizer.from_pretrained(folder), ours(folder, size)
    for text in texts:
        expected = theirs(text, add_special_tokens=around).input_ids
        encoded = found.encode(text, add_special_tokens=around)
        assert encoded.ids == expected, text
        if "token_type_ids" in theirs.model_input_names:
            assert encoded.type_ids == theirs(text, add_special_tokens=around).token_type_ids
        for skip in (True, False):
            decoded = theirs.backend_tokenizer.decode(expected, skip_special_tokens=skip)
            raw = found.decode(expected, skip_special_tokens=skip)
            assert raw == decoded or raw.replace("</w>", " ").strip() == decoded
    for one, two in itertools.pairwise(texts):
        if two:
            expected = theirs(one, two, add_special_tokens=around).input_ids
            assert found.encode(one, two, add_special_tokens=around).ids == expected
    special = {i for i, t in found.get_added_tokens_decoder().items() if t.special}
    theirs_special = {i for i, t in theirs.added_tokens_decoder.items() if t.special}
    assert special == {i for i in theirs_special if i < size}
