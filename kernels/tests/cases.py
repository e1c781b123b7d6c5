"""What the provider claims, in all its forms: models, inputs, and how near its answers have to be.

Stock ONNX Runtime answers the same model. Where it takes less than the provider does, as several new
tokens behind the pasts of a batch, it is asked text by text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnxruntime as ort
from graphs import MICROSOFT, Graph, claimed, run, run_in_place, session
from table import Array, up

F32 = np.float32

NORMS = (
    "skip",
    "skip_sum",
    "rms",
    "rms_read",
    "layer",
    "layer_bias",
    "layer_sum",
    "layer_sum_read",
)
ACTIVATIONS = ("quick_gelu", "silu", "gelu", "gelu_tanh", "gelu_microsoft")
BEFORE = ("", *NORMS, *ACTIVATIONS, *(f"gated_{name}" for name in ACTIVATIONS))
ROUNDINGS = ("blocks8", "blocks4", "fixed", "row", "row_magnitude")


class Random:
    """Inputs and weights of one case."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int, size: float = 1.0) -> Array:
        return (self.rng.standard_normal(shape) * size).astype(F32)

    def scales(self, *shape: int, most: float = 0.02) -> Array:
        return (self.rng.random(shape) * most + most / 100).astype(F32)

    def bytes(self, *shape: int) -> Array:
        return self.rng.integers(0, 256, shape, dtype=np.uint8)

    def signed(self, *shape: int, least: int = -128) -> Array:
        return self.rng.integers(least, 128, shape, dtype=np.int8)


@dataclass
class Built:
    """A model, what it is given, and the operators that the provider is meant to claim as one."""

    model: bytes
    feeds: dict[str, Array]
    group: list[str]


# ---- products


