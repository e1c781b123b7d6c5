"""Which keys of config.json releases of transformers read, by model type: makes config_keys.json.

    python -m tests.config_keys FILE.whl ...     # wheels of older releases; the installed one is added

Reads sources as syntax trees and runs none of them. A key counts as read where a configuration class
has it as a field, an argument or another name, or where the code of its models, or what all models
share, takes it off a configuration. Names that are read off a configuration of another part of the same
file count too: a key too many is looked at by a person, a key too few would pass unseen.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import transformers

DATA = Path(__file__).parents[1] / "src/satchel/checkpoints/config_keys.json"
SHARED = (  # what every model is built and run with; files that a release lacks are passed over
    "configuration_utils.py",
    "cache_utils.py",
    "masking_utils.py",
    "modeling_attn_mask_utils.py",
    "modeling_flash_attention_utils.py",
    "modeling_layers.py",
    "modeling_utils.py",
    "pytorch_utils.py",
    "generation/configuration_utils.py",
    "generation/utils.py",
    "integrations/eager_paged.py",
    "integrations/flash_attention.py",
    "integrations/flex_attention.py",
    "integrations/sdpa_attention.py",
    "models/auto/auto_factory.py",
    "models/auto/configuration_auto.py",
    "models/auto/tokenization_auto.py",
)
ROTARY = "modeling_rope_utils.py"  # shared too, by models that rotate
ROPE = frozenset(
    [
        "original_max_position_embeddings",
        "partial_rotary_factor",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
    ]
)
# What shared code takes off the configurations of models that are not here (state spaces, codecs,
# experts, predictors of several tokens) or checks without using it. Where a model's own code reads
# one of these, it counts.
FOREIGN = frozenset(
    """alibi attribute_map audio_vocab_size base_config_key cache_size_limit chain_hidden_post_norm
    conv_kernel default_rope_type default_theta embed_dim first_k_dense_replace head_dim
    hidden_size ignore_keys_at_rope_validation intermediate_size layer_norm_eps
    logits_mup_width_multiplier max_position_embeddings mlp_layer_types mtp_hidden_states_first
    mtp_layer_types mtp_mlp_layer_types mtp_per_layer_config no_rope_layers num_attention_heads
    num_channels num_heads num_hidden_layers num_key_value_heads num_mtp_layers
    number_of_conv_states out_indices output_vocab_size qk_head_dim rms_norm_eps
    sliding_window_pattern state_size sub_configs sub_configs_defaults unpadded_vocab_size
    use_alibi use_pretrained_backbone vocab_size""".split()  # noqa: SIM905
)
GENERATION = "generation/configuration_utils.py"
MODEL_TYPES = """llama mistral qwen2 qwen3 smollm3 gemma gemma2 gemma3 gemma3_text phi phi3 olmo2 olmo3
    gpt2 gpt_neox granite ministral ministral3 mistral3 exaone4 hunyuan_v1_dense ernie4_5 arcee apertus
    helium falcon stablelm starcoder2 gpt_bigcode opt bloom mpt gptj codegen gpt_neo glm glm4 cohere
    cohere2 nemotron bert roberta xlm-roberta xlm-roberta-xl camembert distilbert mpnet modernbert
    electra albert nomic_bert gte jina_embeddings_v3 eurobert deberta deberta-v2 convbert roformer esm
    longformer layoutlmv3 t5 mt5 umt5 longt5 t5gemma t5_gemma_module bart mbart marian pegasus m2m_100
    blenderbot blenderbot-small led encoder-decoder vision-encoder-decoder trocr whisper moonshine
    wav2vec2 hubert wavlm wav2vec2-bert vit deit beit dinov2 dinov2_with_registers dinov3_vit clip
    clip_text_model clip_vision_model siglip siglip_text_model siglip_vision_model siglip2
    siglip2_text_model siglip2_vision_model convnext convnextv2 swin swinv2 donut-swin resnet
    mobilenet_v2 yolos detr segformer depth_anything""".split()  # noqa: SIM905
PLACES = {  # folder and end of the files' names, of the model types that do not name theirs
    "donut-swin": ("donut", "donut_swin"),
    "gemma3_text": ("gemma3", "gemma3"),
    "t5_gemma_module": ("t5gemma", "t5gemma"),
}
OTHER_CODE = {  # keys that the code published with checkpoints reads: known from files, listed by hand
    "nomic_bert": """activation_function attn_pdrop causal dense_seq_output embd_pdrop fused_bias_fc
        fused_dropout_add_ln layer_norm_epsilon max_trained_positions mlp_fc1_bias mlp_fc2_bias
        moe_every_n_layers n_embd n_head n_inner n_layer n_positions num_experts
        pad_vocab_size_multiple parallel_block parallel_block_tied_norm prenorm qkv_proj_bias
        reorder_and_upcast_attn resid_pdrop rotary_emb_base rotary_emb_fraction
        rotary_emb_interleaved rotary_emb_scale_base rotary_scaling_factor
        scale_attn_by_inverse_layer_idx scale_attn_weights use_flash_attn use_rms_norm
        use_xentropy""",
    "gte": """layer_norm_type logn_attention_clip1 logn_attention_scale pack_qkv
        position_embedding_type unpad_inputs use_memory_efficient_attention""",
    "jina_bert": "emb_pooler feed_forward_type",
    "jina_xlm_roberta": """emb_pooler load_trained_adapters lora_adaptations lora_alpha lora_dropout_p
        lora_main_params_trainable lora_rank matryoshka_dimensions rotary_emb_base
        task_instructions truncate_dim use_flash_attn use_reentrant""",
    "mobilenet_v3": "channel_multiplier layer_norm_eps minimal size tf_padding",
    "neobert": """classifier_init_range decoder_init_range embedding_init_range hidden_size
        intermediate_size max_length norm_eps num_attention_heads num_hidden_layers vocab_size""",
}
LIKE = {  # model types that transformers lacks -> one whose keys they have as well
    "new": "gte",
    "jina_bert": "bert",
    "jina_xlm_roberta": "xlm-roberta",
    "mobilenet_v3": "",
    "neobert": "",
}
NORMS = {"normalize_before", "normalize_embedding", "add_final_layer_norm"}
BEFORE_4 = {  # what releases before version 4 read
    **{name: NORMS for name in ("bart", "mbart", "marian", "pegasus")},
    **{name: {"n_positions"} for name in ("t5", "mt5")},
}
OWNERS = {  # what code calls a configuration; generation, quantisation and others have their own
    "config",
    "decoder_config",
    "encoder_config",
    "layer_config",
    "model_config",
    "sub_config",
    "subconfig",
    "text_config",
    "vision_config",
}
FILING = {  # methods of a configuration that fetch, write or compare files
    "_from_auto",
    "_get_config_dict",
    "from_dict",
    "from_json_file",
    "from_pretrained",
    "get_config_dict",
    "push_to_hub",
    "register_for_auto_class",
    "save_pretrained",
    "update_from_string",
}
PAIRS = {
    "clip",
    "siglip",
    "siglip2",
}  # whose models read the configurations of their parts, not these
READERS = {"getattr", "hasattr", "setattr"}  # functions that name an attribute
LOOKUPS = {"pop", "get", "setdefault"}  # methods that name a key
Read = Callable[[str], str | None]  # path in the package -> source, None where there is none


def keys_read(read: Read) -> dict[str, set[str]]:
    """The keys that one release may read per model type, under "every" for all of them, and under
    "generation" what it takes for options of generation."""
    shared = [_parsed(read, path) for path in SHARED]
    every = {key for tree in shared for key in _off_configurations(tree)}
    for tree in shared:  # the first was renamed
        for name in ("PreTrainedConfig", "PretrainedConfig"):
            every |= _of_class(tree, name)
    rope = _parsed(read, ROTARY)
    rotary = set(_off_configurations(rope)) | _of_class(rope, "RotaryEmbeddingConfigMixin")
    generation = _of_class(_parsed(read, GENERATION), "GenerationConfig")
    every -= FOREIGN | ROPE
    found = {"every": every, "generation": generation}
    for model_type in MODEL_TYPES:
        folder, end = _place(model_type)
        code = "" if model_type in PAIRS else f"models/{folder}/modeling_{end}.py"
        classes = _parsed(read, f"models/{folder}/configuration_{end}.py")
        keys = _of_class(classes, _named(classes, model_type))
        keys |= set(_off_configurations(_parsed(read, code)))
        keys |= (rotary | ROPE) - FOREIGN if code and "otary" in (read(code) or "") else set()
        found[model_type] = keys | BEFORE_4.get(model_type, set())
    return found


def _place(model_type: str) -> tuple[str, str]:
    """Where the package keeps a model type: the folder, and how its files' names end."""
    name = model_type.removesuffix("_text_model").removesuffix("_vision_model").replace("-", "_")
    return PLACES.get(model_type, (name, name))


