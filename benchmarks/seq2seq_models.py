"""Encoder-decoder checkpoints of random weights, with the work that all engines are given.

Times do not depend on what weights say, and these need no download. Run as a script:
python FILE NAME FOLDER, with "-tiny" behind a name for one that only shows that all works.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SOURCE, TARGET = 64, 64  # tokens of a source, and steps
SOURCES = 64
JUDGED = 4  # sources with a given target
BEAMS = 4
# Sizes of t5-small and of opus-mt-en-de, whose last token is its padding.
T5 = {"vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6}
T5_TOKENS = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
MARIAN: dict[str, Any] = {
    "vocab_size": 58101,
    "d_model": 512,
    "encoder_ffn_dim": 2048,
    "decoder_ffn_dim": 2048,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 8,
    "decoder_attention_heads": 8,
    "max_position_embeddings": 512,
    "activation_function": "swish",
    "scale_embedding": True,
}
TINY: dict[str, dict[str, Any]] = {
    "t5": {"d_ff": 128, "num_layers": 2, "num_heads": 2},
    "marian": {
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
}
MODELS = ("t5", "marian")


def settings(name: str) -> tuple[str, dict[str, Any]]:
    """The model type and the values of its config.json."""
    model_type, _, tiny = name.partition("-")
    values = {"t5": T5 | {"num_heads": 8} | T5_TOKENS, "marian": MARIAN}[model_type]
    if tiny:
        values = values | {"vocab_size": 400, "d_model": 64} | TINY[model_type]
    if model_type == "marian":
        pad = values["vocab_size"] - 1
        values |= {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": 0}
        values["forced_eos_token_id"] = None  # targets may be of any length
    return model_type, values


def write(name: str, folder: Path) -> None:
    """The checkpoint, its tokenizer, and work.json."""
    import torch
    import transformers

    torch.manual_seed(0)
    model_type, values = settings(name)
    config = transformers.AutoConfig.for_model(model_type, **values)
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    if model_type == "marian":  # as its checkpoints have it
        model.generation_config.bad_words_ids = [[values["pad_token_id"]]]
    model.save_pretrained(folder)
    write_tokenizer(values, folder)
    work = work_of(values)
    work["log_probs"] = reference_log_probs(model, work, values)
    work["found"] = [reference_target(model, work, beams) for beams in (1, BEAMS)]
    (folder / "work.json").write_text(json.dumps(work), "utf-8")


def write_tokenizer(values: dict[str, Any], folder: Path) -> None:
    """A token per byte, and names for the other ids: every engine reads ids."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    special = {values["pad_token_id"]: "<pad>", values["eos_token_id"]: "</s>"}
    special[max(2, values["eos_token_id"] + 1)] = "<unk>"
    letters = iter(sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokens = [
        special.get(index) or next(letters, f"<{index}>") for index in range(values["vocab_size"])
    ]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    tokenizer.add_special_tokens(
        [AddedToken(special[index], special=True, normalized=False) for index in sorted(special)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")


def work_of(values: dict[str, Any]) -> dict[str, Any]:
    """Sources that end as sources do, and some targets; none has a special token else."""
    import numpy as np

    chance = np.random.default_rng(0)
    low, high = 3, values["vocab_size"] - 1
    sources = chance.integers(low, high, (SOURCES, SOURCE))
    sources[:, -1] = values["eos_token_id"]
    return {
        "sources": sources.tolist(),
        "targets": chance.integers(low, high, (JUDGED, TARGET)).tolist(),
    }


def reference_log_probs(
    model: Any, work: dict[str, Any], values: dict[str, Any]
) -> list[list[float]]:
    """What the checkpoint in float32 gives each id of the targets."""
    import torch

    targets = torch.tensor(work["targets"])
    starts = torch.full((JUDGED, 1), values["decoder_start_token_id"])
    before = torch.cat([starts, targets[:, :-1]], 1)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor(work["sources"][:JUDGED]), decoder_input_ids=before
        ).logits
    found: list[list[float]] = (
        logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0].tolist()
    )
    return found


def reference_target(model: Any, work: dict[str, Any], beams: int) -> list[int]:
    """What the checkpoint in float32 makes of the first source."""
    import torch

    how = {"max_new_tokens": TARGET, "min_new_tokens": TARGET, "do_sample": False}
    with torch.inference_mode():
        [row] = model.generate(torch.tensor(work["sources"][:1]), num_beams=beams, **how)
    target: list[int] = row[1:].tolist()
    return target


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
