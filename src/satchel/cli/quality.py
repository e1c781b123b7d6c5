"""`satchel quality`: how well a bundle answers. Prints; knows no mathematics."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import satchel
from satchel.cli.command import check_writable, load, on_bundle, size
from satchel.cli.report import plain
from satchel.cli.terminal import write_whole
from satchel.progress import bars
from satchel.runtime.errors import UsageError, install, shown

# By the last part of its name: what a figure is called, how it is printed, and what it says.
FIGURES = {
    "mean_kl": ("mean KL", ".3g", "nats between the distributions of the next token; 0: equal"),
    "p99_kl": ("KL, 99th percentile", ".3g", "nats; one token in a hundred is further away"),
    "top1": ("same likeliest token", ".2%", "share of the tokens"),
    "perplexity": ("perplexity", ".3f", "how surprised the bundle is by the text; lower is better"),
    "reference_perplexity": ("perplexity, reference", ".3f", "the same of the reference"),
    "perplexity_ratio": ("perplexity, ratio", ".4f", "the bundle's over the reference's; 1: equal"),
    "mean_cosine": (
        "cosine, mean",
        ".5f",
        "between the vectors of one text, image or sound; 1: equal",
    ),
    "p01_cosine": ("cosine, 1st percentile", ".5f", "one in a hundred is less alike"),
    "min_cosine": ("cosine, least", ".5f", "of the one that is least alike"),
    "agreement": ("same likeliest label", ".2%", "share of the labels that are chosen"),
    "score_difference": ("difference of scores", ".5f", "mean, of the label that is expected"),
    "tokens": ("tokens", ",.0f", "that were predicted"),
    "texts": ("texts", ",.0f", "or images or sounds that were read"),
}
EXAMPLES = """
satchel quality int8-bundle --reference fp32-bundle
satchel quality int8-bundle --text my-text.txt
satchel quality int8-bundle --reference fp32-bundle --labels cases.tsv --layers
"""
READ_AT_EXPORT = {  # by the kind of a graph's samples
    "windows": "windows of the shipped text",
    "targets": "what the model writes for sentences of the shipped text",
    "sounds": "what the model writes for sounds",
    "lines": "sentences of the shipped text",
    "pictures": "pictures made for it",
    "waves": "sounds made for it",
    "read pictures": "what the model writes for pictures made for it",
    "texts with labels": "sentences of the shipped text, with labels",
}
LAYERS = """\
  error: how far what the layer gives is from what it gives in the reference, in parts of that
  one's length; it holds the errors of all layers before. own: the same where the layer reads what the
  reference's layer reads: what it adds itself."""


