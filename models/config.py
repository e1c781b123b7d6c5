"""config.json, read strictly: a key that may change the mathematics is understood or refused by name."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL, is_neutral, keys_read, kind_of
from satchel.models.field_types import accepts_none, typed
from satchel.models.ops import ACTIVATIONS
from satchel.models.rope import RopeParameters, whole_rotation
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

LIMITS = {  # a size above these is a mistake or an attack
    "vocab_size": 1 << 20,
    "hidden_size": 1 << 16,
    "intermediate_size": 1 << 18,
    "num_hidden_layers": 512,
    "num_attention_heads": 1024,
    "num_key_value_heads": 1024,
    "head_dim": 1024,
    "embedding_size": 1 << 16,
    "type_vocab_size": 1 << 10,
    "num_hidden_groups": 512,
    "inner_group_num": 512,
    "max_position_embeddings": 1 << 24,
    "max_encoder_position_embeddings": 1 << 24,
    "max_decoder_position_embeddings": 1 << 24,
    "no_rope_layer_interval": 512,
    "sliding_window_pattern": 512,
    "num_decoder_layers": 512,
    "encoder_layers": 512,
    "decoder_layers": 512,
    "encoder_attention_heads": 1024,
    "decoder_attention_heads": 1024,
    **{f"{part}_num_hidden_layers": 512 for part in ("encoder", "decoder")},
    **{f"{part}_num_attention_heads": 1024 for part in ("encoder", "decoder")},
    "encoder_ffn_dim": 1 << 18,
    "decoder_ffn_dim": 1 << 18,
    "relative_attention_num_buckets": 1 << 10,
    "relative_attention_max_distance": 1 << 16,
}
POSITIVE = (
    "rms_norm_eps",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "query_pre_attn_scalar",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "norm_eps",
    "attention_multiplier",
    "embedding_multiplier",
    "logits_scaling",
)
LEAST_CONTEXT = 64  # the checks of an export read a text of that length


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Base of all configurations: strict reading.

    A field is read from the key of its own name, or from those in KEYS; two keys of one field have to
    agree. `cosmetic` keys and `neutral` values change nothing.
    """

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {}  # field -> its keys in config.json
    parts: ClassVar[frozenset[str]] = frozenset()  # keys that hold configurations of their own
    cosmetic: ClassVar[frozenset[str]] = COSMETIC
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        """Build from the content of config.json, or refuse with the key, its value and the reason."""
        return cls.made(cls.values(raw, ignored_keys))

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        """The fields that config.json gives, checked for their types; `raw` has a known model_type."""
        kind = kind_of(raw)
        read, field_of, hints = keys_read(kind), cls.keys(), typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        stated: dict[str, str] = {}
        for key, value in raw.items():
            if key not in read or key in cls.parts:
                continue
            name = field_of.get(key)
            if name is None:
                if not (key in cls.cosmetic or key in ignored_keys):
                    cls._check_neutral(key, value, kind)
            elif value is not None or (name not in stated and accepts_none(hints[name])):
                value = None if value is None else typed(key, value, hints[name])
                if name in stated and values[name] != value:
                    raise CheckpointError(
                        f"config.json: {stated[name]} = {shown(values[name])} but {key} = "
                        f"{shown(value)}; the two say the same",
                        "CKPT_CONFIG",
                    )
                values[name] = value
                stated |= {name: key} if value is not None else {}
        return values

    @classmethod
    def made(cls, values: dict[str, Any]) -> Self:
        """The configuration of these fields, or an error that names those it lacks."""
        missing = [
            cls.KEYS.get(field.name, (field.name,))[0]
            for field in dataclasses.fields(cls)
            if field.name not in values
            and dataclasses.MISSING is field.default is field.default_factory
        ]
        if missing:
            raise CheckpointError(f"config.json lacks {', '.join(missing)}", "CKPT_CONFIG")
        return cls(**values)

    @classmethod
    def keys(cls) -> dict[str, str]:
        """Key of config.json -> field, for all fields."""
        names = [field.name for field in dataclasses.fields(cls)]
        return {key: name for name in names for key in cls.KEYS.get(name, (name,))}

    @classmethod
    def _check_neutral(cls, key: str, value: Any, model_type: str) -> None:
        if not is_neutral(key, value, cls.neutral):
            raise UnsupportedError(
                f"config.json: key {shown(key, 60)} = {shown(value, 60)} is not supported by "
                f"{model_type}; if it does not change the mathematics, "
                f"export with --ignore-config-key {shown(key, 60)}"
            )

    def check_sizes(self) -> None:
        """Refuse sizes beyond LIMITS and signs, of the fields that this configuration has."""
        for name, limit in LIMITS.items():
            value = getattr(self, name, None)
            if value is not None and not 1 <= value <= limit:
                raise CheckpointError(
                    f"config.json: {name} = {value} is outside 1..{limit}", "CKPT_CONFIG"
                )
        for name in POSITIVE:
            value = getattr(self, name, None)
            if value is not None and value <= 0:
                raise CheckpointError(
                    f"config.json: {name} = {value:g}; expected more than 0", "CKPT_CONFIG"
                )

    def check_same(self, key: str, value: Any, other: str) -> None:
        """Refuse a `key` that is given and contradicts the `value` of the key `other`."""
        given = getattr(self, key)
        if given is not None and given != value:
            raise CheckpointError(
                f"config.json: {key} = {shown(given)} but {other} = {shown(value)}; the two say the "
                "same",
                "CKPT_CONFIG",
            )

    def check_activation(self, key: str) -> None:
        """Refuse an activation that is not known; `key` is the field that names it."""
        if getattr(self, key) not in ACTIVATIONS:
            raise UnsupportedError(
                f"config.json: {key} {shown(getattr(self, key))} is not supported; "
                f"known: {', '.join(ACTIVATIONS)}"
            )


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(ModelConfig):
    """What every decoder-only architecture has. `context` is the exported limit of positions."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    intermediate_size: int
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    tie_word_embeddings: bool = False
    final_logit_softcapping: float | None = None

    rotary: ClassVar[bool] = (
        True  # whether heads rotate, which the fused attention ties to their size
    )
    logits_bias: ClassVar[bool] = False  # whether the head adds a bias

    def __post_init__(self) -> None:
        self.check_sizes()
        self.check_activation("hidden_act")
        if self.max_position_embeddings < LEAST_CONTEXT:
            raise UnsupportedError(
                f"config.json: max_position_embeddings = {self.max_position_embeddings}; satchel "
                f"needs {LEAST_CONTEXT} at least"
            )
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise CheckpointError(
                f"config.json: num_attention_heads = {self.num_attention_heads} does not divide "
                f"hidden_size = {self.hidden_size}",
                "CKPT_CONFIG",
            )
        if self.num_attention_heads % self.kv_heads:
            raise CheckpointError(
                f"config.json: num_key_value_heads = {self.kv_heads} does not divide "
                f"num_attention_heads = {self.num_attention_heads}",
                "CKPT_CONFIG",
            )
        step = 16 if self.rotary else 8
        if self.head_size % step:
            raise UnsupportedError(
                f"config.json: head size {self.head_size} is not a multiple of {step}, which the "
                "fused attention needs"
            )

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def table_width(self) -> int:
        """The size of a word's vector in the table, and of what the head reads."""
        return self.hidden_size

    @property
    def causal(self) -> bool:
        """Whether a token sees none behind it; else the model reads and does not write."""
        return True

    @property
    def short_positions(self) -> int | None:
        """The longest text that rotates by the short factors, None where there is one set alone."""
        return None

    def context(self, requested: int | None, default: int | None) -> int:
        """Positions to export: `requested`, or all the model has up to `default` and, where other
        factors are for longer texts, no more than `short_positions`."""
        if requested is None:
            limits = (self.max_position_embeddings, default, self.short_positions)
            return min(limit for limit in limits if limit is not None)
        if not LEAST_CONTEXT <= requested <= self.max_position_embeddings:
            raise UnsupportedError(
                f"--context {requested} is outside {LEAST_CONTEXT}..{self.max_position_embeddings}, "
                "the positions this model was made for"
            )
        return requested


