"""`satchel export`: a checkpoint becomes a bundle. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
from typing import Any

from satchel.cli.command import add_verb, check_known, size
from satchel.progress import bars
from satchel.quantize.profiles import NAMES
from satchel.runtime.task import TASKS

EXAMPLES = """
satchel export path/to/checkpoint my-bundle
satchel export model.gguf my-bundle --context 4096
satchel export owner/name my-bundle --profile int4
satchel export path/to/classifier my-bundle --task embed --overwrite
"""
PLAIN = (  # name, what argparse makes of it, help
    ("context", {"type": int, "metavar": "N"}, "positions the bundle is made for"),
    (
        "adapter",
        {"metavar": "NAME"},
        "which of a checkpoint's adapters the weights are to have, or none",
    ),
    (
        "merge-lora",
        {"metavar": "FOLDER"},
        "an adapter that peft saved, which goes into the weights first",
    ),
    (
        "adapters",
        {"action": "store_true"},
        "keep a decoder's layers open for adapters, which satchel adapter makes",
    ),
    (
        "keep-fp32",
        {"action": "append", "default": [], "metavar": "LAYER"},
        "leave a layer float32: its name, the last part of it, or a pattern",
    ),
    (
        "cache",
        {"choices": ("float32", "int8", "int8-window")},
        "of keys and values: float32; int8, a quarter of the memory and exact steps; or int8-window, "
        "which keeps no more than a layer's sliding window sees; default: int8 where it costs next "
        "to nothing",
    ),
    (
        "calibration",
        {"metavar": "FILE"},
        "a text per line to fix scales by; default: shipped; for a model that sees a folder of images, "
        "a fourth of which its quality is measured on",
    ),
    (
        "quality-text",
        {"metavar": "FILE"},
        "a text per line to measure quality on; default: shipped",
    ),
    (
        "tune",
        {"type": float, "metavar": "LOSS"},
        "give the layers that cost most better schemes, until their losses add up to this",
    ),
    ("revision", {"metavar": "NAME"}, "branch, tag or commit of a hub id"),
    (
        "ignore-config-key",
        {"action": "append", "default": [], "metavar": "KEY"},
        "a key of config.json that does not change the mathematics",
    ),
    ("force", {"action": "store_true"}, "keep a bundle whose checks fail"),
    ("overwrite", {"action": "store_true"}, "replace the bundle at OUT"),
)


def export(options: argparse.Namespace) -> None:
    """checkpoint to bundle"""
    from satchel.checkpoints.source import find

    if not options.profile.endswith(".toml"):
        check_known("--profile", options.profile, NAMES)
    find(options.source, options.revision)  # before PyTorch is loaded, which takes seconds
    from satchel.cli.report import checks_table
    from satchel.packing.pack import pack

    packed = pack(
        options.source,
        options.out,
        profile=options.profile,
        keep_fp32=options.keep_fp32,
        calibration=options.calibration,
        quality_text=options.quality_text,
        tune=options.tune,
        cache=options.cache,
        context=options.context,
        task=options.task,
        adapter=options.adapter,
        merge_lora=options.merge_lora,
        open_layers=options.adapters,
        force=options.force,
        overwrite=options.overwrite,
        revision=options.revision,
        ignored_keys=options.ignore_config_key,
        stage=bars,
    )
    print(checks_table(packed.manifest))
    for note in packed.notes:
        print(f"note: {note}")
    total = sum(file.size for file in packed.manifest.files.values())
    state = "verified" if packed.manifest.verified else "UNVERIFIED, kept by --force"
    print(f"{options.out}: {size(total)}, {packed.manifest.architecture}, {state}")


def add(verbs: Any) -> None:
    """`export` with its options."""
    command = add_verb(verbs, "export", export, EXAMPLES)
    command.add_argument("source", help="a Hugging Face folder, a .gguf file, or a hub id")
    command.add_argument("out", help="the bundle folder to make")
    command.add_argument(
        "--profile",
        default="int8",
        metavar="PROFILE",
        help="int8 (default): nearly lossless; int8-portable: integer products alone; int4: "
        "smallest; fp32: as the checkpoint is; or a .toml file of your own",
    )
    command.add_argument(
        "--task",
        choices=TASKS,
        metavar="TASK",
        help=f"what the bundle is for: {', '.join(TASKS)}; default: what the checkpoint is for",
    )
    for name, settings, text in PLAIN:
        command.add_argument(f"--{name}", help=text, **settings)
