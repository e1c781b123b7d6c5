"""A Hugging Face folder: config.json, safetensors, tokenizer files. Runs nothing it finds there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.config_keys import is_known, remarks
from satchel.checkpoints.file_names import TOKENIZER_FILES
from satchel.checkpoints.files import (
    header,
    inside,
    optional_json,
    read_tensors,
    refuse_adapters,
    refuse_pickles,
    refuse_variants,
    regular,
)
from satchel.checkpoints.gliner_layout import SAVES, gliner_config, is_gliner
from satchel.checkpoints.sentence import SentenceModules, read_sentence
from satchel.checkpoints.strict_json import read_json
from satchel.checkpoints.tensors import some
from satchel.checkpoints.timm_layout import is_timm, translated
from satchel.checkpoints.word_table import TABLE, described, folded
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TOKENIZER_LIMIT = 64 << 20
TOKENIZER_CONFIG_LIMIT = 32 << 20  # it may list every added token of a large vocabulary
TEMPLATE_LIMIT = 64 << 10
PROCESSOR, PREPROCESSOR = "processor_config.json", "preprocessor_config.json"
PROCESSOR_PARTS = ("image_processor", "feature_extractor", "audio_processor")


def load_folder(folder: Path) -> Checkpoint:
    """Open the checkpoint in `folder`; weights are read later, one by one.

    Raises CheckpointError or UnsupportedError naming the file and what is wrong with it.
    """
    sentence = read_sentence(folder)
    if sentence is not None and sentence.static:
        return _static(folder, sentence)
    if is_gliner(folder):
        return _gliner(folder)
    place = sentence.place if sentence is not None else ""
    config_path = regular(folder, inside(place, "config.json"))
    home = folder / place  # old folders of sentence-transformers keep the model in 0_Transformer
    refuse_adapters(home)
    if config_path is None:
        raise CheckpointError(f"{shown(folder)} has no {inside(place, 'config.json')}")
    config = read_json(config_path)
    if config.get("auto_map") and not is_known(config.get("model_type")):
        raise UnsupportedError(
            f"config.json of {shown(folder.name)} asks for code of its own (auto_map); "
            "satchel never runs code from a checkpoint",
            "REMOTE_CODE_REFUSED",
        )
    if config.get("quantization_config"):
        raise UnsupportedError(
            "config.json has a quantization_config: export from the checkpoint before quantisation"
        )
    shards, notes = _shards(home)
    tokenizer_config = optional_json(home, "tokenizer_config.json", TOKENIZER_CONFIG_LIMIT)
    preprocessor_config, preprocessor_file = _preprocessor_config(home)
    checkpoint = Checkpoint(
        source=folder.name,
        config=config,
        tensors=read_tensors(shards),
        tokenizer=optional_json(home, "tokenizer.json", TOKENIZER_LIMIT) or None,
        tokenizer_files=_tokenizer_files(home),
        tokenizer_config=tokenizer_config,
        generation_config=_generation_config(home),
        preprocessor_config=preprocessor_config,
        preprocessor_file=preprocessor_file,
        chat_template=_chat_template(home, tokenizer_config),
        licence=_licence(folder),
        sha256=_digest([*shards, *(sentence.files if sentence else ())]),
        sentence=sentence,
        notes=remarks(config) + notes,
    )
    return translated(checkpoint) if is_timm(config) else checkpoint


def _gliner(folder: Path) -> Checkpoint:
    """A folder of gliner, whose encoder and tokenizer are those of a text encoder."""
    config, notes = gliner_config(folder)
    if regular(folder, "model.safetensors") is None:
        refuse_pickles(folder, SAVES)
    shards, remarks_on_index = _shards(folder)
    return Checkpoint(
        source=folder.name,
        config=config,
        tensors=read_tensors(shards),
        tokenizer=optional_json(folder, "tokenizer.json", TOKENIZER_LIMIT) or None,
        tokenizer_files=_tokenizer_files(folder),
        tokenizer_config=optional_json(folder, "tokenizer_config.json", TOKENIZER_CONFIG_LIMIT),
        licence=_licence(folder),
        sha256=_digest(shards),
        notes=notes + remarks_on_index,
    )


def _static(folder: Path, sentence: SentenceModules) -> Checkpoint:
    """A table of words, whose files may lie in a sub-folder; its tokenizer adds no special tokens."""
    place = sentence.place
    file = regular(folder, inside(place, "model.safetensors"))
    if file is None:
        refuse_pickles(folder / place)
        raise CheckpointError(f"{shown(folder)} has no {inside(place, 'model.safetensors')}")
    table = folded(read_tensors([file], integers=("mapping",)))
    tokenizer = optional_json(folder, inside(place, "tokenizer.json"), TOKENIZER_LIMIT)
    cut = tokenizer.get("truncation") or {}
    if cut.get("direction", "Right") != "Right":
        raise UnsupportedError(f"tokenizer.json cuts texts from the {shown(cut['direction'])}")
    return Checkpoint(
        source=folder.name,
        config=described(table),
        tensors={TABLE: table},
        tokenizer=(tokenizer | {"post_processor": None}) if tokenizer else None,
        tokenizer_config={"model_max_length": cut.get("max_length")},
        licence=_licence(folder),
        sha256=_digest([file, *sentence.files]),
        sentence=sentence,
    )


def _shards(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The safetensors files, in a fixed order, and what to say of their index."""
    single = regular(folder, "model.safetensors")
    if single is not None:
        return [single], ()
    index_path = regular(folder, "model.safetensors.index.json")
    if index_path is None:
        refuse_variants(folder)
        refuse_pickles(folder)
        raise CheckpointError(
            f"{shown(folder)} has neither model.safetensors nor model.safetensors.index.json"
        )
    weight_map = read_json(index_path, 16 << 20).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index_path.name} has no weight_map", "CKPT_INDEX")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if not PLAIN_NAME.fullmatch(name) or not name.endswith(".safetensors"):
            raise CheckpointError(
                f"{index_path.name} names {shown(name)}; expected a plain .safetensors file name",
                "CKPT_PATH",
            )
    paths = [(name, regular(folder, name)) for name in names]
    missing = [name for name, path in paths if path is None]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(names)} weight files are missing: {some(missing)}",
            "CKPT_INDEX",
        )
    shards = [path for _, path in paths if path is not None]
    return shards, _on_index(weight_map, shards)


