"""Save tiny random models with the transformers that is installed, old or new. Knows no satchel.

As a script, in an environment of its own: ``python save_with.py VOCABULARIES OUT < rows.json``, where
the rows are those of `tests.saved.rows`; each goes to a folder of its name in OUT.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
import transformers.utils.logging
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

transformers.utils.logging.disable_progress_bar()
LANGUAGES = ["en", "de", "fr"]
TIMES = 101  # of two seconds
BEFORE = ["<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES)]
BEHIND = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
HEARING = [*BEFORE, *BEHIND, "<|notimestamps|>"]


def save(row: dict[str, Any], vocabularies: Path, folder: Path) -> None:
    """Write the model, tokenizer and processor of a row to `folder`, each by its own method."""
    tokenizer = make_tokenizer(row, vocabularies) if row["tokenizer"] else None
    config = make_config(row, tokenizer)
    torch.manual_seed(0)
    kind = getattr(transformers, row["kind"])
    model = kind.from_config(config) if row["kind"].startswith("Auto") else kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # sinusoids are not
                # Large enough that attention is far from uniform and every term shows.
                parameter += torch.randn_like(parameter) * (0.2 if parameter.ndim > 1 else 0.1)
    hears = row["kind"] == "AutoModelForSpeechSeq2Seq"
    rules = whisper_rules(tokenizer) if hears else {}  # `update` would leave out most of them
    for key, value in (rules | row.get("generation", {})).items():
        setattr(model.generation_config, key, value)
    options = {"max_shard_size": row["shard"]} if row.get("shard") else {}
    model.to(getattr(torch, row.get("dtype", "float32"))).save_pretrained(folder, **options)
    save_preparation(row, tokenizer, folder)


def save_preparation(row: dict[str, Any], tokenizer: Any, folder: Path) -> None:
    """The tokenizer alone, or the processor that has it."""
    parts, options = row.get("processor"), dict(row.get("processor_options", {}))
    if parts is None:
        tokenizer.save_pretrained(folder)
        return
    whole, part = parts
    # Without torchvision, those of transformers 5 for Pillow have a name of their own.
    processor = (getattr(transformers, f"{part}Pil", None) or getattr(transformers, part))(
        **options
    )
    if whole is None:
        processor.save_pretrained(folder)
    else:
        getattr(transformers, whole)(processor, tokenizer).save_pretrained(folder)


def make_tokenizer(row: dict[str, Any], vocabularies: Path) -> Any:
    """The real tokenizer of a row, of the fast class where there is one."""
    name, folder = row["tokenizer"], vocabularies / row["vocabulary"]
    options = row.get("tokenizer_options", {})
    fast = None if name == "WhisperTokenizer" else getattr(transformers, f"{name}Fast", None)
    kind = fast or getattr(transformers, name)  # the processor of Whisper took the slow one alone
    if name in ("PreTrainedTokenizer", "GPTNeoXTokenizer"):  # published as a tokenizer.json alone
        return kind(tokenizer_object=byte_level(folder, options), **options)
    tokenizer = kind.from_pretrained(folder, **options)
    if name == "WhisperTokenizer":
        tokenizer.add_tokens(HEARING, special_tokens=True)
        times = [f"<|{place * 0.02:.2f}|>" for place in range(TIMES)]
        tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    return tokenizer


def byte_level(folder: Path, options: dict[str, Any]) -> Tokenizer:
    """A tokenizer.json as it is published where there is no class: BPE, and a template for encoders."""
    tokenizer = Tokenizer(
        models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [value for key, value in options.items() if key.endswith("_token")]
    tokenizer.add_special_tokens(special)
    first, last = options.get("cls_token"), options.get("sep_token")
    if first is None:
        first = options.get("bos_token") if "pad_token" in options else None
    if first is not None:
        end = [last] if last is not None else []
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[first, "$A", *end],
            pair=[first, "$A", *end, "$B", *end],
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in [first, *end]],
        )
    return tokenizer


def make_config(row: dict[str, Any], tokenizer: Any) -> Any:
    """The configuration of a row with the ids of its tokenizer."""
    said = {key: value for key, value in row["config"].items() if key != "start"}
    if tokenizer is not None:
        known = {
            f"{name}_token_id": getattr(tokenizer, f"{name}_token_id", None)
            for name in ("bos", "eos", "pad", *row.get("more_ids", []))
        }
        ids = max([len(tokenizer) - 1, *tokenizer.get_vocab().values(), *_hidden_ids(tokenizer)])
        known["vocab_size"] = -(-(ids + 1) // 8) * 8  # published tables are often a little larger
        if "start" in row["config"]:
            said["decoder_start_token_id"] = known[f"{row['config']['start']}_token_id"]
        for part in ("text_config", "encoder", "decoder"):
            if part in said:
                said[part] = known | said[part]
        if "encoder" in said:
            said |= {key: known[key] for key in ("pad_token_id", "eos_token_id")}
            said["decoder_start_token_id"] = tokenizer.cls_token_id
        elif "text_config" not in said:
            said = known | said
    return transformers.AutoConfig.for_model(row["model_type"], **said)


def _hidden_ids(tokenizer: Any) -> list[int]:
    """Ids of languages that M2M-100's tokenizer keeps beside its vocabulary."""
    return list(getattr(tokenizer, "lang_token_to_id", {}).values())


def whisper_rules(tokenizer: Any) -> dict[str, Any]:
    """What generation_config.json of a published Whisper of many languages says."""
    number = tokenizer.convert_tokens_to_ids
    start, end = number("<|startoftranscript|>"), number("<|endoftext|>")
    tasks = {task: number(f"<|{task}|>") for task in ("translate", "transcribe")}
    silent = ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    return {
        "_from_model_config": False,  # else transformers 5 leaves out what it has no field for
        "alignment_heads": [[0, 0], [1, 1]],
        "begin_suppress_tokens": [220, end],
        "bos_token_id": end,
        "decoder_start_token_id": start,
        "eos_token_id": end,
        "forced_decoder_ids": [[1, None], [2, tasks["transcribe"]]],
        "is_multilingual": True,
        "lang_to_id": {f"<|{language}|>": number(f"<|{language}|>") for language in LANGUAGES},
        "max_initial_timestamp_index": 50,
        "max_length": 64,
        "no_timestamps_token_id": number("<|notimestamps|>"),
        "pad_token_id": end,
        "prev_sot_token_id": number("<|startofprev|>"),
        "return_timestamps": False,
        "suppress_tokens": [1, 2, 7, 8, start, *tasks.values(), *map(number, silent)],
        "task_to_id": tasks,
    }


if __name__ == "__main__":
    vocabularies, out = Path(sys.argv[1]), Path(sys.argv[2])
    failed = {}
    for wanted in json.load(sys.stdin):
        try:
            save(wanted, vocabularies, out / wanted["name"])
        except Exception as error:  # which row it was belongs in the message
            failed[wanted["name"]] = f"{type(error).__name__}: {error}"
    if failed:
        sys.exit("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
