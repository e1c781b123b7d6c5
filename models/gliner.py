"""GLiNER (Zaratiana et al., 2023): spans of a text scored by labels that stand before it.

Any text encoder is the trunk. Words are the states of their first tokens, labels those of their marks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.config_keys import is_known
from satchel.checkpoints.gliner_layout import ENCODER, FILE
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import deberta_v2, weights
from satchel.models.encoder import ReferenceEncoder, Tower
from satchel.models.encoder_config import EncoderConfig
from satchel.models.layers import Linear
from satchel.models.recurrent import ORDER, BothWaysLstm, gates
from satchel.models.text_encoder import fold_types
from satchel.models.weights import Tensors
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.manifest import LABELS, WORDS, Entities

LONGEST = 1024  # tokens read by an encoder without positions of its own, as DeBERTa-v3
TRUNK, LSTM = "token_rep_layer.bert_layer.model.", "rnn.lstm."
SPANS = r"^span_rep_layer\.span_rep_layer\."
RENAMED = (
    (r"^token_rep_layer\.projection\.", "head.projection."),
    (rf"{SPANS}project_(start|end)\.0\.", r"head.\1.up."),
    (rf"{SPANS}project_(start|end)\.3\.", r"head.\1.down."),
    (rf"{SPANS}out_project\.0\.", "head.left."),
    (rf"{SPANS}out_project\.3\.weight$", "head.sought.weight"),
    (rf"{SPANS}out_project\.3\.bias$", "head.shift"),
    (r"^prompt_rep_layer\.0\.", "head.label.up."),
    (r"^prompt_rep_layer\.3\.", "head.label.down."),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What gliner_config.json says, checked in `gliner_layout`, with the configuration of the trunk."""

    encoder: EncoderConfig
    model: Any  # the architecture's class for the trunk
    hidden_size: int
    rnn_layers: int
    told: Entities

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        from satchel.models.architectures import ARCHITECTURES, of_family

        inner = raw[ENCODER]
        kind = inner.get("model_type")
        if kind not in of_family("encoder", "text") or not is_known(kind):
            raise UnsupportedError(
                f"{FILE}: {ENCODER} has the model_type {shown(kind)}, which is no text encoder that "
                "satchel reads"
            )
        module = ARCHITECTURES[kind].load()
        encoder = module.Config.from_dict(inner, ignored_keys)
        if raw["vocab_size"] > 0:
            encoder = dataclasses.replace(encoder, vocab_size=raw["vocab_size"])
        if isinstance(encoder, deberta_v2.Config) and not encoder.learned_positions:
            far = encoder.farthest
            encoder = dataclasses.replace(
                encoder, max_position_embeddings=LONGEST, max_relative_positions=far
            )
        told = Entities(
            raw["ent_token"],
            raw["sep_token"],
            longest=raw["max_width"],
            most_words=raw["max_len"],
            marked=raw["embed_ent_token"],
        )
        return cls(
            encoder=encoder,
            model=module.Model,
            hidden_size=raw["hidden_size"],
            rnn_layers=raw["num_rnn_layers"],
            told=told,
        )


