"""What a tokenizer's class does to texts outside tokenizer.json, written into tokenizer.json.

transformers' classes for SigLIP change a text in Python before its tokenizer sees it; their files say
so by the name of the class alone.
"""

from __future__ import annotations

from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.errors import UnsupportedError, shown

Normalizer = dict[str, Any]  # as in tokenizer.json

LOWER: Normalizer = {"type": "Lowercase"}
ASCII_PUNCTUATION = r"[!-/:-@\[-`{-~]"


def _replace(pattern: dict[str, str], content: str) -> Normalizer:
    return {"type": "Replace", "pattern": pattern, "content": content}


TIDY: tuple[Normalizer, ...] = (
    _replace({"String": "\u2581"}, " "),  # what SentencePiece writes for a space
    _replace({"Regex": ASCII_PUNCTUATION}, ""),
    _replace({"Regex": r"\s+"}, " "),
    {"type": "Strip", "strip_left": True, "strip_right": True},
)


def canonical(checkpoint: Checkpoint, tokenizer: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer` with the normalisation that the checkpoint's class of tokenizer does beside it.

    Done twice it is the same as once, so files that already hold it lose nothing.
    """
    config = checkpoint.tokenizer_config
    model_type = str(checkpoint.config.get("model_type"))
    assumed = "SiglipTokenizer" if model_type == "siglip" else ""
    name = str(config.get("tokenizer_class") or assumed).removesuffix("Fast")
    if model_type == "siglip2":  # its class is taken whatever the files name
        return _as_siglip2(checkpoint, tokenizer)
    before: tuple[Normalizer, ...] = ()
    if name == "SiglipTokenizer":
        before = (*(() if config.get("do_lower_case") is False else (LOWER,)), *TIDY)
    elif name == "Siglip2Tokenizer":
        before = (LOWER,)
    if not before:
        return tokenizer
    after = [one] if (one := tokenizer.get("normalizer")) is not None else []
    return tokenizer | {"normalizer": {"type": "Sequence", "normalizers": [*before, *after]}}


def _as_siglip2(checkpoint: Checkpoint, tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Gemma's words in lower case: the class takes words and merges from the file, no more."""
    model = tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type") != "BPE":
        raise UnsupportedError(
            f"{shown(checkpoint.source)}: tokenizer.json is no BPE, which siglip2 reads its texts by"
        )
    words = {"fuse_unk": True, "byte_fallback": True, "dropout": None, "ignore_merges": False}
    return tokenizer | {
        "model": model | words,
        "normalizer": {"type": "Sequence", "normalizers": [LOWER, _replace({"String": " "}, "▁")]},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
    }
