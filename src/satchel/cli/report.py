"""Tables for people: what a bundle holds and how well it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import MANIFEST, Labels, Manifest


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned, the first to the left and the others to the right."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return "\n".join(lines)


def checks_table(manifest: Manifest) -> str:
    """The fidelity checks of the export."""
    rows = [("check", "value", "limit", "")]
    for item in manifest.parity.get("checks", []):
        sign = ">=" if item["at_least"] else "<="
        state = "ok" if item["passed"] else "FAILED"
        rows.append((item["name"], f"{item['value']:.4g}", f"{sign} {item['limit']:.4g}", state))
    return table(rows)


def describe(bundle: Bundle) -> str:
    """A page about a bundle; reads the graphs if onnx is installed."""
    try:
        return _page(bundle)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Figures and notes have no type in the manifest: nothing but this page depends on them.
        raise BundleError(f"{MANIFEST} is no exporter's: {shown(error)}") from error


def _page(bundle: Bundle) -> str:
    from satchel.runtime import kernels  # onnxruntime, which takes a while

    manifest = bundle.manifest
    facts = [
        ("architecture", f"{manifest.architecture} ({manifest.family}, {manifest.task})"),
        *_inputs(manifest),
        ("source", f"{manifest.source.name}, sha256 {manifest.source.sha256[:12]}"),
        ("licence", manifest.source.licence or "not stated by the checkpoint"),
        *_quantisation(manifest),
        ("verified", "yes" if manifest.verified else "NO: kept by --force"),
        ("needs", f"onnxruntime >= {manifest.onnxruntime}"),
        ("kernels", kernels.version() if kernels.installed() else kernels.STOCK),
    ]
    if manifest.cache is not None:
        kilobytes = manifest.cache.bytes_per_position / 1024
        facts.append(("cache", f"{kilobytes:.3g} KB per position, {manifest.cache.dtype}"))
    parts = [table_left(facts), "", _files(bundle), "", checks_table(manifest)]
    if manifest.quality:
        parts += ["", plain("quality: " + _pairs(manifest.quality))]
    for role, graph in manifest.graphs.items():
        counts = _operators(bundle, graph.file)
        parts += [
            "",
            plain(
                f"{role} graph: {len(graph.inputs)} inputs, {len(graph.outputs)} outputs{counts}"
            ),
        ]
        for arrow, ports in (("", graph.inputs), ("-> ", graph.outputs)):
            listed = [f"{arrow}{port.name} {port.dtype} {port.axes}" for port in _brief(ports)]
            parts += ["  " + plain(line) for line in listed]
    return "\n".join(parts)


def plain(text: str) -> str:
    """A text that came from a file, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _inputs(manifest: Manifest) -> list[tuple[str, str]]:
    """What goes in and what is said of it, a row for each part that the manifest has."""
    text, image, labels = manifest.text, manifest.image, manifest.labels
    seq2seq, speech, audio = manifest.seq2seq, manifest.speech, manifest.audio
    writes, heard = manifest.family == "decoder", speech is not None
    read = seq2seq is not None and not heard and image is None
    whose = "" if seq2seq is None else " of a window's text" if heard else " of a target"
    rows: dict[str, Any] = {
        "sound": audio is not None and _sound(audio),
        "sources": seq2seq is not None and read and f"up to {seq2seq.source_context} tokens",
        "context": manifest.reads_text and f"{manifest.context} positions{whose}",
        "vocabulary": manifest.reads_text and str(manifest.vocab_size),
        "chat": writes and str((manifest.chat or {}).get("kind", "no template")),
        "languages": speech is not None and (" ".join(speech.languages) or "one"),
        "texts": text is not None and f"cut to {text.max_length} tokens",
        "prompts": text is not None and ", ".join(map(shown, text.prompts)),
        "images": image is not None and "{1} x {0} pixels".format(*image["size"]),
        "labels": labels is not None and _labels(labels),
    }
    return [(name, row) for name, row in rows.items() if row]


def _sound(audio: dict[str, Any]) -> str:
    if "stacked" in audio:
        return (
            "{sampling_rate} samples/s, {mels} mels, {stacked} times a row, {shrunk} a frame, up to "
            "{window} frames at once".format(**audio)
        )
    if "stride" in audio:
        return "{sampling_rate} samples/s, {stride} a frame, up to {window} frames at once".format(
            **audio
        )
    return "windows of {seconds} s, {sampling_rate} samples/s, {mels} mels".format(**audio)


def _labels(labels: Labels) -> str:
    few = ", ".join(map(shown, labels.names[:8])) + (", ..." if len(labels.names) > 8 else "")
    return f"{len(labels.names)}, {labels.scores}: {few}"


def table_left(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, both to the left."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {plain(value)}" for name, value in rows)


def _quantisation(manifest: Manifest) -> list[tuple[str, str]]:
    """The profile's name, and what has which scheme: graphs, roles, tables, single layers."""
    profile = manifest.quantization
    groups = [f"{graph}: {_scheme(item)}" for graph, item in profile.get("graphs", {}).items()]
    for part in ("roles", "layers"):
        named: dict[str, list[str]] = {}
        for name, item in profile.get(part, {}).items():
            named.setdefault(_scheme(item), []).append(name)
        groups += [f"{', '.join(names)}: {scheme}" for scheme, names in named.items()]
    if "tables" in profile:
        groups.append(f"tables: {_scheme(profile['tables'])}")
    if profile.get("convolved"):
        groups.append("convolutions over images: channel8, by the user's images")
    return [("quantisation", str(profile.get("name"))), *(("", group) for group in groups)]


def _scheme(item: dict[str, Any]) -> str:
    return f"{item['kind']}, blocks of {item['block']}" if item["block"] else str(item["kind"])


def _files(bundle: Bundle) -> str:
    rows = [("file", "bytes", "sha256")]
    for name, file in bundle.manifest.files.items():
        rows.append((name, f"{file.size:,}", file.sha256[:12]))
    return table([*rows, ("all", f"{bundle.size:,}", "")])


def _operators(bundle: Bundle, name: str) -> str:
    try:
        import onnx
    except ImportError:
        return " (install onnx to see its operators)"
    try:
        model = onnx.load(str(bundle.path(name)), load_external_data=False)
    except Exception as error:  # protobuf's have no base class of their own
        return f" (not readable: {shown(error)})"
    counts = Counter(node.op_type for node in model.graph.node)
    listed = ", ".join(f"{count} {op}" for op, count in counts.most_common())
    return f", {len(model.graph.node)} nodes: {listed}"


def _brief(ports: Sequence[Any]) -> list[Any]:
    """Without the cache tensors of layers after the first."""
    return [port for port in ports if "." not in port.name or ".0." in port.name]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