def _on_index(weight_map: dict[str, Any], shards: list[Path]) -> tuple[str, ...]:
    """A note where an index is stale: as in transformers, its files count, with all that they hold."""
    actual = {name: shard.name for shard in shards for name in header(shard)}
    wrong = [name for name, shard in weight_map.items() if actual.get(name) != shard]
    surplus = [name for name in actual if name not in weight_map]
    if not wrong and not surplus:
        return ()
    return (
        f"model.safetensors.index.json and the weight files disagree on {len(wrong) + len(surplus)} "
        f"tensors: {some(wrong + surplus)}; what the files hold is read",
    )


def _generation_config(folder: Path) -> dict[str, Any] | None:
    path = regular(folder, "generation_config.json")
    return None if path is None else read_json(path)


def _tokenizer_files(folder: Path) -> dict[str, Path]:
    others = sorted(path.name for path in folder.glob("*.tiktoken"))
    paths = {name: regular(folder, name) for name in (*TOKENIZER_FILES, *others)}
    return {name: path for name, path in paths.items() if path is not None}


def _preprocessor_config(folder: Path) -> tuple[dict[str, Any], str]:
    """How images or sounds are prepared, and the file that says it: as in transformers 5, the part of a
    processor before a file of its own."""
    whole = optional_json(folder, PROCESSOR)
    for part in PROCESSOR_PARTS:
        settings = whole.get(part)
        if isinstance(settings, dict):
            return settings, PROCESSOR
        if settings is not None:
            raise CheckpointError(f"{PROCESSOR}: {part} = {shown(settings)}; expected an object")
    return optional_json(folder, PREPROCESSOR), PREPROCESSOR


def _chat_template(folder: Path, tokenizer_config: dict[str, Any]) -> str | None:
    path = regular(folder, "chat_template.jinja")
    if path is not None:
        if path.stat().st_size > TEMPLATE_LIMIT:
            raise CheckpointError(f"{path.name} is larger than {TEMPLATE_LIMIT} bytes")
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path.name} is not UTF-8") from error
    template = tokenizer_config.get("chat_template")
    if isinstance(template, list):  # an older style: [{"name": ..., "template": ...}]
        entries = [entry for entry in template if isinstance(entry, dict)]
        template = next((e.get("template") for e in entries if e.get("name") == "default"), None)
    elif isinstance(template, dict):
        template = template.get("default")
    if template is None:  # an older processor's
        template = optional_json(folder, "chat_template.json").get("chat_template")
    return template if isinstance(template, str) else None


def _licence(folder: Path) -> str | None:
    """The licence that the model card's front matter names."""
    path = regular(folder, "README.md")
    if path is None:
        return None
    with path.open("rb") as file:
        head = file.read(64 << 10).decode("utf-8", "replace")
    front = re.match(r"---\s*\n(.*?)\n---", head, re.DOTALL)
    match = re.search(r"^license:\s*(\S+)", front.group(1), re.MULTILINE) if front else None
    return match.group(1) if match else None


def _digest(shards: list[Path]) -> str:
    """One hash over the weight files, which names the exact checkpoint in the manifest."""
    if len(shards) == 1:
        with shards[0].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for shard in shards:
        with shard.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
