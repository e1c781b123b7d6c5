"""Tables for people: what a bundle holds and how well it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import MANIFEST, Manifest


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
    manifest = bundle.manifest
    facts = [
        ("architecture", f"{manifest.architecture} ({manifest.family}, {manifest.task})"),
        *_inputs(manifest),
        ("source", f"{manifest.source.name}, sha256 {manifest.source.sha256[:12]}"),
        ("licence", manifest.source.licence or "not stated by the checkpoint"),
        *_quantisation(manifest),
        ("verified", "yes" if manifest.verified else "NO: kept by --force"),
        ("needs", f"onnxruntime >= {manifest.onnxruntime}"),
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
    """What goes in, and what the family says of it."""
    facts = [("context", f"{manifest.context} positions"), ("vocabulary", str(manifest.vocab_size))]
    text, image, labels = manifest.text, manifest.image, manifest.labels
    if manifest.speech is not None and manifest.audio is not None:
        facts[0] = ("context", f"{manifest.context} positions of a window's text")
        facts.insert(0, ("sound", _sound(manifest.audio)))
        facts.append(("languages", " ".join(manifest.speech.languages) or "one"))
    elif manifest.seq2seq is not None:
        facts[0] = ("context", f"{manifest.context} positions of a target")
        facts.insert(0, ("sources", f"up to {manifest.seq2seq.source_context} tokens"))
    elif manifest.family == "decoder":
        facts.append(("chat", str((manifest.chat or {}).get("kind", "no template"))))
    elif text is None:
        facts = []
    if text is not None:
        facts.append(("texts", f"cut to {text.max_length} tokens"))
    if text is not None and text.prompts:
        facts.append(("prompts", ", ".join(map(shown, text.prompts))))
    if image is not None:
        height, width = image["size"]
        facts.append(("images", f"{width} x {height} pixels"))
    if labels is not None:
        few = ", ".join(map(shown, labels.names[:8])) + (", ..." if len(labels.names) > 8 else "")
        facts.append(("labels", f"{len(labels.names)}, {labels.scores}: {few}"))
    return facts


def _sound(audio: dict[str, Any]) -> str:
    return "windows of {seconds} s, {sampling_rate} samples/s, {mels} mels".format(**audio)


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