def _named(tree: ast.Module, model_type: str) -> str:
    """The configuration class of a model type, "" where a release lacks it."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for entry in node.body:
                match entry:
                    case ast.Assign(
                        targets=[ast.Name(id="model_type")], value=ast.Constant(value=value)
                    ) if value == model_type:
                        return node.name
    return ""


def _parsed(read: Read, path: str) -> ast.Module:
    """The tree of a source, an empty one where a release lacks it."""
    return ast.parse((read(path) if path else None) or "")


def _of_class(tree: ast.Module, name: str) -> set[str]:
    """Fields, arguments and other names of a configuration class and of its bases in the same file."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    keys: set[str] = set()
    pending = [name]
    while pending:
        found = classes.get(pending.pop())
        if found is not None:
            pending += [base.id for base in found.bases if isinstance(base, ast.Name)]
            keys |= set(_declared(found)) | set(_off_itself(found))
    return keys


def _declared(node: ast.ClassDef) -> Iterator[str]:
    """Annotated fields, arguments of __init__, both sides of attribute_map, settable properties."""
    for entry in node.body:
        match entry:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                if not ast.unparse(annotation).startswith("ClassVar"):
                    yield name
            case ast.Assign(targets=[ast.Name(id="attribute_map")], value=ast.Dict() as names):
                for side in (*names.keys, *names.values):
                    if isinstance(side, ast.Constant):
                        yield str(side.value)
            case ast.FunctionDef(name="__init__", args=arguments):
                yield from (a.arg for a in (*arguments.args, *arguments.kwonlyargs)[1:])
            case ast.FunctionDef(name=name, decorator_list=decorators):
                if any(ast.unparse(item).endswith(".setter") for item in decorators):
                    yield name


