"""The graphs' inputs and outputs as data: names, dtypes, axes. Knows no model.

The names are those that other ONNX toolchains use, so a graph can be read and run without satchel.
"""

from __future__ import annotations

from satchel.runtime.manifest import BOXES, LABELS, PARTS, WORDS, Port


def past(layer: int, part: str) -> str:
    """Name of the cache input of a layer; `part` is key or value."""
    return f"past_key_values.{layer}.{part}"


def present(layer: int, part: str) -> str:
    """Name of the cache output of a layer; the runtime binds it to the memory of `past`."""
    return f"present.{layer}.{part}"


def cross(layer: int, part: str) -> str:
    """Name of a layer's keys or values of the source: an encoder's output, a decoder's input."""
    return f"cross.{layer}.{part}"


def decoder_inputs(layers: int, kv_heads: int, head_dim: int, crossing: bool = False) -> list[Port]:
    """Inputs of a decoder graph, in order; with `crossing`, also what it reads of the sources.

    `seqlens_k` are lengths after the call minus one, `total_sequence_length` the longest length,
    `logit_rows` flat indices (row * length + position) of wanted logits.
    """
    cache: list[int | str] = ["batch", kv_heads, "capacity", head_dim]
    return [
        Port("input_ids", "int64", ["batch", "length"]),
        Port("seqlens_k", "int32", ["batch"]),
        Port("total_sequence_length", "int32", [1]),
        Port("logit_rows", "int64", ["rows"]),
        *(Port(past(i, part), "float32", cache) for i in range(layers) for part in PARTS),
        *(source_outputs(layers, kv_heads, head_dim, "sources") if crossing else []),
        *([Port("source_lengths", "int32", ["sources"])] if crossing else []),
    ]


def source_inputs() -> list[Port]:
    """Inputs of an encoder-decoder model's encoder: ids padded on the right, and their lengths."""
    return [
        Port("input_ids", "int64", ["batch", "source"]),
        Port("source_lengths", "int32", ["batch"]),
    ]


def speech_inputs(mels: int, frames: int) -> list[Port]:
    """Inputs of such an encoder that hears: the log-mel spectrogram of one window.

    One window keeps every core busy; and in a batch a convolution adds up in another order.
    """
    return [Port("input_features", "float32", [1, mels, frames])]


def sound_input(name: str, width: int | None = None) -> Port:
    """The input of an encoder of sounds: samples, or rows of so many numbers. It is one sound, as in
    `speech_inputs`."""
    return Port(name, "float32", [1, "samples"] if width is None else [1, "features", width])


def picture_inputs(size: tuple[int, int]) -> list[Port]:
    """Inputs of such an encoder that sees: one image, as in `speech_inputs`."""
    return [Port("pixel_values", "float32", [1, 3, *size])]


def source_outputs(
    layers: int,
    heads: int,
    head_dim: int,
    batch: int | str = "batch",
    source: int | str = "source",
) -> list[Port]:
    """Outputs of such an encoder: keys and values for every decoder layer's cross attention.

    `batch` and `source`, how many and how long, are numbers where they are always the same.
    """
    axes: list[int | str] = [batch, heads, source, head_dim]
    return [Port(cross(i, part), "float32", axes) for i in range(layers) for part in PARTS]


def encoder_inputs(names: tuple[str, ...], image_size: tuple[int, int] | None = None) -> list[Port]:
    """Inputs of an encoder graph by their names; images are [3, *image_size], or one of any size, boxes
    left, top, right and bottom."""
    pixels: list[int | str] = ["batch", 3, *image_size] if image_size else [1, 3, "height", "width"]
    axes: dict[str, list[int | str]] = {
        "pixel_values": pixels,
        BOXES: ["batch", "length", 4],
    }
    dtypes = {"pixel_values": "float32"}
    return [
        Port(name, dtypes.get(name, "int64"), axes.get(name, ["batch", "length"])) for name in names
    ]


def entity_inputs() -> list[Port]:
    """Inputs of an encoder that scores spans: one text with its labels, and the tokens that its words and
    labels are read off. One, because texts differ in their words however many tokens they have."""
    return [
        Port("input_ids", "int64", [1, "length"]),
        Port(WORDS, "int64", [1, "words"]),
        Port(LABELS, "int64", [1, "labels"]),
    ]


def decoder_outputs(layers: int, kv_heads: int, head_dim: int, vocab_size: int) -> list[Port]:
    """Outputs of a decoder graph, in order."""
    cache: list[int | str] = ["batch", kv_heads, "capacity", head_dim]
    return [
        Port("logits", "float32", ["rows", vocab_size]),
        *(Port(present(i, part), "float32", cache) for i in range(layers) for part in PARTS),
    ]