class Mlp(nn.Module):
    """Two layers, the inner one four times as wide."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.up, self.down = Linear(size, 4 * size), Linear(4 * size, size)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down(self.up(x).relu())
        return y


class SpanHead(nn.Module):
    """Scores [1, words, labels, longest] of spans that begin at a word and have up to `longest` words.

    A span is what two layers make of its first word beside its last. The first layer is applied to words,
    each half of it; the second to labels instead of to spans, which are many more.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.encoder.hidden_size
        self.longest = config.told.longest
        self.projection = Linear(inner, size) if inner != size else None
        self.rnn = nn.ModuleList(BothWaysLstm(size, size // 2) for _ in range(config.rnn_layers))
        self.start, self.end, self.label = Mlp(size), Mlp(size), Mlp(size)
        self.left, self.right = Linear(size, 4 * size), Linear(size, 4 * size, bias=False)
        self.sought = Linear(size, 4 * size, bias=False)
        self.shift = nn.Parameter(torch.empty(size))

    def forward(self, states: Tensor, words: Tensor, labels: Tensor) -> Tensor:
        """`states` are [1, length, hidden], places of words [1, words] and of labels [1, labels]."""
        x, sought = self._at(states, words), self.label(self._at(states, labels))
        for layer in self.rnn:
            x = layer(x)
        first = self.left(self.start(x).relu())[:, :, None]
        last = self.right(self.end(x).relu())
        count = x.shape[1]
        # Spans beyond the last word are nobody's: whoever reads the scores leaves them out.
        ends = torch.arange(count)[:, None] + torch.arange(self.longest)
        last = (
            last[0]
            .index_select(0, ends.clamp(max=count - 1).flatten())
            .unflatten(0, (count, self.longest))
        )
        spans = (first + last[None]).relu()  # [1, words, longest, 4 * size]
        scores = spans @ self.sought(sought)[:, None].mT + (sought @ self.shift)[:, None, None]
        return scores.mT

    def _at(self, states: Tensor, places: Tensor) -> Tensor:
        """The states of some tokens."""
        x = states.index_select(1, places[0])
        return x if self.projection is None else self.projection(x)


class SpanTower(Tower):
    """A text encoder whose head also reads where words and labels begin."""

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        ids, words, labels = inputs
        states = self.trunk(ids)
        assert self.head is not None
        return [states, self.head(states, words, labels)]


def assemble(
    config: Config,
    checkpoint: Checkpoint,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> ReferenceEncoder:
    """The tower of a GLiNER checkpoint with its weights."""
    encoder, told = config.encoder, config.told
    with torch.device("meta"):
        tower = SpanTower(
            config.model(encoder, False),
            SpanHead(config),
            input_names=("input_ids", WORDS, LABELS),
            hidden_size=encoder.hidden_size,
            answer_name="logits",
            answer_axes=[1, "words", "labels", told.longest],
        )
    tower.outputs["last_hidden_state"] = [1, "length", encoder.hidden_size]
    weights.assign(tower, sanitize(checkpoint.tensors, config), progress)
    return ReferenceEncoder(
        architecture="gliner",
        task="entities",
        towers={"encoder": tower.eval()},
        hidden_size=encoder.hidden_size,
        vocab_size=encoder.vocab_size,
        context=encoder.positions,
        max_length=checkpoint.text_length(encoder.positions),
        facts={"entities": told},
    )


def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> Tensors:
    """The library's names and layouts to ours."""
    named = weights.unwrapped(tensors)
    inner = {
        name.removeprefix(TRUNK): named.pop(name) for name in list(named) if name.startswith(TRUNK)
    }
    trunk = config.model.sanitize(inner, config.encoder)
    trunk = weights.without(trunk, config.model.unused)
    if config.encoder.token_types:
        trunk = fold_types(trunk, config.encoder)
    layers = {name: named.pop(name) for name in list(named) if name.startswith(LSTM)}
    head = _halved(weights.rename(named, RENAMED), config.hidden_size)
    head = weights.transform(head, r"^head\.sought\.weight$", lambda weight: weight.mT)
    return trunk | head | _recurrent(layers, config.rnn_layers)


def _halved(named: Tensors, size: int) -> Tensors:
    """`named` with the layer that reads two words side by side as two, one for each."""
    whole = named.get("head.left.weight")
    if whole is None or whole.shape != (4 * size, 2 * size):
        return named
    sides = {"left": slice(None, size), "right": slice(size, None)}
    return named | {
        f"head.{side}.weight": LazyTensor((4 * size, size), _columns(whole, part))
        for side, part in sides.items()
    }


def _columns(whole: LazyTensor, part: slice) -> Callable[[], Tensor]:
    return lambda: whole.load()[:, part].clone()


def _recurrent(layers: Tensors, count: int) -> Tensors:
    """Each layer's tensors, of both directions, as ONNX has them."""
    made: Tensors = {}
    rest = dict(layers)
    for layer in range(count):
        for ours, theirs in (
            ("weight_in", ["weight_ih"]),
            ("weight_back", ["weight_hh"]),
            ("bias", ["bias_ih", "bias_hh"]),
        ):
            ways = [[f"{LSTM}{one}_l{layer}{end}" for one in theirs] for end in ("", "_reverse")]
            if not all(name in rest for way in ways for name in way):
                lacking = next(name for way in ways for name in way if name not in rest)
                raise CheckpointError(
                    f"weights do not fit the model: 1 missing: {shown(lacking)}", "CKPT_WEIGHTS"
                )
            parts = [[rest.pop(name) for name in way] for way in ways]
            made[f"head.rnn.{layer}.{ours}"] = _both(parts)
    return made | rest


def _both(ways: list[list[LazyTensor]]) -> LazyTensor:
    rows = sum(part.shape[0] for part in ways[0])

    def load() -> Tensor:
        ordered = [torch.cat([gates(part.load(), ORDER) for part in way]) for way in ways]
        return torch.stack(ordered)

    return LazyTensor((2, rows, *ways[0][0].shape[1:]), load)