def _off_itself(node: ast.ClassDef) -> Iterator[str]:
    """Attributes that the methods of a configuration use and keys that they take from arguments."""
    methods = {entry.name: entry for entry in node.body if isinstance(entry, ast.FunctionDef)}
    used = (methods[name] for name in methods.keys() - FILING)
    nodes = [inner for method in used for inner in ast.walk(method)]
    called = {id(inner.func) for inner in nodes if isinstance(inner, ast.Call)}
    for inner in nodes:
        match inner:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name not in methods:
                if id(inner) not in called and not name.startswith("__"):
                    yield name
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="kwargs"), attr=way),
                args=[ast.Constant(value=str(key)), *_],
            ) if way in LOOKUPS:
                yield key


def _off_configurations(tree: ast.Module) -> Iterator[str]:
    """Names that code takes off something called a configuration."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=owner, attr=name) if _is_configuration(owner):
                if id(node) not in called and not name.startswith("__"):
                    yield name
            case ast.Call(
                func=ast.Name(id=way), args=[owner, ast.Constant(value=str(name)), *_]
            ) if way in READERS and _is_configuration(owner):
                yield name


def _is_configuration(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in OWNERS
        case ast.Call(func=ast.Attribute(attr="get_text_config")):
            return True
    return False


def installed(path: str) -> str | None:
    """A source of the installed release."""
    file = Path(transformers.__file__).parent / path
    return file.read_text("utf-8") if file.exists() else None


def from_wheel(wheel: Path) -> Read:
    """What reads the sources in a wheel."""
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())

    def read(path: str) -> str | None:
        inner = f"transformers/{path}"
        return archive.read(inner).decode("utf-8") if inner in names else None

    return read


def main(wheels: list[Path]) -> None:
    """Write the union over the releases."""
    releases = {wheel.name.split("-")[1]: from_wheel(wheel) for wheel in wheels}
    releases[transformers.__version__] = installed
    keys: dict[str, set[str]] = {}
    for read in releases.values():
        for model_type, found in keys_read(read).items():
            keys.setdefault(model_type, set()).update(found)
    every, generation = keys.pop("every"), keys.pop("generation")
    for name, listed in OTHER_CODE.items():
        keys.setdefault(name, set()).update(listed.split())
    for name, other in LIKE.items():
        keys.setdefault(name, set()).update(keys.get(other, ()))
    content = {
        "transformers": list(releases),
        "every": " ".join(sorted(every - generation)),
        "generation": " ".join(sorted(generation)),
        "model_types": {
            name: " ".join(sorted(keys[name] - every - generation))
            for name in [*MODEL_TYPES, *LIKE]
        },
    }
    DATA.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