@dataclass
class Product:
    """A product, and what stands before it and behind."""

    before: str = ""
    rounding: str = "blocks8"
    k: int = 64
    n: int = 48
    shape: tuple[int, ...] = (2, 3)
    block: int = 32
    bias: str = ""  # added "behind" it, from the "left", or "within" it
    smooth: bool = False
    one_scale: bool = False  # for all columns of the weight
    zeros: bool = False  # for each block of the weight
    zero: int = 120
    size: float = 1.0
    width_known: bool = True  # whether the model says how wide x is
    seed: int = 0

    @classmethod
    def any(cls, rng: np.random.Generator) -> Product:
        rounding = str(rng.choice(ROUNDINGS))
        blocks = rounding.startswith("blocks")
        block = int(rng.choice([16, 32, 64, 128, 256]))
        k = int(rng.integers(1, 400))
        bias = str(rng.choice(["", "behind", "left", *(["within"] if rounding == "fixed" else [])]))
        before = str(rng.choice(BEFORE))
        axes = rng.integers(1, 3 if before.startswith("skip") else 4)
        most = int(rng.choice([6, 6, 6, 40]))
        return cls(
            before=before,
            rounding=rounding,
            k=block * int(rng.integers(1, 5)) if rounding == "blocks8" else k,
            n=int(rng.integers(1, 300)),
            shape=tuple(int(size) for size in rng.integers(1, most + 1, axes)),
            block=block,
            bias=bias,
            smooth=not blocks and bool(rng.random() < 0.4),
            one_scale=bool(rng.random() < 0.2),
            zeros=bool(rng.random() < 0.3),
            zero=128 if rounding == "row_magnitude" else int(rng.integers(0, 250)),
            size=float(rng.choice([0.01, 1.0, 30.0])),
            seed=int(rng.integers(2**32)),
        )

    def build(self) -> Built:
        graph, random = Graph(), Random(self.seed)
        width = 2 * self.k if self.before.startswith("gated_") else self.k
        axes: list[int | str] = [f"axis{i}" for i in range(len(self.shape))]
        feeds = {"x": random.normal(*self.shape, width, size=self.size)}
        x = graph.input("x", F32, [*axes, width if self.width_known else "width"])
        if self.before.startswith("skip") or "sum" in self.before:
            feeds["skip"] = random.normal(*self.shape, self.k, size=self.size)
            skip = graph.input("skip", F32, [*axes, self.k])
        else:
            skip = ""
        others: list[str] = []
        if self.before in NORMS:
            x, others = self._norm(graph, random, x, skip)
        elif self.before:
            x = self._gate(graph, x)
        if self.smooth:
            x = graph.add("Mul", x, graph.constant(random.normal(self.k)))
        y = self.multiply(graph, random, x)
        if self.bias in ("behind", "left"):
            bias = graph.constant(random.normal(self.n))
            y = graph.add("Add", *([y, bias] if self.bias == "behind" else [bias, y]))
        for value in (y, *others):
            graph.output(value)
        return Built(graph.model(), feeds, sorted(node.op_type for node in graph.nodes))

    def _norm(self, graph: Graph, random: Random, x: str, skip: str) -> tuple[str, list[str]]:
        """The normed value, and what else the model gives."""
        weight = graph.constant(random.normal(self.k))
        if self.before.startswith("skip"):
            inputs, settings = (x, skip, weight), {"epsilon": 1e-5}
            operator = "SkipSimplifiedLayerNormalization"
            normed = graph.add(operator, *inputs, domain=MICROSOFT, give=4, **settings)
            if self.before == "skip":
                graph.drop_outputs(1)
                return normed[0], []
            graph.drop_outputs(1, 3)
            return normed[0], [normed[3]]
        if self.before.startswith("rms"):
            x = graph.add("RMSNormalization", x, weight, axis=-1, epsilon=1e-6)
            return x, [x] if self.before == "rms_read" else []
        others = []
        if skip:
            x = graph.add("Sum", x, skip)
            others = [x] if self.before == "layer_sum_read" else []
        bias = None if self.before == "layer" else graph.constant(random.normal(self.k))
        return graph.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=1e-6), others

    def _gate(self, graph: Graph, x: str) -> str:
        other = ""
        if self.before.startswith("gated_"):
            x, other = graph.add("Split", x, give=2, axis=-1, num_outputs=2)
        kind = self.before.removeprefix("gated_")
        if kind == "quick_gelu":
            x = graph.add("QuickGelu", x, domain=MICROSOFT)
        elif kind == "silu":
            x = graph.add("QuickGelu", x, domain=MICROSOFT, alpha=1.0)
        elif kind == "gelu_microsoft":
            x = graph.add("Gelu", x, domain=MICROSOFT)
        elif kind == "gelu_tanh":
            x = graph.add("Gelu", x, approximate="tanh")
        else:
            x = graph.add("Gelu", x)
        return str(graph.add("Mul", x, other) if other else x)

    def multiply(self, graph: Graph, random: Random, x: str, reach: float = 2.5) -> str:
        """The product alone; its weights go up to about `reach`."""
        make = self._blocks if self.rounding.startswith("blocks") else self._channels
        return make(graph, random, x, reach)

    def _blocks(self, graph: Graph, random: Random, x: str, reach: float) -> str:
        bits = int(self.rounding.removeprefix("blocks"))
        blocks = up(self.k, self.block) // self.block
        weights = graph.constant(random.bytes(self.n, blocks, self.block * bits // 8))
        scales = graph.constant(random.scales(self.n, blocks, most=reach / 2 ** (bits - 1)))
        inputs = [x, weights, scales]
        if self.zeros:
            inputs.append(graph.constant(random.bytes(self.n, up(blocks * bits, 8) // 8)))
        shape = {"K": self.k, "N": self.n, "bits": bits, "block_size": self.block}
        return str(graph.add("MatMulNBits", *inputs, domain=MICROSOFT, accuracy_level=4, **shape))

    def _channels(self, graph: Graph, random: Random, x: str, reach: float) -> str:
        weights = graph.constant(random.signed(self.k, self.n, least=-127))
        scales = random.scales(1 if self.one_scale else self.n, most=reach / 128)
        zero = graph.constant(self.zero, np.uint8)
        if self.rounding == "fixed":
            scale = graph.constant(self.size * 0.03)
            rounded = graph.add("QuantizeLinear", x, scale, zero)
        else:
            magnitude = self.rounding == "row_magnitude"
            sizes = graph.add("Abs", x) if magnitude else x
            axis = graph.constant([-1], np.int64)
            largest = graph.add("ReduceMax", sizes, axis, keepdims=1)
            steps = 127 if magnitude else max(255 - self.zero, 1)
            scale = graph.add("Mul", largest, graph.constant(1 / steps))
            scale = graph.add("Max", scale, graph.constant(1e-3 * self.size))
            divided = graph.add("Div", x, scale)
            rounded = graph.add("QuantizeLinear", divided, graph.constant(1.0), zero)
        bias = graph.constant(random.normal(self.n)) if self.bias == "within" else None
        inputs = (
            rounded,
            weights,
            scale,
            graph.constant(scales[0] if self.one_scale else scales),
            zero,
            None,
            bias,
        )
        return str(graph.add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT))

    def check(self, devices: list[Any], **settings: Any) -> None:
        built = self.build()
        ours = session(built.model, devices, **settings)
        assert claimed(ours) == [built.group]
        for mine, other in zip(run(ours, built.feeds), stock(built), strict=True):
            assert_near(mine, other)


def stock(built: Built) -> list[Array]:
    return run(session(built.model, []), built.feeds)


def assert_near(mine: Array, other: Array) -> None:
    """Both round the same numbers, which differ by a few of float32's own roundings.

    A number that lies between two steps may go to the one here and to the other there. So in few rows
    the answers are a step apart, and in the others next to nothing.
    """
    assert mine.shape == other.shape and mine.dtype == other.dtype
    if not mine.size:
        return
    size = float(np.sqrt((other.astype(np.float64) ** 2).mean())) + 1e-30
    off = np.abs(mine.astype(np.float64) - other).max(-1) / size
    assert off.max() < 0.1
    assert (off > 2e-5).sum() <= 1 + off.size // 20


# ---- attention over a cache


@dataclass
class Grouped:
    """A GroupQueryAttention. `past`: tokens of each text before the new ones."""

    heads: int = 4
    kv_heads: int = 2
    head: int = 32
    positions: int = 1
    past: tuple[int, ...] = (5, 2)
    capacity: int = 12
    ends: tuple[int, ...] | None = (
        None  # of a first prompt that is padded on the right: its lengths
    )
    int8: bool = False
    packed: bool = False
    rotary: int = 0  # numbers of a head that are turned
    interleaved: bool = False
    window: int = -1
    softcap: float = 0.0
    scale: float = 0.0
    bias: bool = False
    sinks: bool = False
    in_place: bool = False
    seed: int = 0
    inputs: dict[str, Array] = field(default_factory=dict)  # in place of what is drawn

    @classmethod
    def any(cls, rng: np.random.Generator) -> Grouped:
        kv_heads, head = int(rng.integers(1, 4)), 8 * int(rng.integers(1, 33))
        if rng.random() < 0.5:
            head = int(rng.choice([32, 64, 80, 128]))
        positions = int(rng.choice([1, 1, 2, 5, 17, 70]))
        most = int(rng.choice([0, 10, 150]))
        past = tuple(int(rng.integers(0, most + 1)) for _ in range(rng.integers(1, 4)))
        first = not any(past)
        ends = tuple(int(rng.integers(1, positions + 1)) for _ in past)
        longest = max(past) + positions
        rotary = 0 if head % 16 else 16 * int(rng.integers(0, head // 16 + 1))
        return cls(
            heads=kv_heads * int(rng.integers(1, 6)),
            kv_heads=kv_heads,
            head=head,
            positions=positions,
            past=past,
            capacity=longest + int(rng.integers(0, 20)),
            ends=ends if first and rng.random() < 0.5 else None,
            int8=bool(rng.random() < 0.5),
            packed=bool(rng.random() < 0.5),
            rotary=rotary,
            interleaved=bool(rng.random() < 0.5),
            window=int(rng.choice([-1, -1, 1, 3, 64, 200])),
            softcap=float(rng.choice([0.0, 0.0, 1.0, 30.0])),
            scale=float(rng.choice([0.0, 0.0, 0.2])),
            bias=bool(rng.random() < 0.3),
            sinks=bool(rng.random() < 0.3),
            in_place=bool(rng.random() < 0.5),
            seed=int(rng.integers(2**32)),
        )

    @property
    def longest(self) -> int:
        return max(self.past) + self.positions

    def build(self) -> Built:
        graph, feeds = Graph(), dict[str, Array]()
        answer, *present = self.add(graph, Random(self.seed), feeds)
        graph.output(answer)
        for value in present:
            graph.output(value, np.int8 if self.int8 else F32)
        return Built(graph.model(), feeds, ["GroupQueryAttention"])

    def add(
        self, graph: Graph, random: Random, feeds: dict[str, Array], query: str | None = None
    ) -> list[str]:
        """The node in a graph, of `query` or of an input of that name; its inputs go to `feeds`."""
        batch, positions = len(self.past), self.positions
        kv_width = self.kv_heads * self.head

        def given(name: str, drawn: Array, last: int | None = None) -> str:
            """An input whose sizes are not known, but for the last where it has to be."""
            feeds[name] = array = self.inputs.get(name, drawn)
            axes: list[Any] = [f"{name}_axis{i}" for i in range(array.ndim)]
            return graph.input(name, array.dtype, axes if last is None else [*axes[:-1], last])

        if query is None:
            width = self.heads * self.head + (2 * kv_width if self.packed else 0)
            query = given("query", random.normal(batch, positions, width))
        key = value = None
        if not self.packed:
            key = given("key", random.normal(batch, positions, kv_width))
            value = given("value", random.normal(batch, positions, kv_width))
        cache = (batch, self.kv_heads, self.capacity, self.head)
        past = [
            given(name, random.signed(*cache) if self.int8 else random.normal(*cache), self.head)
            for name in ("past_key", "past_value")
        ]
        ends = self.ends or [before + positions for before in self.past]
        lengths = given("lengths", np.array(ends, np.int32) - np.int32(1))
        total = given("total", np.array([self.longest], np.int32))
        cos = sin = bias = sinks = None
        if self.rotary:
            angles = (max(self.capacity, self.longest) + 3, self.rotary // 2)
            turned = random.rng.uniform(0, 6.3, angles)
            cos, sin = (given(f.__name__, f(turned).astype(F32)) for f in (np.cos, np.sin))
        if self.bias:
            bias = given("bias", random.normal(batch, self.heads, positions, self.longest))
        if self.sinks:
            sinks = given("sinks", random.normal(self.heads))
        scales: list[str] = []
        if self.int8:
            names = ("key_scale", "value_scale")
            scales = [given(name, random.scales(kv_width)) for name in names]
        inputs = (query, key, value, *past, lengths, total, cos, sin, None, bias, sinks, *scales)
        operator, attributes = "GroupQueryAttention", self.attributes()
        return list(graph.add(operator, *inputs, domain=MICROSOFT, give=3, **attributes))

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {"num_heads": self.heads, "kv_num_heads": self.kv_heads}
        if self.rotary:
            found |= {"do_rotary": 1, "rotary_interleaved": int(self.interleaved)}
        if self.window > 0:
            found["local_window_size"] = self.window
        if self.softcap:
            found["softcap"] = self.softcap
        if self.scale:
            found["scale"] = self.scale
        if self.int8:
            kinds = {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL"}
            found |= {"kv_cache_bit_width": 8, **kinds}
        return found

    def text(self, b: int) -> Grouped:
        """One text of the batch, with the same numbers."""
        feeds = self.build().feeds
        alone = ("query", "key", "value", "past_key", "past_value", "lengths", "bias")
        inputs = {
            name: array[b : b + 1] if name in alone else array for name, array in feeds.items()
        }
        longest = self.past[b] + self.positions
        inputs["total"] = np.array([longest], np.int32)
        if self.bias:
            inputs["bias"] = np.ascontiguousarray(inputs["bias"][..., :longest])
        ends = None if self.ends is None else self.ends[b : b + 1]
        return replace(self, past=self.past[b : b + 1], ends=ends, inputs=inputs)

    def check(self, devices: list[Any], **settings: Any) -> None:
        built = self.build()
        ours = session(built.model, devices, **settings)
        assert claimed(ours) == [built.group]
        mine = run(ours, built.feeds)
        self._check_cache(built, mine)
        if self.in_place:
            self._check_in_place(ours, built, mine)
        if len(self.past) > 1 and self.positions > 1 and any(self.past):
            for b in range(len(self.past)):
                self.text(b)._check_answers([part[b : b + 1] for part in mine])
        else:
            self._check_answers(mine)

    def _check_answers(self, mine: list[Array]) -> None:
        """What belongs to no padding.

        Float32: a few roundings. Over int8 our queries and weights of the softmax have 14 bits, which
        is one of 16319 steps of the largest. Its keys and values are the same but for a number between
        two steps, of at most 0.02, which may go to the one here and to the other there.
        """
        built = self.build()
        other = stock(built)
        values = built.feeds["past_value"].astype(np.float64)
        if self.int8:
            values = values * built.feeds["value_scale"].reshape(self.kv_heads, 1, self.head)
        reach = np.abs(values).max(initial=0) + 4
        ends = self.ends or [before + self.positions for before in self.past]
        for b, end in enumerate(ends):
            rows, bound = end - self.past[b], (2e-3 if self.int8 else 1e-5) * reach
            for part in (1, 2):
                here, there = mine[part][b, :, :end], other[part][b, :, :end]
                apart = np.abs(here.astype(np.float64) - there)
                if self.int8:
                    assert apart.max(initial=0) <= 1 and (apart > 0).sum() <= 2 + apart.size // 1000
                    bound += 0.05 * bool(apart.any())
                else:
                    assert apart.max(initial=0) < 1e-5
            off = np.abs(mine[0][b, :rows].astype(np.float64) - other[0][b, :rows]).max(initial=0)
            assert off <= bound

    def _check_cache(self, built: Built, mine: list[Array]) -> None:
        """Nothing but the new tokens' places is touched."""
        for name, present in (("past_key", mine[1]), ("past_value", mine[2])):
            assert present.shape[2] == max(self.capacity, self.longest)
            for b, before in enumerate(self.past):
                rest = np.ones(present.shape[2], bool)
                rest[before : before + self.positions] = False
                kept = np.zeros_like(present[b])
                kept[:, : self.capacity] = built.feeds[name][b]
                np.testing.assert_array_equal(present[b][:, rest], kept[:, rest])

    def _check_in_place(self, ours: ort.InferenceSession, built: Built, mine: list[Array]) -> None:
        feeds = {name: array.copy() for name, array in built.feeds.items()}
        outputs = [output.name for output in ours.get_outputs()]
        same = {outputs[1]: "past_key", outputs[2]: "past_value"}
        for here, there in zip(run_in_place(ours, feeds, same), mine, strict=True):
            assert here.tobytes() == there.tobytes()


# ---- attention without a cache


@dataclass
class MultiHead:
    """A MultiHeadAttention. `keys`: of another source, 0 for the queries' own."""

    heads: int = 4
    head: int = 32
    batch: int = 2
    positions: int = 5
    keys: int = 0
    form: str = (
        "plain"  # of keys and values: "plain", "cache" with four axes, or all from a "split"
    )
    lengths: tuple[int, ...] | None = None
    bias: tuple[bool, bool] | None = None  # whether it has all texts, and all heads
    causal: bool = False
    scale: float = 0.0
    seed: int = 0
    inputs: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def any(cls, rng: np.random.Generator) -> MultiHead:
        form = str(rng.choice(["plain", "cache", "split"]))
        positions = int(rng.choice([1, 3, 17, 70, 130]))
        causal = form == "split" and bool(rng.random() < 0.4)
        keys = 0 if form == "split" else int(rng.choice([0, 1, 9, 64, 150]))
        batch = int(rng.integers(1, 4))
        ends = tuple(int(rng.integers(1, (keys or positions) + 1)) for _ in range(batch))
        biased = (bool(rng.random() < 0.5), bool(rng.random() < 0.5))
        return cls(
            heads=int(rng.integers(1, 7)),
            head=int(rng.integers(1, 257)),
            batch=batch,
            positions=positions,
            keys=keys,
            form=form,
            lengths=ends if rng.random() < 0.5 else None,
            bias=biased if rng.random() < 0.4 else None,
            causal=causal,
            scale=float(rng.choice([0.0, 0.0, 0.2, -0.1])),
            seed=int(rng.integers(2**32)),
        )

    def build(self) -> Built:
        graph, random = Graph(), Random(self.seed)
        batch, heads, positions = self.batch, self.heads, self.positions
        keys, width = self.keys or positions, heads * self.head
        feeds: dict[str, Array] = {}

        def given(name: str, drawn: Array, width_known: bool = False) -> str:
            feeds[name] = array = self.inputs.get(name, drawn)
            axes: list[Any] = [f"{name}_axis{i}" for i in range(array.ndim)]
            known = [*axes[:-1], array.shape[-1]] if width_known else axes
            return graph.input(name, array.dtype, known)

        if self.form == "split":
            whole = given("x", random.normal(batch, positions, 3 * width), True)
            query, key, value = graph.add("Split", whole, give=3, axis=-1, num_outputs=3)
        else:
            query = given("query", random.normal(batch, positions, width), True)
            plain = (batch, keys, width)
            shape = (batch, heads, keys, self.head) if self.form == "cache" else plain
            key, value = (given(name, random.normal(*shape), True) for name in ("key", "value"))
        ends = bias = None
        if self.lengths is not None:
            ends = given("lengths", np.array(self.lengths, np.int32))
        if self.bias is not None:
            texts, of_heads = (
                whole if all else 1 for all, whole in zip(self.bias, (batch, heads), strict=True)
            )
            bias = given("bias", random.normal(texts, of_heads, positions, keys))
        attributes: dict[str, Any] = {"num_heads": heads}
        if self.causal:
            attributes["unidirectional"] = 1
        if self.scale:
            attributes["scale"] = self.scale
        inputs = (query, key, value, None, ends, bias)
        graph.output(graph.add("MultiHeadAttention", *inputs, domain=MICROSOFT, **attributes))
        return Built(graph.model(), feeds, sorted(node.op_type for node in graph.nodes))

    def check(self, devices: list[Any], **settings: Any) -> None:
        built = self.build()
        ours = session(built.model, devices, **settings)
        assert claimed(ours) == [built.group]
        (mine,), (other,) = run(ours, built.feeds), stock(built)
        assert np.abs(mine - other).max(initial=0) < 5e-5


# ---- all together


@dataclass
class Layer:
    """A decoder's layer: two norms of sums, four products, attention between them."""

    rounding: str = "blocks8"
    int8: bool = False
    positions: int = 3
    past: tuple[int, ...] = (4,)
    heads: int = 4
    kv_heads: int = 2
    head: int = 32
    inner: int = 192
    seed: int = 0

    @classmethod
    def any(cls, rng: np.random.Generator) -> Layer:
        positions = int(rng.choice([1, 1, 4, 40]))
        past = tuple(int(rng.integers(0, 50)) for _ in range(rng.integers(1, 4)))
        return cls(
            rounding=str(rng.choice(ROUNDINGS)),
            int8=bool(rng.random() < 0.5),
            positions=positions,
            past=past if positions == 1 else past[:1],  # what stock ONNX Runtime takes
            heads=2 * int(rng.integers(1, 4)),
            kv_heads=int(rng.integers(1, 3)),
            head=32 * int(rng.integers(1, 4)),
            inner=64 * int(rng.integers(1, 8)),
            seed=int(rng.integers(2**32)),
        )

    def build(self) -> Built:
        graph, random = Graph(), Random(self.seed)
        width, batch = self.heads * self.head, len(self.past)
        feeds = {name: random.normal(batch, self.positions, width) for name in ("x", "skip")}
        x, total = (graph.input(name, F32, ["batch", "length", width]) for name in feeds)

        def linear(x: str, k: int, n: int) -> str:
            zero = 128 if self.rounding == "row_magnitude" else 120
            product = Product(rounding=self.rounding, k=k, n=n, zero=zero, size=1.0)
            return product.multiply(graph, random, x, 2 / k**0.5)

        def norm(x: str, total: str) -> tuple[str, str]:
            weight = graph.constant(random.normal(width, size=0.1) + F32(1))
            operator = "SkipSimplifiedLayerNormalization"
            outputs = graph.add(operator, x, total, weight, domain=MICROSOFT, give=4, epsilon=1e-5)
            graph.drop_outputs(1, 3)
            return outputs[0], outputs[3]

        attention = Grouped(
            heads=self.heads,
            kv_heads=self.kv_heads,
            head=self.head,
            positions=self.positions,
            past=self.past,
            capacity=max(self.past) + self.positions,
            int8=self.int8,
            packed=True,
            rotary=self.head,
        )
        x, total = norm(x, total)
        x = linear(x, width, (self.heads + 2 * self.kv_heads) * self.head)
        x, *present = attention.add(graph, random, feeds, x)
        x, total = norm(linear(x, width, width), total)
        gate, up = graph.add(
            "Split", linear(x, width, 2 * self.inner), give=2, axis=-1, num_outputs=2
        )
        gate = graph.add("QuickGelu", gate, domain=MICROSOFT, alpha=1.0)
        x, total = norm(linear(graph.add("Mul", gate, up), self.inner, width), total)
        for value in (x, total):
            graph.output(value)
        for value in present:
            graph.output(value, np.int8 if self.int8 else F32)
        return Built(graph.model(), feeds, [])

    def check(self, devices: list[Any], **settings: Any) -> None:
        built = self.build()
        ours = session(built.model, devices, **settings)
        groups = claimed(ours)
        assert len(groups) == 5 and sum("Split" in group for group in groups) == 1
        left = "SkipSimplifiedLayerNormalization"  # the last: no product follows
        assert sum(left in group for group in groups) == 2
        for mine, other in zip(run(ours, built.feeds)[:2], stock(built)[:2], strict=True):
            size = np.sqrt((other.astype(np.float64) ** 2).mean())
            # A number that goes to another step changes what follows by a step or so, of about 100.
            assert np.sqrt(((mine - other) ** 2).mean()) < 0.02 * size


Case = Product | Grouped | MultiHead | Layer