@dataclass(frozen=True, kw_only=True)
class RopeConfig(DecoderConfig):
    """Adds rotary positions, in the key styles before and since transformers 5."""

    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    unsaid: ClassVar[dict[str, Any]] = {}  # what counts where neither of the two is given

    @property
    def said(self) -> dict[str, Any]:
        """What config.json says of the rotation, in either style."""
        old, new = self.rope_scaling, self.rope_parameters
        if old and new and old != new:
            raise both_styles()
        return old or (self.unsaid if new is None else new)

    def rope(self) -> RopeParameters:
        """The rotary parameters of layers that do not have their own."""
        return whole_rotation(self.rope_of(self.rope_theta))

    def rope_of(self, theta: float, partial: float = 1.0) -> RopeParameters:
        """What `rope_scaling` or `rope_parameters` says, and where they do not, these."""
        return RopeParameters.from_dict(self.said, theta, partial)

    def ropes(self) -> dict[str, RopeParameters]:
        """The rotary parameters in use, by a name of our own."""
        return {"all": self.rope()}

    @property
    def short_positions(self) -> int | None:
        longropes = (rope for rope in self.ropes().values() if rope.rope_type == "longrope")
        original = [rope.original_max_position_embeddings or 0 for rope in longropes]
        return original[0] if original and original[0] >= LEAST_CONTEXT else None


def read_rope(
    old: dict[str, Any] | None, new: dict[str, Any] | None, theta: float, partial: float = 1.0
) -> RopeParameters:
    """What `rope_scaling` or `rope_parameters` of a file says, and where they do not, these."""
    if old and new and old != new:
        raise both_styles()
    return RopeParameters.from_dict(new or old or {}, theta, partial)


def both_styles() -> CheckpointError:
    """The error for a file that says in two ways how to rotate."""
    return CheckpointError(
        "config.json: rope_scaling and rope_parameters differ; one of them says how to rotate",
        "CKPT_CONFIG",
    )


def windows(
    config: DecoderConfig, layer_types: list[str] | None, window: int | None
) -> list[int | None]:
    """Per layer the sliding window, or None for full attention; checks `layer_types`."""
    count = config.num_hidden_layers
    if window is not None and window < 1:
        raise CheckpointError(
            f"config.json: sliding_window = {window}; expected 1 at least", "CKPT_CONFIG"
        )
    kinds = layer_types or ["sliding_attention" if window else "full_attention"] * count
    unknown = set(kinds) - {"full_attention", "sliding_attention"}
    if unknown:
        raise UnsupportedError(f"config.json: layer_types has {shown(sorted(unknown))}")
    if len(kinds) != count:
        raise CheckpointError(
            f"config.json: layer_types has {len(kinds)} entries for {count} layers", "CKPT_CONFIG"
        )
    if "sliding_attention" in kinds and window is None:
        raise CheckpointError(
            f"config.json: layer_types asks for sliding attention but sliding_window is {window}",
            "CKPT_CONFIG",
        )
    return [window if kind == "sliding_attention" else None for kind in kinds]
