"""config.json, read strictly: a key that may change the mathematics is understood or refused by name."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from satchel.models.ops import ACTIVATIONS
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

# Keys that say nothing about the forward pass: training, bookkeeping, generation defaults, tokens.
COSMETIC = frozenset(
    """_attn_implementation _name_or_path architectures attention_dropout attn_pdrop bad_words_ids
    begin_suppress_tokens bos_token_id cache_implementation classifier_dropout
    decoder_start_token_id diversity_penalty do_sample dtype early_stopping embd_pdrop
    embedding_dropout encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty
    finetuning_task forced_bos_token_id forced_eos_token_id hidden_dropout id2label
    initializer_range is_decoder is_llama_config keys_to_ignore_at_inference label2id
    length_penalty max_length max_window_layers min_length model_type no_repeat_ngram_size
    num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
    output_scores pad_token_id prefix pretraining_tp problem_type remove_invalid_values
    repetition_penalty resid_pdrop return_dict return_dict_in_generate sep_token_id suppress_tokens
    summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
    task_specific_params temperature tokenizer_class top_k top_p torch_dtype torchscript
    transformers_version transformers.js_config typical_p unk_token_id unsloth_fixed use_bfloat16
    use_cache use_return_dict chunk_size_feed_forward gradient_checkpointing""".split()  # noqa: SIM905
)

# Keys with one value that changes nothing, for architectures that do not list them as a field.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "add_cross_attention": (False,),
    "attention_bias": (False,),
    "is_encoder_decoder": (False,),
    "mlp_bias": (False,),
    "partial_rotary_factor": (1.0,),
    "pruned_heads": ({},),
    "rope_interleaved": (False,),
    "tie_encoder_decoder": (False,),
    "use_bidirectional_attention": (False,),
    "use_sliding_window": (False,),
    "use_qk_norm": (False,),
    "use_weighted_layer_sum": (False,),
    "layer_types": ("full_attention",),
}

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
    "no_rope_layer_interval": 512,
    "sliding_window_pattern": 512,
    "num_decoder_layers": 512,
    "encoder_layers": 512,
    "decoder_layers": 512,
    "encoder_attention_heads": 1024,
    "decoder_attention_heads": 1024,
    "encoder_ffn_dim": 1 << 18,
    "decoder_ffn_dim": 1 << 18,
    "relative_attention_num_buckets": 1 << 10,
    "relative_attention_max_distance": 1 << 16,
}
POSITIVE = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "query_pre_attn_scalar")
LEAST_CONTEXT = 64  # the checks of an export read a text of that length


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Base of all configurations: strict reading. Fields carry the names of config.json."""

    ALIASES: ClassVar[dict[str, str]] = {}  # key of this architecture -> our field
    cosmetic: ClassVar[frozenset[str]] = COSMETIC

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        """Build from the content of config.json, or refuse with the key, its value and the reason."""
        renamed = {cls.ALIASES.get(key, key): value for key, value in raw.items()}
        hints = typing.get_type_hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        values = {}
        for key, value in renamed.items():
            if key in fields:
                if value is not None or _accepts_none(hints[key]):
                    values[key] = _typed(key, value, hints[key])
            elif not (key in cls.cosmetic or key in ignored_keys or _is_neutral(key, value)):
                raise UnsupportedError(
                    f"config.json: key {shown(key, 60)} = {shown(value, 60)} is not supported by "
                    f"{raw.get('model_type')}; if it does not change the mathematics, "
                    f"export with --ignore-config-key {shown(key, 60)}"
                )
        missing = [
            name
            for name, field in fields.items()
            if name not in values and field.default is dataclasses.MISSING
        ]
        if missing:
            raise CheckpointError(f"config.json lacks {', '.join(missing)}", "CKPT_CONFIG")
        return cls(**values)

    def check_sizes(self) -> None:
        """Refuse sizes beyond LIMITS and signs, of the fields that this configuration has."""
        for name, limit in LIMITS.items():
            value = getattr(self, name, None)
            if value is not None and not 1 <= value <= limit:
                raise CheckpointError(
                    f"config.json: {name} = {value} is outside 1..{limit}", "CKPT_CONFIG"
                )
        for name in POSITIVE:
            if getattr(self, name, 1) <= 0:
                raise CheckpointError(
                    f"config.json: {name} = {getattr(self, name):g}; expected more than 0",
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

    def rope(self) -> RopeParameters:
        """The rotary parameters of layers that do not have their own."""
        old, new = self.rope_scaling, self.rope_parameters
        if old and new and old != new:
            raise CheckpointError(
                "config.json: rope_scaling and rope_parameters differ; one of them says how to "
                "rotate",
                "CKPT_CONFIG",
            )
        return RopeParameters.from_dict(new or old or {}, self.rope_theta)

    @property
    def short_positions(self) -> int | None:
        rope = self.rope()
        original = rope.original_max_position_embeddings or 0
        return original if rope.rope_type == "longrope" and original >= LEAST_CONTEXT else None


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


def _is_neutral(key: str, value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, list):
        return key in NEUTRAL and set(map(str, value)) <= set(map(str, NEUTRAL[key]))
    return value in NEUTRAL.get(key, ())


def _accepts_none(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) and type(None) in hint.__args__


def _typed(key: str, value: Any, hint: Any) -> Any:
    """`value` if it is of the hinted type (an int passes for a float), or an error."""
    allowed = hint.__args__ if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in allowed)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds if kind is not types.NoneType)
        raise CheckpointError(
            f"config.json: {key} = {shown(value)} is not a {expected}", "CKPT_CONFIG"
        )
    if isinstance(value, list):
        return _typed_items(key, value, allowed)
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise CheckpointError(f"config.json: {key} = {value} is not finite", "CKPT_CONFIG")
    return value


def _typed_items(key: str, value: list[Any], allowed: tuple[Any, ...]) -> list[Any]:
    """`value` if its items are of the type that the one list in `allowed` is hinted to hold."""
    kind = next(typing.get_args(hint)[0] for hint in allowed if typing.get_origin(hint) is list)
    for item in value:
        if not isinstance(item, kind):
            raise CheckpointError(
                f"config.json: {key} holds {shown(item, 60)}, which is not a {kind.__name__}",
                "CKPT_CONFIG",
            )
    return value