def quality(options: argparse.Namespace) -> None:
    """how well a bundle answers: beside float32, on a text, on labels"""
    _check(options)
    from satchel.measure.reading import text_file  # needs numpy, which --help does not

    text = text_file(Path(options.text)) if options.text else None
    model, reference = _load_both(options)
    cases = None
    if options.labels:
        from satchel.measure.labelled import as_text, read_cases

        cases = read_cases(Path(options.labels), model.manifest)
        text = text or as_text(cases, Path(options.labels))
    readings = _readings(options, model, reference, text)
    report: dict[str, Any] = {name: _facts(one) for name, one in _both(model, reference)}
    report["export"] = model.manifest.quality
    _print_facts(report, model)
    report["measured"] = [_measure(reading, model, reference) for reading in readings]
    if not readings:
        print("\nWith --reference, a float32 bundle of the same checkpoint, the two are compared.")
    if cases is not None:
        report["labels"] = _judge(options, cases, model, reference)
    if options.layers:
        report["layers"] = [
            row for reading in readings for row in _layers(options, reading, model, reference)
        ]
    if options.json:
        content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        write_whole(Path(options.json), content)


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be done before anything is loaded."""
    if options.json:
        check_writable("--json", Path(options.json))
        _check_outside(Path(options.json), options.bundle, options.reference)
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit}; expected at least 1")
    if options.layers and not options.reference:
        raise UsageError("--layers needs --reference, a bundle whose layers are right")
    if options.layers and find_spec("onnx") is None:
        raise UsageError(f"--layers needs onnx: {install('export')}")


def _check_outside(file: Path, *bundles: str | None) -> None:
    for bundle in filter(None, bundles):
        if file.resolve().is_relative_to(Path(bundle).resolve()):
            raise UsageError(f"--json {shown(file)} lies inside the bundle: give another place")


def _load_both(options: argparse.Namespace) -> tuple[Any, Any]:
    """The bundle, and the reference if there is one."""
    model = load(options)
    if not options.reference:
        return model, None
    from satchel.measure.comparison import check_related, check_same_basis

    progress = bars("checking the reference")
    reference = satchel.load(options.reference, threads=options.threads, progress=progress)
    check_related(model.bundle, reference.bundle)
    if options.layers:
        check_same_basis(model.bundle, reference.bundle)
    return model, reference


def _both(model: Any, reference: Any) -> list[tuple[str, Any]]:
    both = [("bundle", model), ("reference", reference)]
    return [(name, one) for name, one in both if one is not None]


def _facts(model: Any) -> dict[str, Any]:
    """What a report says of a bundle."""
    manifest = model.manifest
    return {
        "folder": str(model.bundle.folder),
        "architecture": manifest.architecture,
        "task": manifest.task,
        "profile": manifest.quantization.get("name"),
        "bytes": model.bundle.size,
        "verified": manifest.verified,
        "source_sha256": manifest.source.sha256,
        "satchel_version": manifest.satchel_version,
    }


def _print_facts(report: dict[str, Any], model: Any) -> None:
    """The bundles, and the figures of the export."""
    for name in ("bundle", "reference"):
        if one := report.get(name):
            facts = (one["architecture"], one["task"], one["profile"], size(one["bytes"]))
            print(plain(f"{name:<9}  {one['folder']}: {', '.join(map(str, facts))}"))
    if report["export"]:
        on = " and ".join(READ_AT_EXPORT[kind] for kind in model.samples.values())
        _section(f"At export, beside the PyTorch model in float32, on {on}", report["export"])
    else:
        print("\nIts export measured nothing: it has no int8 to compare with float32.")


def _readings(options: argparse.Namespace, model: Any, reference: Any, text: Any) -> list[Any]:
    """What is read to measure, if there is anything to measure."""
    if reference is None and "windows" not in model.samples.values():
        if options.text:
            raise UsageError(
                f"--text: a bundle made for {shown(model.manifest.task)} needs --reference, for "
                "only with another bundle can its answers be compared"
            )
        return []
    from satchel.measure.reading import readings

    return readings(reference or model, text, options.limit, bars)


def _measure(reading: Any, model: Any, reference: Any) -> dict[str, Any]:
    from satchel.measure.comparison import alone, compare

    if reference is None:
        figures, beside = alone(model, reading, bars), ""
    else:
        figures, beside = compare(reference, model, reading, bars), "beside the reference, "
    _section(f"Now, {beside}on {reading.what}", figures)
    return {"on": reading.what, "figures": figures}


def _judge(
    options: argparse.Namespace, cases: Sequence[Any], model: Any, reference: Any
) -> dict[str, Any]:
    """Errors on the labels of a file."""
    from satchel.measure.labelled import COUNTED, answer, differences

    both = _both(model, reference)
    answers = {name: answer(one, cases, bars(f"answering: {name}")) for name, one in both}
    report: dict[str, Any] = {name: one.figures() for name, one in answers.items()}
    print(f"\nOn the {len(cases):,} cases of {shown(options.labels)}")
    for name, figures in report.items():
        wrong = f"{figures['error_rate']:.2%} wrong ({figures['wrong']:,})"
        if "word_error_rate" in figures:
            counts = f"{figures['wrong_words']:,} of {figures['words']:,}"
            wrong += f", {figures['word_error_rate']:.2%} errors of words ({counts})"
        print(f"  {name:<9}  {wrong}")
    if len(answers) == 2:
        report["beside"] = beside = differences(answers["bundle"], answers["reference"])
        alone = f"{beside['only_here_wrong']:,} in the bundle, {beside['only_reference_wrong']:,}"
        print(f"  same answer from both: {beside['same'] / len(cases):.2%}")
        print(f"  wrong in one alone: {alone} in the reference")
    report["counted"] = COUNTED[model.manifest.task]
    print(f"  Counted: {report['counted']}.")
    return {"file": str(options.labels), "cases": len(cases), **report}


def _layers(
    options: argparse.Namespace, reading: Any, model: Any, reference: Any
) -> list[dict[str, Any]]:
    """The error of each layer, as a table."""
    from satchel.measure.layer_errors import layer_errors

    layers = layer_errors(reference, model, reading, options.threads, bars)
    print(f"\nLayer by layer, on {reading.few_are}")
    worst = {
        name: max(layers, key=lambda one: getattr(one, name) or 0.0) for name in ("error", "own")
    }
    width = max(len(one.layer) for one in layers)
    kinds = max(len(one.operator) for one in layers)
    print(f"  {'':<{width}}  {'':<{kinds}}   error     own")
    graph = ""
    for one in layers:
        if one.graph != graph:
            graph = one.graph
            print(f"  {graph}")
        marks = [f"worst {name}" for name, which in worst.items() if which is one]
        own = "      -" if one.own is None else f"{one.own:7.4f}"
        line = f"  {one.layer:<{width}}  {one.operator:<{kinds}} {one.error:7.4f} {own}"
        print(plain(f"{line}  {', '.join(marks)}".rstrip()))
    print(LAYERS)
    return [dataclasses.asdict(one) for one in layers]


def _section(title: str, figures: dict[str, Any]) -> None:
    """Figures with what they say."""
    rows = []
    for name, value in figures.items():
        role, _, last = name.rpartition(".")
        label, form, meaning = FIGURES.get(last, (last, ".4g", ""))
        label = f"{label} ({role})" if role not in ("", "encoder") else label
        number = isinstance(value, int | float)  # a manifest's figures may be anything
        rows.append((label, format(value, form) if number else shown(value), meaning))
    wide, long = (max(len(row[column]) for row in rows) for column in (0, 1))
    print(f"\n{plain(title)}")
    for label, value, meaning in rows:
        print(plain(f"  {label:<{wide}}  {value:>{long}}  {meaning}".rstrip()))


def add(verbs: Any) -> None:
    """`quality` with its options."""
    command = on_bundle(verbs, "quality", quality, EXAMPLES)
    for flag, value, text in (
        ("reference", "BUNDLE", "a bundle of the same checkpoint, as float32"),
        ("text", "FILE", "a text of your own; default: the shipped one"),
        ("labels", "FILE", "lines of label<TAB>text, or of source<TAB>target"),
        ("json", "FILE", "also write the figures to FILE"),
    ):
        command.add_argument(f"--{flag}", metavar=value, help=text)
    command.add_argument("--limit", type=int, metavar="N", help="windows or lines of the text")
    command.add_argument("--layers", action="store_true", help="the error of every layer")
